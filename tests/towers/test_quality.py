"""Each test of quality on records in which the faults were put by hand."""

import numpy as np
import pandas as pd
import pytest

from tamrl.carbon import FLUXES
from tamrl.towers import quality, sites


def _records(days=400, site="DE-Aaa", seed=1):
    random = np.random.default_rng(seed)
    dates = pd.date_range("2010-01-01", periods=days)
    season = 3 - 3 * np.cos(2 * np.pi * np.arange(days) / 365)
    gpp, reco = season + random.normal(0, 0.4, days), 1 + season / 2 + random.normal(0, 0.1, days)
    frame = pd.DataFrame({"site": site, "date": dates, "gpp": gpp, "reco": reco, "nee": reco - gpp, "nee_qc": 0.9})
    return frame.assign(air_temperature=285.0, evi=0.4)


def _where(mask, flux="nee"):
    return np.flatnonzero(mask[flux]).tolist()


def test_a_good_record_passes_all_tests():
    records = pd.concat([_records(), _records(site="NA-Bbb", seed=2)], ignore_index=True)
    kept, report = quality.apply(records, quality.checks("day", 0.8))
    pd.testing.assert_frame_equal(kept, records)
    assert (report["dropped"] == 0).all() and (report["kept"] == 400).all()
    assert len(report) == 2 * len(quality.checks("day", 0.8))


@pytest.mark.parametrize("value", [-9999.0, 1e20, 9.969209968386869e36])
def test_fill_values_are_the_last_gate(value):
    records = _records()
    records.loc[5, "nee"] = value
    assert _where(quality.fill(records)) == [5] and _where(quality.fill(records), "gpp") == []


def test_quality_threshold_includes_its_value_and_drops_the_unknown():
    records = _records(5).assign(nee_qc=[0.79, 0.8, np.nan, 1.0, 0.0])
    assert _where(quality.nee_qc(records, 0.8)) == [0, 2, 4] == _where(quality.nee_qc(records, 0.8), "gpp")
    assert _where(quality.nee_qc(records, 0.0)) == []


def test_negative_gpp_and_both_signs_of_nee_are_valid():
    records = _records(3).assign(gpp=[-3.0, 0.0, 70.0], nee=[-20.0, 0.0, 20.0])
    assert not quality.valid_range(records).any(axis=None)


def test_range_takes_the_flux_or_all_with_nee():
    records = _records(4)
    records.loc[1, "reco"], records.loc[2, "nee"] = 81.0, -81.0
    mask = quality.valid_range(records)
    assert [_where(mask, f) for f in FLUXES] == [[2], [1, 2], [2]]


def test_drivers_out_of_range_go_alone():
    records = _records(6)
    records.loc[2, "air_temperature"] = -9725.85  # a fill value that was converted
    kept, report = quality.mask_drivers(records)
    assert np.isnan(kept.loc[2, "air_temperature"]) and kept.loc[2, "evi"] == 0.4
    assert report[["dropped", "kept"]].to_numpy().tolist() == [[1, 11]]
    pd.testing.assert_frame_equal(kept[list(FLUXES)], records[list(FLUXES)])


def test_a_spike_goes_and_its_neighbours_stay():
    records = _records()
    records.loc[200, "nee"] += 25
    assert _where(quality.spikes(records)) == [200] == _where(quality.spikes(records), "reco")


def test_a_spike_of_gpp_leaves_the_measured_nee():
    records = _records()
    records.loc[200, "gpp"] += 40
    mask = quality.spikes(records)
    assert [_where(mask, f) for f in FLUXES] == [[200], [200], []]


@pytest.mark.parametrize("gap", ["missing row", "missing value", "other site"])
def test_a_jump_across_a_gap_is_no_spike(gap):
    records = _records()
    records.loc[200:, "nee"] += 25
    if gap == "missing row":
        records = records.drop(index=199).reset_index(drop=True)
    if gap == "missing value":
        records.loc[199, "nee"] = np.nan
    if gap == "other site":
        records.loc[200:, "site"] = "NA-Bbb"
    assert _where(quality.spikes(records)) == []


