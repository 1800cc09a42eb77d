"""Bootstrap intervals over groups of neighbouring towers.

The group is the unit that is resampled (Efron 1979, doi 10.1214/aos/1176344552; whole clusters: Field & Welsh 2007,
doi 10.1111/j.1467-9868.2007.00593.x). Days of one tower are not independent, and neither are towers that share weather, soil
and management: an interval over days or over towers would be too narrow. All towers of a drawn group come with it.

A draw is the number of times that each tower is in it. So a statistic sees the towers once, with counts (repeats, towers), and
its cost grows linearly with the number of towers.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from tamrl import contracts
from tamrl.errors import ContractError

REPEATS = 2000
LEVEL = 0.95
SEED = 20260301
"""Fixed, so that the same predictions give the same interval."""

MIN_GROUPS = 5
"""Fewer groups give no interval."""

Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Statistic of towers: values (towers, columns) and the counts of the towers (repeats, towers) to (repeats,)."""


@dataclass(frozen=True)
class TowerGroups:
    """Group of neighbours of each tower.

    Attributes
    ----------
    of_site : series of int, indexed by site
    """

    of_site: pd.Series

    @classmethod
    def read(cls, path: str) -> Self:
        """Read the column `group` of `samples/splits.csv`."""
        return cls(contracts.read_csv(path, contracts.SPLITS).set_index("site")["group"])

    def of(self, sites: Iterable[str]) -> np.ndarray:
        """Groups of sites (n,), int.

        Raises
        ------
        ContractError
            If a site is not in the table of splits.
        """
        matched = self.of_site.reindex(pd.Index(sites, dtype=object))
        if matched.isna().any():
            unknown = sorted(set(matched.index[matched.isna()]))
            raise ContractError("towers are not in the table of splits", found=unknown[:5], todo="run the rule split_sites again")
        numbers: np.ndarray = matched.to_numpy(int)
        return numbers

    def count(self, sites: Iterable[str]) -> int:
        """Number of different groups of sites."""
        return len(np.unique(self.of(sites)))


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval over `groups` groups of `n` towers (missing with fewer than `MIN_GROUPS` groups)."""

    estimate: float
    low: float
    high: float
    n: int
    groups: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return bool(self.low > 0 or self.high < 0)

    def text(self, digits: int = 2) -> str:
        """Return the estimate with its interval, such as `0.41 [0.22, 0.55]`."""
        return f"{self.estimate:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"

    def columns(self, names: Sequence[str]) -> dict[str, float]:
        """Return estimate, low and high end under three names."""
        return dict(zip(names, (self.estimate, self.low, self.high), strict=True))


def resample_groups(rows: np.ndarray, groups: np.ndarray, statistic: Statistic) -> Interval:
    """Estimate a statistic of towers with its percentile interval over groups.

    Parameters
    ----------
    rows : array (towers,) or (towers, columns)
    groups : array (towers,)
        Group of each tower, of any kind.
    statistic : of values and counts
    """
    rows = np.asarray(rows, dtype="f8")
    rows = rows[:, None] if rows.ndim == 1 else rows
    n = len(rows)
    estimate = float(statistic(rows, np.ones((1, n), dtype=int))[0]) if n else np.nan
    number, names = pd.factorize(np.asarray(groups))
    if len(names) < MIN_GROUPS:
        return Interval(estimate, np.nan, np.nan, n, len(names))
    values = statistic(rows, _group_counts(len(names))[:, number])
    low, high = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if np.isfinite(values).any() else (np.nan, np.nan)
    return Interval(estimate, float(low), float(high), n, len(names))


def _group_counts(groups: int) -> np.ndarray:
    """How often each group is in each draw, (repeats, groups)."""
    draws = np.random.default_rng(SEED).integers(0, groups, size=(REPEATS, groups))
    flat = draws + groups * np.arange(REPEATS)[:, None]
    return np.bincount(flat.ravel(), minlength=REPEATS * groups).reshape(REPEATS, groups)


def counted_mean(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Means (repeats,) of values (towers,) that are in a sample `counts` (repeats, towers) times."""
    return np.asarray((counts * values).sum(-1) / counts.sum(-1))


def counted_quantile(values: np.ndarray, counts: np.ndarray, level: float) -> np.ndarray:
    """Quantiles (repeats,) of values (towers,) that are in a sample `counts` (repeats, towers) times.

    Linear between order statistics, as `numpy.quantile` of the values repeated; missing where a value is.
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(counts[:, order], axis=1)
    place = level * (reached[:, -1:] - 1)
    below = np.floor(place)
    lower, upper = (values[order][(reached > at).argmax(1)] for at in (below, np.minimum(below + 1, reached[:, -1:] - 1)))
    share = (place - below)[:, 0]
    return np.where(np.isnan(values).any(), np.nan, lower + share * (upper - lower))


def median_interval(values: np.ndarray, groups: np.ndarray) -> Interval:
    """Median over towers with its interval; `values` and `groups` (towers,)."""
    return resample_groups(values, groups, lambda rows, counts: counted_quantile(rows[:, 0], counts, 0.5))


def paired_median(ours: pd.Series, theirs: pd.Series, groups: TowerGroups) -> Interval:
    """Median of the differences ours - theirs over the towers that both have (series indexed by site)."""
    both = pd.concat([ours, theirs], axis=1, join="inner").dropna()
    return median_interval((both.iloc[:, 0] - both.iloc[:, 1]).to_numpy(), groups.of(both.index))


def quantile_change(level: float) -> Statistic:
    """Statistic of two columns of RMSE: change in percent of the quantile `level` from the second to the first column."""

    def statistic(rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Pairs (towers, 2) with counts (repeats, towers) to the change (repeats,) in percent."""
        ours, theirs = (counted_quantile(column, counts, level) for column in rows.T)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(theirs > 0, 100 * (ours / theirs - 1), np.nan)

    return statistic


def paired_change(rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Change in percent of the geometric mean over towers from the second to the first column.

    Pairs (towers, 2) with counts (repeats, towers) to (repeats,); missing where a tower of the sample has an error of zero.
    """
    positive = (rows > 0).all(-1)
    ratio = np.log(np.divide(rows[:, 0], rows[:, 1], out=np.ones(len(rows)), where=positive))
    missing = ((counts > 0) & ~positive).any(-1)
    return np.where(missing, np.nan, 100 * np.expm1(counted_mean(ratio, counts)))


def rank_correlation(rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Compute Spearman's rank correlation (1904, doi 10.2307/1412159) of two columns of towers.

    Values (towers, 2) that are in a sample `counts` (repeats, towers) times to (repeats,).
    """
    first, second = (_counted_ranks(column, counts) for column in rows.T)
    first, second = (ranks - counted_mean(ranks, counts)[:, None] for ranks in (first, second))
    product = (counts * first * second).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(product / np.sqrt((counts * first**2).sum(-1) * (counts * second**2).sum(-1)))


def _counted_ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Ranks (repeats, towers) of values (towers,) in samples; equal values share their mean rank."""
    _, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    first = np.searchsorted(place[order], np.arange(place.max() + 1))
    equal = np.add.reduceat(counts[:, order], first, axis=1)
    ranks: np.ndarray = (np.cumsum(equal, axis=1) - (equal - 1) / 2)[:, place]
    return ranks
