"""The calendar of time axes: lengths of steps, their places in the year, and periods.

All times are UTC, and the start of a step names it. All other modules take months, seasons and lengths of steps from here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from tamrl.errors import ConfigError, ContractError

if TYPE_CHECKING:
    import xarray as xr

Step = Literal["day", "month"]
"""Length of a step of a run."""

Period = Literal["day", "8 days", "month", "year"]
"""Period of a mean. Periods of 8 days start on 1 January, as composites of MODIS do; the last one of a year is shorter."""

CLIMATOLOGY = "climatology"
"""Label of the maps of a mean year."""

MONTHS = 12
DAYS_PER_MONTH = 30.4375
PENTADS = 73
FORTNIGHTS = 26
TROPICS = 23.5
"""Latitude of the tropics, degrees north and south."""

SEASONS = ("winter", "spring", "summer", "autumn")
"""Quarters of the year, from December on in the north and from June on in the south."""


def period_start(time: np.ndarray, period: Period) -> np.ndarray:
    """Return the first day (datetime64[D]) of the period of each time."""
    if period not in get_args(Period):
        raise ContractError(f"{period!r} is no period of the calendar", todo=f"choose from: {', '.join(get_args(Period))}")
    day = time.astype("datetime64[D]")
    if period == "8 days":
        year = day.astype("datetime64[Y]").astype("datetime64[D]")
        return np.asarray(year + (day - year) // np.timedelta64(8, "D") * np.timedelta64(8, "D"))
    unit = {"day": "D", "month": "M", "year": "Y"}[period]
    return day.astype(f"datetime64[{unit}]").astype("datetime64[D]")


def bounds(time: np.ndarray, period: Period) -> np.ndarray:
    """Return the bounds of each period, datetime64[D] (time, 2); the second one is the start of the next period.

    Raises `ContractError` if a time is not the start of a period.
    """
    start = time.astype("datetime64[D]")
    if (period_start(start, period) != start).any():
        raise ContractError(f"times must be the first days of {period}s", found=start[:3])
    if period == "day":
        return np.stack([start, start + 1], axis=1)
    unit = "M" if period == "month" else "Y"
    end = (start.astype(f"datetime64[{unit}]") + 1).astype("datetime64[D]")
    return np.stack([start, np.minimum(start + 8, end) if period == "8 days" else end], axis=1)


def year(time: np.ndarray) -> np.ndarray:
    """Return the calendar year of each time."""
    return time.astype("datetime64[Y]").astype(int) + 1970


def months_since_1970(time: np.ndarray) -> np.ndarray:
    """Return the calendar months from January 1970 to each time."""
    return time.astype("datetime64[M]").astype(int)


def month(time: np.ndarray) -> np.ndarray:
    """Return the calendar month of each time, 1 to 12."""
    return months_since_1970(time) % MONTHS + 1


def day_of_year(time: np.ndarray) -> np.ndarray:
    """Return the days from 1 January to each time, from 0."""
    days: np.ndarray = time.astype("datetime64[D]") - time.astype("datetime64[Y]").astype("datetime64[D]")
    return days.astype(int)


def days_of_year(time: np.ndarray) -> np.ndarray:
    """Return the length of the calendar year of each time, 365 or 366 days."""
    start = time.astype("datetime64[Y]")
    days: np.ndarray = (start + 1).astype("datetime64[D]") - start.astype("datetime64[D]")
    return days.astype(int)


def season(month: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Return the position in `SEASONS` of calendar months (1 to 12) at latitudes (degrees north); shapes are broadcast."""
    return (np.asarray(month) + np.where(np.asarray(lat) < 0, 6, 0)) % MONTHS // 3


def season_weight(lat: np.ndarray) -> np.ndarray:
    """Return how much the season of its hemisphere says of a place, 1 outside the tropics and one half at the equator.

    The opposite season has the rest, so that nothing steps where the hemispheres meet.
    """
    return np.asarray(0.5 + 0.5 * np.clip(np.abs(lat) / TROPICS, 0, 1))


