"""Ceilings: what a tower's own fluxes tell of it, and how far a model comes on the way from its rivals to there; pure.

A tower of other years knows its level and its season, which no driver tells. Such a reference is no rival, as it has seen the
tower; it tells what an unseen tower leaves to be won. Two of them:

* `own_season`: the mean seasonal cycle of the tower's own fluxes, from its other years (one year left out at a time);
* `adapted`: the model itself, adapted with the longest window of the adaptation stage, at the steps outside that window.

The share of the way is (rival - ours) / (rival - ceiling) of errors, geometric means over the same towers at the same steps.
Geometric means, because then relative differences count alike at towers of small and of large fluxes: sums would be those of a
few crops and tropical forests, and a ratio at each tower has no mean where a ceiling comes near the rival.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from tamrl.calendar import Step
from tamrl.evaluation.bootstrap import Interval, TowerGroups, counted_mean, resample_groups
from tamrl.evaluation.compare import ABSENT, NO, YES
from tamrl.evaluation.metrics import grouped_sums, scores_from_sums
from tamrl.evaluation.scales import MONTHS
from tamrl.sections.results import BEST, Target

OWN_SEASON: Literal["own_season"] = "own_season"
ADAPTED: Literal["adapted"] = "adapted"

HALF_WINDOW = 7
"""Days before and after a day of the year whose fluxes of other years are averaged."""

LEAST = 3
"""Fewest measured days in such a window; between windows the cycle is linear."""

UNSURE = 0.01
"""Share of draws in which the ceiling is no better than the rival, above which a share of the way has no interval."""


def predict_own_season(records: pd.DataFrame, *, step: Step) -> pd.Series:
    """Mean seasonal cycle of each tower and flux from the other years of its record.

    Parameters
    ----------
    records : columns site, flux, date and observed (gC m-2 d-1, NaN where not measured well); one row per step
    step : {"day", "month"}

    Returns
    -------
    Series of the rows. Missing where the other years do not fill `MONTHS` twelfths of the year, as at towers of one year.
    """
    bins = 12 if step == "month" else 365
    place = (records["date"].dt.month if step == "month" else records["date"].dt.day_of_year.clip(upper=365)).to_numpy() - 1
    year, seen = records["date"].dt.year.to_numpy(), records["observed"].to_numpy("f8")
    result = np.full(len(records), np.nan)
    for rows in records.groupby(["site", "flux"], observed=True).indices.values():
        years, number = np.unique(year[rows], return_inverse=True)
        if len(years) > 1:
            cycles = _other_years(seen[rows], number, place[rows], shape=(len(years), bins))
            result[rows] = cycles[number, place[rows]]
    return pd.Series(result, records.index)


def _other_years(seen: np.ndarray, year: np.ndarray, place: np.ndarray, *, shape: tuple[int, int]) -> np.ndarray:
    """Cycles (year, bin) of the values `seen` (step) of all years but each."""
    good = np.isfinite(seen)
    flat, size = (year * shape[1] + place)[good], shape[0] * shape[1]
    sums, counts = (np.bincount(flat, weights, size).reshape(shape) for weights in (seen[good], None))
    half = HALF_WINDOW if shape[1] > 12 else 0
    total, n = (_circular_sum(part.sum(0) - part, half) for part in (sums, counts))
    filled = n >= (LEAST if half else 1)
    cycles = np.full(shape, np.nan)
    for k in np.flatnonzero(filled.mean(1) >= MONTHS / 12):
        known = np.flatnonzero(filled[k])
        cycles[k] = np.interp(np.arange(shape[1]), known, total[k, known] / n[k, known], period=shape[1])
    return cycles


def _circular_sum(values: np.ndarray, half: int) -> np.ndarray:
    """Sums (row, bin) over `half` bins before and after each, round the year."""
    if not half:
        return values
    padded = np.concatenate([values[:, -half:], values, values[:, :half]], axis=1)
    reached = np.cumsum(np.pad(padded, ((0, 0), (1, 0))), axis=1)
    sums: np.ndarray = reached[:, 2 * half + 1 :] - reached[:, : -2 * half - 1]
    return sums


def tower_errors(pairs: pd.DataFrame) -> pd.DataFrame:
    """RMSE by (flux, site) and model of pairs with the columns model, flux, site, observed and predicted; gC m-2 d-1."""
    sums = grouped_sums(pairs, ["model", "flux", "site"])
    return sums.assign(rmse=scores_from_sums(sums)["rmse"]).pivot(index=["flux", "site"], columns="model", values="rmse")


def way_share(
    errors: pd.DataFrame, groups: TowerGroups, *, ours: str, rivals: Sequence[str], ceilings: Sequence[str]
) -> Interval:
    """Share of the way from the best of the rivals to the best of the ceilings, with its interval over groups of towers.

    Parameters
    ----------
    errors : RMSE by site, one column for each model; nothing missing
    groups : of neighbouring towers, which are resampled
    ours, rivals, ceilings : columns

    Returns
    -------
    Interval. The best are chosen in every draw anew, so that the choice is part of the interval. Where the ceiling is no better
    than the rival the share is missing, and the interval too where that is so in more than `UNSURE` of the draws.
    """
    count = len(rivals)
    unsure = []

    def statistic(rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Errors (towers, ours and rivals and ceilings) with counts (repeats, towers) to shares (repeats,)."""
        means = np.exp([counted_mean(np.log(column), counts) for column in rows.T])
        rival, ceiling = means[1 : 1 + count].min(0), means[1 + count :].min(0)
        room = rival - ceiling
        unsure.append((room <= 0).mean())
        return np.asarray(np.where(room > 0, (rival - means[0]) / np.where(room > 0, room, 1), np.nan))

    values = errors[[ours, *rivals, *ceilings]].to_numpy()
    share = resample_groups(np.where(values > 0, values, np.nan), groups.of(errors.index), statistic)
    return share if unsure[-1] <= UNSURE else Interval(share.estimate, np.nan, np.nan, share.n, share.groups)


