"""Scores from associative sums: adding the sums of two parts gives the sums of the whole, so no grouping changes a score.

A pair with a missing side is refused, never skipped: the caller says which pairs are scored (see `tamrl.evaluation.pairs`).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tamrl.errors import ContractError

SUMS = ("n", "o", "p", "oo", "pp", "op", "ae")
"""Number of pairs, sum of observed, predicted, their squares, their product, and of the absolute error."""

SCORES = ("rmse", "mae", "bias", "r2", "nse")
"""Names of the scores, in the order of `contracts.METRICS`."""

MIN_PAIRS = 3
"""Fewer pairs have no r2 and no nse: two points always correlate perfectly."""


def pair_sums(observed: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Per-pair summands of `SUMS`, each of the inputs' shape, float64.

    Raises
    ------
    ContractError
        If a value is missing: what is not scored must be taken out in the open before.
    """
    o, p = np.asarray(observed, dtype="f8"), np.asarray(predicted, dtype="f8")
    if missing := int((~np.isfinite(o) | ~np.isfinite(p)).sum()):
        raise ContractError("scores need complete pairs", found=f"{missing} of {o.size} pairs miss a value")
    return {"n": np.ones(o.shape), "o": o, "p": p, "oo": o * o, "pp": p * p, "op": o * p, "ae": np.abs(p - o)}


def grouped_sums(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Sums of `observed` and `predicted` per group of the columns `by`; columns `by` and `SUMS`."""
    summands = pd.DataFrame(pair_sums(frame["observed"].to_numpy(), frame["predicted"].to_numpy()), index=frame.index)
    keys = [frame[name] for name in by]
    return summands.groupby(keys, observed=True, sort=True).sum().reset_index()


def scores(sums: pd.DataFrame) -> pd.DataFrame:
    """Scores from sums, one row a row of `sums` (columns `SCORES`, units of the flux; r2 and nse without unit).

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
        found = {"rmse": np.sqrt(squared / n), "mae": ae / n, "bias": (p - o) / n, "r2": r2, "nse": nse}
    return pd.DataFrame(found, index=sums.index)


def score(observed: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Scores of one set of pairs (any shape): `n` and `SCORES` as numbers."""
    sums = pd.DataFrame({k: [v.sum()] for k, v in pair_sums(observed, predicted).items()})
    return {"n": int(sums["n"].iloc[0])} | {k: float(v) for k, v in scores(sums).iloc[0].items()}
