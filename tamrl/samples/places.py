"""Folds of the places of sums: none may train what a flux tower within reach is scored with."""

import numpy as np
import pandas as pd

from tamrl.contracts import ALWAYS_TRAINS, NEAR_TEST
from tamrl.samples.splits import STRATA, deal_folds, link_groups
from tamrl.sections.models import Splits


def split_places(places: pd.DataFrame, towers: pd.DataFrame, split: pd.DataFrame, *, splits: Splits, seed: int) -> pd.DataFrame:
    """The table of `contracts.SPLITS` of the places of sums.

    Places are linked with the flux towers and with each other. Those linked with towers of one fold are held out with it; those
    linked with towers of several folds train no fold; the others are dealt out to the folds. Folds and groups of the flux towers
    stay as they are, so that scores with and without sums are of the same towers.

    Parameters
    ----------
    places, towers : tables of `contracts.SITES`
    split : table of `contracts.SPLITS` of the flux towers
    splits : its options
    seed : of the run
    """
    both = pd.concat([towers[["lat", "lon"]], places[["lat", "lon"]]])
    linked = link_groups(lat=both["lat"].to_numpy(), lon=both["lon"].to_numpy(), distance_km=splits.distance_km)
    of_tower, of_place = linked[: len(towers)], linked[len(towers) :]
    known = split.set_index("site").loc[towers["site"]]
    near = pd.DataFrame({"link": of_tower, "fold": known["fold"].to_numpy(), "group": known["group"].to_numpy()}).groupby("link")
    fold = (
        near["fold"]
        .agg(lambda folds: folds.iloc[0] if folds.nunique() == 1 else NEAR_TEST)
        .reindex(of_place)
        .to_numpy(object, copy=True)
    )
    group = near["group"].first().reindex(of_place).to_numpy(float, copy=True)
    free = np.isnan(group)
    if free.any():
        _, number = np.unique(of_place[free], return_inverse=True)
        group[free] = split["group"].max() + 1 + number
        fold[free] = _dealt(places[free], number, splits, seed)
    return pd.DataFrame({"site": places["site"].to_numpy(), "group": group.astype(int), "fold": fold})


def _dealt(places: pd.DataFrame, group: np.ndarray, splits: Splits, seed: int) -> np.ndarray:
    """Folds of groups of places that lie near no flux tower."""
    if splits.scheme not in STRATA:
        return np.full(len(places), ALWAYS_TRAINS, dtype=object)
    folds = min(splits.folds, int(group.max()) + 1)
    return deal_folds(places, group=group, folds=folds, seed=seed, by=STRATA[splits.scheme])
