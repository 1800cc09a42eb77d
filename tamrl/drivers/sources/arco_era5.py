"""ERA5 as one public Zarr store of hours, no account needed: ARCO-ERA5 (Carver & Merose 2023, doi 10.24381/cds.adbb2d47).

Only the chunks of the variables and years of the run are fetched: one hour of one variable is a chunk of about 2 MB. With
`download: true` each finished month stays on the disk as days, and is never fetched again. Vapour pressures, and so their
deficit, are means over the pressures of the hours, not pressures of mean temperatures. An hourly amount covers the hour that
ends at its time, so the one of 00:00 belongs to the day before. Hours after the store's `valid_time_stop` are preliminary and
count as `expver` 5; hours after `valid_time_stop_era5t` hold nothing yet; earlier hours without a value on the globe are refused.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tamrl import variables
from tamrl.drivers.sources._folders import SourceFolder
from tamrl.options import Strict
from tamrl.plugins import SourceCapabilities, SourceVolume

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from tamrl.calendar import TimeAxis

NAME = "arco_era5"
CAPABILITIES = SourceCapabilities(downloads=True)
FOLDER = SourceFolder(NAME)
open_static = FOLDER.open_static


class Options(Strict):
    """ERA5 from the public Zarr store."""

    path: str = "https://storage.googleapis.com/gcp-public-data-arco-era5/ar/full_37-1h-0p25deg-chunk-1.zarr-v3"
    """Address of the store, or a folder that is a copy of it or holds one."""
    download: bool = False
    """Keep days made of the hours of `path` in `downloads/drivers/arco_era5`, instead of reading the hours for each cube."""
    gaps: Literal["refuse", "cds_era5"] = "refuse"
    """With `download`: days with hours that are empty on the whole globe are refused, or ordered at the Climate Data Store."""
    nodes: Literal["all", "land"] = "land"
    """Nodes that stand for a cell: all four corners, or those on land."""


def inputs(options: Options) -> list[str]:
    """The folder; none where the store is on the web."""
    path = FOLDER.path(options)
    return [] if path.startswith(("http://", "https://")) else [path]


def items(options: Options, names: tuple[str, ...]) -> list[str]:
    """What is fetched separately: variables by their short names."""
    plain = [variables.name_without_function(variables.get(name).sources[NAME]) for name in names]
    return list(dict.fromkeys(variables.get(name).sources["cds_era5"].name for name in plain))


def fetch(options: Options, *, item: str, year: int, folder: Path, months: int = 12) -> None:
    """Make the days of a variable and year, one file per month; raises `DownloadError`, `InputError`.

    Parameters
    ----------
    item : an element of `items`
    months : number of months, from January
    """
    from tamrl.drivers.reanalysis import daily_files

    entry, fills = variables.era5_entry(item), options.gaps == "cds_era5"
    daily_files.fetch_days(options.path, entry, year, folder, months=months, fills=fills)


def version(options: Options) -> "Mapping[str, object]":
    """Address and extent of the store with the checksum of its metadata (it is too large itself), or the files of days."""
    from tamrl.drivers.reanalysis import hour_store

    return FOLDER.version(options) if options.download else hour_store.store_version(options.path)


def volume(options: Options, *, names: tuple[str, ...], years: int) -> SourceVolume:
    """24 global fields per day in single precision, packed to two fifths; of each field of days half the bytes stay."""
    raw, days = {variables.get(name).sources[NAME].name for name in names}, years * 365.25
    field = days * 721 * 1440 * 4
    stored = sum(len(variables.aliases_of(name, NAME)) for name in raw) if options.download else 0
    size, requests = len(raw) * field * 24 * 0.4, len(raw) * days * 24
    return SourceVolume(size, condensed=stored * field * 0.5, requests=requests, streamed=not options.download)


def open_dynamic(options: Options, *, names: tuple[str, ...], axis: "TimeAxis") -> "dict[str, xr.DataArray]":
    """The named variables on all of `axis`, lazy."""
    from tamrl.drivers.reanalysis import daily_files, era5, hour_store

    if options.download:
        daily_files.refuse_other_days(FOLDER.path(options), options.path)
        arrays = era5.open_files(NAME, FOLDER.path(options), names=names, axis=axis, accumulation="hour", only=None)
    else:
        arrays = hour_store.open_store(options.path, names=names, axis=axis)
    return {name: da.assign_attrs(nodes=options.nodes) for name, da in arrays.items()}
