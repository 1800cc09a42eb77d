"""Comparisons of models over towers, with intervals over groups of them: changes of error, targets, spatial skill."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tamrl.calendar import Step
from tamrl.carbon import FLUXES
from tamrl.evaluation.bootstrap import (
    MIN_GROUPS,
    Interval,
    TowerGroups,
    counted_mean,
    paired_change,
    quantile_change,
    resample_groups,
)
from tamrl.evaluation.pairs import as_texts
from tamrl.sections.results import Target

YES, NO, ABSENT = "yes", "no", "not evaluated"

SIZES = (1, 2, 5, 10, 20)
"""Members of the smaller ensembles that the full one is compared with, to show the gain from a further member."""

CHANGE, TOWER_CHANGE, P90_CHANGE = (
    ("change", "low", "high"),
    ("tower_change", "tower_low", "tower_high"),
    ("p90_change", "p90_low", "p90_high"),
)
"""Columns of a change with its interval: of the median, of the geometric mean over towers, of the 90th percentile."""


def compare_models(
    metrics: pd.DataFrame, groups: TowerGroups, *, model: str, targets: Sequence[Target], step: Step
) -> pd.DataFrame:
    """Compare the RMSE of `model` with that of each rival at the same towers, with bootstrap intervals over groups of towers.

    Parameters
    ----------
    metrics : table of `contracts.METRICS`
    model : whose errors are compared with all others'
    targets : sequence of Target
        They concern the scale of the steps.
    step : {"day", "month"}

    Returns
    -------
    DataFrame by `contracts.COMPARISONS`; `change` is 100 (median of model / median of rival - 1), so less is better, and
    `tower_change` the same of the geometric mean over towers, which pairs the two models at each tower and so detects smaller
    differences. A target is met if the change of the median is at least as low, its interval excludes zero and, if
    `tail` is set, the 90th percentile is lower. A rival that was not evaluated has one row per flux without numbers.
    """
    asked = [target for target in targets if target.measure == "change"]
    wanted = {(t.rival, flux): (getattr(t, flux), t.tail) for t in asked for flux in FLUXES if getattr(t, flux) is not None}
    rivals = sorted(set(metrics["model"]) - {model})
    rows: list[dict[str, object]] = []
    for (split, flux, scale), part in metrics.groupby(["split", "flux", "scale"], observed=True):
        table = part.pivot(index="site", columns="model", values="rmse")
        for rival in rivals if model in table else []:
            if rival in table:
                target = wanted.get((rival, flux)) if scale == step else None
                row = _comparison(table[[model, rival]].dropna(), groups, target)
                rows.append({"model": model, "rival": rival, "split": split, "flux": flux, "scale": scale} | row)
    absent = [(rival, flux) for rival, flux in wanted if rival not in rivals]
    for split in sorted(set(metrics["split"])):
        for rival, flux in absent:
            key = {"model": model, "rival": rival, "split": split, "flux": flux, "scale": step, "towers": 0, "groups": 0}
            rows.append(key | {"target": -wanted[rival, flux][0], "met": ABSENT})
    columns = ["model", "rival", "split", "flux", "scale", "towers", "groups", "median", "rival_median"]
    texts = dict.fromkeys(("model", "rival", "split", "flux", "scale", "met"), "str")
    frame = pd.DataFrame(rows, columns=[*columns, *CHANGE, *TOWER_CHANGE, *P90_CHANGE, "target", "met"])
    return frame.astype(texts | {"towers": int, "groups": int})  # because an empty column has no type


def _comparison(table: pd.DataFrame, groups: TowerGroups, target: tuple[float, bool] | None) -> dict[str, object]:
    """Numbers of one rival, split, flux and scale; `table` holds our RMSE and theirs by site."""
    if table.empty:
        return {"towers": 0, "groups": 0, "met": ABSENT if target else None}
    pairs, of_tower = table.to_numpy(), groups.of(table.index)
    centre, tail = (resample_groups(pairs, of_tower, quantile_change(q)) for q in (0.5, 0.9))
    row: dict[str, object] = {"towers": centre.n, "groups": centre.groups}
    row |= {"median": np.median(pairs[:, 0]), "rival_median": np.median(pairs[:, 1])}
    row |= centre.columns(CHANGE) | resample_groups(pairs, of_tower, paired_change).columns(TOWER_CHANGE)
    row |= tail.columns(P90_CHANGE)
    if target:
        percent, tail_too = target
        met = centre.estimate <= -percent and centre.high < 0 and (not tail_too or tail.estimate < 0)
        row |= {"target": -percent, "met": YES if met else NO}
    return row


def score_smaller_ensembles(frame: pd.DataFrame, *, qc: float) -> pd.DataFrame:
    """Score the first members of an ensemble, as in a run with fewer members, since each member has its own seed.

    Parameters
    ----------
    frame : checked members (`pairs.check_members`) of one model
    qc : steps with a lower NEE quality, or none, are not scored

    Returns
    -------
    DataFrame
        model (`<model>, k of n members`, then all of them as `<model>`), flux, site and rmse at the same steps.
    """
    count = frame["member"].nunique()
    values = frame["predicted"].to_numpy("f8").reshape(count, -1)  # (member, row)
    one = frame.iloc[: values.shape[1]]
    scored = ((one["qc"] >= qc) & one["observed"].notna()).to_numpy() & np.isfinite(values).all(0)
    keys = [one[name][scored] for name in ("flux", "site")]
    name, observed, parts = str(one["model"].iloc[0]), one["observed"].to_numpy("f8")[scored], []
    for k in [k for k in SIZES if k < count] + [count]:
        square = pd.Series((values[:k, scored].mean(0) - observed) ** 2, index=one.index[scored])
        rmse = as_texts(np.sqrt(square.groupby(keys, observed=True).mean()).rename("rmse").reset_index())
        parts.append(rmse.assign(model=name if k == count else f"{name}, {k} of {count} members"))
    return pd.concat(parts, ignore_index=True)


def spatial_skill(means: pd.DataFrame, groups: TowerGroups) -> Interval:
    """NSE = 1 - SSE / SST of the means of towers (rows of one model, split and flux) with its bootstrap interval.

    Does the model know which of two unseen towers has the larger mean flux? A map can have a good seasonal cycle and still
    place its sinks at random. SST is taken about the mean of the towers, so a constant would score zero.
    """
    return resample_groups(means[["observed", "predicted"]].to_numpy(), groups.of(means["site"]), _efficiency)


def _efficiency(rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Columns observed and predicted (towers, 2) with counts (repeats, towers) to the NSE (repeats,)."""
    o, p = rows.T
    total = (counts * (o - counted_mean(o, counts)[:, None]) ** 2).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, 1 - (counts * (o - p) ** 2).sum(-1) / total, np.nan)


