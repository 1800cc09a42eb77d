"""Drivers beside fluxes: pure functions from tables and collocated drivers to the samples dataset."""

import logging

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import variables
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError

_log = logging.getLogger(__name__)

UNKNOWN = "unknown"
"""Class of a tower whose class nobody states."""

TOWER_CLASSES = {"igbp_fraction": "igbp", "koppen_fraction": "koppen"}
"""Class fractions that the tower's own class replaces, and where it stands."""


def time_axis(dates: pd.Series, drivers: pd.DatetimeIndex, *, step: str, climatology: bool) -> pd.DatetimeIndex:
    """Regular axis of the samples: from a year before the first record to the last one, as far as there are drivers.

    Parameters
    ----------
    dates : of all records
    drivers : time stamps of the collocated drivers
    step : "day" or "month"
    climatology : the drivers are one mean year and hold for any year

    Raises
    ------
    ContractError
        If no record lies within the time of the drivers.
    """
    first, last = dates.min() - pd.DateOffset(years=1), dates.max()
    if not climatology:
        inside = dates.between(drivers[0], drivers[-1])
        if not inside.any():
            raise ContractError(
                "no tower record lies within the time of the drivers",
                found=f"records {dates.min().date()} to {last.date()}, drivers {drivers[0].date()} to {drivers[-1].date()}",
                todo="choose time.years that the towers cover",
            )
        _log.info("%d of %d records lie within the time of the drivers", inside.sum(), len(dates))
        first, last = max(dates[inside].min() - pd.DateOffset(years=1), drivers[0]), min(last, drivers[-1])
    return pd.date_range(first, last, freq="D" if step == "day" else "MS", name="time")


def at_times(drivers: xr.Dataset, time: pd.DatetimeIndex, *, climatology: bool) -> xr.Dataset:
    """Drivers (site, time) on the axis `time`; the months of a climatology are repeated, gaps become missing."""
    if not climatology:
        return drivers.reindex(time=time)
    months = pd.DatetimeIndex(drivers["time"].values).month
    return drivers.isel(time=months.get_indexer(time.month)).assign_coords(time=time)


def assemble(
    records: pd.DataFrame,
    towers: pd.DataFrame,
    drivers: xr.Dataset,
    *,
    dynamic: tuple[str, ...],
    static: tuple[str, ...],
    step: str,
) -> xr.Dataset:
    """Samples with drivers of the grid.

    Parameters
    ----------
    records : table of `contracts.TOWERS`
    towers : table of `contracts.SITES`
    drivers : collocated drivers (site, time), statics (site) or (site, class); attribute `climatology` where so
    dynamic, static : names of the variables to take
    step : "day" or "month"

    Returns
    -------
    Dataset (site, time) of `contracts.check_samples`, float32. Towers without collocated drivers or without records are left out.
    """
    sites = [s for s in towers["site"] if s in set(drivers["site"].values) & set(records["site"])]
    _log.info("%d of %d towers have records and drivers", len(sites), len(towers))
    if not sites:
        raise ContractError(
            "no tower has both records and drivers", todo="check drivers.max_distance_km and the towers' coordinates"
        )
    climatology = "climatology" in drivers.attrs
    records = records[records["site"].isin(sites)]
    time = time_axis(records["date"], pd.DatetimeIndex(drivers["time"].values), step=step, climatology=climatology)
    ds = at_times(drivers[[*dynamic, *static]].sel(site=sites), time, climatology=climatology)
    ds = ds.reset_coords(drop=True).transpose("site", "time", ...)
    for flux in (*FLUXES, "nee_qc"):
        attributes = (
            variables.attributes(flux) if flux in FLUXES else {"units": "1", "long_name": "share of measured or well-filled NEE"}
        )
        ds[flux] = (("site", "time"), on_axes(records, flux, sites, time), attributes)
    places = with_climate(towers.set_index("site").loc[sites], drivers)
    return ds.assign_coords(place_coordinates(places)).assign_attrs(time_step=step, drivers="grid")


def with_climate(towers: pd.DataFrame, drivers: xr.Dataset) -> pd.DataFrame:
    """Towers (by site) whose metadata name no climate take the largest Köppen-Geiger group of their cell, if the cube has it."""
    if "koppen_fraction" not in drivers:
        return towers
    share = drivers["koppen_fraction"].sel(site=list(towers.index)).transpose("site", "koppen")
    known = share.notnull().all("koppen").values & (share.sum("koppen").values > 0)
    largest = pd.Series(share["koppen"].values[share.fillna(-1).argmax("koppen").values], index=towers.index).where(known, None)
    stated = towers["koppen"].where(towers["koppen"].notna() & (towers["koppen"] != ""), None)
    return towers.assign(koppen=stated.where(stated.notna(), largest))


def place_coordinates(towers: pd.DataFrame) -> dict[str, tuple[str, np.ndarray]]:
    """Coordinates (site) of places: lat, lon, igbp_class and koppen_class."""
    text = {f"{kind}_class": towers[kind].fillna(UNKNOWN).replace("", UNKNOWN).astype(str) for kind in ("igbp", "koppen")}
    number = {name: towers[name].astype(float) for name in ("lat", "lon")}
    return {name: ("site", values.to_numpy()) for name, values in (number | text).items()}


def on_axes(records: pd.DataFrame, name: str, sites: list[str], time: pd.DatetimeIndex) -> np.ndarray:
    """A column of the records as (site, time), float32, NaN where there is no record.

    Parameters
    ----------
    records : table with columns `site`, `date` and `name`
    name : of the column
    sites, time : axes of the result
    """
    site, step = pd.Index(sites).get_indexer(records["site"]), time.get_indexer(records["date"])
    inside = (site >= 0) & (step >= 0)
    out = np.full((len(sites), len(time)), np.nan, dtype=np.float32)
    out[site[inside], step[inside]] = records[name].to_numpy(dtype=np.float32)[inside]
    return out


def with_measured(grid: xr.Dataset, records: pd.DataFrame) -> xr.Dataset:
    """Samples whose drivers are those measured at the tower, where it has them.

    A variable is taken from one origin for the whole record of a tower, so that no step in time comes from a change of
    origin: measured if the tower measured it at all, else from the grid. The tower's class replaces class fractions.

    Parameters
    ----------
    grid : result of `assemble`
    records : table with measured drivers under their vocabulary names
    """
    ds = grid.copy()
    sites, time = grid["site"].values.tolist(), pd.DatetimeIndex(grid["time"].values)
    for name in (n for n, entry in variables.vocabulary().items() if entry.role == "dynamic" and n in grid and n in records):
        measured = on_axes(records, name, sites, time)
        has = np.isfinite(measured).any(axis=1)
        ds[name] = grid[name].copy(data=np.where(has[:, None], measured, grid[name].values))
        _log.info("%s: measured at %d of %d towers, the others take the grid's", name, has.sum(), len(has))
    for name in (n for n in TOWER_CLASSES if n in grid):
        members = variables.get(name).members
        tower_class = grid[f"{TOWER_CLASSES[name]}_class"].values
        one_hot = (tower_class[:, None] == np.asarray(members)[None]).astype(np.float32)
        known = one_hot.any(axis=1, keepdims=True)
        fractions = grid[name].sel({variables.get(name).classes: list(members)})
        ds[name] = fractions.copy(data=np.where(known, one_hot, fractions.values))
    return ds.assign_attrs(drivers="tower")
