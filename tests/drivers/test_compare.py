"""Gridded against measured drivers, by hand."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import contracts
from tamrl.drivers import compare, stage

DAYS = pd.date_range("2011-01-01", periods=40)


def gridded(values, time=DAYS, **attrs):
    ds = xr.Dataset({"air_temperature": (("site", "time"), np.asarray(values, "float32"), {"units": "K"})})
    ds = ds.assign_coords(site=["NA-One", "XX-Two"][: len(values)], time=time)
    ds["distance_km"] = ("site", [0.0, 12.5][: len(values)])
    return ds.assign_attrs(attrs)


def towers(site, values, time=DAYS):
    return pd.DataFrame({"site": site, "date": time, "air_temperature": values, "ndvi": 0.5})


SITES = pd.DataFrame({"site": ["NA-One", "XX-Two"], "utc_offset": [1.0, np.nan]})


def test_numbers_by_hand():
    wave = 280 + 5 * np.sin(np.arange(40))
    measured = towers("NA-One", wave)
    measured.loc[:4, "air_temperature"] = np.nan
    found = compare.compare_with_towers(gridded([2 * wave - 278]), measured, SITES)
    row = found.set_index(["site", "variable"]).loc["NA-One", "air_temperature"]
    assert list(found.columns) == list(compare.COLUMNS) and len(found) == 1
    assert row["n"] == 35 and row["r"] == pytest.approx(1, abs=1e-6)
    assert row["bias"] == pytest.approx((wave[5:] - 278).mean(), abs=1e-4)
    assert row["rmse"] == pytest.approx(np.sqrt(((wave[5:] - 278) ** 2).mean()), abs=1e-4)
    assert row["std_grid"] == pytest.approx(2 * row["std_tower"], rel=1e-5)
    assert row["utc_offset"] == 1 and row["distance_km"] == 0 and row["units"] == "K"


def test_few_or_constant_values_have_no_correlation():
    measured = pd.concat([towers("NA-One", 280.0 + np.arange(40)).iloc[:9], towers("XX-Two", 280.0)])
    found = compare.compare_with_towers(gridded(280.0 + np.arange(80).reshape(2, 40)), measured, SITES).set_index("site")
    assert found["r"].isna().all() and found["n"].tolist() == [9, 40] and found["distance_km"].tolist() == [0, 12.5]


def test_a_tower_without_a_cell_or_without_values_has_no_row():
    measured = pd.concat([towers("ZZ-Sea", 280.0), towers("NA-One", np.nan)])
    assert compare.compare_with_towers(gridded(np.full((2, 40), 280.0)), measured, SITES).empty


def test_a_climatology_stands_against_mean_months():
    months = pd.date_range("2001-01-01", periods=12, freq="MS")
    years = pd.date_range("2005-01-01", periods=36, freq="MS")
    seen = years.month.values + (years.year.values - 2006.0)
    found = compare.compare_with_towers(
        gridded([np.arange(1, 13) + 1.0], months, climatology="yes"), towers("NA-One", seen, years), SITES
    )
    assert found["n"].item() == 12 and found["bias"].item() == pytest.approx(1) and found["rmse"].item() == pytest.approx(1)


def test_the_table_keeps_its_contract(tmp_path):
    measured = towers("NA-One", 280 + np.sin(np.arange(40)))
    for name in ("gpp", "reco", "nee", "nee_qc"):
        measured[name] = np.nan
    measured.to_parquet(tmp_path / "towers.parquet")
    frame = SITES.assign(network="test", lat=45.0, lon=8.0, igbp="GRA", koppen=None, elevation=np.nan, managed=None)
    frame.to_csv(tmp_path / "towers.csv", index=False)
    gridded([np.full(40, 281.0)]).to_netcdf(tmp_path / "towers.nc")
    stage.compare_drivers(
        drivers=str(tmp_path / "towers.nc"),
        records=str(tmp_path / "towers.parquet"),
        towers=str(tmp_path / "towers.csv"),
        comparison=str(tmp_path / "comparison.csv"),
    )
    found = contracts.read_csv(str(tmp_path / "comparison.csv"), contracts.COMPARISON)
    assert found["site"].tolist() == ["NA-One"] and found["bias"].item() == pytest.approx(1, abs=0.1)
