"""Prediction intervals with tested coverage at towers that the models have never seen.

Normalised split-conformal prediction (Vovk et al. 2005, doi 10.1007/b106715; Romano et al. 2019,
doi 10.48550/arXiv.1905.03222). The predictive standard deviation at a point x is

    sigma(x)^2 = c^2 (s(x)^2 + r(mean(x))^2)

with s the spread of the members, r^2 the variance of the residuals that s does not explain as a function of the predicted
flux, and c chosen so that (observed - mean) / sigma has a mean square of one. The interval is
[mean + low sigma, mean + high sigma]; low and high are quantiles of that score at held-out towers.

Days of one tower are not exchangeable, nor are towers that share weather, soil and management; groups of neighbouring towers are.
So one score is drawn from every group: of K exchangeable scores the r-th smallest covers a tower of a new group with
probability r / (K + 1), and r = p (K + 1), between two ranks interpolated. That is repeated and averaged (repeated subsampling
of Dunn et al. 2022, doi 10.1080/01621459.2022.2060112; see Lee et al. 2023, doi 10.48550/arXiv.2306.06342). Every group weighs
the same, and so do the towers of a group, however long their records; a tower without neighbours is a group. Fewer than 19
groups cannot carry a tail of 5 %: then the largest score is taken and the calibration says `exact: false`.

Where the season and the class of a place are known, sigma^2 is multiplied by their factors (`tamrl.uncertainty.strata`), and c,
low and high are those of the scores after that.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.special import ndtri

from tamrl import calendar
from tamrl.errors import ContractError
from tamrl.uncertainty.calibration import FluxCalibration, Intervals, StratumCalibration, Tails, VarianceCalibration
from tamrl.uncertainty.strata import PlaceStrata, Strata, Units, cross_factor, fit_factors

LEVELS = (0.05, 0.95)
"""The interval's ends: q05 and q95."""

NORMAL = float(ndtri(LEVELS[1]))
"""The same quantile of a normal distribution, in its standard deviations."""

BINS = 12
"""Bins of the predicted flux for the variance of residuals, equally filled in weight."""

ROWS_PER_BIN = 20
FLOOR = 0.2
"""Smallest share of the mean squared residual of a bin that r^2 may take there, where members spread wider than they err."""

LEAST = 0.001
"""Smallest share of the mean squared residual of all rows that r^2 may take in any bin: none is free of error."""

DRAWS = 1000
"""Repetitions of drawing one score from every group; they sweep the distribution of each of its towers evenly."""

STRATA = ("season", "igbp")
"""Further columns of the tables; with both of them the calibration holds their factors too."""

KEYS = ("site", "flux", "observed", "predicted", "spread")


def fit_calibration(
    *,
    observed: np.ndarray,
    predicted: np.ndarray,
    spread: np.ndarray | None,
    site: np.ndarray | pd.Categorical,
    flux: str,
    group: np.ndarray | pd.Categorical | None = None,
    strata: Strata | None = None,
    both: bool = True,
) -> FluxCalibration:
    """Calibrate intervals on held-out towers.

    Parameters
    ----------
    observed, predicted : (row)
        Measured flux and mean of the members, gC m-2 d-1. Rows with NaN in either are left out and counted.
    spread : (row)
        Standard deviation of the members, gC m-2 d-1; None or NaN where there is one member only.
    site : tower of each row
    flux : name of the flux, for the record
    group : (row)
        Group of neighbouring towers, the unit that is exchangeable; without it every tower is one.
    strata : season and class of each row; not used with so few groups that the calibration is not `exact`
    both : whether to give `residual_only` where there is `with_spread` too; otherwise it is None then

    Raises
    ------
    ContractError
        If no row has both an observation and a prediction.
    """
    observed, predicted = np.asarray(observed, float), np.asarray(predicted, float)
    good = np.isfinite(observed) & np.isfinite(predicted)
    if not good.any():
        raise ContractError(f"no held-out tower has both observed and predicted {flux}", found=f"{good.size} rows")
    units = Units.number(_labels(site)[good], _labels(site if group is None else group)[good])
    variance = np.zeros(int(good.sum())) if spread is None else np.asarray(spread, float)[good] ** 2
    has_spread = spread is not None and bool(np.isfinite(variance).all())
    exact = _rank(units.count) <= units.count
    residuals = _Residuals(
        residual=observed[good] - predicted[good],
        centre=predicted[good],
        weight=units.weight / units.count,
        units=units,
        strata=strata.part(good) if strata and exact else None,  # few groups tell seasons and classes apart even less
    )
    return FluxCalibration(
        flux=flux,
        towers=len(units.group_of),
        groups=units.count,
        n=int(good.sum()),
        missing=int((~good).sum()),
        levels=LEVELS,
        exact=exact,
        with_spread=_calibrate(residuals, variance) if has_spread else None,
        residual_only=_calibrate(residuals, np.zeros_like(variance)) if both or not has_spread else None,
    )


