"""Weather keeps the laws of energy and water, and the mean of its climate."""

from datetime import date

import numpy as np
import pytest

from tamrl.twin import sky
from tamrl.twin.climate import Climate
from tamrl.twin.lattice import WeatherLattice
from tamrl.twin.weather import Weather, humid, rainfall


def _weather(resolution=10.0, *, days=62, seed=1):
    nodes = WeatherLattice(resolution)
    lat, lon = (v.astype("float32") for v in np.meshgrid(nodes.lat, nodes.lon, indexing="ij"))
    climate = Climate(lat, lon, np.zeros_like(lat), np.full_like(lat, 0.4))
    return Weather(climate, nodes, first=date(2010, 6, 1), days=days, calm=0, seed=seed)


@pytest.mark.parametrize("mean", [0.1, 1.0, 4.0, 10.0])
def test_rain_has_the_mean_of_the_climate(mean):
    storm, wet = np.random.default_rng(1).standard_normal((2, 1_000_000))
    rain = rainfall(np.float64(mean), storm=storm, wet=wet)
    assert rain.mean() == pytest.approx(mean, rel=0.015)
    assert 0.1 < (rain > 0).mean() < 0.7
    assert rain[wet > 1].mean() > 1.3 * rain[wet < -1].mean()


def test_humidity_stays_within_bounds_and_rises_with_rain():
    values = [humid(np.float64(r), np.float64(25.0), inland=np.float64(1), moist=0.0, clouding=0.0) for r in (0.0, 2.0, 8.0)]
    assert values == sorted(values)
    assert 0.2 < values[0] < values[-1] < 0.95
    assert humid(np.float64(0), np.float64(45), inland=np.float64(1), moist=-5, clouding=-1) == pytest.approx(0.08)


def test_energy_and_vapour_stay_within_their_limits():
    weather = _weather()
    for start, length in ((0, 30), (30, 31)):
        for k, day in enumerate(weather.month(start, length)):
            doy = (date(2010, 6, 1).toordinal() + start + k) - date(2009, 12, 31).toordinal()
            limit = sky.extraterrestrial_radiation(weather.climate.lat, doy) * 86400
            assert (day.ssrd <= limit + 512).all()
            assert (day.ssrd >= 0).all()
            assert (day.d2m <= day.t2m).all()
            assert (day.tp >= 0).all()
            assert ((day.t2m > 190) & (day.t2m < 330)).all()
            assert day.t2m.dtype == np.float32


def test_weather_is_the_same_for_the_same_seed_and_another_for_another():
    one, same, other = (_weather(seed=s).month(0, 30)[20] for s in (1, 1, 2))
    np.testing.assert_array_equal(one.tp, same.tp)
    np.testing.assert_array_equal(one.t2m, same.t2m)
    assert not np.array_equal(one.tp, other.tp)


def test_finer_nodes_have_the_same_storms(monkeypatch):
    monkeypatch.setattr("tamrl.twin.weather.NOISE_RESOLUTION", 10.0)
    coarse, fine = _weather(10.0, days=3).month(0, 3)[2], _weather(5.0, days=3).month(0, 3)[2]
    np.testing.assert_allclose(fine.t2m[::2, ::2], coarse.t2m, atol=0.05)


def test_the_pole_has_one_temperature():
    day = _weather().month(0, 30)[10]
    assert np.ptp(day.t2m[0]) < 0.1


def test_days_remember_the_days_before():
    series = np.stack([d.t2m[3] for d in _weather().month(0, 30)])
    anomaly = series - series.mean(0)
    assert np.corrcoef(anomaly[1:].ravel(), anomaly[:-1].ravel())[0, 1] > 0.5
