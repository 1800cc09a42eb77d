"""WeatherLattice, centres and the ways between them."""

import numpy as np
import pytest

from tamrl.grid import Grid
from tamrl.twin.lattice import Bilinear, WeatherLattice, centres, from_pixels


@pytest.mark.parametrize("resolution", [0.5, 1.0, 5.0, 7.5])
def test_centres_lie_between_four_nodes(resolution):
    nodes, grid = WeatherLattice(resolution), Grid(resolution)
    lat = np.broadcast_to(nodes.lat[:, None], nodes.shape).astype("float32")
    np.testing.assert_allclose(centres(lat)[:, 0], grid.lat, atol=1e-4)
    east = np.broadcast_to(np.cos(np.deg2rad(nodes.lon)), nodes.shape).astype("float32")
    expected = np.cos(np.deg2rad(grid.lon)) * np.cos(np.deg2rad(resolution / 2))
    np.testing.assert_allclose(centres(east)[0], expected, atol=1e-5)


@pytest.mark.parametrize("ratio", [1, 2, 3, 4, 5])
def test_pixel_means_around_nodes_keep_the_mean_and_the_place(ratio):
    pixels = Grid(10.0 / ratio)
    field = np.cos(np.deg2rad(pixels.lon))[None, :] * np.ones((pixels.shape[0], 1))
    found = from_pixels(field, ratio)
    assert found.shape == WeatherLattice(10.0).shape
    assert found[5].argmax() == 0
    assert found[5].argmin() == found.shape[1] // 2
    np.testing.assert_allclose(from_pixels(np.full(pixels.shape, 0.3), ratio), 0.3, rtol=1e-6)


def test_interpolation_returns_the_nodes_and_crosses_the_seam():
    nodes = WeatherLattice(2.0)
    rng = np.random.default_rng(0)
    values = rng.random(nodes.shape).astype("float32")
    at_nodes = Bilinear.between(nodes, lat=nodes.lat, lon=nodes.lon)
    np.testing.assert_allclose(at_nodes(values), values, atol=1e-6)
    seam = Bilinear.between(nodes, lat=[0.0], lon=[-1.0])(values)[0, 0]
    assert seam == pytest.approx((values[45, 179] + values[45, 0]) / 2, abs=1e-6)
    stacked = at_nodes(np.stack([values, 2 * values]))
    np.testing.assert_allclose(stacked[1], 2 * stacked[0], rtol=1e-6)
