"""Derived variables against published numbers and limits."""

import numpy as np
import pytest

from tamrl import humidity, solar, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers import derived
from tamrl.errors import ConfigError


def kelvin(*celsius):
    return np.array(celsius) + 273.15


@pytest.mark.parametrize("celsius, hpa", [(0, 6.112), (10, 12.27), (20, 23.37), (30, 42.43), (-20, 1.256)])
def test_saturation_pressure_as_tabulated(celsius, hpa):
    assert humidity.saturation_vapour_pressure(kelvin(celsius)).item() == pytest.approx(hpa, rel=2e-3)


def deficit(air, dew):
    """VPD by the registry, from temperatures."""
    registry, at = derived.REGISTRY, None
    pressure = registry["saturation_vapour_pressure"].compute({"air_temperature": air}, at)
    vapour = registry["vapour_pressure"].compute({"dew_point_temperature": dew}, at)
    return registry["vapour_pressure_deficit"].compute({"saturation_vapour_pressure": pressure, "vapour_pressure": vapour}, at)


def test_vpd_is_zero_at_saturation_and_never_negative():
    found = deficit(kelvin(20, 20, 20), kelvin(20, 20.01, 10))
    assert found[0] == 0 and found[1] == 0 and found[2] == pytest.approx(23.37 - 12.27, abs=0.05)


def test_vpd_keeps_missing_and_precision():
    t = np.array([np.nan, 290.0], "float32")
    found = deficit(t, np.array([280, np.nan], "float32"))
    assert np.isnan(found).all() and found.dtype == np.float32


def test_vpd_of_daily_means_is_biased_low():
    hours = kelvin(*(20 + 5 * np.sin(np.arange(24) / 12 * np.pi)))
    dew = kelvin(*[10] * 24)
    mean, of_mean = deficit(hours, dew).mean(), deficit(kelvin(20), dew[:1]).item()
    assert mean - of_mean == pytest.approx(0.494, abs=0.005)


def dates(*text):
    return np.array(text, "datetime64[D]")


@pytest.mark.parametrize(
    "date, degrees",
    [("2011-06-21", 23.44), ("2011-12-22", -23.44), ("2011-03-20", -0.18), ("2011-09-23", -0.05), ("2000-01-01", -23.03)],
)
def test_declination_as_in_the_almanac(date, degrees):
    assert np.rad2deg(solar.almanac_sun(dates(date))[0]).item() == pytest.approx(degrees, abs=0.03)


def test_the_earth_is_nearest_in_january():
    distance = solar.almanac_sun(np.arange("2011-01-01", "2012-01-01", dtype="datetime64[D]"))[1]
    assert distance.min() == pytest.approx(0.9833, abs=2e-4) and distance.argmin() == pytest.approx(2, abs=1)
    assert distance.max() == pytest.approx(1.0167, abs=2e-4) and distance.argmax() == pytest.approx(184, abs=2)


def test_potential_radiation_of_example_8_in_fao_56():
    found = solar.potential_radiation(np.array([-20.0]), dates("2011-09-03")).item()
    assert found * 0.0864 == pytest.approx(32.2, rel=0.02)  # the declination of FAO 56 is half a degree off then


@pytest.mark.parametrize("date", ["2011-01-15", "2011-03-21", "2011-06-21", "2012-12-21"])
def test_potential_radiation_is_the_integral_over_the_day(date):
    delta, distance = (v.item() for v in solar.almanac_sun(dates(date)))
    lat, hour = np.arange(-85.0, 90, 10), np.linspace(-np.pi, np.pi, 20000, endpoint=False)
    phi = np.deg2rad(lat)[:, None]
    zenith = np.sin(phi) * np.sin(delta) + np.cos(phi) * np.cos(delta) * np.cos(hour)
    expected = solar.SOLAR_CONSTANT / distance**2 * np.clip(zenith, 0, None).mean(1)
    np.testing.assert_allclose(solar.potential_radiation(lat, dates(date))[0], expected, atol=0.01)


def test_potential_radiation_of_the_globe_is_a_quarter_of_the_solar_constant():
    lat, days = np.arange(-89.5, 90), np.arange("2011-01-01", "2012-01-01", dtype="datetime64[D]")
    found = solar.potential_radiation(lat, days)
    mean = np.average(found.mean(0), weights=np.cos(np.deg2rad(lat)))
    assert mean == pytest.approx(solar.SOLAR_CONSTANT / 4, rel=2e-3)
    assert found.min() == 0 and found.max() < variables.get("potential_radiation").range[1]


