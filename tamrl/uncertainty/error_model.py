"""How the errors of a map belong together in time and space, learnt from the residuals of held-out towers.

A sum over many cells and months errs by much less than its parts, but by much more than if they erred independently: an unseen
place has a level of its own, its season differs from what drivers say, and places of one class share what the towers of that
class did not tell. With z the monthly error over the predictive standard deviation of that month, two cells d apart and months h
apart have the covariance

    level f(d, L) + season f(d, L) cos(2 pi h / 12) + short f(d, S) exp(-|h| / tau),     level + season + short = 1

with f(d, L) = near exp(-d / L) between different cells and 1 within one. Three shares and tau come from the mean of z(t) z(t + h)
over lags at the towers, without subtracting the mean of a tower: what it has of its own is error too. L is fitted to products
of the mean z of two towers, and S to those of their anomalies at the same time. A class that n groups of towers have told of is
known to within 1 / n of the variance of a place, alike in all of its cells: the error of a mean over n places. Level and season
of a cell are thus to the share 1 / (n + 1) common to its class, and its own for the rest.

Compare the errors of land models at towers: Chevallier et al. 2012 (doi 10.1029/2010GB003974), Kountouris et al. 2015
(doi 10.5194/bg-12-7403-2015). Distances are in km, times in months.
"""

from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from tamrl.calendar import MONTHS
from tamrl.documents import DocumentPart
from tamrl.grid import great_circle_km

LAGS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 18, 24, 30, 36, 48, 60)
"""Lags at which the correlation in time is estimated, months."""

DECAYS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Values of tau that are tried, months."""

LENGTHS = (10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
"""Lengths that are tried, km."""

FARTHEST = 3000.0
"""Largest distance of two towers that count for a length, km."""

FEWEST = 6
"""Fewest pairs of months of a tower at a lag, and fewest months of a tower's mean and of a pair of towers."""


class Correlogram(DocumentPart):
    """Mean products of standardised errors at some lags or distances, and of how many groups or pairs."""

    at: tuple[float, ...]
    value: tuple[float, ...]
    n: tuple[int, ...]


NO_PAIRS = Correlogram(at=(), value=(), n=())


class SpatialErrors(DocumentPart):
    """Correlation of the errors of two different places a distance d apart: `near` exp(-d / `length_km`)."""

    near: float
    length_km: float
    correlogram: Correlogram


class FluxErrors(DocumentPart):
    """Structure of the errors of one flux; shares of the variance of a month add up to 1."""

    level: float
    season: float
    short: float
    decay_months: float
    place: SpatialErrors
    """Of level and season."""
    weather: SpatialErrors
    """Of the short-lived part, at the same time."""
    correlogram: Correlogram
    """Correlation in time, by lag in months."""
    groups: dict[str, int]
    """Groups of towers by IGBP class."""

    def lasting(self, months: np.ndarray) -> np.ndarray:
        """Covariance, at lags in months, of what a place has of its own: its level and its season."""
        return np.asarray(self.level + self.season * np.cos(2 * np.pi * months / MONTHS))

    def passing(self, months: np.ndarray) -> np.ndarray:
        """Covariance, at lags in months, of what passes."""
        return np.asarray(self.short * np.exp(-np.abs(months) / self.decay_months))

    def common(self, igbp: str) -> float:
        """Share of the lasting variance that all places of a class have in common, as the mean of its towers errs."""
        return 1.0 / (self.groups.get(igbp, 0) + 1)


class ErrorModel(DocumentPart):
    """How the errors of the maps of each flux belong together."""

    gpp: FluxErrors
    reco: FluxErrors
    nee: FluxErrors

    def of_flux(self, flux: str) -> FluxErrors:
        """Structure of one of `carbon.FLUXES`."""
        return {"gpp": self.gpp, "reco": self.reco, "nee": self.nee}[flux]


def fit_flux_errors(months: pd.DataFrame, places: pd.DataFrame) -> FluxErrors:
    """Learn the structure of the errors of one flux.

    Parameters
    ----------
    months : monthly means of held-out towers, of one flux: site, group, date (in the month), observed, predicted, predictive std
    places : site, lat, lon, igbp of the towers

    Returns
    -------
    FluxErrors
        Towers with too few months tell nothing: then all of the error counts as level, the least favourable for sums.
    """
    if months.empty:
        space = SpatialErrors(near=1.0, length_km=LENGTHS[-1], correlogram=NO_PAIRS)
        shares = {"level": 1.0, "season": 0.0, "short": 0.0, "decay_months": DECAYS[0]}
        return FluxErrors(**shares, place=space, weather=space, correlogram=NO_PAIRS, groups={})
    errors, group = _matrix(months)
    lags = _correlogram(errors, group)
    level, season, short, decay = _fit_time(lags)
    described = places.set_index("site").loc[errors.index]
    mean = errors.mean(axis=1).where(errors.notna().sum(axis=1) >= FEWEST)
    cycle = errors.T.groupby(errors.columns.month).transform("mean").T
    classes = described.assign(group=group)[["igbp", "group"]]
    return FluxErrors(
        level=level,
        season=season,
        short=short,
        decay_months=decay,
        place=_fit_space(described, mean.to_numpy()[:, None]),
        weather=_fit_space(described, (errors - cycle).to_numpy()),
        correlogram=lags,
        groups={str(k): int(n) for k, n in classes.groupby("igbp")["group"].nunique().items()},
    )


