"""Half hours and hours to days, days to months."""

import numpy as np
import pandas as pd
import pytest

from tamrl.errors import InputError
from tamrl.towers.networks import fluxnet2015
from tamrl.towers.product import Product
from tamrl.towers.reader import aggregate, oneflux
from tamrl.towers.reader.records import RecordChoice

MAPPING = {"nee": "NEE_VUT_REF", "nee_qc": "NEE_VUT_REF_QC", "air_temperature": "TA_F", "precipitation": "P_F"}
MOLES = 12.011e-6 * 86400


@pytest.mark.parametrize("minutes", [30, 60])
def test_days_by_hand(sample, minutes):
    raw = sample.fine(days=3, minutes=minutes)
    daily, fills = aggregate.daily_rows(raw, MAPPING, where="x")
    first = raw.iloc[: 24 * 60 // minutes]
    assert daily["TIMESTAMP"].tolist() == list(pd.date_range("2012-01-01", periods=3))
    assert daily["NEE_VUT_REF"][0] == pytest.approx(first["NEE_VUT_REF"].mean() * MOLES)
    assert daily["TA_F"][0] == pytest.approx(first["TA_F"].mean())
    assert daily["P_F"].tolist() == pytest.approx([2.4] * 3)  # the same rain, whatever the step
    assert daily["NEE_VUT_REF_QC"].tolist() == [0.5] * 3  # flags 0 and 1 of 0, 1, 2, 3
    assert fills == {"fills_targets": 0, "fills_drivers": 0}


@pytest.mark.parametrize(("lost", "there"), [(4, True), (5, False)])
def test_a_day_needs_44_of_48_half_hours(sample, lost, there):
    raw = sample.fine(days=2)
    raw.loc[: lost - 1, "TA_F"] = -9999
    daily, fills = aggregate.daily_rows(raw, MAPPING, where="x")
    assert np.isfinite(daily["TA_F"]).tolist() == [there, True] and np.isfinite(daily["NEE_VUT_REF"]).all()
    assert fills == {"fills_targets": 0, "fills_drivers": lost}


def test_missing_rows_count_as_missing_steps(sample):
    daily, _ = aggregate.daily_rows(sample.fine(days=2).iloc[5:], MAPPING, where="x")
    assert daily["TA_F"].isna().tolist() == [True, False]


def test_the_day_after_28_february_is_there_in_leap_years(sample):
    daily, _ = aggregate.daily_rows(sample.fine(days=3, start="2012-02-28"), MAPPING, where="x")
    assert daily["TIMESTAMP"].dt.strftime("%m-%d").tolist() == ["02-28", "02-29", "03-01"]


def test_half_hours_that_stand_twice(sample):
    raw = sample.fine(days=2)
    same = pd.concat([raw, raw.iloc[[7]]])
    assert len(aggregate.daily_rows(same, MAPPING, where="x")[0]) == 2
    with pytest.raises(InputError, match=r"stand twice[\s\S]*summer time"):
        aggregate.daily_rows(pd.concat([raw, raw.iloc[[7]].assign(TA_F=1.0)]), MAPPING, where="x")


@pytest.mark.parametrize("change", [{"TIMESTAMP_END": 201201010015}, {"TIMESTAMP_START": -9999}])
def test_steps_of_other_lengths_are_refused(sample, change):
    raw = sample.fine(days=1).assign(**change)
    with pytest.raises(InputError):
        aggregate.daily_rows(raw, MAPPING, where="x")


def test_an_offset_of_a_quarter_hour_is_refused(sample):
    raw = sample.fine(days=1)
    raw[["TIMESTAMP_START", "TIMESTAMP_END"]] += 15
    raw = raw[raw["TIMESTAMP_START"] % 100 == 15]
    with pytest.raises(InputError, match="hour or half hour"):
        aggregate.daily_rows(raw, MAPPING, where="x")


def _records(days=60):
    dates = pd.date_range("2012-01-01", periods=days).astype("datetime64[ns]")
    return pd.DataFrame(
        {"site": "DE-Aaa", "date": dates, "gpp": 1.0, "reco": 2.0, "nee": np.arange(days, dtype=float), "nee_qc": 0.5}
    )


def test_months_are_means_of_days_and_need_most_of_them():
    records = _records()
    records.loc[2:3, "gpp"] = np.nan  # 29 of 31 days are enough
    records.loc[32:34, "nee_qc"] = np.nan
    monthly = aggregate.monthly_records(records)
    assert monthly["date"].tolist() == [pd.Timestamp("2012-01-01"), pd.Timestamp("2012-02-01")]
    assert monthly["nee"].tolist() == [15.0, 45.0] and monthly["gpp"].tolist() == [1.0, 1.0]
    assert monthly["nee_qc"].tolist() == pytest.approx([0.5, 0.5 * 26 / 29])
    assert aggregate.monthly_records(_records(50))["nee"].isna().tolist() == [False, True]


NAME = "FLX_DE-Aaa_FLUXNET2015_FULLSET"


@pytest.mark.parametrize(("code", "minutes"), [("HH", 30), ("HR", 60)])
def test_an_archive_of_half_hours_becomes_days_and_months(sample, code, minutes):
    raw = sample.fine(days=91, minutes=minutes)
    raw.loc[3, "NEE_VUT_REF"] = -9999
    member = f"{NAME}_{code}_2012-2012_1-4.csv"
    path = sample.zip(sample.folder / f"{NAME}_2012-2012_1-4.zip", {member: raw.to_csv(index=False)})
    (product,) = oneflux.find_products(sample.folder, fluxnet2015.FILES, "day")
    table, by_site, _ = oneflux.read_oneflux(product, RecordChoice("day", "NT"))
    assert product.path == path and len(table) == 91
    assert table["gpp"][1] == pytest.approx(raw["GPP_NT_VUT_REF"][24 * 60 // minutes : 48 * 60 // minutes].mean() * MOLES)
    assert table["air_temperature"].between(255, 290).all()
    assert by_site.loc["DE-Aaa", "fills_targets"] == 1 and by_site.loc["DE-Aaa", "time_shift"] == 0
    monthly, _, _ = oneflux.read_oneflux(product, RecordChoice("month", "NT"))
    assert len(monthly) == 3 and monthly["gpp"][0] == pytest.approx(table["gpp"][:31].mean())


@pytest.mark.parametrize(("code", "minutes"), [("HH", 30), ("HR", 60)])
@pytest.mark.parametrize("shift", [-2.0, -1.0, 0.0, 0.4, 1.0, 3.5])
def test_a_clock_that_is_wrong_is_found(sample, shift, code, minutes):
    member = f"{NAME}_{code}_2012-2012_1-4.csv"
    raw = sample.fine(days=90, shift=shift, minutes=minutes)
    sample.zip(sample.folder / f"{NAME}_2012-2012_1-4.zip", {member: raw.to_csv(index=False)})
    (product,) = oneflux.find_products(sample.folder, fluxnet2015.FILES, "day")
    found = oneflux.read_oneflux(product, RecordChoice("day", "NT"))[1].loc["DE-Aaa", "time_shift"]
    assert found == pytest.approx(shift, abs=0.1)


@pytest.mark.parametrize("raw", ["short", "dark", "without"])
def test_a_clock_that_cannot_be_judged_is_not(sample, raw):
    rows = {"short": sample.fine(days=30), "dark": sample.fine(days=90).assign(SW_IN_F=0.0)}
    rows["without"] = sample.fine(days=90).drop(columns="SW_IN_POT")
    sample.zip(sample.folder / f"{NAME}_2012-2012_1-4.zip", {f"{NAME}_HH_2012-2012_1-4.csv": rows[raw].to_csv(index=False)})
    (product,) = oneflux.find_products(sample.folder, fluxnet2015.FILES, "day")
    assert np.isnan(oneflux.read_oneflux(product, RecordChoice("day", "NT"))[1].loc["DE-Aaa", "time_shift"])


def test_months_from_days_agree_with_the_official_months(shared_data):
    """The monthly file of Puechabon and the daily one of another version of the same data."""
    archives = shared_data / "archives"
    (official,) = oneflux.find_products(archives / "formats", fluxnet2015.FILES, "month")
    theirs, _, _ = oneflux.read_oneflux(official, RecordChoice("month", "NT"))
    path = archives / "fluxnet2015" / "FLX_FR-Pue_FLUXNET2015_SUBSET_2000-2014_2-4.zip"
    ours, _, _ = oneflux.read_oneflux(Product("FR-Pue", path), RecordChoice("month", "NT"))
    both = ours.merge(theirs, on="date", suffixes=("", "_official"))
    assert len(both) == 96
    for name, limit in {"air_temperature": 0.01, "shortwave_radiation": 0.05, "nee": 0.06, "gpp": 0.06, "nee_qc": 0.01}.items():
        assert (both[name] - both[f"{name}_official"]).abs().median() <= limit, name


def test_a_real_file_of_half_hours(shared_data):
    """AmeriFlux BASE of US-CRT, which has the same stamps and fill values."""
    path = shared_data / "archives" / "formats" / "AMF_US-CRT_BASE_HH_2-5.csv"
    raw = pd.read_csv(path, comment="#")
    raw = raw[raw["TIMESTAMP_START"].notna()]
    daily, fills = aggregate.daily_rows(raw, {"air_temperature": "TA", "precipitation": "P"}, where=path)
    whole = raw.groupby(raw["TIMESTAMP_START"] // 10_000).filter(lambda day: len(day) == 48)
    first = whole[whole["TIMESTAMP_START"] // 10_000 == whole["TIMESTAMP_START"].iloc[0] // 10_000]
    assert (first["TA"] > -9999).all()
    assert daily["TA"][0] == pytest.approx(first["TA"].mean()) and daily["P"][0] == pytest.approx(first["P"].sum())
    assert fills["fills_drivers"] == (raw[["TA", "P"]] == -9999).sum().sum()
