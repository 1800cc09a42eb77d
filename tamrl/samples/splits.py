"""Holding out towers: neighbours form groups, and a group is never divided between folds.

Scores at a tower whose neighbour was in training say little about the rest of the globe (Ploton et al. 2020,
doi 10.1038/s41467-020-18321-y), so whole groups are held out, never single towers or days.
"""

import logging
from collections import Counter

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from tamrl.contracts import ALWAYS_TRAINS, NEAR_TEST
from tamrl.errors import InputError, near
from tamrl.grid import great_circle_km
from tamrl.sections.models import Splits

_log = logging.getLogger(__name__)

ALL = "all"
"""The fold that holds no tower out; its models make the maps."""

TEST = "test"
"""Fold of the towers held out by a list, by their warmth, or in time."""

STRATA = {"kfold": "igbp", "koppen": "koppen"}
"""Schemes of k folds, and the column of the towers whose classes they deal out evenly."""


def link_groups(*, lat: np.ndarray, lon: np.ndarray, distance_km: float) -> np.ndarray:
    """Number the groups of towers that are linked by steps of at most `distance_km` (single linkage).

    Parameters
    ----------
    lat, lon : array (site)
        Degrees.
    distance_km : float
        Towers at the very same place are always in one group.

    Returns
    -------
    array (site) of int, numbered in the order of their first tower.
    """
    distance = great_circle_km(lat1=lat[:, None], lon1=lon[:, None], lat2=lat[None], lon2=lon[None])
    _, component = connected_components(csr_array(distance <= distance_km), directed=False)
    _, first = np.unique(component, return_index=True)
    group: np.ndarray = np.argsort(np.argsort(first))[component]
    return group


def deal_folds(towers: pd.DataFrame, *, group: np.ndarray, folds: int, seed: int, by: str = "igbp") -> np.ndarray:
    """Deal whole groups out to folds so that classes and numbers of steps are even.

    The largest groups come first; each goes to the fold that has fewest towers of the group's classes, then fewest steps.

    Parameters
    ----------
    towers : table with the column `by` and, if known, `n` (good steps)
    group : array (site) of int
    folds : int
    seed : int
        Orders groups of equal size.
    by : {"igbp", "koppen"}
        The classes that are dealt out evenly.

    Returns
    -------
    array (site) of the folds' names "0", "1", ...

    Raises
    ------
    InputError
        If there are fewer groups than folds.
    """
    count = int(group.max()) + 1
    if count < folds:
        raise InputError(
            f"{folds} folds need at least {folds} groups of towers", found=count, todo="lower splits.folds or distance_km"
        )
    kind = towers[by].fillna("unknown").to_numpy()
    steps = towers["n"].to_numpy(float) if "n" in towers else np.ones(len(towers))
    order = np.random.default_rng(seed).permutation(count)
    order = order[np.argsort(-np.bincount(group, minlength=count)[order], kind="stable")]
    per_class: list[Counter[str]] = [Counter() for _ in range(folds)]
    load = np.zeros(folds)
    chosen = np.empty(count, dtype=int)
    for g in order:
        in_group = group == g
        costs = [(sum(per_class[k][c] for c in kind[in_group]), load[k], k) for k in range(folds)]
        chosen[g] = k = min(costs)[-1]
        per_class[k].update(kind[in_group])
        load[k] += steps[in_group].sum()
    fold: np.ndarray = chosen[group].astype(str).astype(object)
    return fold


def hold_out_listed(sites: pd.Series, *, group: np.ndarray, test_sites: list[str]) -> np.ndarray:
    """Hold out the listed towers; their unlisted neighbours neither train nor score.

    Parameters
    ----------
    sites : series of site ids
    group : array (site) of int
    test_sites : site ids to hold out; ids that are no tower of this run are named in the log

    Returns
    -------
    array (site) of `TEST`, `NEAR_TEST` or `ALWAYS_TRAINS`.

    Raises
    ------
    InputError
        If none of the listed towers is a tower of this run, or no tower is left to train on.
    """
    absent = sorted(set(test_sites) - set(sites))
    if absent:
        _log.warning("%d listed test sites are not among the towers of this run: %s", len(absent), ", ".join(absent))
    test = sites.isin(test_sites).to_numpy()
    if not test.any():
        hint = near(test_sites[0], sites) if test_sites else "write one site id per line"
        raise InputError("none of the listed test sites is a tower of this run", found=test_sites[:5], todo=hint)
    neighbour = ~test & np.isin(group, group[test])
    if neighbour.any():
        _log.info(
            "%d towers are neighbours of a test site and neither train nor score: %s",
            neighbour.sum(),
            ", ".join(sites[neighbour]),
        )
    if (test | neighbour).all():
        raise InputError("the list of test sites leaves no tower to train on", todo="shorten it or lower distance_km")
    return np.select([test, neighbour], [TEST, NEAR_TEST], ALWAYS_TRAINS).astype(object)


