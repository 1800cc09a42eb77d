"""Random fields and series have the moments, the correlation and the memory they promise."""

import numpy as np
import pytest

from tamrl.grid import EARTH_RADIUS
from tamrl.twin.noise import WaveField, autoregressive, generator, static_field


def test_the_same_name_gives_the_same_draws_and_another_name_others():
    draws = [generator(seed, name).random(4) for seed, name in ((1, "a"), (1, "a"), (1, "b"), (2, "a"))]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.isclose(draws[0], draws[2]).any()
    assert not np.isclose(draws[0], draws[3]).any()


def test_a_field_is_the_same_world_on_any_grid():
    lat, lon = np.linspace(-80, 80, 9)[:, None], np.linspace(0, 350, 12)
    whole = static_field(5, "x", lat=lat, lon=lon, scale_km=800)
    part = static_field(5, "x", lat=lat[3:5], lon=lon[4:], scale_km=800)
    np.testing.assert_allclose(whole[3:5, 4:], part, atol=1e-5)


def test_a_field_has_no_seam_and_one_value_at_the_pole():
    lat, lon = np.array([[90.0], [10.0]]), np.array([0.0, 120.0, 240.0, 360.0])
    field = static_field(5, "x", lat=lat, lon=lon, scale_km=800)
    np.testing.assert_allclose(field[0], field[0, 0], atol=1e-4)
    assert field[1, 0] == pytest.approx(field[1, 3], abs=1e-4)


@pytest.mark.parametrize("distance", [0.0, 0.5, 1.0, 2.0])
def test_correlation_falls_like_a_gaussian_of_the_distance(distance):
    scale = 1000.0
    waves = WaveField.draw(np.random.default_rng(1), scale_km=scale, count=20000)
    east = np.rad2deg(distance * scale / (EARTH_RADIUS / 1000))
    basis = waves.basis(lat=np.zeros(2), lon=np.array([0.0, east]))
    assert basis[0] @ basis[1] == pytest.approx(np.exp(-(distance**2) / 2), abs=0.03)


@pytest.mark.parametrize("memory", [1.2, 10.0])
def test_series_keep_unit_variance_and_forget_exponentially(memory):
    x = autoregressive(np.random.default_rng(2), steps=4000, size=40, memory=memory)
    assert x.std() == pytest.approx(1.0, abs=0.05)
    assert np.mean(x[1:] * x[:-1]) == pytest.approx(np.exp(-1 / memory), abs=0.05)
    assert x[0].std() == pytest.approx(1.0, abs=0.4)
