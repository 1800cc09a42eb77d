"""Where the globe is unlike the towers: the area of applicability of Meyer & Pebesma (2021, doi 10.1111/2041-210X.13650).

A place is described by predictors: mean and seasonal amplitude of each dynamic driver, and the statics, weighted by what they
tell of mean fluxes (`tamrl.uncertainty.importance`). Its dissimilarity index is the mean distance to the nearest towers in the
standardised predictors, divided by the mean distance between towers. A place is inside if its index does not exceed what held-out
towers have towards the towers that trained without them.

The published method takes the nearest tower alone; the mean of three tells more of errors at held-out towers (docs/tried.md).
Fractions of classes together count as one predictor, so that seventeen land-cover classes do not drown the climate.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist

from tamrl.contracts import ALWAYS_TRAINS, NEAR_TEST
from tamrl.errors import ContractError

NEAREST = 3
"""Towers whose mean distance counts."""

MIN_VALID = 0.5
"""Smallest share of valid steps in each calendar month; with less the place is not described (NaN)."""


@dataclass(frozen=True)
class Reference:
    """The towers in standardised predictors.

    Attributes
    ----------
    centre, scale : arrays (predictor)
        Mean over the towers, and their scale divided by the weight of the predictor; the scale is NaN for a predictor that is
        constant there and is left out.
    tree : KDTree over (tower, kept predictor)
    distance : float
        Mean distance between towers.
    threshold : float
        Largest dissimilarity index that still counts as inside.
    """

    centre: np.ndarray
    scale: np.ndarray
    tree: KDTree
    distance: float
    threshold: float


def mean_and_amplitude(
    values: np.ndarray | Iterable[np.ndarray], month: np.ndarray, *, least: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Annual mean and seasonal amplitude of a driver.

    Parameters
    ----------
    values : array (time, ...), or such arrays of blocks of steps in their order
        Any unit. A calendar month with fewer than `MIN_VALID` of its steps present makes the place NaN.
        The blocks do not change a bit of the result.
    month : array (time)
        Calendar month of each step of all blocks, 1 to 12.
    least : int, optional
        So many present steps are enough for a calendar month, however long the time axis is: for records of towers.

    Returns
    -------
    mean, amplitude : arrays (...), float64
        Mean of the monthly means, and the largest less the smallest of them; months without any step are not asked for.
    """
    blocks = [values] if isinstance(values, np.ndarray) else values
    months, position = np.unique(month, return_inverse=True)
    total, count = np.zeros(0), np.zeros(0, dtype=int)
    for step, (field, i) in enumerate(zip(chain.from_iterable(blocks), position, strict=True)):
        if step == 0:
            total, count = np.zeros((len(months), *field.shape)), np.zeros((len(months), *field.shape), dtype="i4")
        valid = np.isfinite(field)
        total[i] += np.where(valid, field, 0.0)
        count[i] += valid
    every = np.bincount(position).reshape(-1, *[1] * (total.ndim - 1))
    enough = count >= (MIN_VALID * every if least is None else least)
    means = np.full(total.shape, np.nan)
    means[enough] = total[enough] / count[enough]
    return means.mean(0), means.max(0) - means.min(0)


def reference(towers: np.ndarray, *, families: np.ndarray, folds: np.ndarray, weights: np.ndarray | None = None) -> Reference:
    """Standardise the towers' predictors and find the threshold.

    Parameters
    ----------
    towers : array (tower, predictor)
        Finite.
    families : array of str (predictor)
        Predictors of one family (the classes of a fraction) share one scale: the root of their summed variances.
    folds : array of str (tower)
        Fold that holds the tower out.
    weights : array (predictor)
        What each predictor counts; by default all count the same.

    Returns
    -------
    Reference; its threshold is the upper whisker (largest value up to 1.5 quartile ranges above the upper quartile) of the
    index of held-out towers towards the towers of other folds.

    Raises
    ------
    ContractError
        With fewer than three towers, or predictors that are the same at all of them.
    """
    if len(towers) < 3:
        raise ContractError("the area of applicability needs three towers", found=f"{len(towers)} with all predictors")
    variance = towers.var(0, ddof=1)
    scale = np.sqrt([variance[families == family].sum() for family in families])
    scale = np.where(scale > 1e-9 * np.maximum(np.abs(towers).max(0), 1e-30), scale, np.nan)
    scale = scale if weights is None else scale / weights
    if np.isnan(scale).all():
        raise ContractError("all towers have the same predictors", todo="check samples/grid.nc")
    centre = towers.mean(0)
    points = _standard(towers, centre, scale)
    distance = float(pdist(points).mean())
    held_out = _held_out(points, folds) / distance
    held_out = held_out[np.isfinite(held_out)]
    if not held_out.size:
        raise ContractError("no tower is held out while others train", found=sorted(set(folds)), todo="check samples/splits.csv")
    return Reference(centre, scale, KDTree(points), distance, _whisker(held_out))


def of_held_out(towers: np.ndarray, *, families: np.ndarray, folds: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Dissimilarity index of each tower towards those that trained without it.

    Parameters
    ----------
    towers, families, folds, weights : arrays as of `reference`

    Returns
    -------
    array (tower), NaN for towers that no fold holds out.
    """
    described = reference(towers, families=families, folds=folds, weights=weights)
    return _held_out(_standard(towers, described.centre, described.scale), folds) / described.distance


def dissimilarity(towers: Reference, places: np.ndarray) -> np.ndarray:
    """Dissimilarity index of `places` (place, predictor); float64 (place), NaN where a predictor is missing."""
    points = _standard(places, towers.centre, towers.scale)
    good = np.isfinite(points).all(1)
    index = np.full(len(points), np.nan)
    index[good] = _nearest(towers.tree, points[good]) / towers.distance
    return index


def _standard(values: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Standardised predictors (place, predictor), without those that are constant at the towers."""
    varies = np.isfinite(scale)
    standardised: np.ndarray = (values[:, varies] - centre[varies]) / scale[varies]
    return standardised


def _held_out(points: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Distance of each held-out tower to the nearest that train while its fold is held out; NaN for the others."""
    distance = np.full(len(points), np.nan)
    for fold in sorted(set(folds) - {ALWAYS_TRAINS, NEAR_TEST}):
        training = (folds != fold) & (folds != NEAR_TEST)
        if training.any():
            distance[folds == fold] = _nearest(KDTree(points[training]), points[folds == fold])
    return distance


def _nearest(tree: KDTree, points: np.ndarray) -> np.ndarray:
    """Mean distance of each point to the `NEAREST` ones of the tree, or all of fewer."""
    distance: np.ndarray = tree.query(points, k=range(1, min(NEAREST, tree.n) + 1))[0]
    return np.asarray(distance.mean(1))


def _whisker(values: np.ndarray) -> float:
    low, high = np.quantile(values, [0.25, 0.75])
    return float(values[values <= high + 1.5 * (high - low)].max())
