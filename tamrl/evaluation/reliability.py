"""Reliability of the intervals at held-out towers: coverage by class and season, width, and proper scores."""

import numpy as np
import pandas as pd
from scipy.special import ndtr

from tamrl import calendar
from tamrl.carbon import FLUXES
from tamrl.evaluation.compare import NO, YES
from tamrl.uncertainty import conformal

ALL_LIMITS = (0.87, 0.93)
"""Coverage that the 90 % interval must have over all held-out towers of a flux."""

CLASS_LIMITS = (0.80, 0.97)
"""The same for a land-cover class of `MIN_TOWERS` towers or more."""

MIN_TOWERS = 5
"""Classes of fewer towers have no limits."""


ALONE = "spread alone"
"""Kind of the intervals that the spread of the members gives without calibration."""

LEAST = 2
"""Fewest groups of towers of a single fold, which is then halved to calibrate."""


def crps(observed: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Compute the continuous ranked probability score of a normal distribution.

    Source: Gneiting & Raftery (2007), doi 10.1198/016214506000001437.

    Parameters
    ----------
    observed, mean, std : arrays of one shape, gC m-2 d-1

    Returns
    -------
    array of the same shape and unit; 0 is perfect.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (observed - mean) / std
        density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
        score = std * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))
        return np.asarray(np.where(std > 0, score, np.abs(observed - mean)))


def interval_score(observed: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Score a central 90 % interval: its width, plus the distance outside it times 2 / 0.1 (same reference; shape, unit)."""
    outside = np.maximum(low - observed, 0) + np.maximum(observed - high, 0)
    return np.asarray(high - low + 2 / (1 - (conformal.LEVELS[1] - conformal.LEVELS[0])) * outside)


def gaussian_interval(mean: pd.Series, std: pd.Series) -> dict[str, pd.Series]:
    """Ends `q05` and `q95` of the 90 % interval of normal distributions, gC m-2 d-1."""
    half = conformal.NORMAL * std
    return {"q05": mean - half, "q95": mean + half}


def can_calibrate(rows: pd.DataFrame) -> bool:
    """Whether every flux has towers in two folds, so that each can be calibrated on another, or `LEAST` groups in one."""
    parts = rows.groupby("flux", observed=True)[["fold", "group"]].nunique()
    return set(parts.index) == set(FLUXES) and bool(((parts["fold"] > 1) | (parts["group"] >= LEAST)).all())


def score_intervals(frame: pd.DataFrame) -> pd.DataFrame:
    """Add `inside`, `width`, `crps` and `interval_score` to scored steps; those without `std`, `q05` or `q95` are left out."""
    rows = frame.dropna(subset=["observed", "predicted", "std", "q05", "q95"])
    seen, mean, std, low, high = (rows[n].to_numpy("f8") for n in ("observed", "predicted", "std", "q05", "q95"))
    scores = {"inside": (seen >= low) & (seen <= high), "width": high - low, "crps": crps(seen, mean, std)}
    return rows.assign(**scores, interval_score=interval_score(seen, low, high))


def reliability_by_group(steps: pd.DataFrame) -> pd.DataFrame:
    """Average coverage and sharpness per model, split, scale, kind of interval and flux.

    Of all towers, by class, season, zone, third of the towers by dissimilarity, and tenth of the observed flux: intervals that
    are right on average may fail where fluxes are large, or where the map is unlike the towers.

    Parameters
    ----------
    steps : output of `score_intervals` with the columns model, split, scale, intervals, flux, site, igbp, season, lat and
        dissimilarity

    Returns
    -------
    DataFrame by `contracts.RELIABILITY`. Every value is a mean over towers with equal weights; `met` says whether
    the coverage lies between `least` and `most`, where limits are set.
    """
    values = ["inside", "width", "crps", "interval_score"]
    keys = ["model", "split", "scale", "intervals", "flux"]
    season = pd.Series(np.asarray(calendar.SEASONS)[steps["season"].to_numpy(int)], index=steps.index)
    rank = steps.groupby(keys, observed=True)["observed"].rank(pct=True)
    steps = steps.assign(
        all="all",
        season=season.where(steps["scale"] != "year"),  # a year has none
        zone=np.where(steps["lat"].abs() < calendar.TROPICS, "tropics", "outside the tropics"),
        third=_thirds(steps),
        tenth="tenth " + np.ceil(10 * rank).astype(int).astype(str),
    )
    parts = []
    for kind in ("all", "igbp", "season", "zone", "third", "tenth"):
        towers = steps.dropna(subset=kind).groupby([*keys, kind, "site"], observed=True)[values].mean()
        groups = towers.groupby([*keys, kind], observed=True)
        means = groups.mean().assign(towers=groups.size()).reset_index()
        parts.append(means.rename(columns={kind: "group", "inside": "coverage"}).assign(kind=kind))
    table = pd.concat(parts, ignore_index=True)
    limited = (table["kind"] == "all") | ((table["kind"] == "igbp") & (table["towers"] >= MIN_TOWERS))
    limited &= table["intervals"] != ALONE  # they are shown, not delivered
    for name, k in (("least", 0), ("most", 1)):
        table[name] = np.where(table["kind"] == "all", ALL_LIMITS[k], CLASS_LIMITS[k])
        table[name] = table[name].where(limited)
    met = table["coverage"].between(table["least"], table["most"])
    table["met"] = pd.Series(np.where(met, YES, NO), dtype=object).where(limited)
    return table[[*keys, "kind", "group", "towers", "coverage", "width", "crps", "interval_score", "least", "most", "met"]]


def _thirds(steps: pd.DataFrame) -> pd.Series:
    """Third of the towers that each row belongs to, by their dissimilarity; missing where that is not known."""
    rank = steps.drop_duplicates("site").set_index("site")["dissimilarity"].rank(pct=True)
    names = {1: "most like the training towers", 2: "middle third of likeness", 3: "least like the training towers"}
    third = np.ceil(3 * steps["site"].map(rank).astype(float))
    return third.map(names)
