"""Whether the mean of a driver over land and its seasons can be right, where each single value can.

A day's rain read as an hour's, kPa for hPa or a year that begins in July stay within the valid range. They move the mean over the
globe's land, or turn its seasons round, far more than any real year does. The bounds are `means` in `tamrl/data/variables.yaml`.
Pure functions on zonal means.
"""

import numpy as np

from tamrl import calendar, variables
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


def check(name: str, means: np.ndarray, counts: np.ndarray, *, time: np.ndarray, columns: int, where: object) -> None:
    """Refuse a dynamic variable whose means over land, or whose seasons, are outside of `means` in the vocabulary.

    A month in which values cover at least `GLOBE` is held against `land`, and seasons against `land_season` from `CONTINENT` on.
    Where values cover less, it is a region: the mean of all twelve months is held against `place`. `place_season` holds for both.

    Parameters
    ----------
    means : array (time, lat), zonal means of the cells with values in canonical units, NaN where there are none
    counts : array (time, lat), how many cells these are
    time : array (time), datetime64, starts of days or months
    columns : how many cells of a row were looked at
    where : what the error names

    Raises
    ------
    UnitError
        With the month or season, its mean and the bounds.
    """
    bounds = variables.get(name).means
    months, sums, count, covered = _monthly(means, counts, time, columns)
    if not months.size:
        return
    area = Grid(180.0 / means.shape[1]).area()[:, 0]
    found = (sums * area).sum(1) / (count * area).sum(1)
    globe = covered >= GLOBE
    for month in np.flatnonzero(globe) if bounds.land else ():
        _require(name, f"mean over land in {months[month]}", found[month], bounds.land, where)
    number = months.astype(int) % 12
    if bounds.place and not globe.any() and np.unique(number).size == 12:
        year = np.mean([found[number == k].mean() for k in range(12)])
        _require(name, "mean of the year over the cells with values", year, bounds.place, where)
    limits = [bounds.place_season, bounds.land_season if (covered >= CONTINENT).all() else None]
    least = max((limit for limit in limits if limit is not None), default=None)
    if least is not None and (apart := seasonal_contrast(sums, count, number + 1)) is not None:
        _require(name, f"summer less winter beyond {BEYOND:g}° of latitude", apart, (least, np.inf), where)


def reaches_peak(counts: np.ndarray, *, time: np.ndarray, columns: int) -> bool:
    """Whether the cells with values must reach the `peak` of the vocabulary: the globe, or a year of a region that is not polar.

    Parameters are those of `check`.
    """
    grid = Grid(180.0 / counts.shape[1])
    area = grid.area()[:, 0]
    if (counts * area).sum() >= GLOBE * len(counts) * columns * area.sum():
        return True
    mild = bool(counts[:, np.abs(grid.lat) < COLD].any())
    return mild and np.unique(calendar.month(time)).size == calendar.MONTHS


def static(name: str, values: np.ndarray, *, where: object = None) -> None:
    """Refuse a static map (lat, lon), NaN where there is no land, whose mean over the globe's land is outside of `land`."""
    bounds = variables.get(name).means.land
    area = Grid(180.0 / values.shape[0]).area() + np.zeros(values.shape)
    present = np.isfinite(values)
    if bounds and area[present].sum() >= GLOBE * area.sum():
        _require(name, "mean over land", float(np.average(values[present], weights=area[present])), bounds, where)


def seasonal_contrast(sums: np.ndarray, counts: np.ndarray, number: np.ndarray) -> float | None:
    """Mean of summer less winter over the rows beyond `BEYOND`, or None where no row has two months of each.

    Parameters
    ----------
    sums, counts : arrays (month, lat) of values and their number
    number : array (month), 1 to 12
    """
    grid = Grid(180.0 / sums.shape[1])
    kinds = {}
    for kind, numbers in NORTHERN.items():
        seen = (counts > 0) & np.isin(number, numbers)[:, None]
        months = np.stack([seen[number == k].any(0) for k in numbers]).sum(0)
        total, size = np.where(seen, sums, 0).sum(0), np.where(seen, counts, 0).sum(0)
        kinds[kind] = np.where(months >= 2, total / np.maximum(size, 1), np.nan), size
    apart = (kinds["summer"][0] - kinds["winter"][0]) * np.sign(grid.lat)
    weight = grid.area()[:, 0] * (kinds["summer"][1] + kinds["winter"][1])
    rows = np.isfinite(apart) & (np.abs(grid.lat) > BEYOND)
    return float(np.average(apart[rows], weights=weight[rows])) if rows.any() else None


def _monthly(means: np.ndarray, counts: np.ndarray, time: np.ndarray, columns: int) -> tuple[np.ndarray, ...]:
    """Months that were seen well enough, sums and numbers of values (month, lat), and the share of the globe with values."""
    months, place, steps = np.unique(time.astype("datetime64[M]"), return_inverse=True, return_counts=True)
    sums, count = np.zeros((2, months.size, means.shape[1]))
    np.add.at(sums, place, np.where(counts > 0, means, 0) * counts)
    np.add.at(count, place, counts)
    area = Grid(180.0 / means.shape[1]).area()[:, 0]
    covered = (count * area).sum(1) / (steps * columns * area.sum())
    daily = time.size > 1 and time[1] - time[0] < np.timedelta64(2, "D")
    enough = (covered > 0) & (steps >= (DAYS if daily else 1)) & (time.size > 1)
    return months[enough], sums[enough], count[enough], covered[enough]


def _require(name: str, what: str, seen: float, bounds: tuple[float, float], where: object) -> None:
    low, high = bounds
    if low <= seen <= high:
        return
    expected = f"at least {low:g}" if np.isinf(high) else f"within {low:g} and {high:g}"
    raise UnitError(
        f"{name} cannot be what its unit and dates say",
        where=where,
        found=f"{what} {seen:.4g} {variables.get(name).units}, expected {expected}",
        todo="check the unit, the sign, whether values are means or totals (of what time), and the order of months and rows",
    )
