"""Stage of the rule evaluate_sums: does a model know the mean fluxes of places it has not seen?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tamrl import contracts
from tamrl.evaluation.bootstrap import TowerGroups
from tamrl.evaluation.compare import spatial_skill
from tamrl.files import verified
from tamrl.workflow import stage


@stage
def evaluate_sums(*, predictions: Sequence[str], scores: str, virtual: bool = False) -> None:
    """Score the site means of every model at held-out places of sums.

    Parameters
    ----------
    predictions : tables of `contracts.SUM_PREDICTIONS`, one a model
    scores : output, `contracts.SUM_SCORES`
    virtual : whether the inputs were simulated
    """
    rows = [contracts.check_table(pd.read_parquet(verified(p)), contracts.SUM_PREDICTIONS, where=p) for p in predictions]
    contracts.write_table(scores, score_sums(pd.concat(rows, ignore_index=True)), contracts.SUM_SCORES, virtual=virtual)


def score_sums(rows: pd.DataFrame) -> pd.DataFrame:
    """Scores of site means (`contracts.SUM_SCORES`): of the ensemble mean, over the sums of a place by their years.

    `nse` is 1 - SSE / SST, with its interval over groups of neighbouring places; a constant would score zero.
    """
    keys = ["model", "flux", "site", "group"]
    means = rows.groupby([*keys, "sum"], observed=True)[["years", "observed", "predicted"]].mean().dropna().reset_index()
    weighted = means[["observed", "predicted"]].mul(means["years"], axis=0).assign(years=means["years"])
    total = weighted.groupby([means[key] for key in keys], observed=True).sum()
    sites = total[["observed", "predicted"]].div(total["years"], axis=0).reset_index()
    scores = []
    for (model, flux), part in sites.groupby(["model", "flux"], observed=True):
        error = part["predicted"] - part["observed"]
        interval = spatial_skill(part, TowerGroups(part.set_index("site")["group"]))
        numbers = {"nse": interval.estimate, "low": interval.low, "high": interval.high}
        numbers |= {"rmse": float(np.sqrt((error**2).mean())), "bias": float(error.mean())}
        scores.append({"model": model, "flux": flux, "places": len(part), "groups": interval.groups} | numbers)
    return pd.DataFrame(scores)
