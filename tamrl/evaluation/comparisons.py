"""How much lower the error of one model is than that of its rivals, in percent, and whether that reaches a stated target.

Its own smaller ensembles are among the rivals, so that the worth of a further member is seen.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tamrl.carbon import FLUXES
from tamrl.evaluation import bootstrap
from tamrl.sections.results import Target

YES, NO, ABSENT = "yes", "no", "not evaluated"

SIZES = (1, 2, 5, 10, 20)
"""Members of the smaller ensembles that the whole one is compared with."""


def changes(metrics: pd.DataFrame, *, model: str, targets: Sequence[Target], step: str) -> pd.DataFrame:
    """Change of RMSE from each rival to `model` at the same towers, with bootstrap intervals over towers.

    Parameters
    ----------
    metrics : table of `contracts.METRICS`
    model : str
        Whose errors are compared with all others'.
    targets : list of Target
        They concern the scale of the steps.
    step : {"day", "month"}

    Returns
    -------
    DataFrame by `contracts.COMPARISONS`; `change` is 100 (median of model / median of rival - 1), so less is better, and
    `tower_change` the same of the geometric mean over towers, which pairs the two models at each tower and so tells smaller
    differences apart. A target is met where the change of the median is at least as low, its interval excludes zero and, if
    asked for, the 90th percentile is lower. A rival that was not evaluated has one row a flux without numbers.
    """
    wanted = {(t.rival, flux): (getattr(t, flux), t.tail) for t in targets for flux in FLUXES if getattr(t, flux) is not None}
    rivals = sorted(set(metrics["model"]) - {model})
    rows = []
    for (split, flux, scale), part in metrics.groupby(["split", "flux", "scale"], observed=True):
        table = part.pivot(index="site", columns="model", values="rmse")
        for rival in rivals if model in table else []:
            if rival in table:
                target = wanted.get((rival, flux)) if scale == step else None
                found = _row(table[[model, rival]].dropna().to_numpy(), target)
                rows.append({"model": model, "rival": rival, "split": split, "flux": flux, "scale": scale} | found)
    absent = [(rival, flux) for rival, flux in wanted if rival not in rivals]
    for split in sorted(set(metrics["split"])):
        for rival, flux in absent:
            key = {"model": model, "rival": rival, "split": split, "flux": flux, "scale": step, "towers": 0}
            rows.append(key | {"target": -wanted[rival, flux][0], "met": ABSENT})
    columns = ["model", "rival", "split", "flux", "scale", "towers", "median", "rival_median", "change", "low", "high"]
    columns += ["tower_change", "tower_low", "tower_high", "p90_change", "p90_low", "p90_high", "target", "met"]
    texts = dict.fromkeys(("model", "rival", "split", "flux", "scale", "met"), "str")
    return pd.DataFrame(rows, columns=columns).astype(texts | {"towers": int})  # an empty column has no type of its own


def _row(pairs: np.ndarray, target: tuple[float, bool] | None) -> dict[str, Any]:
    """Numbers of one rival, split, flux and scale; `pairs` (tower, 2) holds our RMSE and theirs."""
    if not len(pairs):
        return {"towers": 0, "met": ABSENT if target else None}
    centre, tail = (bootstrap.resample(pairs, relative(q)) for q in (0.5, 0.9))
    found = {"towers": len(pairs), "median": np.median(pairs[:, 0]), "rival_median": np.median(pairs[:, 1])}
    found |= {"change": centre.estimate, "low": centre.low, "high": centre.high}
    found |= {"p90_change": tail.estimate, "p90_low": tail.low, "p90_high": tail.high}
    pair = bootstrap.resample(pairs, at_towers)
    found |= {"tower_change": pair.estimate, "tower_low": pair.low, "tower_high": pair.high}
    if target:
        percent, tail_too = target
        met = centre.estimate <= -percent and centre.high < 0 and (not tail_too or tail.estimate < 0)
        found |= {"target": -percent, "met": YES if met else NO}
    return found


def smaller(frame: pd.DataFrame, *, qc: float) -> pd.DataFrame:
    """Errors of the first members of an ensemble: those a run with fewer members would have had, since seeds are their own.

    Parameters
    ----------
    frame : DataFrame
        Checked members (`scoring.check_members`) of one model.
    qc : float
        Steps with a lower NEE quality, or none, are not scored.

    Returns
    -------
    DataFrame
        model (`<model>, k of n members`, then all of them as `<model>`), flux, site and rmse at the same steps.
    """
    count = frame["member"].nunique()
    values = frame["predicted"].to_numpy("f8").reshape(count, -1)  # (member, row)
    one = frame.iloc[: values.shape[1]]
    judged = ((one["qc"] >= qc) & one["observed"].notna()).to_numpy() & np.isfinite(values).all(0)
    keys = [one[name][judged] for name in ("flux", "site")]
    name, observed, found = str(one["model"].iloc[0]), one["observed"].to_numpy("f8")[judged], []
    for k in [k for k in SIZES if k < count] + [count]:
        square = pd.Series((values[:k, judged].mean(0) - observed) ** 2, index=one.index[judged])
        rmse = np.sqrt(square.groupby(keys, observed=True).mean()).rename("rmse").reset_index()
        found.append(rmse.assign(model=name if k == count else f"{name}, {k} of {count} members"))
    return pd.concat(found, ignore_index=True)


def at_towers(rows: np.ndarray) -> np.ndarray:
    """Change in percent of the geometric mean over towers from the second to the first column; (repeats, n, 2) to (repeats,).

    Missing where a tower's error is zero.
    """
    positive = (rows > 0).all(-1)
    ours, theirs = np.moveaxis(np.where(positive[..., None], rows, np.nan), -1, 0)
    return 100 * np.expm1(np.log(ours / theirs).mean(-1))


def relative(level: float) -> Callable[[np.ndarray], np.ndarray]:
    """Statistic of rows (repeats, towers, 2): change in percent of the quantile `level` from the second to the first column."""

    def statistic(rows: np.ndarray) -> np.ndarray:
        """Pairs (repeats, n, 2) to the change (repeats,) in percent."""
        ours, theirs = np.moveaxis(np.quantile(rows, level, axis=-2), -1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(theirs > 0, 100 * (ours / theirs - 1), np.nan)

    return statistic