def way_rows(
    errors: pd.DataFrame,
    groups: TowerGroups,
    *,
    ours: str,
    rivals: Sequence[str],
    ceilings: Sequence[str],
    targets: Sequence[Target],
) -> list[dict[str, Any]]:
    """Rows of `contracts.SHARES` of one split and ceiling, but for the columns that tell these apart.

    Parameters
    ----------
    errors : of `tower_errors`
    groups : of neighbouring towers, which are resampled
    ours, rivals, ceilings : models; `BEST`, the best of the rivals, comes first, then each rival that a target names
    targets : those of this ceiling
    """
    rows: list[dict[str, Any]] = []
    for flux, part in errors.groupby(level="flux"):
        table = part.droplevel("flux")
        wanted = {t.rival: value for t in targets if (value := getattr(t, str(flux))) is not None}
        for name in dict.fromkeys([BEST, *wanted]):
            against = [m for m in (rivals if name == BEST else [name]) if m in table]
            columns = [ours, *against, *ceilings]
            row: dict[str, Any] = {"model": ours, "against": name, "flux": flux, "towers": 0, "groups": 0}
            if against and {*columns} <= {*table}:
                row |= _way_row(table[columns].dropna(), groups, ours=ours, rivals=against, ceilings=ceilings)
            if name in wanted:
                reached = row.get("share", np.nan) >= wanted[name] and row["low"] > 0
                row |= {"target": wanted[name], "met": (YES if reached else NO) if row["towers"] else ABSENT}
            rows += [row] if row["towers"] or name in wanted else []
    return rows


def _way_row(
    table: pd.DataFrame, groups: TowerGroups, *, ours: str, rivals: Sequence[str], ceilings: Sequence[str]
) -> dict[str, object]:
    """Numbers of one flux: which rival is best, the errors, and the share in percent."""
    if table.empty:
        return {}
    means = np.exp(np.log(table.where(table > 0)).mean())
    share = way_share(table, groups, ours=ours, rivals=rivals, ceilings=ceilings)
    ends = dict(zip(("share", "low", "high"), (100 * v for v in (share.estimate, share.low, share.high)), strict=True))
    best = str(means[list(rivals)].idxmin())
    errors = {"error": means[ours], "rival_error": means[best], "ceiling_error": means[list(ceilings)].min()}
    return {"rival": best, "towers": share.n, "groups": share.groups} | errors | ends
