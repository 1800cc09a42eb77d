"""How the errors of a map belong together in time and space, learnt from the residuals of held-out towers.

A sum over many cells and months errs by much less than its parts, but by much more than if they erred independently: an unseen
place has a level of its own, its season differs from what drivers say, and places of one class share what the towers of that
class did not tell. With z the monthly error over the predictive standard deviation of that month, two cells d apart and months h
apart have the covariance

    level f(L) + season f(L) cos(2 pi h / 12) + short f(S) exp(-|h| / tau),     level + season + short = 1

Three shares and tau come from the mean of z(t) z(t + h) over lags at the towers, without subtracting the mean of a tower: what it
has of its own is error too. Between places,

    f = nugget [same place] + near exp(-d / l) + far g g' exp(-d / F),     g^2 = 1 - exp(-2 r / F),

is fitted to products of the mean z of two towers (L), or of their anomalies at the same time (S), and to squares at one. r is the
distance of a place to the nearest tower that trained the model: what neighbours have in common, a model has learned where it was
trained near by, and not elsewhere. With the factor g^2 this is the error of simple kriging from one neighbour (Matheron 1963, doi
10.2113/gsecongeo.58.8.1246), and most of the land lies farther from towers than these do from each other. Only towers that were
held out from the same models are paired: of others, each has taught the model of the other, which makes products negative.
A class that n groups of towers have told of is known to within 1 / n of the variance of a place, alike in all of its cells: the
error of a mean over n places. Level and season of a cell are thus to the share 1 / (n + 1) common to its class, and for the rest
as f says.

Compare the errors of land models at towers: Chevallier et al. 2012 (doi 10.1029/2010GB003974), Kountouris et al. 2015
(doi 10.5194/bg-12-7403-2015). Distances are in km, times in months.
"""

from dataclasses import dataclass
from itertools import pairwise, product
from typing import Self

import numpy as np
import pandas as pd
from scipy.optimize import nnls
from scipy.stats import t as student

from tamrl.calendar import MONTHS
from tamrl.documents import DocumentPart
from tamrl.grid import great_circle_km

LAGS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 18, 24, 30, 36, 48, 60)
"""Lags at which the correlation in time is estimated, months."""

