"""Reliability of the intervals at held-out towers: coverage by class and season, width, and proper scores."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtr

from tamrl import calendar
from tamrl.carbon import FLUXES
from tamrl.evaluation.compare import NO, YES
from tamrl.evaluation.pairs import as_texts
from tamrl.uncertainty import conformal

ALL_LIMITS = (0.87, 0.93)
"""Coverage that the 90 % interval must have over all held-out towers of a flux."""

CLASS_LIMITS = (0.80, 0.97)
"""The same for a land-cover class of `MIN_TOWERS` towers or more."""

MIN_TOWERS = 5
"""Classes of fewer towers have no limits."""


KEYS = ["model", "split", "scale", "intervals", "flux"]
"""Columns whose values are never averaged together."""

KINDS = ("all", "igbp", "season", "zone", "third", "tenth")
"""Kinds of groups of towers or steps, in the order of the table."""

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


def mean_by_group(steps: pd.DataFrame, third: pd.Series) -> pd.DataFrame:
    """Average coverage and sharpness per model, split, scale, kind of interval and flux, without limits.

    Of all towers, by class, season, zone, third of the towers by dissimilarity, and tenth of the observed flux: intervals that
    are right on average may fail where fluxes are large, or where the map is unlike the towers. Every value is a mean over towers
    with equal weights.

    Parameters
    ----------
    steps : output of `score_intervals`, of some models and scales, with the columns `KEYS`, site, igbp, season and lat
    third : output of `tower_thirds`, of all of them
    """
    values = ["inside", "width", "crps", "interval_score"]
    rank = steps.groupby(KEYS, observed=True)["observed"].rank(pct=True).to_numpy()
    kinds = (
        pd.Categorical.from_codes(np.zeros(len(steps), dtype="i1"), ["all"]),
        pd.Categorical(steps["igbp"]),
        _named(np.where(steps["scale"] == "year", -1, steps["season"].to_numpy(int)), calendar.SEASONS),  # none in a year
        _named((steps["lat"].abs() >= calendar.TROPICS).to_numpy(int), ("tropics", "outside the tropics")),
        pd.Categorical(steps["site"].map(third)),
        _named(np.ceil(10 * rank).astype(int) - 1, tuple(f"tenth {k}" for k in range(1, 11))),
    )
    parts = []
    for kind, group in zip(KINDS, kinds, strict=True):
        labelled = steps[[*KEYS, "site", *values]].assign(group=group).dropna(subset="group")
        towers = labelled.groupby([*KEYS, "group", "site"], observed=True)[values].mean()
        groups = towers.groupby([*KEYS, "group"], observed=True)
        means = as_texts(groups.mean().assign(towers=groups.size()).reset_index())
        parts.append(means.rename(columns={"inside": "coverage"}).assign(kind=kind))
    return pd.concat(parts, ignore_index=True)


def join_reliability(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the table of `contracts.RELIABILITY` from tables of `mean_by_group`.

    `met` says whether the coverage lies between `least` and `most`, where limits are set.
    """
    table = pd.concat(parts, ignore_index=True)
    rank = table["kind"].map({kind: k for k, kind in enumerate(KINDS)})
    table = table.assign(rank=rank).sort_values(["rank", *KEYS, "group"], ignore_index=True)
    limited = (table["kind"] == "all") | ((table["kind"] == "igbp") & (table["towers"] >= MIN_TOWERS))
    limited &= table["intervals"] != ALONE  # they are shown, not delivered
    for name, k in (("least", 0), ("most", 1)):
        table[name] = np.where(table["kind"] == "all", ALL_LIMITS[k], CLASS_LIMITS[k])
        table[name] = table[name].where(limited)
    met = table["coverage"].between(table["least"], table["most"])
    table["met"] = pd.Series(np.where(met, YES, NO), dtype=object).where(limited)
    return table[[*KEYS, "kind", "group", "towers", "coverage", "width", "crps", "interval_score", "least", "most", "met"]]


def tower_thirds(steps: pd.DataFrame) -> pd.Series:
    """Third of the towers by their dissimilarity that each site belongs to; missing where that is not known."""
    rank = steps.drop_duplicates("site").set_index("site")["dissimilarity"].rank(pct=True)
    names = {1: "most like the training towers", 2: "middle third of likeness", 3: "least like the training towers"}
    return np.ceil(3 * rank).map(names).astype(object)


def _named(number: np.ndarray, names: Sequence[str]) -> pd.Categorical:
    """Sorted categories from positions in `names`; -1 is missing."""
    ordered = sorted(names)
    place = np.array([*(ordered.index(name) for name in names), -1])
    return pd.Categorical.from_codes(place[number], ordered)
