"""Each test of quality on records in which the faults were put by hand."""

import numpy as np
import pandas as pd
import pytest

from tamrl import solar
from tamrl.carbon import FLUXES
from tamrl.sections.inputs import Quality
from tamrl.towers import sites
from tamrl.towers.quality import record_tests, screening

LIMITS = Quality()
PLACES = sites.site_table([{"site": s, "network": "x", "lat": 51.0, "lon": 10.5} for s in ("DE-Aaa", "NA-Bbb")])


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
    kept, report = record_tests.apply_tests(records, record_tests.active_tests("day", LIMITS))
    pd.testing.assert_frame_equal(kept.drop(columns="flags"), records)
    assert (kept["flags"] == "").all()
    assert (report["dropped"] == 0).all() and (report["kept"] == 400).all()
    assert len(report) == 2 * len(record_tests.active_tests("day", LIMITS))


@pytest.mark.parametrize("value", [-9999.0, 1e20, 9.969209968386869e36])
def test_fill_values_are_the_last_gate(value):
    records = _records()
    records.loc[5, "nee"] = value
    assert _where(record_tests.fill_left(records)) == [5] and _where(record_tests.fill_left(records), "gpp") == []


def test_quality_threshold_includes_its_value_and_drops_the_unknown():
    records = _records(5).assign(nee_qc=[0.79, 0.8, np.nan, 1.0, 0.0])
    assert _where(record_tests.poor_quality(records, 0.8)) == [0, 2, 4] == _where(record_tests.poor_quality(records, 0.8), "gpp")
    assert _where(record_tests.poor_quality(records, 0.0)) == []


def test_negative_gpp_and_both_signs_of_nee_are_valid():
    records = _records(3).assign(gpp=[-3.0, 0.0, 70.0], nee=[-20.0, 0.0, 20.0])
    assert not record_tests.outside_range(records).any(axis=None)


def test_range_takes_the_flux_or_all_with_nee():
    records = _records(4)
    records.loc[1, "reco"], records.loc[2, "nee"] = 81.0, -81.0
    mask = record_tests.outside_range(records)
    assert [_where(mask, f) for f in FLUXES] == [[2], [1, 2], [2]]


def test_drivers_out_of_range_go_alone():
    records = _records(6)
    records.loc[2, "air_temperature"] = -9725.85  # a fill value that was converted
    kept, report = record_tests.mask_drivers(records, PLACES, "day", LIMITS)
    assert np.isnan(kept.loc[2, "air_temperature"]) and kept.loc[2, "evi"] == 0.4
    assert report[["dropped", "kept"]].to_numpy().tolist() == [[1, 11]]
    pd.testing.assert_frame_equal(kept[list(FLUXES)], records[list(FLUXES)])


def test_a_spike_goes_and_its_neighbours_stay():
    records = _records()
    records.loc[200, "nee"] += 25
    assert _where(record_tests.spikes(records)) == [200] == _where(record_tests.spikes(records), "reco")


def test_a_spike_of_gpp_leaves_the_measured_nee():
    records = _records()
    records.loc[200, "gpp"] += 40
    mask = record_tests.spikes(records)
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
    assert _where(record_tests.spikes(records)) == []


def test_a_step_is_no_spike():
    records = _records()
    records.loc[200:, "nee"] += 25
    assert len(_where(record_tests.spikes(records))) <= 2  # at most the two days beside the step


def test_short_months_are_not_judged():
    records = _records(15)
    records.loc[7, "nee"] += 25
    assert _where(record_tests.spikes(records)) == []


def test_the_test_for_spikes_leaves_weather_in_real_records(shared_data):
    table = pd.read_parquet(shared_data / "towers" / "fluxnet2015_daily.parquet")
    names = {"GPP_NT_VUT_REF": "gpp", "RECO_NT_VUT_REF": "reco", "NEE_VUT_REF": "nee", "NEE_VUT_REF_QC": "nee_qc"}
    records = table.rename(columns=names).sort_values(["site", "date"], ignore_index=True)
    kept, report = record_tests.apply_tests(records, record_tests.active_tests("day", LIMITS))
    share = report.groupby("test")["dropped"].sum() / len(records)
    assert share["spikes"] < 0.002 and share["flat"] < 0.002 and 0.2 < share["nee_qc"] < 0.3
    assert kept["gpp"].max() < 45 and records["gpp"].max() > 76  # gC m-2 d-1, of a failed partitioning


def test_flat_lines():
    records = _records()
    records.loc[100:104, "nee"] = 0.5
    records.loc[300:303, "nee"] = 0.5
    assert _where(record_tests.flat_runs(records)) == [100, 101, 102, 103, 104] == _where(record_tests.flat_runs(records), "gpp")


