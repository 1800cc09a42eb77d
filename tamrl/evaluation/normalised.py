"""Errors relative to the size and to the variation of what was observed, so that sites of small and large fluxes compare.

These need the observed values themselves, not their sums alone; see `metrics` for the scores that do not.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tamrl.evaluation.metrics import MIN_PAIRS

SCORES = ("nmae", "rae")


def scores(pairs: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Normalised errors per group.

    Parameters
    ----------
    pairs : DataFrame
        Columns `by`, observed and predicted (gC m-2 d-1), nothing missing.
    by : names of the columns that make a group

    Returns
    -------
    DataFrame
        Columns `by`, `nmae` and `rae`, without unit. `nmae` is the mean absolute error over the mean absolute observed
        value, `rae` the sum of absolute errors over that of the observed values' mean as a prediction: one is no better
        than the mean (Witten, Frank & Hall 2011, doi 10.1016/C2009-0-19715-5). NaN where the denominator is
        zero; `rae` also with fewer than `metrics.MIN_PAIRS` pairs.
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
