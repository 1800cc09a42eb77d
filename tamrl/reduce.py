"""Weighted sums of fields: Σ w·x and Σ w of the values that exist, per bin, from which totals and means follow.

A *statistic* x (of time and cells) meets a *weight* (days, land area) and *bins* (a period, steps of the year, regions, rows of
the grid, classes of a value), as in the aggregation of WeatherBench-X (Rasp et al. 2024, doi 10.1029/2023MS004019). Sums of
blocks of cells and steps add up to those of the globe, so a year of daily maps never lies in memory; a missing value adds to
neither sum.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

COVERED = 0.9
"""Least share of land and time that a reference must cover to be filled with the estimate and set beside its intervals."""


@dataclass(frozen=True)
class WeightedSum:
    """Sums of a statistic over one or more blocks."""

    total: np.ndarray
    """Array (..., *bins) of float64: Σ w·x, with the leading dimensions of the statistic, such as members."""
    weight: np.ndarray
    """Array (*bins) of float64: Σ w where the statistic exists."""

    @classmethod
    def zero(cls, *bins: int) -> "WeightedSum":
        """Return the sums of no block."""
        return cls(np.zeros(bins), np.zeros(bins))

    def __add__(self, other: "WeightedSum") -> "WeightedSum":
        """Return the sums of both blocks."""
        return WeightedSum(self.total + other.total, self.weight + other.weight)

    def add_steps(self, bins: np.ndarray, steps: "WeightedSum") -> None:
        """Add the sums of single steps (time, ...) in place, each to the bin of the year (time) it belongs to."""
        np.add.at(self.total, bins, steps.total)
        np.add.at(self.weight, bins, steps.weight)

    def over_steps(self) -> "WeightedSum":
        """Return sums over the first dimension of sums of single steps (time, ...)."""
        return self.map(lambda sums: sums.sum(0))

    def map(self, bins: Callable[[np.ndarray], np.ndarray]) -> "WeightedSum":
        """Return sums in other bins; `bins` adds up a dimension of both sums."""
        return WeightedSum(bins(self.total), bins(self.weight))

    def mean(self) -> np.ndarray:
        """Return the weighted mean of each bin, NaN for bins without values."""
        return divide_sums(self.total, self.weight)


def divide_sums(total: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return `total / weight`, NaN where the weight is zero; the two are broadcast."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(weight) > 0, np.asarray(total) / weight, np.nan)


def weigh(statistic: np.ndarray, weight: np.ndarray, *, known: np.ndarray) -> WeightedSum:
    """Return w·x and w of each known value of a statistic; the arrays are broadcast to one shape."""
    return WeightedSum(np.where(known, statistic, 0.0) * weight, known * weight)


def over_time(statistics: Iterable[np.ndarray], days: np.ndarray, *, known: np.ndarray) -> WeightedSum:
    """Sum statistics over all steps of a block: `total` (statistic, *cells) and `weight` (*cells).

    The `statistics` (time, *cells) are known at the same steps, where `known` (time, *cells) is true, such as all members of
    GPP and RECO. Each step has the weight of its length `days` (time). No array of all products w·x is made.
    """
    total = np.stack([np.einsum("t...,t->...", np.where(known, field, 0.0), days) for field in statistics])
    return WeightedSum(total, np.einsum("t...,t->...", known, days))


def over_regions(cells: WeightedSum, area: np.ndarray) -> WeightedSum:
    """Sum `cells` (statistic, lat, lon) over regions with `area` (region, lat, lon) to (region, statistic)."""
    return WeightedSum(np.einsum("ryx,myx->rm", area, cells.total), np.einsum("ryx,yx->r", area, cells.weight))


def over_rows(values: np.ndarray, row: np.ndarray, *, rows: int) -> np.ndarray:
    """Sum (..., cell) over the cells of each row of the grid, (..., row); `row` (cell) rises."""
    sums = np.zeros((*values.shape[:-1], rows))
    if row.size:
        held, first = np.unique(row, return_index=True)
        sums[..., held] = np.add.reduceat(values, first, axis=-1)
    return sums


def over_classes(statistics: Iterable[np.ndarray], weight: np.ndarray, position: np.ndarray, *, classes: int) -> WeightedSum:
    """Sum statistics over the values of each class: `total` (statistic, class) and `weight` (class).

    Parameters
    ----------
    statistics, weight : arrays (N)
    position : array (N); class of each value, 0, 1, ..
    """
    total = np.stack([np.bincount(position, weight * field, minlength=classes) for field in statistics])
    return WeightedSum(total, np.bincount(position, weight, minlength=classes))
