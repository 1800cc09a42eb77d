"""Errors differ by season and land-cover class: factors on the predictive variance, as far as the towers can tell them.

Intervals that cover 90 % of all towers may cover 70 % of crops. With enough towers a class could be calibrated alone
(Mondrian conformal prediction, Vovk et al. 2005, doi 10.1007/b106715); a class of ten towers has no 5 % tail. So each stratum
gets one factor: the square of its 90 % quantile of |score| over that of all, drawn towards one in the logarithm by the number
of towers n, n / (n + `PRIOR`). What is then left over is calibrated for all strata together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tamrl import calendar
from tamrl.documents import DocumentPart

BINS = 65536
"""Bins of the search for a quantile."""

LEVEL = 0.9
"""Quantile of |score| that strata are compared at: that of the interval."""

PRIOR = 4.0
"""Towers that the assumption of no difference is worth."""

PARTS = 5
"""Parts of the towers whose factors come from the other parts when the intervals are calibrated."""


class StratumFactors(DocumentPart):
    """Factors on the predictive variance of a class, and of a season (position in `calendar.SEASONS`) on top of it."""

    igbp: dict[str, float]
    season: tuple[float, ...]

    def at(self, *, season: np.ndarray, shares: Mapping[str, np.ndarray]) -> np.ndarray:
        """Factor of places and times.

        Parameters
        ----------
        season : array of int
            Position in `calendar.SEASONS`.
        shares : arrays by class
            Its share of the place, broadcast against `season`. Classes without towers, and places whose classes are missing
            (NaN), count with a factor of one.
        """
        of_season: np.ndarray = np.asarray(self.season)[season]
        extra = [shares[name] * (value - 1.0) for name, value in self.igbp.items() if name in shares]
        return of_season * (1.0 + np.nan_to_num(sum(extra), nan=0.0)) if extra else of_season


@dataclass(frozen=True)
class Strata:
    """Season (position in `calendar.SEASONS`) and class of each row; a class is None or NaN where it is unknown."""

    season: np.ndarray
    igbp: np.ndarray

    def part(self, rows: np.ndarray) -> "Strata":
        """Some of the rows."""
        return Strata(self.season[rows], self.igbp[rows])


def fit_factors(score: np.ndarray, strata: Strata, tower: np.ndarray) -> StratumFactors:
    """Variance factors of the classes, then of the seasons on top of them.

    Parameters
    ----------
    score : array (row)
        Residual over predictive standard deviation.
    strata : of each row
    tower : array (row) of int
        Numbers the towers from 0; within a stratum every tower weighs the same.
    """
    size = np.abs(score)
    code, names = pd.factorize(np.asarray(strata.igbp, dtype=object), sort=True)
    overall = _quantile(size, tower)
    factors = [_factor(size, tower, code == k, overall) for k in range(len(names))]
    size = size / np.sqrt(np.array([*factors, 1.0])[code])  # code -1, unknown, takes the last
    overall = _quantile(size, tower)
    seasons = [_factor(size, tower, strata.season == k, overall) for k in range(len(calendar.SEASONS))]
    igbp = {str(name): value for name, value in zip(names, factors, strict=True)}
    return StratumFactors(igbp=igbp, season=tuple(seasons))


def cross_factor(score: np.ndarray, strata: Strata, tower: np.ndarray) -> np.ndarray:
    """Variance factor of each row by the towers of the other parts, `PARTS` in all; arguments as for `fit_factors`.

    Scores divided by factors that were fitted to them look smaller than those of a new tower would.
    """
    result = np.ones(len(score))
    part = tower % PARTS
    for k in np.unique(part):
        rows = part == k
        if (~rows).any():
            others = fit_factors(score[~rows], strata.part(~rows), tower[~rows])
            result[rows] = others.at(season=strata.season[rows], shares=one_hot(strata.igbp[rows]))
    return result


def one_hot(igbp: np.ndarray) -> dict[str, np.ndarray]:
    """Shares of classes at towers (row), each of which has one class or, where it is missing, none."""
    return {name: (igbp == name).astype(float) for name in pd.unique(igbp[~pd.isna(igbp)])}


def _factor(size: np.ndarray, tower: np.ndarray, inside: np.ndarray, overall: float) -> float:
    """Factor of the rows `inside`, where `overall` is the quantile of all rows; one where there are none."""
    if not inside.any() or not overall > 0:
        return 1.0
    towers = len(np.unique(tower[inside]))
    ratio = _quantile(size[inside], tower[inside]) / overall
    return float(np.clip(ratio, 0.1, 10.0) ** (2 * towers / (towers + PRIOR)))


def _quantile(size: np.ndarray, tower: np.ndarray) -> float:
    """The `LEVEL` quantile of sizes (row), none below 0, with towers weighing the same.

    Weights are added up in equal bins, and only the bin that holds the quantile is sorted: one pass instead of a sort of all.
    """
    weight = 1.0 / np.bincount(tower)[tower]
    most = size.max()
    which = np.minimum(size * (BINS / most) if most > 0 else np.zeros_like(size), BINS - 1).astype(np.int32)
    reached = np.cumsum(np.bincount(which, weight))
    wanted = LEVEL * reached[-1]
    bin_ = min(int(np.searchsorted(reached, wanted)), len(reached) - 1)
    inside = np.flatnonzero(which == bin_)
    inside = inside[np.argsort(size[inside], kind="stable")]
    before = reached[bin_ - 1] if bin_ else 0.0
    last = min(int(np.searchsorted(before + np.cumsum(weight[inside]), wanted)), len(inside) - 1)
    return float(size[inside[last]])
