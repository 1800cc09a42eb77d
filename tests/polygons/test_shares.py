"""Shares of cells within outlines, against point-in-polygon tests of another library, and of neighbours that share edges."""

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from tamrl.polygons.shares import polygon_share

LAT, LON = np.arange(-49.5, 50)[::-1], np.arange(-99.5, 100)


def star(rng, *, x, y, corners=40):
    angle, radius = np.sort(rng.uniform(0, 2 * np.pi, corners)), rng.uniform(2, 30, corners)
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rising", [True, False])
def test_centres_lie_where_another_library_has_them(seed, rising):
    rng = np.random.default_rng(seed)
    rings = [star(rng, x=rng.uniform(-90, 90), y=rng.uniform(-40, 40)) for _ in range(4)]  # overlaps are holes
    lat = LAT[::-1] if rising else LAT
    points = np.stack([*np.meshgrid(LON, lat)], axis=-1).reshape(-1, 2)
    odd = np.logical_xor.reduce([Outline(ring).contains_points(points) for ring in rings]).reshape(lat.size, LON.size)
    np.testing.assert_array_equal(polygon_share(rings, lat, LON, points=1) > 0, odd)


def test_the_share_of_a_triangle_is_its_area():
    ring = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 30.0]])
    assert polygon_share([ring], LAT, LON).sum() == pytest.approx(300, rel=0.002)


def test_neighbours_share_edges_and_no_centre():
    rng = np.random.default_rng(1)
    border = np.stack([rng.integers(-30, 30, 100) + 0.5, np.arange(-49.5, 50)], axis=1)  # its corners are centres of cells
    west = np.concatenate([border, [[-99.9, 49.5], [-99.9, -49.5]]])
    east = np.concatenate([[[99.9, -49.5], [99.9, 49.5]], border[::-1]])
    both = sum(polygon_share([ring], LAT, LON, points=1) for ring in (west, east))
    assert set(np.unique(both[1:])) == {1.0} and set(np.unique(both[0])) == {0.0}  # the northern edge belongs to what is north


def test_outlines_off_the_grid_have_no_share():
    assert not polygon_share([star(np.random.default_rng(0), x=150, y=80)], LAT, LON).any()
