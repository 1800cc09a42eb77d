"""A tower's record differs from the truth as real ones do."""

import numpy as np
import pytest

from tamrl.twin import observe


@pytest.fixture(scope="module")
def truth():
    days = np.arange(3 * 365)
    season = 0.5 - 0.5 * np.cos(2 * np.pi * days / 365)
    return {
        "gpp": 10 * season, "reco": 1 + 5 * season, "celsius": 20 * season, "vpd": 12 * season, "shortwave": 40 + 200 * season,
        "potential": 100 + 350 * season, "rain": np.tile([0.0, 6.0], 548)[: days.size],
    }  # fmt: skip


@pytest.fixture(scope="module")
def records(truth):
    return [observe.record(truth, elevation=300.0, noise=1.0, rng=np.random.default_rng(k)) for k in range(20)]


def test_errors_grow_with_the_flux_and_with_the_setting():
    scale = observe.error_scale(np.array([0.0, -3.0, 8.0]), 1.0)
    assert (np.diff(scale) > 0).all()
    assert (observe.error_scale(np.array([2.0]), 0.0) == 0).all()


def test_without_noise_measured_days_are_the_truth(truth):
    found = observe.record(truth, elevation=0.0, noise=0.0, rng=np.random.default_rng(3))
    nee = truth["reco"] - truth["gpp"]
    good = (found["NEE_VUT_REF_QC"] > 0.6).to_numpy()
    assert good.sum() > 500
    np.testing.assert_allclose(found["NEE_VUT_REF"][good], nee[good], atol=1e-9)
    np.testing.assert_allclose(found["GPP_NT_VUT_REF"][good], truth["gpp"][good], atol=1e-9)
    np.testing.assert_allclose(found["TA_F"], truth["celsius"], atol=1e-9)


def test_quality_gaps_and_lost_seasons(records):
    quality = np.concatenate([r["NEE_VUT_REF_QC"] for r in records])
    lost = np.isnan(quality)
    assert ((quality[~lost] >= 0) & (quality[~lost] <= 1)).all()
    assert 0.65 < (quality[~lost] > 0.8).mean() < 0.9
    assert 0.005 < lost.mean() < 0.15
    for record in records:
        assert (record["NEE_VUT_REF"].isna() == record["GPP_DT_VUT_REF"].isna()).all()
        assert record["TA_F"].notna().all(), "weather is filled from reanalysis"
        assert (record["TA_F_QC"][record["NEE_VUT_REF"].isna()] == 0).all()


def test_partitionings_fail_as_they_do(records):
    night = np.concatenate([r["GPP_NT_VUT_REF"] for r in records])
    assert 0.02 < (night < 0).mean() < 0.25, "winter noise makes negative GPP"
    for record in records:
        assert record["GPP_DT_VUT_REF"].dropna().min() >= 0
        closure = record["RECO_NT_VUT_REF"] - record["GPP_NT_VUT_REF"] - record["NEE_VUT_REF"]
        assert 0.005 < closure.std() < 0.1, "REF products nearly balance"


def test_percentiles_enclose_the_reference(records):
    for record in (r.dropna() for r in records):
        for name in ("NEE", "RECO_NT", "RECO_DT", "GPP_NT", "GPP_DT"):
            low, middle, high = (record[f"{name}_VUT_{p}"] for p in ("16", "REF", "84"))
            assert (low <= middle).all() and (middle <= high).all() and (low < high).any()


def test_weather_keeps_physical_limits(records, truth):
    for record in records:
        assert (record["SW_IN_F"] <= truth["potential"] + 1e-9).all()
        assert (record[["SW_IN_F", "VPD_F", "P_F", "WS_F"]] >= 0).all().all()
        assert record["PA_F"].between(93, 101).all()
