"""Whether the mean of a driver over land and its seasons can be right, where each single value can.

A day's rain read as an hour's, kPa for hPa or a year that begins in July stay within the valid range. They move the mean over the
globe's land, or turn its seasons round, far more than any real year does. The bounds are `means` in `tamrl/data/variables.yaml`.
Pure functions on zonal means.
"""

from dataclasses import dataclass

import numpy as np

from tamrl import calendar, variables
from tamrl.calendar import TimeAxis
from tamrl.errors import UnitError
from tamrl.grid import Grid

GLOBE = 0.2
"""Share of the globe's area from which on cells with values stand for its land: all land is 0.29, that of one hemisphere less."""

CONTINENT = 0.07
"""Share from which on seasons of rain and vegetation are those of the globe: more than any continent but Asia. What is left of
the land where north and south are exchanged is more than this too."""

DAYS = 20
"""Fewer days of a month say nothing of it."""

COLD = 50.0
"""Degrees from the equator beyond which a region need not reach the `peak` of the vocabulary."""

BEYOND = 25.0
"""Degrees from the equator from which on summer and winter differ everywhere."""

NORTHERN = {"summer": (6, 7, 8), "winter": (12, 1, 2)}
"""Months of the northern seasons; the southern ones are the other way round."""


@dataclass(frozen=True)
class ZonalMeans:
    """Zonal means of the cells with values."""

    means: np.ndarray
    """Array (time, lat), in canonical units, NaN where there are none."""
    counts: np.ndarray
    """Array (time, lat): number of these cells."""
    time: TimeAxis
    grid: Grid
    """Grid whose rows they are."""
    columns: int
    """Number of cells of a row that were looked at."""

    @property
    def row_area(self) -> np.ndarray:
        """Area of a cell of each row, m2 (lat)."""
        return self.grid.area()[:, 0]


def check_means(name: str, zonal: ZonalMeans, *, where: object) -> None:
    """Refuse a dynamic variable whose means over land, or whose seasons, are outside of `means` in the vocabulary.

    A month in which values cover at least `GLOBE` is held against `land`, and seasons against `land_season` from `CONTINENT` on.
    Where values cover less, it is a region: the mean of all twelve months is held against `place`. `place_season` holds for both.
    Raise `UnitError` with `where`, the month or season, its mean and the bounds.
    """
    bounds = variables.get(name).means
    months, sums, count, covered = _monthly(zonal)
    if not months.size:
        return
    area = zonal.row_area
    means = (sums * area).sum(1) / (count * area).sum(1)
    globe = covered >= GLOBE
    if bounds.land:
        for month in np.flatnonzero(globe):
            _require(name, f"mean over land in {months[month]}", means[month], bounds.land, where)
    number = calendar.month(months)
    if bounds.place and not globe.any() and np.unique(number).size == calendar.MONTHS:
        year = np.mean([means[number == k].mean() for k in range(1, calendar.MONTHS + 1)])
        _require(name, "mean of the year over the cells with values", float(year), bounds.place, where)
    limits = [bounds.place_season, bounds.land_season if (covered >= CONTINENT).all() else None]
    least = max((limit for limit in limits if limit is not None), default=None)
    if least is not None and (contrast := seasonal_contrast(sums, count, number, zonal.grid)) is not None:
        _require(name, f"summer less winter beyond {BEYOND:g}° of latitude", contrast, (least, np.inf), where)


def must_reach_peak(zonal: ZonalMeans) -> bool:
    """Whether the cells with values must reach the vocabulary's `peak`: the globe, or a year of a region that is not polar."""
    area = zonal.row_area
    if (zonal.counts * area).sum() >= GLOBE * len(zonal.counts) * zonal.columns * area.sum():
        return True
    mild = bool(zonal.counts[:, np.abs(zonal.grid.lat) < COLD].any())
    return mild and np.unique(zonal.time.month).size == calendar.MONTHS


def check_static(name: str, values: np.ndarray, grid: Grid, *, where: object = None) -> None:
    """Refuse a static map (lat, lon), NaN where there is no land, whose mean over the globe's land is outside of `land`.

    Parameters
    ----------
    name : of the variable
    values : (lat, lon)
    grid : of the map
    where : file or source that the error names
    """
    bounds = variables.get(name).means.land
    area = grid.area() + np.zeros(values.shape)
    present = np.isfinite(values)
    if bounds and area[present].sum() >= GLOBE * area.sum():
        _require(name, "mean over land", float(np.average(values[present], weights=area[present])), bounds, where)


def seasonal_contrast(sums: np.ndarray, counts: np.ndarray, number: np.ndarray, grid: Grid) -> float | None:
    """Mean of summer less winter over the rows beyond `BEYOND`, or None where no row has two months of each.

    Parameters
    ----------
    sums, counts : arrays (month, lat), of values, and their number
    number : array (month), calendar months, 1 to 12
    """
    kinds = {}
    for kind, numbers in NORTHERN.items():
        seen = (counts > 0) & np.isin(number, numbers)[:, None]
        months = np.stack([seen[number == k].any(0) for k in numbers]).sum(0)
        total, size = np.where(seen, sums, 0).sum(0), np.where(seen, counts, 0).sum(0)
        kinds[kind] = np.where(months >= 2, total / np.maximum(size, 1), np.nan), size
    contrast = (kinds["summer"][0] - kinds["winter"][0]) * np.sign(grid.lat)
    weight = grid.area()[:, 0] * (kinds["summer"][1] + kinds["winter"][1])
    rows = np.isfinite(contrast) & (np.abs(grid.lat) > BEYOND)
    return float(np.average(contrast[rows], weights=weight[rows])) if rows.any() else None


def _monthly(zonal: ZonalMeans) -> tuple[np.ndarray, ...]:
    """Months that were seen well enough, sums and numbers of values (month, lat), and the share of the globe with values."""
    time = zonal.time
    months, place, steps = np.unique(time.start.astype("datetime64[M]"), return_inverse=True, return_counts=True)
    sums, count = np.zeros((2, months.size, zonal.means.shape[1]))
    np.add.at(sums, place, np.where(zonal.counts > 0, zonal.means, 0) * zonal.counts)
    np.add.at(count, place, zonal.counts)
    area = zonal.row_area
    covered = (count * area).sum(1) / (steps * zonal.columns * area.sum())
    enough = (covered > 0) & (steps >= (DAYS if time.step == "day" else 1)) & (len(time) > 1)
    return months[enough], sums[enough], count[enough], covered[enough]


def _require(name: str, quantity: str, value: float, bounds: tuple[float, float], where: object) -> None:
    low, high = bounds
    if low <= value <= high:
        return
    expected = f"at least {low:g}" if np.isinf(high) else f"within {low:g} and {high:g}"
    state = f"{quantity} {value:.4g} {variables.get(name).units}, expected {expected}"
    todo = "check the unit, the sign, whether values are means or totals (of what time), and the order of months and rows"
    raise UnitError(f"{name} cannot be what its unit and dates say", where=where, found=state, todo=todo)
