"""From members at held-out towers to one prediction a step, the steps that are scored, and scores per tower."""

import numpy as np
import pandas as pd

from tamrl import contracts
from tamrl.errors import ContractError
from tamrl.evaluation import metrics, normalised, scales
from tamrl.uncertainty import conformal

MEMBER_COLUMNS = ("model", "fold", "drivers", "member", "site", "date", "flux", "observed", "qc", "predicted")
"""Columns of `evaluation/members/{model}-{drivers}.parquet`."""

_ROW = ["model", "fold", "drivers", "flux", "site", "date"]


def check_members(frame: pd.DataFrame, *, where: object) -> pd.DataFrame:
    """Refuse a table of members that lacks a column, a row or a member somewhere; the rows come back sorted."""
    if lacking := [name for name in MEMBER_COLUMNS if name not in frame]:
        raise ContractError(f"the members lack {', '.join(lacking)}", where=where, found=list(frame))
    if frame.empty:
        raise ContractError("no held-out tower was predicted", where=where, todo="check the towers and the splits")
    codes = [pd.factorize(frame[name], sort=True)[0] for name in ("member", *_ROW)]
    frame = frame.take(np.lexsort(codes[::-1])).reset_index(drop=True)  # much faster than sorting texts
    sizes = frame.groupby("member", observed=True).size()
    if sizes.nunique() > 1:
        raise ContractError("members predict different steps", where=where, found=sizes.to_dict(), todo="predict them again")
    return frame


def combine(frame: pd.DataFrame, *, where: object) -> pd.DataFrame:
    """Mean and standard deviation over the members.

    Parameters
    ----------
    frame : DataFrame
        Members that `check_members` has sorted.

    Returns
    -------
    DataFrame
        model, fold, drivers, flux, site, date, observed, qc, predicted and spread (standard deviation). A step that one
        member misses is missing. One member alone has no spread (NaN).

    Raises
    ------
    ContractError
        If the members do not cover the same steps.
    """
    count = frame["member"].nunique()
    rows = len(frame) // count
    one = frame.iloc[:rows]
    for k in range(1, count):
        other = frame.iloc[k * rows : (k + 1) * rows]
        if not all(np.array_equal(one[name].to_numpy(), other[name].to_numpy()) for name in _ROW):
            raise ContractError("members predict different steps", where=where, todo="predict them again")
    values = frame["predicted"].to_numpy(dtype="f8").reshape(count, rows)  # (member, row)
    spread = values.std(axis=0, ddof=1) if count > 1 else np.full(rows, np.nan)
    return one[[*_ROW, "observed", "qc"]].assign(predicted=values.mean(axis=0), spread=spread)


def split_name(scheme: str, drivers: str) -> str:
    """The column `split`: the scheme where the inputs come from the grid (what a map has), else `<scheme>:tower`."""
    return scheme if drivers == "grid" else f"{scheme}:{drivers}"


def is_scored(frame: pd.DataFrame, *, qc: float) -> pd.Series:
    """Which rows are scored: good enough, observed, and predicted by every model of the split.

    A step that one model cannot predict is taken from all of them, so that differences are differences of models.
    A step without a quality flag is not scored.
    """
    judged = (frame["qc"] >= qc) & frame["observed"].notna()
    keys = [frame[name] for name in ("split", "flux", "site", "date")]
    return judged & frame["predicted"].notna().groupby(keys, observed=True).transform("all")


def intervals(frame: pd.DataFrame, *, judged: pd.Series) -> pd.DataFrame:
    """Calibrated `std`, `q05`, `q95` for every row, each fold calibrated on the judged rows of the other folds.

    Parameters
    ----------
    frame : DataFrame
        One model and split: site, flux, fold, observed, predicted, spread, and season and igbp where they are known.
    judged : Series of bool
        Rows good enough to calibrate on; the others get an interval too.
    """
    calibrated = conformal.cross_fit(frame.assign(observed=frame["observed"].where(judged)))
    return frame.assign(**{name: calibrated[name] for name in ("std", "q05", "q95")})


def site_metrics(scored: pd.DataFrame, towers: pd.DataFrame, *, step: str) -> pd.DataFrame:
    """Scores per model, split, tower, flux and scale: the columns of `contracts.METRICS`, then `normalised.SCORES`.

    The scale `site` has one pair a tower, so n is 1 there, bias is the error of the tower's mean and r2 and nse are missing.
    """
    parts = []
    for scale, pairs in scales.scales(scored, step=step).items():
        sums = metrics.grouped_sums(pairs, scales.KEYS)
        extra = normalised.scores(pairs, scales.KEYS)[list(normalised.SCORES)]  # groups in the same order
        parts.append(pd.concat([sums[[*scales.KEYS, "n"]], metrics.scores(sums), extra], axis=1).assign(scale=scale))
    table = pd.concat(parts, ignore_index=True).merge(towers[["site", "igbp", "koppen"]], on="site", how="left")
    table = table.astype({"n": int})[[*contracts.METRICS.columns, *normalised.SCORES]]
    return table.sort_values(["model", "split", "flux", "scale", "site"], ignore_index=True)