def test_day_length():
    lat = np.array([0.0, 50.0, 80.0, -80.0, 90.0, -90.0])
    june, december = solar.day_length(lat, dates("2011-06-21", "2011-12-21"))
    assert june[0] == pytest.approx(12) and june[1] == pytest.approx(16.2, abs=0.15)
    assert june[2] == 24 and june[3] == 0 and december[2] == 0 and december[3] == 24
    assert june[4] == 24 and june[5] == 0


def test_a_month_is_the_mean_of_its_days():
    months = np.array(["2012-02"], "datetime64[ns]")
    lat = np.array([60.0, -10.0])
    found = derived.REGISTRY["day_length"].compute({}, derived.Coordinates(TimeAxis(months, "month"), lat))
    days = np.arange("2012-02-01", "2012-03-01", dtype="datetime64[D]")
    assert days.size == 29
    np.testing.assert_allclose(found[0, :, 0], solar.day_length(lat, days).mean(0), rtol=1e-6)


def test_every_derived_variable_of_the_vocabulary_has_its_function_and_needs_known_variables():
    named = {n: e.derived for n, e in variables.vocabulary().items() if e.derived}
    assert named
    for name in named:
        for need in derived.derivation(name).needs:
            assert variables.get(need).role == "dynamic"


def test_a_misspelt_function_is_refused_with_a_hint(monkeypatch):
    broken = variables.get("day_length").model_copy(update={"derived": "day_lenght"})
    monkeypatch.setattr(derived.variables, "get", lambda name: broken)
    with pytest.raises(ConfigError, match="day_length"):
        derived.derivation("day_length")


def test_relative_humidity_by_the_deficit_and_never_above_one():
    air, dew = (np.array(v, "float32") for v in ([293.15, 293.15, 280.0], [283.15, 293.65, np.nan]))
    found = humidity.relative_humidity(air_temperature=air, dew_point_temperature=dew)
    assert found[0] == pytest.approx(12.27 / 23.37, abs=2e-3), "saturation pressures at 10 and 20 °C"
    assert found[1] == 1 and np.isnan(found[2])


def test_clearness_in_polar_night_and_by_hand():
    light, top = (np.array(v, "float32") for v in ([150, 0.5, 310, np.nan, np.nan], [300, 1, 300, 300, 0]))
    found = derived.clearness(shortwave_radiation=light, potential_radiation=top)
    assert found[:3].tolist() == [0.5, 0, 1] and np.isnan(found[3:]).all() and found.dtype == np.float32


def test_growing_degrees():
    found = derived.growing_degrees(air_temperature=np.array([288.15, 270, np.nan], "float32"))
    assert found[0] == pytest.approx(10, abs=1e-4) and found[1] == 0 and np.isnan(found[2])


def test_growing_degree_days_begin_at_midwinter_of_each_hemisphere():
    axis = derived.Coordinates(
        TimeAxis(np.arange("2011-12-01", "2012-08-01", dtype="datetime64[D]"), "day"), np.array([50.0, -30.0])
    )
    added = np.ones((len(axis.time), 2, 1), "float32")
    found = derived.season_sums(added, axis, np.array([[10.0], [np.nan]]))[0][:, :, 0]
    at = {str(d): k for k, d in enumerate(axis.time.start)}
    assert [found[at[d], 0] for d in ("2011-12-01", "2011-12-31", "2012-01-01", "2012-07-01")] == [11, 41, 1, 183]
    assert np.isnan(found[: at["2012-07-01"], 1]).all(), "its winter was not seen"
    assert found[at["2012-07-01"], 1] == 1 and found[-1, 1] == 31


def test_a_missing_day_is_missing_until_the_next_winter():
    axis = derived.Coordinates(TimeAxis(np.arange("2012-01-01", "2013-01-03", dtype="datetime64[D]"), "day"), np.array([50.0]))
    added = np.ones((len(axis.time), 1, 1), "float32")
    added[9] = np.nan
    found = derived.season_sums(added, axis, np.full((1, 1), np.nan))[0][:, 0, 0]
    assert found[8] == 9 and np.isnan(found[9:366]).all() and found[366:].tolist() == [1, 2]


def test_months_add_their_days():
    axis = derived.Coordinates(
        TimeAxis(np.array(["2012-01", "2012-02"], "datetime64[M]").astype("datetime64[ns]"), "month"), np.array([50.0])
    )
    given = {"air_temperature": np.full((2, 1, 1), 288.15, "float32")}
    added = derived.derivation("growing_degree_days").compute(given, axis)
    np.testing.assert_allclose(added[:, 0, 0], [310, 290], rtol=1e-5)