def hold_out_warmest(warmth: np.ndarray, *, group: np.ndarray, share: float) -> np.ndarray:
    """Hold out the warmest groups of towers; the coldest train.

    Models of the land are used in climates that no tower has seen; a random fold does not show how they fare there.

    Parameters
    ----------
    warmth : array (site)
        Mean air temperature, K; NaN where unknown. A group is as warm as the mean of its towers.
    group : array (site) of int
    share : float
        Of the towers of known warmth; whole groups are held out.

    Returns
    -------
    array (site) of `TEST`, `ALWAYS_TRAINS`, or `NEAR_TEST` for groups of unknown warmth.

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
    fold[known.index[:first]] = ALWAYS_TRAINS
    fold[known.index[first:]] = TEST
    folds: np.ndarray = fold.loc[group].to_numpy()
    return folds


def held_out_since(sites: pd.Series, records: pd.DataFrame, *, group: np.ndarray, share: float) -> pd.Series:
    """When each tower begins to be held out: the last `share` of the measured steps of its group.

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
    group_of = pd.Series(group, index=sites.to_numpy())
    dates = records["date"].groupby(records["site"].map(group_of).to_numpy())
    cuts = dates.quantile(1 - share, interpolation="higher")
    cuts = cuts.where(cuts > dates.min())  # something must come before it
    if not cuts.notna().any():
        raise InputError("no tower has records before and after a date", found=f"{len(records)} records")
    return pd.Series(pd.to_datetime(pd.Series(group).map(cuts)).to_numpy("datetime64[ns]"), index=sites.index)


def split_towers(
    towers: pd.DataFrame,
    *,
    splits: Splits,
    test_sites: list[str],
    seed: int,
    warmth: pd.Series | None = None,
    records: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The table of `contracts.SPLITS` for the section `splits` of the configuration.

    Parameters
    ----------
    towers : table of `contracts.SITES`
    test_sites : list of str
        Site ids that scheme `sites` holds out.
    seed : int
    warmth : series, K, indexed by site
        Mean air temperature, for scheme `warm`.
    records : table of site and date
        Measured steps, for scheme `temporal`, which adds the column `since`.
    """
    group = link_groups(lat=towers["lat"].to_numpy(), lon=towers["lon"].to_numpy(), distance_km=splits.distance_km)
    table = pd.DataFrame({"site": towers["site"].to_numpy(), "group": group})
    scheme = splits.scheme
    if scheme in STRATA:
        table["fold"] = deal_folds(towers, group=group, folds=splits.folds, seed=seed, by=STRATA[scheme])
    elif scheme == "sites":
        table["fold"] = hold_out_listed(towers["site"], group=group, test_sites=test_sites)
    elif scheme == "warm":
        table["fold"] = hold_out_warmest(towers["site"].map(warmth).to_numpy(float), group=group, share=splits.test_share)
    else:
        table["since"] = held_out_since(towers["site"], records, group=group, share=splits.test_share)
        table["fold"] = np.where(table["since"].notna(), TEST, NEAR_TEST)
        table = table[["site", "group", "fold", "since"]]
    _log.info("%d towers in %d groups: %s", len(towers), group.max() + 1, dict(sorted(Counter(table["fold"]).items())))
    return table


def training_sites(splits: pd.DataFrame, fold: str) -> pd.Series:
    """Which rows of the table may train models of `fold`: all for `all`, else all but the fold and its neighbours.

    In a split in time (column `since`) the towers of the fold train too, with their steps before `since`; see `first_held_out`.
    """
    if fold == ALL:
        return pd.Series(True, splits.index)
    held_out = [NEAR_TEST] if "since" in splits else [fold, NEAR_TEST]
    return ~splits["fold"].isin(held_out)


def first_held_out(splits: pd.DataFrame, sites: np.ndarray) -> np.ndarray | None:
    """First held-out time stamp of each of `sites` (site, datetime64) in a split in time; None in any other split."""
    if "since" not in splits:
        return None
    since: np.ndarray = pd.to_datetime(splits.set_index("site")["since"]).loc[sites].to_numpy("datetime64[ns]")
    return since