DECAYS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Values of tau that are tried, months."""

LENGTHS = (10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
"""Lengths l that are tried, km."""

FAR_LENGTHS = (500.0, 1000.0, 2000.0)
"""Lengths F that are tried, km."""

FEWEST_REGIONS = 3.0
"""Fewest independent regions that an interval is made for."""

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
    """Correlation of errors between places: nugget at one place, near exp(-d / length_km), far g g' exp(-d / far_km)."""

    nugget: float
    near: float
    length_km: float
    far: float = 0.0
    far_km: float = FAR_LENGTHS[-1]
    correlogram: Correlogram

    def unlearned(self, isolation: np.ndarray) -> np.ndarray:
        """Factor g of places, by the distance to the nearest tower that trained, km."""
        return np.asarray(np.sqrt(-np.expm1(-2 * isolation / self.far_km)))

    def between(self, km: np.ndarray, isolation: float = np.inf) -> np.ndarray:
        """Correlation of two different places at distances, both that far from towers that trained."""
        learned = self.unlearned(np.asarray(isolation)) ** 2
        return np.asarray(self.near * np.exp(-km / self.length_km) + self.far * learned * np.exp(-km / self.far_km))


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
    towers: tuple[tuple[float, float], ...] = ()
    """Latitude and longitude of the towers that trained; none where their distances play no role."""
    regions: float | None = None
    """How many independent regions the towers tell of; None for so many that errors count as normal."""

    def isolation(self, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        """Distance of places (cell), degrees, to the nearest tower that trained, km; infinite without towers."""
        nearest = np.full(lat.shape, np.inf)
        for at in self.towers:
            nearest = np.minimum(nearest, great_circle_km(lat1=lat, lon1=lon, lat2=np.asarray(at[0]), lon2=np.asarray(at[1])))
        return nearest

    def quantile(self, level: float) -> float:
        """Quantile of the error of a sum over its standard deviation: Student's, as few regions tell the deviation."""
        regions = np.inf if self.regions is None else max(self.regions, FEWEST_REGIONS)
        return float(student.ppf(level, regions - 1))

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
    months : monthly means of held-out towers, of one flux: site, group, date (in the month), observed, predicted, predictive std,
        and fold: towers of one fold were held out from the same models. Of a single fold, no distance to them counts.
    places : site, lat, lon, igbp of the towers

    Returns
    -------
    FluxErrors
        Towers with too few months tell nothing: then all of the error counts as level, the least favourable for sums.
    """
    if months.empty:
        space = SpatialErrors(nugget=0.0, near=0.0, length_km=LENGTHS[-1], far=1.0, correlogram=NO_PAIRS)
        return FluxErrors(
            level=1.0,
            season=0.0,
            short=0.0,
            decay_months=DECAYS[0],
            place=space,
            weather=space,
            correlogram=NO_PAIRS,
            groups={},
            regions=FEWEST_REGIONS,
        )
    errors, group = _matrix(months)
    lags = _correlogram(errors, group)
    level, season, short, decay = _fit_time(lags)
    towers = HeldOut.of(places.set_index("site").loc[errors.index], months, group)
    mean = errors.mean(axis=1).where(errors.notna().sum(axis=1) >= FEWEST)
    cycle = errors.T.groupby(errors.columns.month).transform("mean").T
    place = fit_space(towers, mean.to_numpy()[:, None])
    return FluxErrors(
        level=level,
        season=season,
        short=short,
        decay_months=decay,
        place=place,
        weather=fit_space(towers, (errors - cycle).to_numpy()),
        correlogram=lags,
        groups={str(k): int(n) for k, n in pd.Series(group).groupby(towers.igbp).nunique().items()},
        towers=tuple(zip(towers.lat.tolist(), towers.lon.tolist(), strict=True)) if towers.folds > 1 else (),
        regions=towers.regions(place.far_km),
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


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Where towers are that were held out, and from which models: arrays (tower)."""

    lat: np.ndarray
    lon: np.ndarray
    igbp: np.ndarray
    group: np.ndarray
    """Number of the group of neighbours."""
    fold: np.ndarray

    @classmethod
    def of(cls, described: pd.DataFrame, months: pd.DataFrame, group: np.ndarray) -> Self:
        """Towers in the rows of `described`, with the folds of `months`."""
        folds = months.drop_duplicates("site").set_index("site")
        fold = folds["fold"].loc[described.index].to_numpy() if "fold" in folds else np.zeros(len(group), int)
        lat, lon = (described[name].to_numpy(float) for name in ("lat", "lon"))
        return cls(lat, lon, described["igbp"].to_numpy(str), pd.factorize(group)[0], fold)

    @property
    def folds(self) -> int:
        """Number of folds."""
        return len(np.unique(self.fold))

    @property
    def distance(self) -> np.ndarray:
        """Array (tower, tower), km."""
        return great_circle_km(lat1=self.lat[:, None], lon1=self.lon[:, None], lat2=self.lat[None], lon2=self.lon[None])

    @property
    def isolation(self) -> np.ndarray:
        """Distance to the nearest tower that trained while this one was held out, km."""
        return np.asarray(np.where(self.fold[:, None] != self.fold[None], self.distance, np.inf).min(1))

    @property
    def weight(self) -> np.ndarray:
        """Weight of a tower: every group weighs the same."""
        return np.asarray(1.0 / np.bincount(self.group)[self.group])

    def regions(self, length_km: float) -> float:
        """How many independent values a field with this correlation length has at the towers."""
        return float(np.sum(1.0 / np.exp(-self.distance / length_km).sum(1)))


def fit_space(towers: HeldOut, values: np.ndarray) -> SpatialErrors:
    """Correlation between places of values (tower, time), NaN where missing, by non-negative least squares over pairs of towers.

    Of a pair the mean product counts, if it has `FEWEST` times or values have one time, and both towers were held out from the
    same models. Several lengths may fit alike: the longest are taken that explain all but 1 % of what the best do.
    """
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    count, total = known.astype(float) @ known.T, filled @ filled.T
    least = FEWEST if values.shape[1] > 1 else 1
    first, second = np.triu_indices(len(values))
    d = towers.distance[first, second]
    enough = (count[first, second] >= least) & (towers.fold[first] == towers.fold[second]) & (d < FARTHEST)
    first, second, d = first[enough], second[enough], d[enough]
    same, weight = first == second, np.sqrt(towers.weight)
    products = total[first, second] / count[first, second]
    mean_square = float(np.average(products[same], weights=weight[first[same]] ** 2)) if same.any() else 0.0
    if mean_square <= 0:
        return SpatialErrors(nugget=0.0, near=0.0, length_km=LENGTHS[-1], far=1.0, correlogram=NO_PAIRS)
    products /= mean_square
    fits = []
    for far_km, length in product(FAR_LENGTHS, LENGTHS):
        unlearned = np.sqrt(-np.expm1(-2 * towers.isolation / far_km))
        far = unlearned[first] * unlearned[second] * np.exp(-d / far_km)
        root = (weight[first] * weight[second])[:, None]
        shares, misfit = nnls(np.stack([same, np.exp(-d / length), far], axis=1) * root, products * root[:, 0])
        fits.append((misfit**2, far_km, length, shares.tolist()))
    best, nothing = min(fits)[0], float(np.sum((products * weight[first] * weight[second]) ** 2))
    margin = best + 0.01 * max(nothing - best, 0.0)
    _, far_km, length, (nugget, near, far_share) = max((fit for fit in fits if fit[0] <= margin), key=lambda fit: fit[1:3])
    pairs = _binned(d[~same], products[~same])
    return SpatialErrors(nugget=nugget, near=near, length_km=length, far=far_share, far_km=far_km, correlogram=pairs)


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