def _labels(values: np.ndarray | pd.Categorical) -> np.ndarray | pd.Categorical:
    return values if isinstance(values, pd.Categorical) else np.asarray(values)


def interval(
    calibration: FluxCalibration,
    mean: np.ndarray,
    std: np.ndarray | None,
    *,
    places: PlaceStrata | None = None,
    of_flux: bool = False,
) -> Intervals:
    """Ends of the calibrated 90 % interval and the predictive standard deviation of what a tower would measure.

    Parameters
    ----------
    calibration : FluxCalibration
    mean : array (any shape)
        Mean of the members, gC m-2 d-1; NaN is carried.
    std : array (same shape) or None
        Standard deviation of the members; None where there is one member.
    places : optional
        Season and classes of each point; without, the calibration of all seasons and classes together is used.
    of_flux
        Give those of the flux itself, without the noise of a tower: narrower by `FluxCalibration.flux_share`.

    Returns
    -------
    q05, q95, sigma : arrays of the shape of `mean`, gC m-2 d-1

    Raises
    ------
    ContractError
        If the calibration is not for predictions with, or without, a standard deviation.
    """
    mean, variance, part = np.asarray(mean, float), np.asarray(0.0), calibration.residual_only
    if std is not None and calibration.with_spread:
        variance, part = np.asarray(std, float) ** 2, calibration.with_spread
    if part is None:
        raise ContractError("the calibration needs the spread of members", found=calibration.flux)
    variance = variance + np.interp(mean, part.knots, part.variance)
    variance = variance * calibration.flux_share**2 if of_flux else variance
    if part.strata and places is not None:
        return part.strata.ends(mean, variance * part.strata.at(places))
    return part.ends(mean, variance)


