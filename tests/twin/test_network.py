"""Towers stand on vegetated land, unevenly, some of them side by side."""

import re

import numpy as np
import pytest

from tamrl.contracts import SITE
from tamrl.errors import ConfigError
from tamrl.grid import Grid, great_circle_km
from tamrl.twin import earth, mosaic, network

pytestmark = pytest.mark.xdist_group("twin")


@pytest.fixture(scope="module")
def placed(land):
    coarse = land.reshape(90, 4, 180, 4).mean((1, 3))
    created = earth.create(coarse, resolution=4.0, ratio=2, towers=200, seed=5)
    return created, created.towers


def test_names_are_distinct_and_allowed(placed):
    _, towers = placed
    assert len(set(towers.site)) == 200
    assert all(re.match(SITE, name) for name in towers.site)
    assert network._names(1000)[999] == "XV-Bml"


def test_towers_stand_on_vegetated_land_of_their_class(placed):
    created, towers = placed
    row, column = Grid(2.0).index(lat=towers.lat, lon=towers.lon)
    kind = created.mosaic.tile_kind[towers.tile]
    assert mosaic.vegetated(kind).all()
    assert (created.land_cover[row, column] - 1 == kind).mean() > 0.98, "up to rounding of coordinates"


def test_the_north_is_crowded_and_the_tropics_are_empty(placed):
    _, towers = placed
    north = (towers.lat > 30) & ((towers.lon < -60) | ((towers.lon > -12) & (towers.lon < 35)))
    assert north.mean() > 0.55
    assert (np.abs(towers.lat) < 23).mean() < 0.25


def test_some_towers_are_neighbours(placed):
    _, towers = placed
    distance = great_circle_km(lat1=towers.lat[:, None], lon1=towers.lon[:, None], lat2=towers.lat, lon2=towers.lon)
    np.fill_diagonal(distance, np.inf)
    assert 0.2 < (distance.min(1) < 30).mean() < 0.7


def test_a_few_are_irrigated(placed):
    _, towers = placed
    assert 1 <= towers.irrigated.sum() <= 30


def test_a_world_without_vegetation_is_refused():
    cover = np.full(Grid(10.0).shape, 15, "uint8")
    parts = mosaic.build_mosaic(cover, 10.0, 1)
    tiles = mosaic.tile_of_pixels(parts, cover, Grid(10.0).shape, 1)
    with pytest.raises(ConfigError, match="no land"):
        network.place_towers(parts, tiles, number=3, resolution=10.0, rng=np.random.default_rng(1))
