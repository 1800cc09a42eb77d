"""Drivers computed from others, or from place and date: the registry that `derived:` in `tamrl/data/variables.yaml` names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tamrl import calendar, humidity, solar, variables
from tamrl.calendar import TimeAxis
from tamrl.errors import ConfigError, near

if TYPE_CHECKING:
    from tamrl.drivers.co2 import AnnualCo2

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Coordinates:
    """Time axis, latitudes of the rows (lat) in degrees north and, where the run has one, the annual series of CO2."""

    time: TimeAxis
    lat: np.ndarray
    co2: "AnnualCo2 | None" = None

    def part(self, steps: slice) -> "Coordinates":
        """The coordinates of some steps."""
        return Coordinates(self.time.part(steps), self.lat, self.co2)

    def per_step(self, of_day: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """Mean over the days of each step of `of_day(lat, days)`, shape (time, lat, 1), float32."""
        if self.time.step == "day":
            means = of_day(self.lat, self.time.bounds[:, 0])
        else:
            means = np.stack([of_day(self.lat, np.arange(*month)).mean(0) for month in self.time.bounds])
        return means[:, :, None].astype("float32")


@dataclass(frozen=True)
class Derivation:
    """How a variable is derived."""

    needs: tuple[str, ...]
    """Names of the variables it is computed from."""
    compute: Callable[[Arrays, Coordinates], np.ndarray]
    """Takes these as arrays (time, lat, lon) by name, and their coordinates; gives (time, lat, lon), or 1 for lat or lon."""
    summed: bool = False
    """Whether the values are what each step adds to a sum over the growing year (`season_sums`)."""


CLEAR_ABOVE = 5.0
"""W m-2 at the top of the atmosphere below which a clearness says nothing."""


def clearness(*, shortwave_radiation: np.ndarray, potential_radiation: np.ndarray) -> np.ndarray:
    """Share of the potential radiation that arrives (clearness index, Liu & Jordan 1960, doi 10.1016/0038-092X(60)90062-1).

    In the polar night (less than `CLEAR_ABOVE` at the top) it is 0, so that a year has no gaps there.
    """
    night = potential_radiation < CLEAR_ABOVE
    share = shortwave_radiation / np.where(night, 1, potential_radiation)
    return np.where(night & np.isfinite(shortwave_radiation), 0, np.minimum(share, 1)).astype("float32")


def growing_degrees(*, air_temperature: np.ndarray) -> np.ndarray:
    """Degrees of a mean day above 5 °C, K, as growing degree days sum them up.

    McMaster & Wilhelm 1997, doi 10.1016/S0168-1923(97)00027-0.
    """
    kind = air_temperature.dtype.type
    degrees: np.ndarray = np.maximum(air_temperature - kind(278.15), kind(0))
    return degrees


def season_sums(added: np.ndarray, at: Coordinates, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of `added` (time, lat, lon) since the last midwinter: 1 January north of the equator, 1 July south of it.

    `before` are the sums (lat, lon) up to the step before the first, missing where the winter was not seen. Return the sums
    (time, lat, lon), float32, and those up to the last step (lat, lon), float64. A missing step makes the rest of its growing
    year missing.
    """
    start = at.time.start
    begins = calendar.period_start(start, "month") == start.astype("datetime64[D]")
    month = calendar.month(start)
    south = (at.lat < 0)[:, None]
    sums, total = np.empty(added.shape, "float32"), before.astype("float64")
    for k in range(len(at.time)):
        if begins[k] and month[k] in (1, 7):
            total = np.where(south == (month[k] == 7), 0.0, total)
        total = total + added[k]
        sums[k] = total
    return sums, total


def carbon_dioxide(at: Coordinates) -> np.ndarray:
    """Global mean mole fraction of CO2, µmol mol-1, (time, lat, 1); raises `ConfigError` where the run has no series."""
    if at.co2 is None:
        raise ConfigError("the driver co2 needs a series of annual means", where="drivers.co2", todo="name a CSV with year,ppm")
    series = at.co2
    return at.per_step(lambda lat, days: np.repeat(series.on_days(days)[:, None], lat.size, axis=1))


REGISTRY: dict[str, Derivation] = {
    "saturation_vapour_pressure": Derivation(
        ("air_temperature",), lambda needs, at: humidity.saturation_vapour_pressure(needs["air_temperature"])
    ),
    "vapour_pressure": Derivation(
        ("dew_point_temperature",), lambda needs, at: humidity.saturation_vapour_pressure(needs["dew_point_temperature"])
    ),
    "vapour_pressure_deficit": Derivation(
        ("saturation_vapour_pressure", "vapour_pressure"), lambda needs, at: humidity.vapour_pressure_deficit(**needs)
    ),
    "relative_humidity": Derivation(
        ("air_temperature", "dew_point_temperature"), lambda needs, at: humidity.relative_humidity(**needs)
    ),
    "clearness": Derivation(("shortwave_radiation", "potential_radiation"), lambda needs, at: clearness(**needs)),
    "growing_degrees": Derivation(("air_temperature",), lambda needs, at: growing_degrees(**needs)),
    "growing_degree_days": Derivation(
        ("air_temperature",),
        lambda needs, at: growing_degrees(**needs) * at.time.days.astype("float32")[:, None, None],
        summed=True,
    ),
    "potential_radiation": Derivation((), lambda needs, at: at.per_step(solar.potential_radiation)),
    "co2": Derivation((), lambda needs, at: carbon_dioxide(at)),
    "day_length": Derivation((), lambda needs, at: at.per_step(solar.day_length)),
}
"""What `derived:` in `tamrl/data/variables.yaml` may name."""


def derivation(name: str) -> Derivation:
    """How variable `name` is derived; raises `ConfigError` if its `derived:` names no function."""
    function = variables.get(name).derived
    if function not in REGISTRY:
        raise ConfigError(f"{name}: no derived function {function!r}", where=variables.FILE, todo=near(str(function), REGISTRY))
    return REGISTRY[function]
