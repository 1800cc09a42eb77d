"""What a member learns from where towers state alternatives to their chosen fluxes (`tamrl.alternatives`)."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from tamrl import carbon
from tamrl.alternatives import PERCENTILES, Alternative
from tamrl.carbon import FLUXES
from tamrl.files import verified
from tamrl.training.member import SEED_BITS, member_seed

LEAST = 0.5
"""Share of the measured steps of a tower that an alternative must have to be drawn there."""


def draw_alternatives(ds: xr.Dataset, paths: Sequence[str], seed: int) -> tuple[xr.Dataset, dict[str, str]]:
    """Put the alternatives that a member draws in the place of the chosen fluxes of its towers.

    Parameters
    ----------
    ds : samples of `contracts.check_samples`; a tower may stand there several times
    paths : output of `samples.alternatives.build_alternatives`, or nothing
    seed : of the member

    A flux stays missing where the chosen one is. Returns the samples, and the label of each tower that has an alternative.
    """
    if not paths:
        return ds, {}
    (path,) = paths
    fluxes = {flux: ds[flux].transpose("site", "time").copy() for flux in FLUXES}
    sites = ds["site"].values
    with xr.open_dataset(verified(path)) as stored:
        drawn = choose_alternatives(stored["share"].sel(site=np.unique(sites)).load(), stored.attrs["chosen"], seed)
        labels = np.array([drawn.get(site, "") for site in sites.tolist()])
        for label in sorted(set(drawn.values())):
            at = labels == label
            triple = {f: _values(stored, Alternative.named(label).column(f), ds.isel(site=at)) for f in ("gpp", "reco")}
            triple["nee"] = carbon.nee(**triple)
            for flux, array in fluxes.items():
                array.values[at] = np.where(np.isfinite(array.values[at]), triple[flux], np.nan)
    return ds.assign(fluxes), drawn


def _values(stored: xr.Dataset, name: str, ds: xr.Dataset) -> np.ndarray:
    """A variable at the sites and times of `ds`; it is read in one piece, which is faster than by sites."""
    return stored[name].load().sel(site=ds["site"].values, time=ds["time"].values).values


def choose_alternatives(share: xr.DataArray, chosen: str, seed: int) -> dict[str, str]:
    """Draw the alternative of each tower, site -> label; towers that keep the chosen fluxes are left out.

    Parameters
    ----------
    share : (alternative, site); share of the measured steps that have the alternative
    chosen : label of the chosen fluxes
    seed : of the member

    The partitioning is drawn once and taken by all towers that have it, because its errors are alike at all of them: drawn tower
    by tower they would cancel. The threshold of friction velocity is a matter of each tower: it draws a quantile and takes the
    nearest percentile that it has. A draw depends on the seed and the tower's id, not on the other towers.
    """
    labels = [Alternative.named(label) for label in share["alternative"].values.tolist()]
    default = Alternative.named(chosen)
    methods = sorted({default.partitioning, *(one.partitioning for one in labels)})
    method = methods[member_seed(seed, "partitioning") % len(methods)]
    drawn = {}
    for site, shares in zip(share["site"].values.tolist(), share.transpose("site", "alternative").values, strict=True):
        usable = [default, *(one for one, part in zip(labels, shares, strict=True) if part >= LEAST)]
        partitioning = method if any(one.partitioning == method for one in usable) else default.partitioning
        options = [one for one in usable if one.partitioning == partitioning]
        taken = _nearest(options, 100 * member_seed(seed, "ustar", site) / 2**SEED_BITS)
        if taken != default:
            drawn[site] = taken.label
    return drawn


def _nearest(options: list[Alternative], quantile: float) -> Alternative:
    """The percentile nearest to a quantile (0 to 100), or the first option where there is no percentile."""
    percentiles = [one for one in options if one.threshold in PERCENTILES]
    return min(percentiles, key=lambda one: abs(float(one.threshold) - quantile)) if percentiles else options[0]
