"""The created Earth does not depend on how it was worked on."""

import numpy as np
import pytest

from tamrl.grid import Grid
from tamrl.twin import earth
from tamrl.twin.lattice import WeatherLattice

pytestmark = pytest.mark.xdist_group("twin")


def test_blocks_of_any_height_give_the_same_surface(land):
    coarse = land.reshape(72, 5, 144, 5).mean((1, 3))
    nodes, pixels = WeatherLattice(5.0), Grid(2.5)
    climate = earth.mean_climate(coarse, nodes, ratio=2, seed=1)
    whole, part = (earth.surface(coarse >= 0.5, climate, nodes, pixels, seed=1, rows=rows) for rows in (72, 7))
    np.testing.assert_array_equal(whole[0], part[0])
    np.testing.assert_array_equal(whole[1], part[1])


def test_static_maps_agree_on_where_land_is(small_earth):
    assert ((small_earth.koppen > 0) == (small_earth.land_cover > 0)).all()
    has_land = (small_earth.land_cover.reshape(18, 2, 36, 2) > 0).any((1, 3))
    assert (np.isfinite(small_earth.elevation) == has_land).all()
    assert small_earth.mosaic.cell.tolist() == np.flatnonzero(has_land.ravel()).tolist()


def test_greenland_is_ice_the_sahara_bare_and_amazonia_forest(land):
    created = earth.create(land.reshape(90, 4, 180, 4).mean((1, 3)), resolution=4.0, ratio=2, towers=12, seed=1)
    at = lambda lat, lon: created.land_cover[Grid(2.0).index(lat=lat, lon=lon)]  # noqa: E731
    assert at(74, -40) == 15
    assert at(23, 10) == 16
    around = [at(lat, lon) for lat in (-6, -4, -2, 0) for lon in (-66, -64, -62, -60)]
    assert np.mean(np.isin(around, [2, 11, 12, 14])) > 0.7
    assert np.mean(np.array(around) == 2) > 0.5
