"""Drivers of a run without grids: place and date tell some, the rest is missing until the tower's own sensors speak."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import contracts, solar, variables
from tamrl.drivers import places, stage
from tamrl.errors import ConfigError

SITES = pd.DataFrame({"site": ["DE-Hai", "NA-Aaa"], "lat": [51.1, -20.0], "lon": [10.4, 17.0], "elevation": [430.0, np.nan]})
TIME = pd.date_range("2010-01-01", "2011-12-31")
NAMES = {"dynamic": ("air_temperature", "potential_radiation", "day_length"), "static": ("igbp_fraction", "elevation")}


def test_sun_is_computed_and_sensors_are_left_missing():
    found = places.at_places(SITES, TIME, **NAMES, step="day")
    assert found["day_length"].dims == ("site", "time") and found["air_temperature"].isnull().all()
    days = TIME.values.astype("datetime64[D]")
    expected = solar.potential_radiation(np.array([51.1]), days)[:, 0]
    np.testing.assert_allclose(found["potential_radiation"].sel(site="DE-Hai"), expected, rtol=1e-5)
    assert (
        found["day_length"].sel(site="DE-Hai", time="2010-06-21") > 16 > found["day_length"].sel(site="NA-Aaa", time="2010-06-21")
    )
    assert found["igbp_fraction"].dims == ("site", "igbp") and found["igbp_fraction"].isnull().all()
    assert found["elevation"].values[0] == 430 and np.isnan(found["elevation"].values[1])


def test_months_take_the_mean_of_their_days():
    months = pd.date_range("2010-01-01", "2010-12-01", freq="MS")
    found = places.at_places(SITES, months, dynamic=("day_length",), static=(), step="month")
    daily = places.at_places(SITES, TIME[:365], dynamic=("day_length",), static=(), step="day")
    np.testing.assert_allclose(found["day_length"], daily["day_length"].groupby("time.month").mean(), rtol=1e-5)


def test_the_stage_begins_a_year_before_the_first_record(tmp_path):
    table = pd.DataFrame({"site": ["DE-Hai"] * 3, "date": pd.date_range("2010-03-01", periods=3)})
    table.to_parquet(tmp_path / "t.parquet")
    columns = {name: SITES.get(name) for name in contracts.SITES.columns}
    full = pd.DataFrame(columns).assign(
        network="table", igbp="DBF", koppen="Temperate", first="2010-03-01", last="2010-03-03", n=3
    )
    full.to_csv(tmp_path / "s.csv", index=False)
    stage.place_drivers(
        records=str(tmp_path / "t.parquet"),
        towers=str(tmp_path / "s.csv"),
        drivers=str(tmp_path / "d.nc"),
        variables=NAMES,
        step="day",
    )
    with xr.open_dataset(tmp_path / "d.nc") as found:
        assert str(found["time"].values[0])[:10] == "2009-03-01" and str(found["time"].values[-1])[:10] == "2010-03-03"
        assert found["day_length"].attrs["units"] == variables.attributes("day_length")["units"]


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match="day_lenght"):
        places.at_places(SITES, TIME, dynamic=("day_lenght",), static=(), step="day")
