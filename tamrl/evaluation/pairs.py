"""Pairs of observed and predicted fluxes: members combined into one prediction per step, intervals, and which steps count."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tamrl.errors import ContractError
from tamrl.uncertainty import conformal

MEMBER_COLUMNS = ("model", "fold", "drivers", "member", "site", "date", "flux", "observed", "qc", "predicted")
"""Columns of `evaluation/members/{model}-{drivers}.parquet`."""

_ROW = ["model", "fold", "drivers", "flux", "site", "date"]


def check_members(frame: pd.DataFrame, *, where: object) -> pd.DataFrame:
    """Sort the rows of a table of members, its texts as sorted categories; refuse one that lacks a column, a row or a member."""
    if lacking := [name for name in MEMBER_COLUMNS if name not in frame]:
        raise ContractError(f"the members lack {', '.join(lacking)}", where=where, found=list(frame))
    if frame.empty:
        raise ContractError("no held-out tower was predicted", where=where, todo="check the towers and the splits")
    coded = {name: pd.factorize(frame[name], sort=True) for name in ("member", *_ROW)}
    texts = {name: pd.Categorical.from_codes(*coded[name]) for name in _ROW if name != "date"}
    order = np.lexsort([codes for codes, _ in reversed(coded.values())])  # much faster than sorting texts
    frame = frame.assign(**texts).take(order).reset_index(drop=True)
    sizes = frame.groupby("member", observed=True).size()
    if sizes.nunique() > 1:
        raise ContractError("members predict different steps", where=where, found=sizes.to_dict(), todo="predict them again")
    return frame


def combine_members(frame: pd.DataFrame, *, where: object) -> pd.DataFrame:
    """Average the members, with their standard deviation.

    Parameters
    ----------
    frame : members that `check_members` has sorted

    Returns
    -------
    DataFrame
        model, fold, drivers, flux, site, date, observed, qc, predicted and spread (standard deviation). A step that one
        member misses is missing. A single member has no spread (NaN).

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
        if not all((one[name].array == other[name].array).all() for name in _ROW):
            raise ContractError("members predict different steps", where=where, todo="predict them again")
    values = frame["predicted"].to_numpy(dtype="f8").reshape(count, rows)  # (member, row)
    spread = values.std(axis=0, ddof=1) if count > 1 else np.full(rows, np.nan)
    return one[[*_ROW, "observed", "qc"]].assign(predicted=values.mean(axis=0), spread=spread)


def stack(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put tables of the same columns below each other; columns of categories stay so, with those of all parts, sorted."""
    names = [name for name, dtype in parts[0].dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]
    every = {name: sorted(set().union(*(part[name].cat.categories for part in parts))) for name in names}
    dtypes = {name: pd.CategoricalDtype(values) for name, values in every.items()}
    return pd.concat([part.astype(dtypes) for part in parts], ignore_index=True)


def as_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its categories as texts, as files hold them."""
    return frame.astype({name: str for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)})


def split_name(scheme: str, drivers: str) -> str:
    """Name a split: the scheme for inputs from the grid (as in maps), else `<scheme>:tower`."""
    return scheme if drivers == "grid" else f"{scheme}:{drivers}"


def is_scored(frame: pd.DataFrame, *, qc: float) -> pd.Series:
    """Mark the rows that are scored: of good quality, observed, and predicted by every model of the split.

    A step that one model cannot predict counts for none of them, so that differences are differences of models.
    A step without a quality flag is not scored.
    """
    good = (frame["qc"] >= qc) & frame["observed"].notna()
    keys = [frame[name] for name in ("split", "flux", "site", "date")]
    return good & frame["predicted"].notna().groupby(keys, observed=True).transform("all")


def add_intervals(frame: pd.DataFrame, *, good: pd.Series) -> pd.DataFrame:
    """Add calibrated `std`, `q05`, `q95` to every row, each fold calibrated on the good rows of the other folds.

    Parameters
    ----------
    frame : one model and split: site, group, flux, fold, observed, predicted, spread, and season and igbp where they are known
    good : Series of bool
        Rows good enough to calibrate on; the others get an interval too.
    """
    calibrated = conformal.cross_fit(frame.assign(observed=frame["observed"].where(good)), group="group")
    return frame.assign(**{name: calibrated[name] for name in ("std", "q05", "q95")})
