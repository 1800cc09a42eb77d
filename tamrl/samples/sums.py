"""Sums beside the drivers of their places: mean fluxes over periods, as the networks learn and are scored with."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import calendar, contracts, variables
from tamrl.calendar import Step, TimeAxis
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.files import atomic, verified
from tamrl.samples import build
from tamrl.samples.places import split_places
from tamrl.sections.inputs import Features
from tamrl.sections.models import Splits
from tamrl.workflow import stage

_log = logging.getLogger(__name__)

HALF = 1.0
"""Years whose mean weighs half as much as one of very many: what a place has of its own is of the size of a year's deviation."""


@dataclass(frozen=True, eq=False)
class SumTargets:
    """Mean fluxes over periods.

    Attributes
    ----------
    site : array (sum) of int; position of the place
    start, count : array (sum) of int; position of the first step of the period, and its number of steps
    y : array (sum, 3) of float32; mean gpp, reco, nee in gC m-2 d-1, NaN where not known
    weight : array (sum, 3) of float32; from 0 (not known) to 1 (of very many years)
    """

    site: np.ndarray
    start: np.ndarray
    count: np.ndarray
    y: np.ndarray
    weight: np.ndarray


@stage
def build_sums(
    *,
    table: str,
    places: str,
    drivers: str,
    towers: str,
    splits: str,
    samples: str,
    split: str,
    features: Features,
    holding: Splits,
    step: Step,
    seed: int,
) -> None:
    """Write drivers and mean fluxes of the places of sums, and the folds that hold these places out.

    Parameters
    ----------
    table, places : tables of `contracts.SUMS` and `contracts.SITES`
    drivers : drivers of the grid at the places
    towers, splits : flux towers, `contracts.SITES`, and their folds, `contracts.SPLITS`
    samples, split : outputs, `contracts.check_sum_samples` and `contracts.SPLITS`
    features : names of the drivers
    holding : how towers are held out
    step, seed : of the run
    """
    collocated = xr.load_dataset(verified(drivers))
    sums, sites = contracts.read_csv(table, contracts.SUMS), contracts.read_csv(places, contracts.SITES)
    ds = with_sums(sums, sites, collocated, features, step=step)
    contracts.check_sum_samples(ds, dynamic=features.dynamic, static=features.static, where=samples)
    covered = sites[sites["site"].isin(ds["site"].values)]
    flux_towers, known = contracts.read_csv(towers, contracts.SITES), contracts.read_csv(splits, contracts.SPLITS)
    folds = split_places(covered, flux_towers, known, splits=holding, seed=seed)
    _log.info("%d sums at %d places: %s", ds.sizes["sum"], len(covered), folds["fold"].value_counts().sort_index().to_dict())
    contracts.write_table(split, folds, contracts.SPLITS)
    with atomic(samples) as part:
        ds.to_netcdf(part, engine="netcdf4")


def with_sums(sums: pd.DataFrame, places: pd.DataFrame, drivers: xr.Dataset, features: Features, *, step: Step) -> xr.Dataset:
    """Drivers (site, time) of the places with the means (sum) of those periods that the drivers cover.

    Parameters
    ----------
    sums, places : tables of `contracts.SUMS` and `contracts.SITES`
    drivers : collocated drivers (site, time); attribute `climatology` where so
    features : names of the drivers
    step : "day" or "month"

    Raises
    ------
    ContractError
        If no place has drivers over a period.
    """
    axis = TimeAxis(drivers["time"].values, step, calendar.CLIMATOLOGY in drivers.attrs)
    periods = [period_steps(row.first, row.last, axis) for row in sums.itertuples()]
    covered = np.array([count > 0 for _, count in periods], dtype=bool) & sums["site"].isin(drivers["site"].values).to_numpy()
    _log.info("%d of %d sums lie within the time and the land of the drivers", covered.sum(), len(covered))
    if not covered.any():
        raise ContractError("no sum lies within the time and the land of the drivers", todo="choose time.years that sums cover")
    sums, (start, count) = sums[covered], np.array(periods)[covered].T
    names = [site for site in places["site"] if site in set(sums["site"])]
    ds = drivers[[*features.dynamic, *features.static]].sel(site=names).reset_coords(drop=True).transpose("site", "time", ...)
    table = build.with_climate(places.set_index("site").loc[names], drivers)
    ds = ds.assign_coords(build.place_coordinates(table))
    columns = {"sum_site": pd.Index(names).get_indexer(sums["site"]), "sum_start": start, "sum_steps": count}
    ds = ds.assign({name: ("sum", values.astype(np.int32)) for name, values in columns.items()})
    for flux in FLUXES:
        ds[f"sum_{flux}"] = ("sum", sums[flux].to_numpy(np.float32), variables.attributes(flux))
        ds[f"sum_{flux}_years"] = ("sum", sums[f"{flux}_years"].to_numpy(np.float32), {"units": "1"})
    return ds.assign_attrs(drivers.attrs, time_step=step, drivers="grid")


def period_steps(first: pd.Timestamp, last: pd.Timestamp, axis: TimeAxis) -> tuple[int, int]:
    """Position of the first step of a period and its number of steps; (0, 0) if the axis does not cover it.

    A mean year (both ends missing) is all whole years of the axis. On the axis of a mean year, a period of a year and more is
    all of it, and a shorter one its months, which may run on beyond December.
    """
    if axis.climatology:
        if pd.isna(first):
            return 0, len(axis)
        months = (last.year - first.year) * calendar.MONTHS + last.month - first.month + 1
        return (0, len(axis)) if months >= calendar.MONTHS else (first.month - 1, months)
    begin, end = axis.bounds[:, 0], axis.bounds[:, 1]
    if pd.isna(first):
        months = int((axis.span[1] - axis.span[0]).astype(int)) // calendar.MONTHS * calendar.MONTHS
        return 0, int((end <= (axis.span[0] + months).astype("datetime64[D]")).sum())
    low, high = np.datetime64(first, "D"), np.datetime64(last, "D") + 1
    inside = (begin >= low) & (end <= high)
    covered = begin[0] <= low and high <= end[-1]
    return (int(inside.argmax()), int(inside.sum())) if covered and inside.any() else (0, 0)


def sum_targets(ds: xr.Dataset) -> SumTargets:
    """The sums of `contracts.check_sum_samples`."""
    y = np.stack([ds[f"sum_{flux}"].values for flux in FLUXES], axis=-1).astype(np.float32)
    years = np.stack([ds[f"sum_{flux}_years"].values for flux in FLUXES], axis=-1).astype(np.float32)
    weight = np.where(np.isfinite(y), years / (years + np.float32(HALF)), np.float32(0))
    site, start, count = (ds[name].values.astype(np.int64) for name in ("sum_site", "sum_start", "sum_steps"))
    return SumTargets(site, start, count, y, weight)
