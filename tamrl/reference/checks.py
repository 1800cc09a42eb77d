"""Checks of what was read: consecutive months, the sign of July, and the size of fluxes."""

import numpy as np
import xarray as xr

from tamrl import calendar
from tamrl.errors import InputError
from tamrl.reference.months import check_consecutive

NORTH = (50.0, 60.0)
"""Band of latitude (degrees north) where July is summer on land everywhere."""

JULY = 7

PLAUSIBLE = {"gpp": (1.0, 20.0), "reco": (0.5, 15.0), "nee": (-8.0, 0.0), "nbe": (-8.0, 0.0)}
"""gC m-2 d-1: limits of the mean July flux of that band. NEE and NBE must be negative: the land takes up carbon. A wrong unit
is off by orders of magnitude."""


def check_record(field: xr.DataArray, *, where: object) -> None:
    """Refuse gaps between months, and records without one full year (field: (time, lat, lon), monthly)."""
    check_consecutive(field, where=where)
    if not full_years(field["time"].values).size:
        shown = f"{field['time'].values[0].astype('datetime64[M]')} to {field['time'].values[-1].astype('datetime64[M]')}"
        raise InputError("the product covers no full year", where=where, found=shown, todo="give the files of twelve months")


def full_years(time: np.ndarray) -> np.ndarray:
    """Return the calendar years (int) of which all months are in `time` (datetime64, consecutive months)."""
    years, months = np.unique(calendar.year(time), return_counts=True)
    return np.asarray(years[months == calendar.MONTHS])


def check_july(field: xr.DataArray, quantity: str, *, where: object) -> None:
    """Refuse a wrong sign or size: the mean flux of the first July at 50-60° N must lie within `PLAUSIBLE`.

    Parameters
    ----------
    field : (time, lat, lon), monthly, gC m-2 d-1; a field without that band is not checked
    quantity : key of `PLAUSIBLE`
    where : for errors

    Raises `InputError`. Reads one month of ten rows.
    """
    lat = field["lat"].values
    band = np.flatnonzero((lat >= NORTH[0]) & (lat <= NORTH[1]))
    july = np.flatnonzero(calendar.month(field["time"].values) == JULY)
    if not band.size or not july.size:
        return
    values = field.isel(time=july[0], lat=band).values.astype("float64")
    carrying = np.isfinite(values) & (values != 0)
    if not carrying.any():
        raise InputError(f"{quantity} has no values at 50-60° N in July", where=where, todo="check fill values and the grid")
    mean = float(values[carrying].mean())
    low, high = PLAUSIBLE[quantity]
    if not low <= mean <= high:
        asked = f"the July mean of {quantity} at 50-60° N is implausible"
        todo = f"expected {low:g} to {high:g} gC m-2 d-1: another sign, unit or edition than declared"
        raise InputError(asked, where=where, found=f"{mean:.4g} gC m-2 d-1", todo=todo)
