"""Prediction intervals with tested coverage at towers that the models have never seen.

Normalised split-conformal prediction (Vovk et al. 2005, doi 10.1007/b106715; Romano et al. 2019,
doi 10.48550/arXiv.1905.03222). The predictive standard deviation at a point x is

    sigma(x)^2 = c^2 (s(x)^2 + r(mean(x))^2)

with s the spread of the members, r^2 the variance of the residuals that s does not explain as a function of the predicted
flux, and c chosen so that (observed - mean) / sigma has a mean square of one. The interval is
[mean + low sigma, mean + high sigma]; low and high are quantiles of that score at held-out towers.

Days of one tower are not exchangeable, towers are. So one score is drawn from every tower: of K exchangeable scores the
r-th smallest covers a new tower with probability r / (K + 1), and r = p (K + 1), between two ranks interpolated. That is
repeated and averaged (repeated subsampling of Dunn et al. 2022, doi 10.1080/01621459.2022.2060112). Every tower weighs the
same, however long its record. Fewer than 19 towers cannot carry a tail of 5 %: then the largest score is taken and the
calibration says `exact: false`.

Where the season and the class of a place are known, sigma^2 is multiplied by their factors (`tamrl.uncertainty.strata`), and c,
low and high are those of the scores after that.
"""

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from tamrl.errors import ContractError
from tamrl.uncertainty import strata

LEVELS = (0.05, 0.95)
"""The interval's ends: q05 and q95."""

BINS = 12
"""Bins of the predicted flux for the variance of residuals, equally filled in tower weight."""

ROWS_PER_BIN = 20
FLOOR = 0.05
"""Smallest share of the mean squared residual that r^2 may take, where members already spread wider than they err."""

DRAWS = 1000
"""Repetitions of drawing one score from every tower; they sweep each tower's distribution evenly."""

STRATA = ("season", "igbp")
"""Further columns of the tables; where both are there the calibration holds their factors too."""

KEYS = ("site", "flux", "observed", "predicted", "spread")


def fit(
    *,
    observed: np.ndarray,
    predicted: np.ndarray,
    spread: np.ndarray | None,
    site: np.ndarray,
    flux: str,
    season: np.ndarray | None = None,
    igbp: np.ndarray | None = None,
    both: bool = True,
) -> dict[str, Any]:
    """Calibrate intervals on held-out towers.

    Parameters
    ----------
    observed, predicted : array (row)
        Measured flux and mean of the members, gC m-2 d-1. Rows with NaN in either are left out and counted.
    spread : array (row) or None
        Standard deviation of the members, gC m-2 d-1; None or NaN where there is one member only.
    site : array (row)
        Tower of each row.
    flux : str
        Name of the flux, for the record.
    season, igbp : arrays (row), optional
        As `strata.fit` takes them; both or none. Not used with so few towers that the calibration is not `exact`.
    both : bool
        Whether `residual_only` is wanted where there is `with_spread` too; otherwise it is None then.

    Returns
    -------
    JSON-able dict: `flux`, `towers`, `n`, `missing`, `levels`, `exact`, and two calibrations, `with_spread` (None without
    members) and `residual_only` (for a map of one member), each with `knots`, `variance`, `scale`, `low`, `high` and `strata`:
    None, or the factors of seasons and classes with a `scale`, `low` and `high` of their own.

    Raises
    ------
    ContractError
        If no row has both an observation and a prediction.
    """
    observed, predicted = np.asarray(observed, float), np.asarray(predicted, float)
    good = np.isfinite(observed) & np.isfinite(predicted)
    if not good.any():
        raise ContractError(f"no held-out tower has both observed and predicted {flux}", found=f"{good.size} rows")
    towers, position, rows = np.unique(np.asarray(site)[good], return_inverse=True, return_counts=True)
    residual, centre = observed[good] - predicted[good], predicted[good]
    nothing = np.zeros_like(residual)
    variance = nothing if spread is None else np.asarray(spread, float)[good] ** 2
    known = spread is not None and bool(np.isfinite(variance).all())
    exact = _rank(len(towers)) <= len(towers)
    kinds = None  # too few towers for the tails of all tell seasons and classes apart even less
    if exact and season is not None and igbp is not None:
        kinds = {"season": np.asarray(season)[good], "igbp": np.asarray(igbp)[good]}
    told = {"weight": 1.0 / (len(towers) * rows[position]), "tower": position, "kinds": kinds}
    about = {"flux": flux, "towers": len(towers), "n": int(good.sum()), "missing": int((~good).sum())}
    return about | {
        "levels": list(LEVELS),
        "exact": exact,
        "with_spread": _calibrate(residual, centre, variance, **told) if known else None,
        "residual_only": _calibrate(residual, centre, nothing, **told) if both or not known else None,
    }


