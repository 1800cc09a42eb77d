"""A small world of towers: tables and collocated drivers."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import classes, variables

DYNAMIC = ("air_temperature", "shortwave_radiation")
STATIC = ("igbp_fraction", "elevation")


def _towers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "site": ["DE-Aaa", "NA-Bbb", "AU-Ccc", "US-Far"],
            "network": "test",
            "lat": [50.0, 50.1, -30.0, 40.0],
            "lon": [10.0, 10.1, 140.0, -100.0],
            "igbp": ["ENF", "DBF", "GRA", None],
            "koppen": ["Temperate", "Temperate", "Arid", None],
            "elevation": 100.0,
            "utc_offset": [1.0, 1.0, 9.0, -6.0],
            "managed": None,
        }
    )


def _records(sites: list[str], dates: pd.DatetimeIndex) -> pd.DataFrame:
    random = np.random.default_rng(3)
    rows = pd.MultiIndex.from_product([sites, dates], names=["site", "date"]).to_frame(index=False)
    rows["gpp"] = random.normal(4, 2, len(rows))
    rows["reco"] = random.normal(3, 1, len(rows))
    rows["nee"] = rows["reco"] - rows["gpp"]
    rows["nee_qc"] = random.uniform(0.8, 1, len(rows))
    rows["air_temperature"] = np.where(rows["site"] == "DE-Aaa", 285.0, np.nan)
    return rows


def _drivers(towers: pd.DataFrame, time: pd.DatetimeIndex) -> xr.Dataset:
    shape = (len(towers), len(time))
    season = np.cos(2 * np.pi * (time.day_of_year.to_numpy() - 200) / 365.25)
    ds = xr.Dataset(coords={"site": towers["site"].to_numpy(str), "time": time, "igbp": list(classes.IGBP)})
    ds["air_temperature"] = (("site", "time"), np.broadcast_to(280 + 10 * season, shape).astype("f4"))
    ds["shortwave_radiation"] = (("site", "time"), np.broadcast_to(150 + 100 * season, shape).astype("f4"))
    ds["igbp_fraction"] = (("site", "igbp"), np.full((len(towers), len(classes.IGBP)), 1 / len(classes.IGBP), "f4"))
    ds["elevation"] = ("site", np.linspace(0, 300, len(towers)).astype("f4"))
    for name in ds:
        ds[name].attrs = variables.attributes(name)
    return ds


@pytest.fixture
def features() -> dict:
    return {"dynamic": list(DYNAMIC), "static": list(STATIC)}


@pytest.fixture
def towers() -> pd.DataFrame:
    return _towers()


@pytest.fixture
def records(towers) -> pd.DataFrame:
    return _records(towers["site"][:3].tolist(), pd.date_range("2010-06-01", "2011-06-30"))


@pytest.fixture
def drivers(towers) -> xr.Dataset:
    return _drivers(towers, pd.date_range("2010-01-01", "2011-12-31", name="time"))


@pytest.fixture
def climatology(towers) -> xr.Dataset:
    return _drivers(towers, pd.date_range("2001-01-01", periods=12, freq="MS", name="time")).assign_attrs(climatology="2000-2025")


@pytest.fixture
def monthly_records(towers) -> pd.DataFrame:
    return _records(towers["site"][:3].tolist(), pd.date_range("1999-06-01", "2003-04-01", freq="MS"))
