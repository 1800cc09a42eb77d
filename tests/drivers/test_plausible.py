"""What no single value gives away: wrong factors, offsets and signs, and seasons out of place, over all drivers."""

import numpy as np
import pytest

from tamrl import humidity, solar, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers import derived, plausible
from tamrl.drivers.cube.checks import Tally
from tamrl.errors import UnitError
from tamrl.grid import Grid

GRID = Grid(5)
LAT = np.deg2rad(GRID.lat)[:, None]
MONTHS = TimeAxis.of_years("month", (2011,))
LAND = np.broadcast_to(np.arange(72) % 10 < 3, GRID.shape)


def _fields():
    """Climatologies as plain as can be and near the published means, (month, lat, 1), by variable."""
    c = np.cos(2 * np.pi * (np.arange(12) - 6) / 12)[:, None, None] * np.sin(LAT)
    axis = derived.Coordinates(MONTHS, GRID.lat)
    warm = (300 - 42 * np.sin(LAT) ** 2 + 16 * c).astype("float32")
    dew = warm - 2 - 5 * np.cos(LAT) ** 2
    sky = axis.per_step(solar.potential_radiation)
    green = 0.1 + 0.45 * np.cos(LAT) ** 2 + 0.2 * c * np.cos(LAT)
    both = {"air_temperature": warm, "dew_point_temperature": dew}
    pressures = {
        "saturation_vapour_pressure": humidity.saturation_vapour_pressure(warm),
        "vapour_pressure": humidity.saturation_vapour_pressure(dew),
    }
    return {
        **both,
        **pressures,
        "vapour_pressure_deficit": humidity.vapour_pressure_deficit(**pressures),
        "diurnal_temperature_range": 7.5 + 3 * np.cos(LAT) ** 2 + 3 * np.sin(2 * LAT) ** 2 + 1.3 * c,
        "shortwave_radiation": sky * 0.55,
        "precipitation": 0.7 + 3.5 * np.cos(LAT) ** 2 + 0.5 * c,
        "ndvi": green,
        "evi": green * 0.6,
        "nirv": green * 0.3,
        "kndvi": np.tanh(green**2),
        "lswi": 0.1 + 0.1 * np.cos(LAT) ** 2 + 0 * c,
        "relative_humidity": humidity.relative_humidity(**both),
        "clearness": np.full(sky.shape, 0.5),
        "growing_degrees": derived.growing_degrees(air_temperature=warm),
    }


FIELDS = _fields()
CALENDAR = {"potential_radiation", "day_length", "co2", "growing_degree_days"}
"""Read from nowhere, from a series with its own checks, or the sum of another driver here."""


def refused(name, values, time=MONTHS, land=LAND):
    """Whether the cube refuses a variable, (time, lat, 1 or lon), by its range, its peak or its means."""
    tally = Tally(name, GRID)
    try:
        filled = np.where(land, values, np.nan).astype("float32")
        variables.check_range(filled, name=name, where="here")
        tally.add(filled, land)
        tally.check(time, "here")
    except UnitError:
        return True
    return False


FACTORS = (10, 24, 30, 100, 1000, 3600, 10_000, 86_400)
FAULTS = {
    **{f"x {k}": lambda v, k=k: v * k for k in FACTORS},
    **{f"/ {k}": lambda v, k=k: v / k for k in FACTORS},
    "K as °C": lambda v: v + 273.15,
    "°C as K": lambda v: v - 273.15,
    "°F as °C": lambda v: (v - 273.15) * 1.8 + 32 + 273.15,
    "sign": lambda v: -v,
    "half a year": lambda v: np.roll(v, 6, axis=0),
    "upside down": lambda v: v[:, ::-1],
}
UNTOLD = {
    "lswi": {*(f"/ {k}" for k in FACTORS), "sign", "half a year", "upside down"},  # zero and less is what dry land shows
    "relative_humidity": {"half a year", "upside down"},  # no season that holds on the globe
    "clearness": {"half a year", "upside down"},
    "growing_degrees": {"half a year", "upside down", "/ 10"},
}
"""What bounds cannot tell (docs/limits.md)."""


def test_each_driver_that_is_read_has_bounds():
    dynamic = {n for n, e in variables.vocabulary().items() if e.role == "dynamic" and (e.sources or e.derived)}
    assert dynamic - CALENDAR == set(FIELDS)
    assert all(variables.get(name).means.land for name in FIELDS)
    for name, entry in variables.vocabulary().items():
        for low, high in filter(None, (entry.means.land, entry.means.place)):
            assert entry.range[0] <= low < high <= entry.range[1], name


