"""Composites are packed, flagged and clouded as MOD13C1 is."""

from datetime import date

import numpy as np
import pytest

from tamrl.grid import Grid
from tamrl.twin import modis

SHAPE = (60, 120)


def _composite(*, evi=0.4, snow=0.0, overcast=0.2, seed=1):
    tiles = np.zeros(SHAPE, "int32")
    tiles[:, 60:] = 1
    tiles[:10] = -1
    seen = {"evi": np.array([evi, 0.1]), "ndvi": np.array([0.7, 0.2]), "snow": np.full(2, snow), "overcast": np.full(1, overcast)}
    rng = np.random.default_rng(seed)
    texture = np.ones(SHAPE, "float32")
    return tiles, modis.composite(seen, tiles=tiles, cell_of_tile=np.zeros(2, int), texture=texture, rng=rng)


def test_water_is_missing_and_land_is_not():
    tiles, found = _composite()
    assert (found[modis.EVI][tiles < 0] == -3000).all()
    assert (found[modis.RELIABILITY][tiles < 0] == -1).all()
    assert (found[modis.EVI][tiles >= 0] >= -2000).all()
    assert np.isin(found[modis.RELIABILITY][tiles >= 0], [0, 1, 2, 3]).all()
    assert found[modis.EVI].dtype == np.int16
    assert found[modis.RELIABILITY].dtype == np.int8


def test_good_pixels_hold_the_index_of_their_class():
    tiles, found = _composite()
    good = found[modis.RELIABILITY] == 0
    assert (found[modis.EVI][good & (tiles == 0)] * 1e-4).mean() == pytest.approx(0.4, abs=0.005)
    assert (found[modis.NDVI][good & (tiles == 1)] * 1e-4).mean() == pytest.approx(0.2, abs=0.005)


def test_clouds_are_flagged_and_too_low_and_commoner_under_an_overcast_sky():
    tiles, dull = _composite(overcast=0.5)
    cloudy = (dull[modis.RELIABILITY] == 3) & (tiles == 0)
    assert (dull[modis.EVI][cloudy] * 1e-4).mean() < 0.33
    _, bright = _composite(overcast=0.1)
    assert cloudy.sum() > 4 * ((bright[modis.RELIABILITY] == 3) & (tiles == 0)).sum()


def test_snow_is_flagged():
    tiles, found = _composite(snow=1.0)
    assert (found[modis.RELIABILITY][tiles >= 0] >= 2).all()


def test_the_file_holds_its_window_and_runs_north_up():
    _, found = _composite()
    ds = modis.modis_dataset(found, start=date(2010, 1, 17), end=date(2010, 2, 1), pixels=Grid(3.0))
    assert modis.modis_file_name(date(2010, 1, 17)) == "MOD13C1.A2010017.061.nc"
    assert (ds.attrs["RangeBeginningDate"], ds.attrs["RangeEndingDate"]) == ("2010-01-17", "2010-02-01")
    assert ds["lat"].values[0] == 88.5
    assert ds["lon"].values[0] == -178.5
    assert ds[modis.EVI].attrs["scale_factor"] == 0.0001
