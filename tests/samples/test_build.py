"""Drivers beside fluxes."""

import numpy as np
import pandas as pd
import pytest

from tamrl import contracts
from tamrl.errors import ContractError
from tamrl.samples import build

DYNAMIC, STATIC = ("air_temperature", "shortwave_radiation"), ("igbp_fraction", "elevation")


def _assemble(records, towers, drivers, step="day"):
    return build.assemble(records, towers, drivers, dynamic=DYNAMIC, static=STATIC, step=step)


def test_fluxes_stand_at_their_site_and_day(records, towers, drivers):
    ds = _assemble(records, towers, drivers)
    contracts.check_samples(ds, dynamic=DYNAMIC, static=STATIC, where="test")
    assert ds["site"].values.tolist() == ["DE-Aaa", "NA-Bbb", "AU-Ccc"]  # US-Far has no records
    row = records[(records["site"] == "AU-Ccc") & (records["date"] == "2011-02-03")].iloc[0]
    assert float(ds["gpp"].sel(site="AU-Ccc", time="2011-02-03")) == pytest.approx(row["gpp"], rel=1e-6)
    assert np.isfinite(ds["nee"].values).sum() == len(records)
    assert ds["igbp_class"].sel(site="NA-Bbb") == "DBF" and float(ds["lat"].sel(site="AU-Ccc")) == -30


def test_the_axis_begins_a_year_before_the_first_record_where_drivers_allow(records, towers, drivers):
    ds = _assemble(records, towers, drivers)
    assert pd.Timestamp(ds["time"].values[0]) == pd.Timestamp("2010-01-01")
    assert pd.Timestamp(ds["time"].values[-1]) == pd.Timestamp("2011-06-30")
    assert np.isfinite(ds["air_temperature"].values).all()


def test_a_gap_in_the_drivers_stays_missing(records, towers, drivers):
    holed = drivers.drop_sel(time=pd.date_range("2010-08-01", "2010-08-05"))
    ds = _assemble(records, towers, holed)
    assert np.diff(ds["time"].values).max() == np.timedelta64(1, "D")
    assert np.isnan(ds["air_temperature"].values).sum() == 5 * 3


def test_a_climatology_is_repeated_over_the_towers_years(monthly_records, towers, climatology):
    ds = _assemble(monthly_records, towers, climatology, step="month")
    assert pd.Timestamp(ds["time"].values[0]) == pd.Timestamp("1998-06-01") and ds.sizes["time"] == 59
    july = ds["air_temperature"].sel(time=ds["time"].dt.month == 7).values
    assert (july == climatology["air_temperature"].values[:3, 6:7]).all()


def test_records_outside_the_drivers_time_are_refused(records, towers, drivers):
    with pytest.raises(ContractError, match="within the time of the drivers"):
        _assemble(records, towers, drivers.assign_coords(time=drivers["time"] + np.timedelta64(9000, "D")))


def test_towers_without_drivers_are_left_out(records, towers, drivers):
    assert "DE-Aaa" not in _assemble(records, towers, drivers.drop_sel(site="DE-Aaa"))["site"].values
    with pytest.raises(ContractError, match="both records and drivers"):
        _assemble(records, towers, drivers.sel(site=["US-Far"]))


def test_measured_drivers_replace_whole_variables(records, towers, drivers):
    grid = _assemble(records, towers, drivers)
    ds = build.with_measured(grid, records)
    contracts.check_samples(ds, dynamic=DYNAMIC, static=STATIC, where="test")
    own = ds["air_temperature"].sel(site="DE-Aaa")
    assert (own.sel(time=slice("2010-06-01", None)) == 285).all() and np.isnan(own.sel(time=slice(None, "2010-05-31"))).all()
    assert (ds["air_temperature"].sel(site="NA-Bbb") == grid["air_temperature"].sel(site="NA-Bbb")).all()
    assert (ds["shortwave_radiation"] == grid["shortwave_radiation"]).all()


def test_the_towers_class_replaces_fractions_where_it_is_known(records, towers, drivers):
    towers.loc[2, "igbp"] = None
    ds = build.with_measured(_assemble(records, towers, drivers), records)
    assert ds["igbp_fraction"].sel(site="DE-Aaa", igbp="ENF") == 1 and ds["igbp_fraction"].sel(site="DE-Aaa").sum() == 1
    np.testing.assert_allclose(ds["igbp_fraction"].sel(site="AU-Ccc"), 1 / 17, rtol=1e-6)
    assert ds["igbp_class"].sel(site="AU-Ccc") == build.UNKNOWN
