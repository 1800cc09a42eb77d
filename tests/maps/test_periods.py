"""Means over months and years: exact sums of days, members kept apart, closure, and files that comply."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl.calendar import TimeAxis
from tamrl.errors import ContractError
from tamrl.maps.means.periods import Periods
from tamrl.uncertainty import conformal
from tamrl.uncertainty.calibration import Calibration
from tests.maps.conftest import build
from tests.maps.test_cf import complaints
from tests.maps.test_stage import members, share


@pytest.mark.parametrize(("period", "count"), [("monthly", 12), ("annual", 1), ("8day", 46)])
def test_means_are_those_of_the_days_of_each_member(daily, period, count):
    files = daily.write_periods(period)
    stamp = {"monthly": "MS", "annual": "YS", "8day": "8D"}[period]
    days = xr.DataArray(members(daily, "gpp"), dims=("member", "time", "lat", "lon"))
    days = days.assign_coords(time=pd.date_range("2012-01-01", periods=366))
    per_member = days.resample(time=stamp).mean(skipna=False) * share(daily)
    ds = xr.open_dataset(files["gpp"])
    assert ds.sizes["time"] == count
    np.testing.assert_allclose(ds["gpp"].values, per_member.mean("member", skipna=False).values, rtol=1e-4, atol=1e-6)
    spread = per_member.std("member", ddof=1, skipna=False).values
    np.testing.assert_allclose(ds["gpp_member_std"].values, spread, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("period", "tested"), [("monthly", "month"), ("annual", "month"), ("8day", "day")])
def test_intervals_are_those_of_the_means_themselves(daily, period, tested):
    """Years take the calibration of months, the next finer one: they then deviate no more than it says."""
    ds = xr.open_dataset(daily.write_periods(period)["reco"])
    stamp = {"monthly": "MS", "annual": "YS", "8day": "8D"}[period]
    days = xr.DataArray(members(daily, "reco"), dims=("member", "time", "lat", "lon"))
    days = days.assign_coords(time=pd.date_range("2012-01-01", periods=366))
    means = days.resample(time=stamp).mean(skipna=False)
    fitted = Calibration.read(daily.folder / "calibration.json").scales[tested].reco
    mean, std = means.mean("member", skipna=False).values, means.std("member", ddof=1, skipna=False).values
    q05, q95, sigma = conformal.interval(fitted, mean, std, of_flux=True)
    for name, expected in {"std": sigma, "q05": q05, "q95": q95}.items():
        np.testing.assert_allclose(ds[f"reco_{name}"].values, expected * share(daily), rtol=1e-3, atol=1e-4)
    assert f"means over a {tested} at 40 held-out towers" in ds["reco_q05"].interval_tested_on
    assert (ds["reco_std"] >= ds["reco_member_std"] * 0.8).where(ds["reco"].notnull(), True).all()


@pytest.mark.parametrize("period", ["monthly", "annual", "8day"])
def test_every_file_says_where_towers_speak_for_it_and_what_it_is_worth(daily, period):
    ds = xr.open_dataset(daily.write_periods(period)["nee"], decode_cf=False)
    assert set(np.unique(ds["applicability"])) <= {-1, 0, 1}
    assert ds["nee"].skill == "no demonstrated spatial skill"
    assert ds["applicability"].rank_correlation_of_dissimilarity_with_rmse == "GPP -0.05 [-0.21, 0.11]"
    assert all(link in ds for link in ds["nee"].ancillary_variables.split())


@pytest.fixture(scope="module")
def two_years(tmp_path_factory):
    folder = tmp_path_factory.mktemp("years")
    return [build(folder, label=str(y), time=pd.date_range(f"{y}-01-01", f"{y}-12-31")) for y in (2012, 2013)]


@pytest.mark.parametrize("bits", [None, 8])
def test_the_files_close_however_they_are_rounded(daily, bits):
    gpp, reco, nee = (xr.open_dataset(f)[n].values for n, f in daily.write_periods("monthly", significant_bits=bits).items())
    np.testing.assert_array_equal(nee, reco - gpp)


def test_a_missing_day_makes_its_month_missing_and_no_other(daily):
    ds = xr.open_dataset(daily.write_periods("monthly")["gpp"])
    assert np.isnan(ds["gpp"].values[0, 4, 20]) and np.isfinite(ds["gpp"].values[1:, 4, 20]).all()
    assert np.isnan(xr.open_dataset(daily.write_periods("annual")["gpp"])["gpp"].values[0, 4, 20])


@pytest.mark.parametrize("period", ["monthly", "annual", "8day"])
def test_they_comply(daily, period, tmp_path):
    assert complaints(daily.write_periods(period)["nee"], tmp_path) == []


def test_half_a_year_is_no_year():
    days = pd.date_range("2012-01-01", "2012-06-30").values
    assert len(Periods.of(TimeAxis(days, "day"), "monthly").first) == 6
    with pytest.raises(ContractError, match="do not fill their years"):
        Periods.of(TimeAxis(days, "day"), "annual")


def test_eight_days_begin_anew_with_each_year():
    days = pd.date_range("2011-01-01", "2012-12-31").values
    periods = Periods.of(TimeAxis(days, "day"), "8day")
    assert len(periods.first) == 92 and str(periods.starts[46])[:10] == "2012-01-01"
    assert np.diff([*periods.first, len(days)]).tolist() == [8] * 45 + [5] + [8] * 45 + [6]
    with pytest.raises(ContractError, match="do not fill"):
        Periods.of(TimeAxis(days[:-1], "day"), "8day")


def test_the_seasonal_cycle_is_the_mean_over_years_of_each_member(two_years, tmp_path):
    first, second = two_years
    files = first.write_seasonal(second)
    months = []
    for world, year in ((first, 2012), (second, 2013)):
        days = xr.DataArray(members(world, "gpp"), dims=("member", "time", "lat", "lon"))
        days = days.assign_coords(time=pd.date_range(f"{year}-01-01", f"{year}-12-31"))
        months.append(days.resample(time="MS").mean(skipna=False).values * share(world))
    ds = xr.open_dataset(files["gpp"])
    assert ds.sizes["time"] == 12
    np.testing.assert_allclose(ds["gpp"].values, np.mean(months, axis=(0, 1)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ds["gpp_member_std"].values, np.std(np.mean(months, 0), axis=0, ddof=1), rtol=1e-3, atol=1e-5)
    assert "means over a month at" in ds["gpp_std"].interval_tested_on
    between = np.std(np.mean(months, 1), axis=0, ddof=1)
    np.testing.assert_allclose(ds["gpp_iav"].values, between, rtol=1e-3, atol=1e-5)
    gpp, reco, nee = (xr.open_dataset(files[name])[name].values for name in ("gpp", "reco", "nee"))
    np.testing.assert_array_equal(nee, reco - gpp)
    assert complaints(files["nee"], tmp_path) == []


def test_the_cycles_bounds_span_the_years(two_years):
    first, second = two_years
    ds = xr.open_dataset(first.write_seasonal(second)["reco"], decode_times=False)
    assert ds["time"].attrs["climatology"] == "climatology_bnds"
    assert ds["climatology_bnds"].values[[0, 11]].tolist() == [[0.0, 366.0 + 31], [335.0, 366.0 + 365]]
