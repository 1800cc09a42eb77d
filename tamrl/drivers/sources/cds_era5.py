"""ERA5 from the Copernicus Climate Data Store, NetCDF or GRIB (doi 10.24381/cds.adbb2d47).

Daily statistics, hourly values and monthly means are told apart by the spacing of their times. Read are the time axes and bounds
of `tamrl.intake.times`; `expver` 1 (final) and 5 (preliminary) as coordinate or dimension, final first, never added; files split
into instantaneous and accumulated variables; zip archives under any name; both conventions of longitude and both directions of
latitude, also of files that differ in these.

An hourly accumulation (radiation, precipitation) covers the hour that ends at its time, so the value of 00:00 belongs to the day
before. Daily statistics and monthly means hold amounts per day.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tamrl import variables
from tamrl.drivers.sources._folders import SourceFolder
from tamrl.options import Strict
from tamrl.plugins import SourceCapabilities, SourceVolume

if TYPE_CHECKING:
    from collections.abc import Collection

    import xarray as xr

    from tamrl.calendar import TimeAxis

NAME = "cds_era5"
CAPABILITIES = SourceCapabilities(lists_files=True, downloads=True, ordered=True)
FOLDER = SourceFolder(NAME)
inputs, listed, version, open_static = FOLDER.inputs, FOLDER.listed, FOLDER.version, FOLDER.open_static


class Options(Strict):
    """ERA5 from the Climate Data Store."""

    path: str = "{results}/inputs/era5"
    """Folder of NetCDF or GRIB files (or zip files with them), subfolders included."""
    download: bool = False
    """Fetch the files into `downloads/drivers/cds_era5` instead of reading `path`; needs a key (docs/inputs.md)."""
    nodes: Literal["all", "land"] = "all"
    """Nodes that stand for a cell: all four corners, or those on land (for real ERA5)."""
    accumulation: Literal["auto", "hour", "day"] = "auto"
    """Hourly accumulations are over the hour (ERA5) or since 00:00 (ERA5-Land); `auto` takes a grid of 0.1° for ERA5-Land."""


def items(options: Options, names: tuple[str, ...]) -> list[str]:
    """What is fetched separately: variables by their short names."""
    return [variables.get(name).sources[NAME].name for name in names]


def fetch(options: Options, *, item: str, year: int, folder: Path, months: int = 12) -> None:
    """Fetch daily statistics of a variable and year (its first `months`), one file per month; raises `DownloadError`.

    Parameters
    ----------
    options : of the source
    item : short name of the variable in the catalogue
    year, months : what is fetched
    folder : where the files go
    """
    from tamrl.drivers.remote import climate_store

    climate_store.fetch_orders(climate_store.era5_orders(variables.era5_entry(item), year, months), folder)


def volume(options: Options, *, names: tuple[str, ...], years: int) -> SourceVolume:
    """Half the bytes of one global field per day in single precision."""
    return SourceVolume(len(names) * years * 365.25 * 721 * 1440 * 4 * 0.5, requests=len(names) * years * 12)


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

    arrays = era5.open_files(NAME, FOLDER.path(options), names=names, axis=axis, accumulation=options.accumulation, only=only)
    return {name: da.assign_attrs(nodes=options.nodes) for name, da in arrays.items()}
