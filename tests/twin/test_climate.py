"""The mean climate at well-known places, within wide bounds."""

import numpy as np
import pytest

from tamrl.twin.climate import Climate, monthly_climate

# lat, lon, height, inland: January and July in degrees Celsius, rain of the year in mm, each +- what follows
PLACES = {
    "Manaus": (-3, -60, 50, 0.7, 26, 26, 2100, 800),
    "Sahara": (24, 5, 400, 0.7, 12, 30, 40, 60),
    "Berlin": (52, 13, 50, 0.4, -1, 18, 700, 300),
    "Yakutsk": (62, 130, 150, 0.95, -30, 17, 350, 200),
    "Brasilia": (-15, -48, 900, 0.5, 22, 18, 1500, 500),
    "Alice Springs": (-24, 134, 500, 0.6, 28, 13, 300, 250),
}


def _climate(lat, lon, height, inland) -> Climate:
    return Climate(*(np.array([v], "float32") for v in (lat, lon, height, inland)))


@pytest.mark.parametrize("name", PLACES)
def test_places_have_their_climate(name):
    *place, january, july, rain, give = PLACES[name]
    temperature, month = monthly_climate(_climate(*place))
    assert temperature[0, 0] == pytest.approx(january, abs=7)
    assert temperature[6, 0] == pytest.approx(july, abs=7)
    assert month.sum() * 30.44 == pytest.approx(rain, abs=give)
    assert (month >= 0).all()


def test_rain_follows_the_sun_in_the_sahel_and_south_of_the_equator():
    sahel, zambia = (monthly_climate(_climate(lat, 25, 400, 0.5))[1][:, 0] for lat in (13, -14))
    assert sahel[7] > 5 * sahel[0]
    assert zambia[0] > 5 * zambia[6]


def test_height_cools():
    low, high = (monthly_climate(_climate(30, 90, height, 0.8))[0].mean() for height in (0, 4000))
    assert low - high == pytest.approx(22, abs=0.01)


def test_summer_is_opposite_in_the_two_halves():
    north, south = (_climate(lat, 0, 0, 0.5).summer(196)[0] for lat in (45, -45))
    assert (north, south) == (pytest.approx(1), pytest.approx(-1))