@dataclass(frozen=True, eq=False)
class TimeAxis:
    """Consecutive days or calendar months."""

    start: np.ndarray
    """Array (time) of datetime64[ns]: first instant of each step."""
    step: Step
    climatology: bool = False
    """Whether the steps are those of a mean year; they carry the dates of 2001."""

    @classmethod
    def of_years(cls, step: Step, years: Sequence[int] = (), until: str | None = None) -> "TimeAxis":
        """Make the axis of consecutive `years`; in an unfinished last year it ends with the month `until` (yyyy-mm).

        Without years it holds the months of a mean year.
        """
        first, last = (years[0], years[-1]) if years else (2001, 2001)
        end = np.datetime64(until or f"{last}-12", "M") + 1
        return cls(_starts(np.datetime64(f"{first}-01", "M"), end, step), step, not years)

    @classmethod
    def of(cls, ds: "xr.Dataset") -> "TimeAxis":
        """The time axis of a cube, map or table of samples, by its attributes `time_step` and `climatology`.

        Raises `ContractError` if the dataset does not state its step.
        """
        step = ds.attrs.get("time_step")
        if step not in ("day", "month"):
            raise ContractError("the dataset does not state its time_step", found=step, todo="time_step is day or month")
        return cls(ds["time"].values, step, CLIMATOLOGY in ds.attrs)

    def __len__(self) -> int:
        return self.start.size

    def part(self, part: slice) -> "TimeAxis":
        """The axis of some of the steps."""
        return TimeAxis(self.start[part], self.step, self.climatology)

    def by(self, step: Step) -> "TimeAxis":
        """Return the axis of the same time in steps of another length."""
        return TimeAxis(_starts(*self.span, step), step, self.climatology)

    @property
    def span(self) -> tuple[np.datetime64, np.datetime64]:
        """The first month and the month after the last one, datetime64[M]."""
        months = self.start.astype("datetime64[M]")
        return months[0], months[-1] + 1

    @cached_property
    def years(self) -> tuple[int, ...]:
        """The calendar years; none for a mean year."""
        return () if self.climatology else tuple(np.unique(year(self.start)).tolist())

    @cached_property
    def bounds(self) -> np.ndarray:
        """First and last instant of each step, datetime64[D] (time, 2)."""
        return bounds(self.start, self.step)

    @cached_property
    def days(self) -> np.ndarray:
        """Days of each step, (time,) float64."""
        return np.diff(self.bounds, axis=1)[:, 0].astype(float)

    @property
    def month(self) -> np.ndarray:
        """Calendar month of each step, 1 to 12."""
        return month(self.start)

    def season(self, lat: np.ndarray) -> np.ndarray:
        """Position in `SEASONS` of each step; `lat` (degrees north) is broadcast with the steps."""
        return season(self.month, lat)

    def of_year(self, label: int) -> np.ndarray:
        """Return the positions of the steps of a calendar year.

        Raises `ContractError` if the axis does not hold the year.
        """
        years = year(self.start)
        positions = np.flatnonzero(years == label)
        if not positions.size:
            raise ContractError(f"the time axis does not hold the year {label}", found=f"{years.min()} to {years.max()}")
        return positions

    @property
    def bins(self) -> np.ndarray:
        """Position of each step in the year: months 0 to 11, or for days pentads 0 to 72; in leap years the last has six days."""
        return self.month - 1 if self.step == "month" else np.minimum(day_of_year(self.start) // 5, PENTADS - 1)

    @property
    def support_bins(self) -> np.ndarray:
        """Bin of each step in a support set: months 0 to 11, or for days fortnights 0 to 25, the last of which is longer."""
        return self.month - 1 if self.step == "month" else np.minimum(day_of_year(self.start) // 14, FORTNIGHTS - 1)

    def annual_cycle(self, south: np.ndarray) -> np.ndarray:
        """Return cosine and sine of the time of year at the middle of each step, float32 (site, time, 2).

        `south` marks sites whose seasons are shifted by half a year.
        """
        half = 0.5 if self.step == "day" else DAYS_PER_MONTH / 2
        days = (self.start - self.start.astype("datetime64[Y]")) / np.timedelta64(1, "D") + half
        angle = 2 * np.pi * days / days_of_year(self.start)
        cycle: np.ndarray = np.where(south, -1, 1) * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        return cycle.astype(np.float32)

    def need_years(self, source: str) -> None:
        """Raise `ConfigError` if this is a mean year, which `source` lacks."""
        if self.climatology:
            raise ConfigError(f"{source} has no climatology", where="time.years", todo="name the years")


def _starts(first: np.datetime64, end: np.datetime64, step: Step) -> np.ndarray:
    """Return the starts of the steps from the month `first` up to the month `end`, datetime64[ns]."""
    unit = {"day": "datetime64[D]", "month": "datetime64[M]"}[step]
    return np.arange(first.astype(unit), end.astype(unit)).astype("datetime64[ns]")