def _matrix(months: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Standardised errors (site, month) on every month from the first to the last, and the group of each site."""
    stamp = months["date"].dt.to_period("M")
    z = (months["observed"] - months["predicted"]) / months["std"]
    wide = z.groupby([months["site"].astype(str), stamp]).mean().unstack()
    wide = wide.reindex(columns=pd.period_range(wide.columns.min(), wide.columns.max(), freq="M"))
    group = months.drop_duplicates("site").set_index("site")["group"].loc[wide.index].to_numpy()
    return wide, group


def _correlogram(errors: pd.DataFrame, group: np.ndarray) -> Correlogram:
    """Mean product at each of `LAGS` over the mean square, every group of towers with pairs enough weighing the same."""
    values = errors.to_numpy()
    square = _mean_of_groups(np.nanmean(values**2, axis=1), group)[0]
    at, correlation, count = [], [], []
    for lag in LAGS:
        if lag >= values.shape[1]:
            break
        product = values[:, lag:] * values[:, :-lag]
        pairs = np.isfinite(product).sum(1)
        enough = pairs >= FEWEST
        if enough.any():
            mean, groups = _mean_of_groups(np.nansum(product[enough], axis=1) / pairs[enough], group[enough])
            at.append(float(lag))
            correlation.append(mean / square)
            count.append(groups)
    return Correlogram(at=tuple(at), value=tuple(correlation), n=tuple(count))


def _mean_of_groups(values: np.ndarray, group: np.ndarray) -> tuple[float, int]:
    """Mean over the means of groups, and their number."""
    means = pd.Series(values).groupby(group).mean().dropna()
    return float(means.mean()), len(means)


def _fit_time(lags: Correlogram) -> tuple[float, float, float, float]:
    """Shares of level, season and short-lived errors, and the decay of the latter, by non-negative least squares."""
    lag, value, weight = (np.array(column, dtype=float) for column in (lags.at, lags.value, lags.n))
    best, fitted = np.inf, (1.0, 0.0, 0.0, DECAYS[0])
    for decay in DECAYS if len(lag) else ():
        parts = np.stack([np.ones_like(lag), np.cos(2 * np.pi * lag / MONTHS), np.exp(-lag / decay)], axis=1)
        # the shares add up to 1: at lag 0 a month is correlated with itself, without noise
        parts, wanted = np.vstack([parts, np.ones(3)]), np.append(value, 1.0)
        root = np.sqrt(np.append(weight, 100 * weight.sum()))
        shares, misfit = nnls(parts * root[:, None], wanted * root)
        if misfit < best:
            best, fitted = misfit, (*(shares / shares.sum()).tolist(), decay)
    level, season, short, decay = fitted
    return level, season, short, decay


def _fit_space(places: pd.DataFrame, values: np.ndarray) -> SpatialErrors:
    """Correlation by distance of values (place, time), NaN where missing, by least squares over all pairs of places.

    Of a pair the mean product counts, if it has `FEWEST` times or values have one time. Where no two places are near enough to
    tell, several of `LENGTHS` fit alike: the longest is taken that explains all but 1 % of what the best one does.
    """
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    count, product = known.astype(float) @ known.T, filled @ filled.T
    square = (filled**2).sum() / max(known.sum(), 1)
    lat, lon = places["lat"].to_numpy(float), places["lon"].to_numpy(float)
    distance = great_circle_km(lat1=lat[:, None], lon1=lon[:, None], lat2=lat[None], lon2=lon[None])
    first, second = np.triu_indices(len(lat), 1)
    least = FEWEST if values.shape[1] > 1 else 1
    enough = (count[first, second] >= least) & (distance[first, second] < FARTHEST) & (square > 0)
    first, second = first[enough], second[enough]
    products, d = product[first, second] / count[first, second] / square, distance[first, second]
    fits = []
    for length in LENGTHS:
        shape = np.exp(-d / length)
        near = float(np.clip(shape @ products / max(shape @ shape, 1e-12), 0.0, 1.0)) if len(d) else 1.0
        fits.append((float(np.sum((products - near * shape) ** 2)), length, near))
    least_misfit, null = min(fits)[0], float(np.sum(products**2))
    margin = least_misfit + 0.01 * max(null - least_misfit, 0.0)
    _, length, near = max((fit for fit in fits if fit[0] <= margin), key=lambda fit: fit[1])
    return SpatialErrors(near=near, length_km=length, correlogram=_binned(d, products))


BINS = (0.0, 10.0, 30.0, 100.0, 300.0, 1000.0, FARTHEST)
"""Bounds of the distances that a correlogram in space is averaged over, km."""


def _binned(distance: np.ndarray, products: np.ndarray) -> Correlogram:
    at, value, count = [], [], []
    for low, high in pairwise(BINS):
        inside = (distance >= low) & (distance < high)
        if inside.any():
            at.append(float(distance[inside].mean()))
            value.append(float(products[inside].mean()))
            count.append(int(inside.sum()))
    return Correlogram(at=tuple(at), value=tuple(value), n=tuple(count))