def test_flat_lines_end_at_the_site():
    records = _records(8)
    records["nee"] = 0.5
    records.loc[4:, "site"] = "NA-Bbb"
    assert _where(record_tests.flat_runs(records)) == []


def test_missing_values_are_no_flat_line():
    assert _where(record_tests.flat_runs(_records(9).assign(nee=np.nan))) == []


def test_months_are_not_tested_for_spikes():
    assert set(record_tests.active_tests("day", LIMITS)) - set(record_tests.active_tests("month", LIMITS)) == {"flat", "spikes"}


def test_the_report_adds_up():
    records = _records()
    records.loc[10:19, "nee_qc"] = 0.1
    records.loc[100:104, "nee"] = 0.5
    kept, report = record_tests.apply_tests(records, record_tests.active_tests("day", LIMITS))
    rows = report.set_index("test")
    assert rows.loc["nee_qc", ["dropped", "kept"]].tolist() == [10, 390]
    assert rows.loc["flat", ["dropped", "kept"]].tolist() == [5, 385]
    assert len(kept) == 400 and kept["nee"].notna().sum() == 385
    assert kept["flags"].value_counts().to_dict() == {"": 385, "nee_qc": 10, "flat": 5}


def test_a_record_that_fails_two_tests_names_both():
    records = _records()
    records.loc[10, "gpp"], records.loc[10, "nee_qc"] = 999.0, 0.1
    kept, _ = record_tests.apply_tests(records, record_tests.active_tests("day", LIMITS))
    assert kept.loc[10, "flags"] == "valid_range,nee_qc"


def test_a_residual_of_the_partitioning_takes_gpp_and_reco_alone():
    records = _records(5)
    records.loc[2, "reco"] += 3.1
    records.loc[3, "reco"] += 2.9
    mask = record_tests.unbalanced(records, 3.0)
    assert [_where(mask, f) for f in FLUXES] == [[2], [2], []]


def _energy(closure, days=400):
    terms = {"net_radiation": 100.0, "ground_heat_flux": 20.0, "latent_heat_flux": 60.0, "sensible_heat_flux": 80 * closure - 60}
    return _records(days).assign(**terms)


@pytest.mark.parametrize(("closure", "fails"), [(0.45, True), (0.55, False), (1.45, False), (1.55, True)])
def test_years_whose_energy_does_not_balance(closure, fails):
    mask = record_tests.unclosed_energy(_energy(closure), (0.5, 1.5))
    assert _where(mask) == (list(range(365)) if fails else [])  # of the second year 35 days are there: not judged


def test_without_its_four_terms_the_energy_balance_judges_nothing():
    assert _where(record_tests.unclosed_energy(_energy(0.1).drop(columns="ground_heat_flux"), (0.5, 1.5))) == []
    gaps = _energy(0.1)
    gaps.loc[99:, "ground_heat_flux"] = np.nan
    assert _where(record_tests.unclosed_energy(gaps, (0.5, 1.5))) == []


def test_tests_can_be_switched_off_and_on():
    every = Quality(tests=(*LIMITS.tests, "energy_balance"))
    assert set(record_tests.active_tests("day", every)) - set(record_tests.active_tests("day", LIMITS)) == {"energy_balance"}
    assert list(record_tests.active_tests("day", Quality(tests=()))) == ["fill_left"]
    assert "energy_balance" not in record_tests.active_tests("month", every)


def test_radiation_above_the_sun_goes_alone():
    records = _records(3).assign(shortwave_radiation=[80.0, 140.0, np.nan])  # January at 51 N: 88 W m-2 at the top
    kept, report = record_tests.mask_drivers(records, PLACES, "day", LIMITS)
    assert kept["shortwave_radiation"].isna().tolist() == [False, True, True]
    assert report.set_index("test").loc["radiation", ["dropped", "kept"]].tolist() == [1, 1]
    pd.testing.assert_frame_equal(kept[list(FLUXES)], records[list(FLUXES)])
    without = records.assign(air_temperature=np.nan, evi=np.nan, shortwave_radiation=np.nan)
    assert record_tests.mask_drivers(without, PLACES, "day", LIMITS)[1].empty  # not tested is not left out
    off, _ = record_tests.mask_drivers(records, PLACES, "day", Quality(tests=()))
    assert off["shortwave_radiation"][1] == 140.0


