"""Means over months and years: exact sums of days, members kept apart, closure, and files that comply."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl.errors import ContractError
from tamrl.maps import periods
from tests.maps.test_cf import complaints
from tests.maps.test_stage import members, share


@pytest.mark.parametrize(("period", "count"), [("monthly", 12), ("annual", 1)])
def test_means_are_those_of_the_days_of_each_member(daily, period, count):
    files = daily.write_periods(period)
    stamp = {"monthly": "MS", "annual": "YS"}[period]
    days = xr.DataArray(members(daily, "gpp"), dims=("member", "time", "lat", "lon"))
    days = days.assign_coords(time=pd.date_range("2012-01-01", periods=366))
    per_member = days.resample(time=stamp).mean(skipna=False) * share(daily)
    ds = xr.open_dataset(files["gpp"])
    assert ds.sizes["time"] == count
    np.testing.assert_allclose(ds["gpp"].values, per_member.mean("member", skipna=False).values, rtol=1e-4, atol=1e-6)
    spread = per_member.std("member", ddof=1, skipna=False).values
    np.testing.assert_allclose(ds["gpp_std"].values, spread, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("bits", [None, 8])
def test_the_files_close_however_they_are_rounded(daily, bits):
    gpp, reco, nee = (xr.open_dataset(f)[n].values for n, f in daily.write_periods("monthly", significant_bits=bits).items())
    np.testing.assert_array_equal(nee, reco - gpp)


def test_a_missing_day_makes_its_month_missing_and_no_other(daily):
    ds = xr.open_dataset(daily.write_periods("monthly")["gpp"])
    assert np.isnan(ds["gpp"].values[0, 4, 20]) and np.isfinite(ds["gpp"].values[1:, 4, 20]).all()
    assert np.isnan(xr.open_dataset(daily.write_periods("annual")["gpp"])["gpp"].values[0, 4, 20])


@pytest.mark.parametrize("period", ["monthly", "annual"])
def test_they_comply(daily, period, tmp_path):
    assert complaints(daily.write_periods(period)["nee"], tmp_path) == []


def test_half_a_year_is_no_year():
    days = pd.date_range("2012-01-01", "2012-06-30").values
    assert len(periods.groups(days, step="day", period="monthly").first) == 6
    with pytest.raises(ContractError, match="do not fill their years"):
        periods.groups(days, step="day", period="annual")