def interval(
    calibration: dict[str, Any],
    mean: np.ndarray,
    std: np.ndarray | None,
    *,
    season: np.ndarray | None = None,
    shares: dict[str, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends of the calibrated 90 % interval and the predictive standard deviation.

    Parameters
    ----------
    calibration : dict
        What `fit` returned.
    mean : array (any shape)
        Mean of the members, gC m-2 d-1; NaN is carried.
    std : array (same shape) or None
        Standard deviation of the members; None where there is one member.
    season, shares : optional
        Season and class shares of each point as `strata.factor` takes them, broadcast against `mean`. Without both the
        calibration of all seasons and classes together is used.

    Returns
    -------
    q05, q95, sigma : arrays of the shape of `mean`, gC m-2 d-1
    """
    mean = np.asarray(mean, float)
    part = calibration["with_spread"] if std is not None else None
    variance = np.asarray(std, float) ** 2 if part else 0.0
    part = part or calibration["residual_only"]
    variance = variance + np.interp(mean, part["knots"], part["variance"])
    if part.get("strata") and season is not None and shares is not None:
        part = part["strata"]
        variance = variance * strata.factor(part, season=season, shares=shares)
    sigma = part["scale"] * np.sqrt(variance)
    return mean + part["low"] * sigma, mean + part["high"] * sigma, sigma


def cross_fit(frame: pd.DataFrame, fold: str = "fold", group: str = "site") -> pd.DataFrame:
    """Give each fold the intervals calibrated on the other folds, so that the coverage reported is honest.

    With one fold only (`splits.scheme: sites`) the held-out towers are halved at random and each half takes the
    calibration of the other; name a column of tower groups as `group` to keep neighbours in one half.

    Parameters
    ----------
    frame : table
        Columns `site`, `flux`, `observed`, `predicted`, `spread` (of the members; NaN with one member), the two named, and
        `STRATA` where seasons and classes are to be told apart.

    Returns
    -------
    The table with `std` (predictive standard deviation sigma), `q05` and `q95` added, gC m-2 d-1, rows in the same order.

    Raises
    ------
    ContractError
        If a column is missing or the other folds of some fold hold no tower to calibrate on.
    """
    if missing := {*KEYS, fold, group} - set(frame.columns):
        raise ContractError(f"the predictions lack {', '.join(sorted(missing))}", found=list(frame.columns))
    result = frame.copy()
    ends = np.full((len(frame), 3), np.nan)
    fluxes, parts = frame["flux"].to_numpy(), _parts(frame, fold, group)
    for flux in pd.unique(fluxes):
        for part in pd.unique(parts[fluxes == flux]):
            rows, others = (fluxes == flux) & (parts == part), (fluxes == flux) & (parts != part)
            if not others.any():
                raise ContractError(
                    f"no other tower to calibrate {flux} on", found=f"one held-out group: {part}", todo="hold out more towers"
                )
            without = bool(frame["spread"][rows].isna().all())  # rows of one member need the calibration without spread
            ends[rows] = np.stack(_interval_of(frame[rows], fit_frame(frame[others], flux, both=without)), axis=1)
    result["q05"], result["q95"], result["std"] = ends.T
    return result


def fit_frame(frame: pd.DataFrame, flux: str, *, both: bool = True) -> dict[str, Any]:
    """`fit` on the rows of `flux` of a table as `cross_fit` takes it; `both` as there."""
    rows = frame[frame["flux"] == flux]
    kinds = STRATA if _stratified(frame) else ()
    columns = {name: rows[name].to_numpy() for name in ("observed", "predicted", "spread", "site", *kinds)}
    return fit(**columns, flux=flux, both=both)


def coverage(frame: pd.DataFrame) -> float:
    """Mean over towers of the share of observations within [q05, q95]; NaN if no row has all three."""
    rows = frame.dropna(subset=["observed", "q05", "q95"])
    inside = rows["observed"].between(rows["q05"], rows["q95"])
    return float(inside.groupby(rows["site"]).mean().mean())


def weighted_quantile(values: np.ndarray, weight: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Smallest values at which the weighted distribution function reaches `levels` (in 0..1; above 1 the largest)."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    # Rounding of the cumulated weights must not push an exact level to the next value.
    index = np.searchsorted(reached, np.asarray(levels) - 1e-12)
    return values[order][np.minimum(index, len(values) - 1)]


def _calibrate(
    residual: np.ndarray,
    centre: np.ndarray,
    variance: np.ndarray,
    *,
    weight: np.ndarray,
    tower: np.ndarray,
    kinds: dict[str, np.ndarray] | None,
) -> dict[str, Any]:
    """Residual variance by predicted flux, its scale, and the quantiles of the score (arrays (row)), for all and by strata."""
    knots, extra = _variance(residual, centre, variance, weight)
    score = residual / np.sqrt(variance + np.interp(centre, knots, extra))
    found = {"knots": knots.tolist(), "variance": extra.tolist()} | _tails(score, weight, tower)
    if kinds is None:
        return found | {"strata": None}
    outside = score / np.sqrt(strata.cross_factor(score, **kinds, tower=tower))
    return found | {"strata": strata.fit(score, **kinds, tower=tower) | _tails(outside, weight, tower)}


def _tails(score: np.ndarray, weight: np.ndarray, tower: np.ndarray) -> dict[str, float]:
    """Scale that gives the score a mean square of one, and the quantiles of what is then left."""
    scale = float(np.sqrt(np.sum(weight * score**2)))
    scale = scale if scale > 0 else 1.0
    return {"scale": scale, "low": -_tail(-score / scale, tower), "high": _tail(score / scale, tower)}


def _stratified(frame: pd.DataFrame) -> bool:
    return set(STRATA) <= set(frame.columns)


def _rank(towers: int) -> float:
    """Which of the sorted scores of so many towers bounds the upper tail; above `towers` there is none."""
    return round(LEVELS[1] * (towers + 1), 9)


def _tail(score: np.ndarray, tower: np.ndarray) -> float:
    """Upper conformal quantile of scores (row), one drawn per tower at a time; `tower` numbers the towers from 0."""
    ordered = score[np.lexsort((score, tower))]
    rows = np.bincount(tower)
    even = np.tile((np.arange(DRAWS) + 0.5) / DRAWS, (len(rows), 1))
    place = np.random.default_rng(0).permuted(even, axis=1)  # fixed: the same data give the same interval
    index = (np.cumsum(rows) - rows)[:, None] + (place * rows[:, None]).astype(int)
    drawn = np.sort(ordered[index], axis=0).mean(1)  # (tower, draw) to the mean of each rank
    return float(np.interp(_rank(len(rows)), np.arange(1, len(rows) + 1), drawn))


def _variance(
    residual: np.ndarray, centre: np.ndarray, variance: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean predicted flux of each bin and the variance of residuals there beyond the members' variance."""
    bins = int(np.clip(len(residual) // ROWS_PER_BIN, 1, BINS))
    edges = np.unique(weighted_quantile(centre, weight, np.arange(1, bins) / bins))
    which = np.searchsorted(edges, centre)
    total = np.bincount(which, weight, len(edges) + 1)
    filled = total > 0
    knots, square, members = (
        np.bincount(which, weight * x, len(edges) + 1)[filled] / total[filled] for x in (centre, residual**2, variance)
    )
    floor = FLOOR * np.sum(weight * residual**2) + np.finfo(float).tiny
    return knots, np.maximum(square - members, floor)


def _interval_of(frame: pd.DataFrame, calibration: dict[str, Any]) -> tuple[np.ndarray, ...]:
    spread = frame["spread"].to_numpy(float)
    known = calibration["with_spread"] is not None and not np.isnan(spread).all()
    kinds = (
        {"season": frame["season"].to_numpy(int), "shares": strata.one_hot(frame["igbp"].to_numpy(object))}
        if _stratified(frame)
        else {}
    )
    return interval(calibration, frame["predicted"].to_numpy(float), spread if known else None, **kinds)


def _parts(frame: pd.DataFrame, fold: str, group: str) -> np.ndarray:
    """Labels of what is calibrated apart: the folds, or two random halves of the groups where there is one fold."""
    if frame[fold].nunique() > 1:
        return frame[fold].to_numpy()
    groups = sorted(frame[group].unique(), key=lambda g: hashlib.sha256(str(g).encode()).hexdigest())
    half = {g: f"half {i % 2}" for i, g in enumerate(groups)}
    return frame[group].map(half).to_numpy()