@pytest.mark.parametrize(("lat", "day", "expected"), [(0, 80, 436.0), (52, 172, 482.0), (80, 355, 0.0), (-90, 355, 558.0)])
def test_potential_radiation_of_textbook_days(lat, day, expected):
    """Table A2.6 of FAO 56 (0 deg, 20 March: 37.9 MJ; 52 deg N, 21 June: 41.8 MJ) and the poles."""
    assert solar.potential_radiation_at_towers(lat=np.array([lat]), day=np.array([day]))[0] == pytest.approx(
        expected, rel=0.02, abs=0.5
    )


def test_real_radiation_is_below_the_potential(shared_data):
    table = pd.read_parquet(shared_data / "towers" / "fluxnet2015_daily.parquet")
    places = table.drop_duplicates("site")[["site", "lat"]]
    records = table.rename(columns={"SW_IN_F": "shortwave_radiation"})
    above = record_tests.above_potential(records, places, "day")
    assert 0 < above.sum() < 0.002 * len(records)


def test_whole_towers_go_for_the_first_reason_that_holds():
    places = sites.site_table(
        [
            {"site": "AA-Aaa", "network": "x", "lat": 1, "lon": 1},
            {"site": "BB-Bbb", "network": "x", "lat": 1, "lon": 1, "managed": "irrigated"},
            {"site": "CC-Ccc", "network": "x", "lat": 1, "lon": 1, "managed": "flooded"},
            {"site": "DD-Ddd", "network": "x", "lat": 1, "lon": 1},
            {"site": "EE-Eee", "network": "x", "lat": 1, "lon": 1},
        ]
    )
    steps = pd.Series({"AA-Aaa": 100, "BB-Bbb": 100, "CC-Ccc": 100, "DD-Ddd": 59})
    kept = pd.DataFrame({"steps": steps, "months": 4})
    found = screening.towers_to_drop(places, kept, exclude=("CC-Ccc",), limits=LIMITS).set_index("site")
    assert found["test"].to_dict() == {"CC-Ccc": "exclude", "BB-Bbb": "managed", "DD-Ddd": "min_steps", "EE-Eee": "min_steps"}
    assert found.loc["BB-Bbb", ["dropped", "note"]].tolist() == [100, "irrigated"]
    found = screening.towers_to_drop(places, kept, exclude=(), limits=Quality(managed="keep"))
    assert set(found["site"]) == {"DD-Ddd", "EE-Eee"}


def test_towers_over_water_off_the_sun_or_of_few_months():
    rows = {"AA-Aaa": {"igbp": "WAT"}, "BB-Bbb": {"time_shift": -1.0}, "CC-Ccc": {"time_shift": 0.5}, "DD-Ddd": {}}
    places = sites.site_table([{"site": s, "network": "x", "lat": 1, "lon": 1, **row} for s, row in rows.items()])
    kept = pd.DataFrame({"steps": 100, "months": [12, 12, 12, 4]}, index=list(rows))
    found = screening.towers_to_drop(places, kept, exclude=(), limits=Quality(min_months=5)).set_index("site")
    assert found["test"].to_dict() == {"AA-Aaa": "water", "BB-Bbb": "time_shift", "DD-Ddd": "months"}
    assert "-1.0 h off the sun" in found.loc["BB-Bbb", "note"]
    off = Quality(min_months=5, tests=())
    assert screening.towers_to_drop(places, kept, exclude=(), limits=off).empty


def test_every_alternative_closes_and_keeps_its_nee():
    dates = pd.date_range("2010-06-01", periods=6)
    records = pd.DataFrame({"site": "DE-Aaa", "date": dates, "gpp": 8.0, "reco": 5.0, "nee": [-3, -3, -3, np.nan, -3, -3]})
    stated = {
        "gpp_DT_REF": [8.4, np.nan, np.nan, 8.0, 15.0, 90.0],
        "reco_DT_REF": [5.0, 5.2, np.nan, 5.0, 5.0, np.nan],
        "gpp_NT_84": [8.1] * 6,
        "reco_NT_84": [np.nan] * 6,
        "nee_84": [-2.8] * 6,
    }
    closed, report = record_tests.close_alternatives(records.assign(**stated), LIMITS)
    np.testing.assert_allclose(closed["gpp_DT_REF"], [8.2, 8.2, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(closed["reco_DT_REF"], [5.2, 5.2, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(closed["reco_NT_84"] - closed["gpp_NT_84"], [-2.8, -2.8, -2.8, np.nan, -2.8, -2.8])
    pd.testing.assert_frame_equal(closed[list(records)], records)
    assert report.set_index("note")[["dropped", "kept"]].to_dict("index") == {
        "DT_REF": {"dropped": 3, "kept": 2},
        "NT_84": {"dropped": 1, "kept": 5},
    }
    assert record_tests.close_alternatives(records, LIMITS)[1].empty
