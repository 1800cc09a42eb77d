"""Tiles share out the land of each cell."""

import numpy as np
import pytest

from tamrl.classes import IGBP
from tamrl.grid import Grid, coarsen
from tamrl.twin import mosaic


@pytest.fixture(scope="module")
def cover():
    return np.random.default_rng(4).integers(0, 17, Grid(10.0).shape).astype("uint8") * (np.arange(36) % 5 > 0)


def test_shares_are_areas_of_pixels_and_sum_to_one(cover):
    parts = mosaic.build_mosaic(cover, 20.0, 2)
    np.testing.assert_allclose(parts.mean(np.ones(parts.tile_cell.size)), 1, rtol=1e-6)
    area = Grid(10.0).area()
    total, weight = coarsen((cover > 0).astype(float), area, 2)
    np.testing.assert_allclose(parts.land, (total / weight).ravel()[parts.cell], rtol=1e-9)
    forest, _ = coarsen((cover == 1).astype(float), area, 2)
    k = parts.tile_kind == 0
    np.testing.assert_allclose(
        parts.tile_share[k], (forest / np.where(total > 0, total, 1)).ravel()[parts.cell[parts.tile_cell[k]]]
    )


def test_every_pixel_finds_its_tile(cover):
    parts = mosaic.build_mosaic(cover, 20.0, 2)
    tiles = mosaic.tile_of_pixels(parts, cover, Grid(20.0).shape, 2)
    assert ((tiles < 0) == (cover == 0)).all()
    land = tiles >= 0
    np.testing.assert_array_equal(parts.tile_kind[tiles[land]], cover[land].astype(int) - 1)
    rows, columns = np.nonzero(land)
    np.testing.assert_array_equal(parts.cell[parts.tile_cell[tiles[land]]], (rows // 2) * 18 + columns // 2)


def test_unvegetated_classes_are_ice_rock_and_water():
    found = [n for n, keep in zip(IGBP, mosaic.vegetated(np.arange(17)), strict=True) if not keep]
    assert found == ["SNO", "BSV", "WAT"]


def test_traits_are_positive_near_their_middle_and_smooth(cover):
    parts = mosaic.build_mosaic(cover, 20.0, 2)
    grid = Grid(20.0)
    vigour, age = mosaic.traits(parts, lat=grid.lat[parts.cell // 18], lon=grid.lon[parts.cell % 18], seed=1)
    assert 0.85 < vigour.mean() < 1.15
    assert 0.75 < age.mean() < 1.0
    assert vigour.min() > 0.3
    assert vigour.std() == pytest.approx(0.18, abs=0.07)
    alike, _ = mosaic.traits(parts, lat=grid.lat[parts.cell // 18], lon=grid.lon[parts.cell % 18], seed=1, spread=0.0)
    np.testing.assert_array_equal(alike, np.float32(1))
