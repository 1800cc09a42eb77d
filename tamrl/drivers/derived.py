"""Variables computed from others: pure functions with their references, and the registry that `derived:` names.

A function of the registry takes what it needs as arrays (time, lat, lon) with the time axis of the run and returns one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tamrl import calendar, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.co2 import Series, on_days
from tamrl.errors import ConfigError, near

SOLAR_CONSTANT = 1361.0
"""W m-2 (Kopp & Lean 2011, doi 10.1029/2010GL045777)."""


@dataclass(frozen=True)
class Coordinates:
    """Time axis, latitudes of the rows (lat) in degrees north and, where the run has one, the annual series of CO2."""

    time: TimeAxis
    lat: np.ndarray
    co2: Series | None = None

    def per_step(self, of_day: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """Mean over the days of each step of `of_day(lat, days)`, shape (time, lat, 1), float32."""
        if self.time.step == "day":
            means = of_day(self.lat, self.time.bounds[:, 0])
        else:
            means = np.stack([of_day(self.lat, np.arange(*month)).mean(0) for month in self.time.bounds])
        return means[:, :, None].astype("float32")


@dataclass(frozen=True)
class Derived:
    """A derived variable: the names it needs, and the function of these and the coordinates; gives (time, lat, lon) or fewer."""

    needs: tuple[str, ...]
    compute: Callable[[Mapping[str, np.ndarray], Coordinates], np.ndarray]
    summed: bool = False
    """Whether the values are what each step adds to a sum over the growing year (`season_sums`)."""


def saturation_vapour_pressure(temperature: np.ndarray) -> np.ndarray:
    """Saturation vapour pressure over water in hPa, from K (Bolton 1980, doi 10.1175/1520-0493(1980)108<1046:TCOEPT>2.0.CO;2).

    Equation 10: e = 6.112 exp(17.67 t / (t + 243.5)), t in °C; within 0.1 % from -30 to 35 °C. Over water also below
    freezing, as dew point is reported.
    """
    celsius = temperature - temperature.dtype.type(273.15)
    return (6.112 * np.exp(17.67 * celsius / (celsius + 243.5))).astype(temperature.dtype)


def vapour_pressure_deficit(*, air_temperature: np.ndarray, dew_point_temperature: np.ndarray) -> np.ndarray:
    """Vapour pressure deficit in hPa from air temperature and dew point in K (same shape); never below zero.

    Computed from means of a step it is biased low, because saturation pressure is convex in temperature (Jensen): for
    a daily range of 10 K by about 1 hPa at 20 °C. Monthly means add to that.
    """
    deficit = saturation_vapour_pressure(air_temperature) - saturation_vapour_pressure(dew_point_temperature)
    return np.maximum(deficit, deficit.dtype.type(0))


def relative_humidity(*, air_temperature: np.ndarray, dew_point_temperature: np.ndarray) -> np.ndarray:
    """Relative humidity over water, 0 to 1, from air temperature and dew point in K; dew point above temperature counts as 1."""
    share = saturation_vapour_pressure(dew_point_temperature) / saturation_vapour_pressure(air_temperature)
    return np.minimum(share, share.dtype.type(1))


CLEAR_ABOVE = 5.0
"""W m-2 at the top of the atmosphere below which a clearness says nothing."""


def clearness(*, shortwave_radiation: np.ndarray, potential_radiation: np.ndarray) -> np.ndarray:
    """Share of the potential radiation that arrives (clearness index, Liu & Jordan 1960, doi 10.1016/0038-092X(60)90062-1).

    In the polar night (less than `CLEAR_ABOVE` at the top) there is nothing to share: 0, so that a year has no gaps there.
    """
    night = potential_radiation < CLEAR_ABOVE
    share = shortwave_radiation / np.where(night, 1, potential_radiation)
    return np.where(night & np.isfinite(shortwave_radiation), 0, np.minimum(share, 1)).astype("float32")


def growing_degrees(*, air_temperature: np.ndarray) -> np.ndarray:
    """Degrees of a mean day above 5 °C, K, as growing degree days sum them up.

    McMaster & Wilhelm 1997, doi 10.1016/S0168-1923(97)00027-0.
    """
    return np.maximum(air_temperature - air_temperature.dtype.type(278.15), air_temperature.dtype.type(0))


def season_sums(added: np.ndarray, at: Coordinates, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of `added` (time, lat, lon) since the last midwinter: 1 January north of the equator, 1 July south of it.

    Parameters
    ----------
    before : array (lat, lon), the sums up to the step before the first; missing where the winter was not seen

    Returns
    -------
    array (time, lat, lon), float32, and the sums up to the last step, float64 (lat, lon), for the steps after it. A missing
    step makes the rest of its growing year missing.
    """
    start = at.time.start
    begins = calendar.period_start(start, "month") == start.astype("datetime64[D]")
    month = calendar.month(start)
    south = (at.lat < 0)[:, None]
    found, total = np.empty(added.shape, "float32"), before.astype("float64")
    for k in range(len(at.time)):
        if begins[k] and month[k] in (1, 7):
            total = np.where(south == (month[k] == 7), 0.0, total)
        total = total + added[k]
        found[k] = total
    return found, total