def test_a_step_is_no_spike():
    records = _records()
    records.loc[200:, "nee"] += 25
    assert len(_where(quality.spikes(records))) <= 2  # at most the two days beside the step


def test_short_months_are_not_judged():
    records = _records(15)
    records.loc[7, "nee"] += 25
    assert _where(quality.spikes(records)) == []


def test_the_test_for_spikes_leaves_weather_in_real_records(shared_data):
    table = pd.read_parquet(shared_data / "towers" / "fluxnet2015_daily.parquet")
    names = {"GPP_NT_VUT_REF": "gpp", "RECO_NT_VUT_REF": "reco", "NEE_VUT_REF": "nee", "NEE_VUT_REF_QC": "nee_qc"}
    records = table.rename(columns=names).sort_values(["site", "date"], ignore_index=True)
    kept, report = quality.apply(records, quality.checks("day", 0.8))
    share = report.groupby("test")["dropped"].sum() / len(records)
    assert share["spikes"] < 0.002 and share["flat"] < 0.002 and 0.2 < share["nee_qc"] < 0.3
    assert kept["gpp"].max() < 45 and records["gpp"].max() > 76  # gC m-2 d-1, of a failed partitioning


def test_flat_lines():
    records = _records()
    records.loc[100:104, "nee"] = 0.5
    records.loc[300:303, "nee"] = 0.5
    assert _where(quality.flat(records)) == [100, 101, 102, 103, 104] == _where(quality.flat(records), "gpp")


def test_flat_lines_end_at_the_site():
    records = _records(8)
    records["nee"] = 0.5
    records.loc[4:, "site"] = "NA-Bbb"
    assert _where(quality.flat(records)) == []


def test_missing_values_are_no_flat_line():
    assert _where(quality.flat(_records(9).assign(nee=np.nan))) == []


def test_months_are_not_tested_for_spikes():
    assert set(quality.checks("day", 0.8)) - set(quality.checks("month", 0.8)) == {"flat", "spikes"}


def test_the_report_adds_up():
    records = _records()
    records.loc[10:19, "nee_qc"] = 0.1
    records.loc[100:104, "nee"] = 0.5
    kept, report = quality.apply(records, quality.checks("day", 0.8))
    rows = report.set_index("test")
    assert rows.loc["nee_qc", ["dropped", "kept"]].tolist() == [10, 390]
    assert rows.loc["flat", ["dropped", "kept"]].tolist() == [5, 385]
    assert len(kept) == 400 and kept["nee"].notna().sum() == 385


def test_whole_towers_go_for_the_first_reason_that_holds():
    places = sites.table(
        [
            {"site": "AA-Aaa", "network": "x", "lat": 1, "lon": 1},
            {"site": "BB-Bbb", "network": "x", "lat": 1, "lon": 1, "managed": "irrigated"},
            {"site": "CC-Ccc", "network": "x", "lat": 1, "lon": 1, "managed": "flooded"},
            {"site": "DD-Ddd", "network": "x", "lat": 1, "lon": 1},
            {"site": "EE-Eee", "network": "x", "lat": 1, "lon": 1},
        ]
    )
    kept = pd.Series({"AA-Aaa": 100, "BB-Bbb": 100, "CC-Ccc": 100, "DD-Ddd": 59})
    found = quality.towers_to_drop(places, kept, exclude=("CC-Ccc",), managed="drop", min_steps=60).set_index("site")
    assert found["test"].to_dict() == {"CC-Ccc": "exclude", "BB-Bbb": "managed", "DD-Ddd": "min_steps", "EE-Eee": "min_steps"}
    assert found.loc["BB-Bbb", ["dropped", "note"]].tolist() == [100, "irrigated"]
    found = quality.towers_to_drop(places, kept, exclude=(), managed="keep", min_steps=60)
    assert set(found["site"]) == {"DD-Ddd", "EE-Eee"}
