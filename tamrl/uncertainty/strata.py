"""Errors differ by season and land-cover class: factors on the predictive variance, as far as the towers can tell them.

Intervals that cover 90 % of all towers may cover 70 % of crops. With enough towers a class could be calibrated alone
(Mondrian conformal prediction, Vovk et al. 2005, doi 10.1007/b106715); a class of ten towers has no 5 % tail. So each stratum
gets one factor: the square of its 90 % quantile of |score| over that of all, drawn towards one in the logarithm by the number
of groups of towers n, n / (n + `PRIOR`). What is then left over is calibrated for all strata together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import pandas as pd

from tamrl import calendar
from tamrl.documents import DocumentPart
from tamrl.errors import ContractError

BINS = 65536
"""Bins of the search for a quantile."""

LEVEL = 0.9
"""Quantile of |score| that strata are compared at: that of the interval."""

PRIOR = 4.0
"""Groups of towers that the assumption of no difference is worth."""

PARTS = 5
"""Parts of the groups whose factors come from the other parts when the intervals are calibrated."""


@dataclass(frozen=True, eq=False)
class PlaceStrata:
    """Season and classes of places and times; the arrays are broadcast against each other and against the fluxes.

    Attributes
    ----------
    season : array of int
        Position in `calendar.SEASONS`.
    weight : array
        Of that season, the rest of the opposite one (`calendar.season_weight`).
    shares : arrays by class
        Its share of the place. Classes without towers, and places whose classes are missing (NaN), count with a factor of one.
    """

    season: np.ndarray
    weight: np.ndarray | float
    shares: Mapping[str, np.ndarray]


class StratumFactors(DocumentPart):
    """Factors on the predictive variance of a class, and of a season (position in `calendar.SEASONS`) on top of it."""

    igbp: dict[str, float]
    season: tuple[float, ...]

    def at(self, places: PlaceStrata) -> np.ndarray:
        """Factor of places and times."""
        factors, season = np.asarray(self.season), np.asarray(places.season)
        opposite = (season + len(factors) // 2) % len(factors)
        of_season: np.ndarray = places.weight * factors[season] + (1.0 - np.asarray(places.weight)) * factors[opposite]
        extra = [places.shares[name] * (value - 1.0) for name, value in self.igbp.items() if name in places.shares]
        return of_season * (1.0 + np.nan_to_num(sum(extra), nan=0.0)) if extra else of_season


@dataclass(frozen=True)
class Units:
    """Which tower each row is of, and which group of neighbours each tower is in; both are numbered from 0."""

    tower: np.ndarray
    """(row)"""
    group_of: np.ndarray
    """(tower)"""

    @classmethod
    def number(cls, site: np.ndarray | pd.Categorical, group: np.ndarray | pd.Categorical) -> Self:
        """Number the sites of rows in their order, and their groups by their first site.

        Raises
        ------
        ContractError
            If the rows of a site name two groups.
        """
        tower, names = pd.factorize(site, sort=True)
        first = np.empty(len(names), dtype=int)
        first[tower[::-1]] = np.arange(len(tower))[::-1]  # of several rows the last that is written, the first of the tower
        if (group != group[first][tower]).any():
            raise ContractError("a tower is in two groups", found=sorted(set(names[tower[group != group[first][tower]]]))[:5])
        return cls(tower, pd.factorize(group[first])[0])

    def part(self, rows: np.ndarray) -> "Units":
        """Some of the rows; their towers and groups keep their numbers."""
        return Units(self.tower[rows], self.group_of)

    @property
    def group(self) -> np.ndarray:
        """Group of each row."""
        groups: np.ndarray = self.group_of[self.tower]
        return groups

    @property
    def count(self) -> int:
        """Number of groups that have rows."""
        rows = np.bincount(self.tower, minlength=len(self.group_of))
        return int(np.count_nonzero(np.bincount(self.group_of[rows > 0])))

    @property
    def weight(self) -> np.ndarray:
        """Weight of each row: every group one, shared equally by its towers that have rows, then by the rows of each."""
        rows = np.bincount(self.tower, minlength=len(self.group_of))
        towers = np.bincount(self.group_of[rows > 0], minlength=1)
        weights: np.ndarray = 1.0 / (rows[self.tower] * towers[self.group])
        return weights


@dataclass(frozen=True)
class Strata:
    """Season (position in `calendar.SEASONS`) and class of each row; a class is None or NaN where it is unknown."""

    season: np.ndarray
    igbp: np.ndarray | pd.Categorical
    weight: np.ndarray
    """Weight of the season, see `calendar.season_weight`."""

    def part(self, rows: np.ndarray) -> "Strata":
        """Some of the rows."""
        return Strata(self.season[rows], self.igbp[rows], self.weight[rows])

    def factor(self, factors: StratumFactors) -> np.ndarray:
        """Factor of each row: that of its season and its one class."""
        code, names = pd.factorize(self.igbp)
        extra = np.array([*(factors.igbp.get(str(name), 1.0) - 1.0 for name in names), 0.0])[code]  # code -1 takes the last
        result: np.ndarray = factors.at(PlaceStrata(self.season, self.weight, {})) * (1.0 + extra)
        return result

    @property
    def places(self) -> PlaceStrata:
        """The same with shares of classes."""
        return PlaceStrata(self.season, self.weight, one_hot(self.igbp))


def fit_factors(score: np.ndarray, strata: Strata, units: Units) -> StratumFactors:
    """Variance factors of the classes, then of the seasons on top of them.

    Parameters
    ----------
    score : (row)
        Residual over predictive standard deviation.
    strata : of each row
    units : of each row
        Within a stratum every group of towers weighs the same.
    """
    size = np.abs(score)
    code, names = pd.factorize(strata.igbp, sort=True)
    overall = _quantile(size, units.weight)
    factors = [_factor(size, units, rows, overall) for rows in _rows_by_number(code, len(names))]
    size = size / np.sqrt(np.array([*factors, 1.0])[code])  # code -1, unknown, takes the last
    overall = _quantile(size, units.weight)
    seasons = [_factor(size, units, rows, overall) for rows in _rows_by_number(strata.season, len(calendar.SEASONS))]
    igbp = {str(name): value for name, value in zip(names, factors, strict=True)}
    return StratumFactors(igbp=igbp, season=tuple(seasons))


def _rows_by_number(number: np.ndarray, count: int) -> list[np.ndarray]:
    """Rows of each number from 0 to `count`, in their order; other numbers have none."""
    order = np.argsort(number, kind="stable")
    ends = np.searchsorted(number[order], np.arange(count + 1))
    return [order[first:last] for first, last in pairwise(ends)]


def cross_factor(score: np.ndarray, strata: Strata, units: Units) -> np.ndarray:
    """Variance factor of each row by the groups of the other parts, `PARTS` in all; arguments as for `fit_factors`.

    Scores divided by factors that were fitted to them look smaller than those of a new tower would.
    """
    result = np.ones(len(score))
    part = units.group % PARTS
    for k in np.unique(part):
        rows = part == k
        if (~rows).any():
            others = fit_factors(score[~rows], strata.part(~rows), units.part(~rows))
            result[rows] = strata.part(rows).factor(others)
    return result


def one_hot(igbp: np.ndarray | pd.Categorical) -> dict[str, np.ndarray]:
    """Shares of classes at towers (row), each of which has one class or, where it is missing, none."""
    return {name: (igbp == name).astype(float) for name in pd.unique(igbp[~pd.isna(igbp)])}


def _factor(size: np.ndarray, units: Units, inside: np.ndarray, overall: float) -> float:
    """Factor of the rows `inside`, where `overall` is the quantile of all rows; one where there are none."""
    if not inside.size or not overall > 0:
        return 1.0
    inner = units.part(inside)
    ratio = _quantile(size[inside], inner.weight) / overall
    return float(np.clip(ratio, 0.1, 10.0) ** (2 * inner.count / (inner.count + PRIOR)))


def _quantile(size: np.ndarray, weight: np.ndarray) -> float:
    """The `LEVEL` quantile of weighted sizes (row), none below 0.

    Weights are added up in equal bins, and only the bin that holds the quantile is sorted: one pass instead of a sort of all.
    """
    most = size.max()
    which = np.minimum(size * (BINS / most) if most > 0 else np.zeros_like(size), BINS - 1).astype(np.int32)
    filled = np.bincount(which, weight)
    bins = np.flatnonzero(filled > 0)  # the empty ones add nothing
    reached = np.cumsum(filled[bins])
    wanted = LEVEL * reached[-1]
    at = min(int(np.searchsorted(reached, wanted)), len(reached) - 1)
    inside = np.flatnonzero(which == bins[at])
    inside = inside[np.argsort(size[inside], kind="stable")]
    before = reached[at - 1] if at else 0.0
    last = min(int(np.searchsorted(before + np.cumsum(weight[inside]), wanted)), len(inside) - 1)
    return float(size[inside[last]])
