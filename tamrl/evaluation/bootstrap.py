"""Bootstrap intervals over towers (Efron 1979, doi 10.1214/aos/1176344552): the tower is the unit that is resampled.

Days of one tower are not independent, so an interval over days would be far too narrow.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

REPEATS = 2000
LEVEL = 0.95
SEED = 20260301
"""Fixed, so that the same predictions give the same interval."""

MIN_TOWERS = 5
"""Fewer towers give no interval."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval over `n` towers (missing where there are fewer than `MIN_TOWERS`)."""

    estimate: float
    low: float
    high: float
    n: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return bool(self.low > 0 or self.high < 0)

    def text(self, digits: int = 2) -> str:
        """The estimate with its interval, e.g. `0.41 [0.22, 0.55]`."""
        return f"{self.estimate:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def resample(rows: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> Interval:
    """Percentile interval of a statistic of towers.

    Parameters
    ----------
    rows : array (n, k)
        One row a tower.
    statistic : function
        Takes (repeats, n, k), gives (repeats,).
    """
    rows = np.asarray(rows, dtype="f8")
    rows = rows[:, None] if rows.ndim == 1 else rows
    n = len(rows)
    estimate = float(statistic(rows[None])[0]) if n else np.nan
    if n < MIN_TOWERS:
        return Interval(estimate, np.nan, np.nan, n)
    draws = np.random.default_rng(SEED).integers(0, n, size=(REPEATS, n))
    found = statistic(rows[draws])
    low, high = np.nanquantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(estimate, float(low), float(high), n)


def median(values: np.ndarray) -> Interval:
    """Median over towers with its interval; `values` (n,)."""
    return resample(values, lambda rows: np.median(rows[..., 0], axis=1))


def paired_median(ours: pd.Series, theirs: pd.Series) -> Interval:
    """Median of the differences ours - theirs over the towers that both have (series indexed by site)."""
    both = pd.concat([ours, theirs], axis=1, join="inner").dropna()
    return median((both.iloc[:, 0] - both.iloc[:, 1]).to_numpy())


def coefficient_of_determination(rows: np.ndarray) -> np.ndarray:
    """1 - SSE / SST of columns observed and predicted: rows (..., n, 2) to (...); negative if worse than the mean."""
    o, p = rows[..., 0], rows[..., 1]
    total = ((o - o.mean(-1, keepdims=True)) ** 2).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, 1 - ((o - p) ** 2).sum(-1) / total, np.nan)