def sun(days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Declination in radians and distance in astronomical units at 12:00 UTC of dates (datetime64[D], any shape).

    The Astronomical Almanac's approximate position, 0.01° for 1950 to 2050 (Michalsky 1988, doi 10.1016/0038-092X(88)90045-X).
    Formulas of the day of the year alone (Spencer 1971; FAO 56) are up to half a degree off at the equinoxes.
    """
    n = (days.astype("datetime64[D]") - np.datetime64("2000-01-01")).astype("float64")
    anomaly = np.deg2rad(357.528 + 0.9856003 * n)
    longitude = np.deg2rad(280.460 + 0.9856474 * n + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    obliquity = np.deg2rad(23.439 - 4e-7 * n)
    distance = 1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2 * anomaly)
    return np.arcsin(np.sin(obliquity) * np.sin(longitude)), distance


def _sunset_angle(lat: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """Hour angle of sunset in radians, 0 in polar night and π in polar day (FAO 56, equation 25): (time, lat)."""
    return np.arccos(np.clip(-np.tan(np.deg2rad(lat))[None] * np.tan(delta)[:, None], -1, 1))


def potential_radiation(lat: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Daily mean shortwave radiation at the top of the atmosphere, W m-2 (Allen et al. 1998, FAO 56, equation 21).

    Parameters
    ----------
    lat : array (lat), degrees north
    days : array (time) of dates, datetime64[D]

    Returns
    -------
    array (time, lat)
    """
    delta, distance = sun(days)
    angle, phi = _sunset_angle(lat, delta), np.deg2rad(lat)[None]
    sin, cos = np.sin(phi) * np.sin(delta)[:, None], np.cos(phi) * np.cos(delta)[:, None]
    overhead = SOLAR_CONSTANT / distance[:, None] ** 2
    return np.maximum(overhead / np.pi * (angle * sin + cos * np.sin(angle)), 0.0)


def day_length(lat: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Hours between sunrise and sunset of the sun's centre, refraction left out (FAO 56, equation 34): (time, lat)."""
    return 24.0 / np.pi * _sunset_angle(lat, sun(days)[0])


def carbon_dioxide(at: Coordinates) -> np.ndarray:
    """Global mean mole fraction of CO2, µmol mol-1, (time, lat, 1); raises `ConfigError` where the run has no series."""
    if at.co2 is None:
        raise ConfigError("the driver co2 needs a series of annual means", where="drivers.co2", todo="name a CSV with year,ppm")
    known = at.co2
    return at.per_step(lambda lat, days: np.repeat(on_days(known, days)[:, None], lat.size, axis=1))


REGISTRY: dict[str, Derived] = {
    "vapour_pressure_deficit": Derived(
        ("air_temperature", "dew_point_temperature"), lambda given, at: vapour_pressure_deficit(**given)
    ),
    "relative_humidity": Derived(("air_temperature", "dew_point_temperature"), lambda given, at: relative_humidity(**given)),
    "clearness": Derived(("shortwave_radiation", "potential_radiation"), lambda given, at: clearness(**given)),
    "growing_degrees": Derived(("air_temperature",), lambda given, at: growing_degrees(**given)),
    "growing_degree_days": Derived(
        ("air_temperature",),
        lambda given, at: growing_degrees(**given) * at.time.days.astype("float32")[:, None, None],
        summed=True,
    ),
    "potential_radiation": Derived((), lambda given, at: at.per_step(potential_radiation)),
    "co2": Derived((), lambda given, at: carbon_dioxide(at)),
    "day_length": Derived((), lambda given, at: at.per_step(day_length)),
}
"""What `derived:` in `tamrl/data/variables.yaml` may name."""


def get(name: str) -> Derived:
    """The function that `derived:` of variable `name` names; raises `ConfigError` if there is none."""
    function = variables.get(name).derived
    if function not in REGISTRY:
        raise ConfigError(f"{name}: no derived function {function!r}", where=variables.FILE, todo=near(str(function), REGISTRY))
    return REGISTRY[function]