def cross_fit(frame: pd.DataFrame, fold: str = "fold", group: str = "site") -> pd.DataFrame:
    """Give each fold the intervals calibrated on the other folds, so that the coverage reported is honest.

    With one fold only (`splits.scheme: sites`) the groups of held-out towers are halved at random and each half takes the
    calibration of the other. `group` names the column of the groups of neighbouring towers; by default every tower is one.

    Parameters
    ----------
    frame : table
        Columns `site`, `flux`, `observed`, `predicted`, `spread` (of the members; NaN with one member), the two named, and
        `STRATA` to calibrate by seasons and classes.

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
    ends = np.full((len(frame), 3), np.nan)
    code, fluxes = pd.factorize(frame["flux"])
    parts = pd.factorize(_parts(frame, fold, group))[0]
    table = _numbered(frame, group)
    for number, flux in enumerate(fluxes):
        for part in pd.unique(parts[code == number]):
            rows, others = (code == number) & (parts == part), (code == number) & (parts != part)
            if not others.any():
                label = _parts(frame, fold, group)[rows][0]
                raise ContractError(
                    f"no other tower to calibrate {flux} on", found=f"one held-out part: {label}", todo="hold out more towers"
                )
            held = table[rows]
            without = bool(held["spread"].isna().all())  # rows of one member need the calibration without spread
            ends[rows] = np.stack(_table_intervals(held, _fit_rows(table[others], str(flux), group, both=without)), axis=1)
    q05, q95, std = ends.T
    return frame.assign(q05=q05, q95=q95, std=std)


def _numbered(frame: pd.DataFrame, group: str) -> pd.DataFrame:
    """Return the columns of a calibration, with texts as categories, which are fast to compare."""
    names = dict.fromkeys((*KEYS[2:], group, "site", "season", "igbp", "lat"))
    table = frame[[name for name in names if name in frame]]
    texts = [name for name in ("site", "igbp", group) if name in table and not pd.api.types.is_numeric_dtype(table[name])]
    return table.assign(**{name: pd.Categorical(table[name]) for name in texts})


def fit_table(frame: pd.DataFrame, flux: str, *, group: str = "site", both: bool = True) -> FluxCalibration:
    """Calibrate on the rows of one flux of a table.

    Parameters
    ----------
    frame : as for `cross_fit`
    flux : name of the flux
    group : column of the groups of neighbouring towers
    both : as for `fit_calibration`
    """
    return _fit_rows(_numbered(frame[frame["flux"] == flux], group), flux, group, both=both)


def _fit_rows(rows: pd.DataFrame, flux: str, group: str, *, both: bool) -> FluxCalibration:
    strata = _strata(rows) if _has_strata(rows) else None
    columns = {name: rows[name].array for name in ("observed", "predicted", "spread", "site")}
    return fit_calibration(**columns, group=rows[group].array, flux=flux, strata=strata, both=both)


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


@dataclass(frozen=True)
class _Residuals:
    """Residuals of rows, gC m-2 d-1, with the predicted flux `centre`, the weight (sum 1) and the tower of each."""

    residual: np.ndarray
    centre: np.ndarray
    weight: np.ndarray
    units: Units
    strata: Strata | None


def _calibrate(rows: _Residuals, variance: np.ndarray) -> VarianceCalibration:
    """Residual variance by predicted flux beyond `variance` (row), and the tails of the score, for all and by strata."""
    knots, extra = _variance(rows, variance)
    score = rows.residual / np.sqrt(variance + np.interp(rows.centre, knots, extra))
    strata = None
    if rows.strata:
        outside = score / np.sqrt(cross_factor(score, rows.strata, rows.units))
        factors, tails = fit_factors(score, rows.strata, rows.units), _tails(outside, rows)
        strata = StratumCalibration(**dict(factors), **dict(tails))
    tails = _tails(score, rows)
    return VarianceCalibration(knots=tuple(knots.tolist()), variance=tuple(extra.tolist()), strata=strata, **dict(tails))


def _tails(score: np.ndarray, rows: _Residuals) -> Tails:
    """Scale that gives the score a mean square of one, and the quantiles of what is then left."""
    scale = float(np.sqrt(np.sum(rows.weight * score**2)))
    scale = scale if scale > 0 else 1.0
    return Tails(scale=scale, low=-_tail(-score / scale, rows.units), high=_tail(score / scale, rows.units))


def _has_strata(frame: pd.DataFrame) -> bool:
    return set(STRATA) <= set(frame.columns)


def _rank(groups: int) -> float:
    """Which of the sorted scores of so many groups bounds the upper tail; above `groups` there is none."""
    return round(LEVELS[1] * (groups + 1), 9)


def _tail(score: np.ndarray, units: Units) -> float:
    """Upper conformal quantile of scores (row), one drawn per group at a time, from each of its towers as often."""
    ordered = score[np.lexsort((score, units.tower))]
    rows, size = np.bincount(units.tower), np.bincount(units.group_of)
    by_group = np.argsort(units.group_of, kind="stable")
    place = _even_draws(len(size)) * size[:, None]
    which = place.astype(int)
    tower = by_group[(np.cumsum(size) - size)[:, None] + which]
    drawn = ordered[(np.cumsum(rows) - rows)[tower] + ((place - which) * rows[tower]).astype(int)]
    ranks = np.sort(drawn, axis=0).mean(1)  # (group, draw) to the mean of each rank
    return float(np.interp(_rank(len(size)), np.arange(1, len(size) + 1), ranks))


@lru_cache(maxsize=8)
def _even_draws(groups: int) -> np.ndarray:
    """Where in each group the draws lie, (group, draw) of 0..1; fixed, so that the same data give the same interval."""
    even = np.tile((np.arange(DRAWS) + 0.5) / DRAWS, (groups, 1))
    draws: np.ndarray = np.random.default_rng(0).permuted(even, axis=1)
    draws.flags.writeable = False
    return draws


def _variance(rows: _Residuals, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean predicted flux of each bin and the variance of residuals there beyond the members' variance."""
    residual, centre, weight = rows.residual, rows.centre, rows.weight
    bins = int(np.clip(len(residual) // ROWS_PER_BIN, 1, BINS))
    edges = np.unique(weighted_quantile(centre, weight, np.arange(1, bins) / bins))
    position = np.searchsorted(edges, centre)
    total = np.bincount(position, weight, len(edges) + 1)
    filled = total > 0
    knots, square, members = (
        np.bincount(position, weight * x, len(edges) + 1)[filled] / total[filled] for x in (centre, residual**2, variance)
    )
    least = LEAST * np.sum(weight * residual**2) + np.finfo(float).tiny
    return knots, np.maximum(square - members, np.maximum(FLOOR * square, least))


def _table_intervals(frame: pd.DataFrame, calibration: FluxCalibration) -> Intervals:
    spread, mean = frame["spread"].to_numpy(float), frame["predicted"].to_numpy(float)
    std = None if np.isnan(spread).all() else spread
    return interval(calibration, mean, std, places=_strata(frame).places if _has_strata(frame) else None)


def _strata(frame: pd.DataFrame) -> Strata:
    """Strata of each row; where the latitude is not known, seasons are those of the hemisphere."""
    weight = calendar.season_weight(frame["lat"].to_numpy(float)) if "lat" in frame else np.ones(len(frame))
    return Strata(frame["season"].to_numpy(int), pd.Categorical(frame["igbp"]), weight)


def _parts(frame: pd.DataFrame, fold: str, group: str) -> np.ndarray:
    """Labels of the parts that are calibrated separately: the folds, or two random halves of the groups of a single fold."""
    folds: np.ndarray = frame[fold].to_numpy()
    if frame[fold].nunique() > 1:
        return folds
    groups = sorted(frame[group].unique(), key=lambda g: hashlib.sha256(str(g).encode()).hexdigest())
    half = {g: f"half {i % 2}" for i, g in enumerate(groups)}
    halves: np.ndarray = frame[group].map(half).to_numpy()
    return halves