def interannual_skill(anomalies: pd.DataFrame, groups: TowerGroups) -> Interval:
    """Skill 1 - SSE / SST of the anomalies of years of towers (scale `year`) with its bootstrap interval over groups.

    SST is taken about zero, so that a constant, which has no anomalies, scores zero.
    """

    def skill(rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Columns observed and predicted (year, 2) with counts (repeats, year) to the skill (repeats,)."""
        o, p = rows.T
        total = (counts * o**2).sum(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(total > 0, 1 - (counts * (o - p) ** 2).sum(-1) / total, np.nan)

    return resample_groups(anomalies[["observed", "predicted"]].to_numpy(), groups.of(anomalies["site"]), skill)


def interannual_sentence(interval: Interval) -> str:
    """Return in words whether the skill in years exceeds that of a constant."""
    years = f"{interval.n} tower years in {interval.groups} groups"
    if interval.groups < MIN_GROUPS:
        return f"too few towers have several years to tell ({years})"
    verdict = "more than a constant" if interval.low > 0 else "no more than a constant"
    return f"{verdict} (skill of anomalies {interval.text()} at {years})"


def skill_sentence(interval: Interval) -> str:
    """Return the spatial skill of a flux in words, for maps and report."""
    towers = f"{interval.n} held-out towers in {interval.groups} groups"
    if interval.groups < MIN_GROUPS:
        return f"no demonstrated spatial skill ({towers} with a mean are too few to tell)"
    number = f"NSE of site means {interval.text()} at {towers}"
    return number if interval.low > 0 else f"no demonstrated spatial skill ({number})"
