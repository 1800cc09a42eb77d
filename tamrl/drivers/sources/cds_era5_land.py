"""ERA5-Land from the Copernicus Climate Data Store, NetCDF or GRIB (doi 10.24381/cds.e2161bac): 0.1°, land only.

Amounts are sums since 00:00 UTC, so a day's total is the value of 00:00 of the next day, whether the files hold all hours or only
that one (the Store has no daily sums of ERA5-Land). Values stand for boxes of 0.1° around their nodes: a cell of the maps is
their mean by shared area, boxes over sea left out. A run that names ERA5 before ERA5-Land in `drivers.sources` takes ERA5.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tamrl import variables
from tamrl.drivers.sources._folders import SourceFolder
from tamrl.options import Strict
from tamrl.plugins import SourceCapabilities, SourceVolume

if TYPE_CHECKING:
    from collections.abc import Collection

    import xarray as xr

    from tamrl.calendar import TimeAxis

NAME = "cds_era5_land"
CAPABILITIES = SourceCapabilities(lists_files=True, downloads=True, ordered=True)
FOLDER = SourceFolder(NAME)
inputs, listed, version, open_static = FOLDER.inputs, FOLDER.listed, FOLDER.version, FOLDER.open_static


class Options(Strict):
    """ERA5-Land from the Climate Data Store."""

    path: str = "{results}/inputs/era5_land"
    """Folder of NetCDF or GRIB files (or zip files with them), subfolders included."""
    download: bool = False
    """Fetch the files into `downloads/drivers/cds_era5_land` instead of reading `path`; needs a key (docs/inputs.md)."""


def items(options: Options, names: tuple[str, ...]) -> list[str]:
    """What is fetched separately: variables by their short names."""
    return [variables.get(name).sources[NAME].name for name in names]


def fetch(options: Options, *, item: str, year: int, folder: Path, months: int = 12) -> None:
    """Fetch daily means, or amounts at 00:00, of a variable and year (its first `months`), by month; raises `DownloadError`.

    Parameters
    ----------
    options : of the source
    item : short name of the variable in the catalogue
    year, months : what is fetched
    folder : where the files go
    """
    from tamrl.drivers.remote import climate_store

    climate_store.fetch_orders(climate_store.era5_land_orders(variables.era5_entry(item), year, months), folder)


def volume(options: Options, *, names: tuple[str, ...], years: int) -> SourceVolume:
    """Half the bytes of one global field per day in single precision."""
    return SourceVolume(len(names) * years * 365.25 * 1801 * 3600 * 4 * 0.5, requests=len(names) * years * 12)


def open_dynamic(
    options: Options, *, names: tuple[str, ...], axis: "TimeAxis", only: "Collection[str] | None" = None
) -> "dict[str, xr.DataArray]":
    """The named variables on all of `axis`, lazy.

    Parameters
    ----------
    options : of the source
    names : variables of the vocabulary
    axis : steps of the result
    only : the files that may be read; null for all
    """
    from tamrl.drivers.reanalysis import era5

    arrays = era5.open_files(NAME, FOLDER.path(options), names=names, axis=axis, accumulation="day", only=only)
    return {name: da.assign_attrs(grid="boxes") for name, da in arrays.items()}
