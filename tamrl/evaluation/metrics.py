"""Scores of pairs of observed and predicted values, from sums per group; and how scores are distributed over towers.

The sums are associative: those of two parts add up to those of both, so no grouping changes a score. A pair that lacks a value
is refused, never skipped: the caller decides which pairs count (`tamrl.evaluation.pairs`).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tamrl import contracts
from tamrl.calendar import TROPICS, Step
from tamrl.errors import ContractError
from tamrl.evaluation.pairs import as_texts
from tamrl.evaluation.scales import KEYS, pairs_by_scale

SUMS = ("n", "o", "p", "oo", "pp", "op", "ae")
"""Number of pairs, sum of observed, predicted, their squares, their product, and of the absolute error."""

SCORES = ("rmse", "mae", "bias", "r2", "nse")
"""Names of the scores, in the order of `contracts.METRICS`."""

NORMALISED = ("nmae", "rae")
"""Errors relative to the size and to the variation of the observed values, so that sites of small and large fluxes compare."""

MIN_PAIRS = 3
"""Fewer pairs have no r2, nse and rae: two points always correlate perfectly."""

LEVELS = {"q25": 0.25, "median": 0.5, "q75": 0.75, "p90": 0.9}


def pair_sums(observed: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Return the summands of `SUMS` of each pair, of the inputs' shape, float64.

    Raises
    ------
    ContractError
        If a value is missing.
    """
    o, p = np.asarray(observed, dtype="f8"), np.asarray(predicted, dtype="f8")
    if missing := int((~np.isfinite(o) | ~np.isfinite(p)).sum()):
        raise ContractError("scores need complete pairs", found=f"{missing} of {o.size} pairs lack a value")
    return {"n": np.ones(o.shape), "o": o, "p": p, "oo": o * o, "pp": p * p, "op": o * p, "ae": np.abs(p - o)}