@pytest.mark.parametrize("name", FIELDS)
def test_right_values_pass_in_any_part_of_the_year_and_the_globe(name):
    assert not refused(name, FIELDS[name])
    for first, last in ((0, 1), (0, 3), (5, 8), (3, 12)):
        assert not refused(name, FIELDS[name][first:last], MONTHS.part(slice(first, last)))
    for rows in (slice(0, 8), slice(8, 14), slice(22, 30)):
        part = np.zeros(GRID.shape, bool)
        part[rows, 10:30] = True
        assert not refused(name, np.where(part, FIELDS[name], np.nan), land=LAND)
        assert not refused(name, FIELDS[name], land=LAND & part)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", FIELDS)
def test_every_fault_is_refused_for_every_driver_unless_bounds_cannot_tell(name, fault):
    assert refused(name, FAULTS[fault](FIELDS[name])) != (fault in UNTOLD.get(name, set()))


def _rain(days, seed=1):
    """Daily rain of storms up to far more than 72 mm, mean about 2 mm d-1."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random((days, *GRID.shape)) < 0.25, rng.gamma(0.5, 16, (days, *GRID.shape)), 0)


def test_an_hours_rain_is_refused_though_single_storms_reach_the_peak():
    time, rain = TimeAxis.of_years("day", (2011,)), _rain(365)
    assert rain.max() / 24 > variables.get("precipitation").peak
    assert not refused("precipitation", rain, time)
    assert refused("precipitation", rain / 24, time)


@pytest.mark.parametrize("factor", [24, 1 / 24, 1000, 1 / 1000])
def test_a_single_month_in_another_unit_is_refused_and_named(factor):
    time, rain = TimeAxis.of_years("day", (2011,)), _rain(365).astype("float32")
    april = time.start.astype("datetime64[M]") == np.datetime64("2011-04")
    rain[april] *= factor
    tally = Tally("precipitation", GRID)
    tally.add(rain, np.ones(GRID.shape, bool))
    with pytest.raises(UnitError, match=r"here(.|\n)*mean over land in 2011-04"):
        tally.check(time, "here")


def test_few_days_say_nothing_and_a_world_without_seasons_passes():
    dry = np.full((10, *GRID.shape), 0.01)
    dry[0, 18, 0] = 5.0
    assert not refused("precipitation", dry, TimeAxis.of_years("day", (2011,)).part(slice(10)))
    for name, field in FIELDS.items():
        assert not refused(name, np.broadcast_to(field.mean(0), field.shape)), name


@pytest.mark.parametrize("fault", ["/ 1000", "x 24", "half a year", "upside down"])
@pytest.mark.parametrize("name", ["air_temperature", "shortwave_radiation"])
def test_a_region_has_bounds_and_seasons_too(name, fault):
    region = np.zeros(GRID.shape, bool)
    region[8:12, 36:44] = True
    assert not refused(name, FIELDS[name], land=region)
    assert refused(name, FAULTS[fault](FIELDS[name]), land=region)


def test_a_cold_region_need_not_be_warm():
    region = np.zeros(GRID.shape, bool)
    region[32:] = True
    cold = np.minimum(FIELDS["air_temperature"], 260)
    assert not refused("air_temperature", cold, land=region)


@pytest.mark.parametrize(
    ("name", "mean"),
    [("irrigated_fraction", 0.018), ("rainfed_fraction", 0.087), ("pasture_fraction", 0.225), ("c4_fraction", 0.2)],
)
def test_shares_of_land_read_as_percent_are_refused(name, mean):
    share = np.where(LAND, mean, np.nan)
    plausible.check_static(name, share, GRID)
    with pytest.raises(UnitError, match="mean over land"):
        plausible.check_static(name, share / 100, GRID)


@pytest.mark.parametrize(("factor", "good"), [(1, True), (3.28, False), (0.001, False), (-1, False)])
def test_elevation_in_feet_or_kilometres_is_refused(factor, good):
    height = np.where(LAND, 800.0 * factor, np.nan)
    if good:
        plausible.check_static("elevation", height, GRID)
    else:
        with pytest.raises(UnitError, match="mean over land"):
            plausible.check_static("elevation", height, GRID)
    plausible.check_static("elevation", np.where(np.arange(72) < 3, 3.0 * factor, np.nan) + np.zeros(GRID.shape), GRID)
