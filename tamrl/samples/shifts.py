"""Splits that ask more than new towers of the same kind: warmer ones than any in training, or later years.

Models of the land are used in climates that no tower has seen; a random fold does not show how they fare there.
"""

import numpy as np
import pandas as pd

from tamrl.errors import InputError

NONE = "none"
"""Fold of towers that are in training always."""

TEST = "test"
"""Fold of the towers held out by a list, by their warmth, or in time."""

NEAR_TEST = "near-test"
"""Fold of towers that neither train nor score: neighbours of a listed tower, or towers of unknown warmth or time."""


def warm(warmth: np.ndarray, *, group: np.ndarray, share: float) -> np.ndarray:
    """Hold out the warmest groups of towers; the coldest train.

    Parameters
    ----------
    warmth : array (site)
        Mean air temperature, K; NaN where unknown. A group is as warm as the mean of its towers.
    group : array (site) of int
    share : float
        Of the towers of known warmth, about this much is held out, whole groups at a time.

    Returns
    -------
    array (site) of `TEST`, `NONE`, or `NEAR_TEST` for groups of unknown warmth.

    Raises
    ------
    InputError
        If the groups of known warmth do not give both a training and a test set.
    """
    table = pd.DataFrame({"group": group, "warmth": warmth}).groupby("group")["warmth"].agg(["mean", "size"])
    known = table.dropna().sort_values("mean", kind="stable")
    if len(known) < 2:
        raise InputError(
            "a warm split needs two groups of towers of known air temperature",
            found=len(known),
            todo="have air_temperature among samples.dynamic, or take another splits.scheme",
        )
    colder = known["size"].cumsum().to_numpy() / known["size"].sum()
    first = int(np.clip(np.searchsorted(colder, 1 - share, side="left") + 1, 1, len(known) - 1))
    fold = pd.Series(NEAR_TEST, index=table.index, dtype=object)
    fold[known.index[:first]] = NONE
    fold[known.index[first:]] = TEST
    return fold.loc[group].to_numpy()


def since(sites: pd.Series, records: pd.DataFrame, *, group: np.ndarray, share: float) -> pd.Series:
    """From when on a tower is held out: the last `share` of the measured steps of its group.

    Neighbours share their weather, so a group has one date, and no step that a neighbour trains on is scored.

    Parameters
    ----------
    sites : series of site ids
    records : table of site and date
        Measured steps.
    group : array (site) of int
    share : float

    Returns
    -------
    series (site) of datetime64: the first time stamp held out; NaT where the group has not two different time stamps.

    Raises
    ------
    InputError
        If no group can be cut.
    """
    own = pd.Series(group, index=sites.to_numpy())
    dates = records["date"].groupby(records["site"].map(own).to_numpy())
    cuts = dates.quantile(1 - share, interpolation="higher")
    cuts = cuts.where(cuts > dates.min())  # something must lie before it
    if not cuts.notna().any():
        raise InputError("no tower has records before and after a date", found=f"{len(records)} records")
    return pd.Series(pd.to_datetime(pd.Series(group).map(cuts)).to_numpy("datetime64[ns]"), index=sites.index)