def grouped_sums(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Sum `observed` and `predicted` per group of the columns `by`; returns columns `by` and `SUMS`."""
    summands = pd.DataFrame(pair_sums(frame["observed"].to_numpy(), frame["predicted"].to_numpy()), index=frame.index)
    return summands.groupby([frame[name] for name in by], observed=True, sort=True).sum().reset_index()


def scores_from_sums(sums: pd.DataFrame) -> pd.DataFrame:
    """Compute the scores of each row of sums (columns `SCORES`; units of the flux, r2 and nse without unit).

    `bias` is predicted minus observed, `r2` the squared Pearson correlation, `nse` the efficiency of
    Nash & Sutcliffe (1970, doi 10.1016/0022-1694(70)90255-6), 1 - SSE / SST. Both are missing where the
    observed values do not vary or there are fewer than `MIN_PAIRS` pairs.
    """
    n = sums["n"].to_numpy(dtype="f8")
    o, p, oo, pp, op, ae = (sums[k].to_numpy(dtype="f8") for k in SUMS[1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = np.maximum(pp - 2 * op + oo, 0.0)
        var_o, var_p, cov = oo - o * o / n, pp - p * p / n, op - o * p / n
        enough = (n >= MIN_PAIRS) & (var_o > 1e-12 * np.maximum(oo, 1e-300))
        r2 = np.where(enough & (var_p > 1e-12 * np.maximum(pp, 1e-300)), np.minimum(cov**2 / (var_o * var_p), 1.0), np.nan)
        nse = np.where(enough, 1 - squared / var_o, np.nan)
        scores = {"rmse": np.sqrt(squared / n), "mae": ae / n, "bias": (p - o) / n, "r2": r2, "nse": nse}
    return pd.DataFrame(scores, index=sums.index)


def normalised_errors(pairs: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Compute normalised errors per group; they need the observed values, not only their sums.

    Parameters
    ----------
    pairs : columns `by`, observed and predicted (gC m-2 d-1), nothing missing
    by : names of the columns that make a group

    Returns
    -------
    DataFrame
        Columns `by`, `nmae` and `rae`, without unit. `nmae` is the mean absolute error over the mean absolute observed
        value, `rae` the sum of absolute errors over that of a prediction by the observed mean: 1 is as good as
        the mean (Witten, Frank & Hall 2011, doi 10.1016/C2009-0-19715-5). NaN where the denominator is
        zero; `rae` also with fewer than `MIN_PAIRS` pairs.
    """
    keys = [pairs[name] for name in by]
    observed = pairs["observed"].astype("f8")
    centre = observed.groupby(keys, observed=True).transform("mean")
    parts = {
        "n": 1.0,
        "error": (pairs["predicted"].astype("f8") - observed).abs(),
        "size": observed.abs(),
        "deviation": (observed - centre).abs(),
    }
    sums = pd.DataFrame(parts, index=pairs.index).groupby(keys, observed=True, sort=True).sum().reset_index()
    varies = (sums["n"] >= MIN_PAIRS) & (sums["deviation"] > 1e-9 * sums["size"])
    return sums[list(by)].assign(
        nmae=sums["error"] / sums["size"].where(sums["size"] > 0, np.nan), rae=sums["error"] / sums["deviation"].where(varies)
    )


def score_towers(scored: pd.DataFrame, towers: pd.DataFrame, *, step: Step) -> pd.DataFrame:
    """Score every model, split, tower, flux and scale: the columns of `contracts.METRICS`, then `NORMALISED`.

    The scale `site` has one pair per tower, so n is 1 there, bias is the error of the tower's mean and r2 and nse are missing.
    """
    parts = []
    for scale, pairs in pairs_by_scale(scored, step=step).items():
        sums = grouped_sums(pairs, KEYS)
        normalised = normalised_errors(pairs, KEYS)[list(NORMALISED)]  # groups in the same order
        parts.append(pd.concat([sums[[*KEYS, "n"]], scores_from_sums(sums), normalised], axis=1).assign(scale=scale))
    table = as_texts(pd.concat(parts, ignore_index=True)).merge(towers[["site", "igbp", "koppen"]], on="site", how="left")
    table = table.astype({"n": int})[[*contracts.METRICS.columns, *NORMALISED]]
    return table.sort_values(["model", "split", "flux", "scale", "site"], ignore_index=True)


def score_quantiles(table: pd.DataFrame, towers: pd.DataFrame) -> pd.DataFrame:
    """Summarise the scores of towers by quantiles: of all towers, and by class, climate and for the tropics.

    A median hides the towers where a model fails; in the tropics and in evergreen broadleaf forest all of them do.

    Parameters
    ----------
    table : DataFrame of `score_towers`
    towers : table of `contracts.SITES`

    Returns
    -------
    DataFrame by `contracts.SCORES`: `kind` is all, igbp, koppen or latitude (whose one group is `tropics`), `towers` the
    number with a value. The 90th percentile is of the score itself: the towers where an error is large.
    """
    keys = ["model", "split", "flux", "scale"]
    tropical = set(towers["site"][towers["lat"].abs() < TROPICS])
    table = table.assign(all="all", latitude=table["site"].map(lambda site: "tropics" if site in tropical else None))
    parts = []
    for kind in ("all", "igbp", "koppen", "latitude"):
        columns = [*SCORES, *NORMALISED]
        long = table.dropna(subset=kind).melt([*keys, kind], columns, var_name="score").dropna(subset="value")
        groups = long.groupby([*keys, kind, "score"], observed=True)["value"]
        quantiles = pd.DataFrame({"towers": groups.size()} | {name: groups.quantile(q) for name, q in LEVELS.items()})
        parts.append(quantiles.reset_index().rename(columns={kind: "group"}).assign(kind=kind))
    return pd.concat(parts, ignore_index=True)[[*keys, "kind", "group", "score", "towers", *LEVELS]]
