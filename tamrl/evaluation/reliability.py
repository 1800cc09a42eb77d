"""Whether intervals hold what they promise at held-out towers: coverage by class and season, width, and proper scores."""

import numpy as np
import pandas as pd
from scipy.special import ndtr

from tamrl import calendar
from tamrl.uncertainty import conformal

ALL_LIMITS = (0.87, 0.93)
"""Coverage that the 90 % interval must have over all held-out towers of a flux."""

CLASS_LIMITS = (0.80, 0.97)
"""The same for a land-cover class of `MIN_TOWERS` towers or more."""

MIN_TOWERS = 5
YES, NO = "yes", "no"


def crps(observed: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of a normal distribution (Gneiting & Raftery 2007, doi 10.1198/016214506000001437).

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
        return np.where(std > 0, std * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi)), np.abs(observed - mean))


def interval_score(observed: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Score of a central 90 % interval: its width, and what lies outside it times 2 / 0.1 (same reference; shape, unit)."""
    outside = np.maximum(low - observed, 0) + np.maximum(observed - high, 0)
    return high - low + 2 / (1 - (conformal.LEVELS[1] - conformal.LEVELS[0])) * outside


def of_steps(frame: pd.DataFrame) -> pd.DataFrame:
    """Add `inside`, `width`, `crps` and `interval_score` to scored steps with `std`, `q05` and `q95`; others are left out."""
    rows = frame.dropna(subset=["observed", "predicted", "std", "q05", "q95"])
    seen, mean, std, low, high = (rows[n].to_numpy("f8") for n in ("observed", "predicted", "std", "q05", "q95"))
    found = {"inside": (seen >= low) & (seen <= high), "width": high - low, "crps": crps(seen, mean, std)}
    return rows.assign(**found, interval_score=interval_score(seen, low, high))


def table(steps: pd.DataFrame) -> pd.DataFrame:
    """Coverage and sharpness per model, split, kind of interval and flux: of all towers, by class and by season.

    Parameters
    ----------
    steps : DataFrame
        What `of_steps` returned, with model, split, intervals, flux, site, igbp and season.

    Returns
    -------
    DataFrame by `contracts.RELIABILITY`. Every value is a mean over towers, each of which weighs the same; `met` says whether
    the coverage lies between `least` and `most`, where limits are set.
    """
    values = ["inside", "width", "crps", "interval_score"]
    keys = ["model", "split", "intervals", "flux"]
    steps = steps.assign(all="all", season=np.asarray(calendar.SEASONS)[steps["season"].to_numpy(int)])
    parts = []
    for kind in ("all", "igbp", "season"):
        towers = steps.dropna(subset=kind).groupby([*keys, kind, "site"], observed=True)[values].mean()
        groups = towers.groupby([*keys, kind], observed=True)
        found = groups.mean().assign(towers=groups.size()).reset_index()
        parts.append(found.rename(columns={kind: "group", "inside": "coverage"}).assign(kind=kind))
    found = pd.concat(parts, ignore_index=True)
    limited = (found["kind"] == "all") | ((found["kind"] == "igbp") & (found["towers"] >= MIN_TOWERS))
    for name, k in (("least", 0), ("most", 1)):
        found[name] = np.where(found["kind"] == "all", ALL_LIMITS[k], CLASS_LIMITS[k])
        found[name] = found[name].where(limited)
    met = found["coverage"].between(found["least"], found["most"])
    found["met"] = pd.Series(np.where(met, YES, NO), dtype=object).where(limited)
    return found[[*keys, "kind", "group", "towers", "coverage", "width", "crps", "interval_score", "least", "most", "met"]]
