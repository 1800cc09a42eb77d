"""Coasts are real; mountains and the reach of the sea behave."""

import io
import zipfile

import numpy as np
import pytest

from tamrl import landmask
from tamrl.errors import InputError
from tamrl.grid import Grid
from tamrl.twin import geography

pytestmark = pytest.mark.xdist_group("twin")


def _at(field: np.ndarray, *, lat: float, lon: float) -> float:
    return field[Grid(180 / field.shape[0]).index(lat=lat, lon=lon)]


def test_the_coasts_are_those_of_the_earth(land):
    assert land.shape == (360, 720)
    assert ((land >= 0) & (land <= 1)).all()
    area = Grid(0.5).area()
    assert (land * area).sum() / (area.sum() * 720) == pytest.approx(0.29, abs=0.01)
    for lat, lon in ((23, 10), (-80, 60), (50, 10), (-25, 135)):
        assert _at(land, lat=lat, lon=lon) == 1
    for lat, lon in ((0, -30), (0, -150), (85, 0), (-60, 30)):
        assert _at(land, lat=lat, lon=lon) == 0


def test_a_mask_of_another_shape_is_refused():
    buffer, array = io.BytesIO(), io.BytesIO()
    np.save(array, np.zeros((180, 360), bool))
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mask.npy", array.getvalue())
    with pytest.raises(InputError, match="another shape"):
        landmask.land_share(buffer, 5.0)


def test_mountains_stand_where_they_should():
    high = geography.elevation(lat=np.array([33.0, 52.0, -17.0]), lon=np.array([88.0, 5.0, -69.0]), seed=1)
    assert high[0] > 3500
    assert high[1] < 700
    assert high[2] > 2000


def test_lakes_are_where_the_mask_has_none():
    lat, lon = np.array([47.7, 42.0, 40.0]), np.array([-87.8, 50.4, -100.0])
    assert geography.lakes(lat=lat, lon=lon).tolist() == [True, True, False]


def test_the_sea_reaches_inland_from_where_the_wind_comes():
    land = np.zeros((37, 72), "float32")
    land[4:33, 20:50] = 1  # one continent from pole to pole
    inland = geography.continentality(land)
    assert inland.min() >= 0
    assert inland.max() <= 1
    assert inland[8, 46] > inland[8, 22] + 0.3, "westerlies at 50 north"
    assert inland[16, 23] > inland[16, 47] + 0.2, "trades at 10 north"
    assert geography.continentality(np.zeros((37, 72), "float32")).max() == 0
