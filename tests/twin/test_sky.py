"""Sun and vapour against worked examples of FAO56, and laws that hold anywhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamrl.twin import sky


def test_radiation_and_day_length_of_the_worked_example():
    """FAO56 examples 8 and 9: 3 September at 20 degrees south."""
    lat = np.array([-20.0])
    assert sky.extraterrestrial_radiation(lat, 246)[0] * 0.0864 == pytest.approx(32.2, abs=0.1)
    assert sky.daylight_hours(lat, 246)[0] == pytest.approx(11.7, abs=0.05)


@pytest.mark.parametrize(("celsius", "kilopascal"), [(15, 1.705), (24.5, 3.075), (1, 0.657)])
def test_saturation_pressure_of_the_table(celsius, kilopascal):
    """FAO56 annex 2, table 2.3."""
    assert sky.saturation_pressure(celsius + sky.KELVIN) / 10 == pytest.approx(kilopascal, abs=0.002)


@given(st.floats(200, 320), st.floats(0.05, 1.0))
def test_dew_point_is_the_inverse_of_humidity(kelvin, humidity):
    dew = sky.dew_point(np.float64(kelvin), np.float64(humidity))
    assert dew <= kelvin + 1e-9
    assert sky.saturation_pressure(dew) == pytest.approx(humidity * sky.saturation_pressure(kelvin), rel=1e-6)


@given(st.floats(-90, 90), st.integers(1, 366))
def test_the_sun_stays_within_its_limits(lat, day):
    radiation = sky.extraterrestrial_radiation(np.array([lat]), day)[0]
    assert 0 <= radiation < 570
    assert 0 <= sky.daylight_hours(np.array([lat]), day)[0] <= 24


def test_poles_have_midnight_sun_and_polar_night():
    poles = np.array([90.0, -90.0], "float32")
    assert sky.daylight_hours(poles, 172) == pytest.approx([24, 0], abs=1e-6)
    assert sky.extraterrestrial_radiation(poles, 172)[0] > 450


def test_cloud_takes_light_and_never_all_of_it():
    shares = sky.cloud_transmission(np.linspace(0, 1, 11))
    assert shares[0] == 1
    assert shares[-1] == pytest.approx(0.25)
    assert (np.diff(shares) < 0).all()


def test_evaporation_rises_with_light_and_warmth_and_is_never_negative():
    base = sky.potential_evaporation(np.float64(293.0), np.float64(200.0))
    assert 2.5 < base < 5.5
    assert sky.potential_evaporation(np.float64(303.0), np.float64(200.0)) > base
    assert sky.potential_evaporation(np.float64(293.0), np.float64(300.0)) > base
    assert sky.potential_evaporation(np.float64(260.0), np.float64(5.0)) == 0
