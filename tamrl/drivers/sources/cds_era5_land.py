"""ERA5-Land as the Copernicus Climate Data Store delivers it, NetCDF or GRIB (doi 10.24381/cds.e2161bac): 0.1°, land only.

Amounts are sums since 00:00 UTC, so a day's total is the value of 00:00 of the next day, be all hours in the files or only
that one (the Store has no daily sums of ERA5-Land). Values stand for boxes of 0.1° around their nodes: a cell of the maps is
their mean by shared area, boxes over sea left out. A run that names ERA5 before ERA5-Land in `drivers.sources` takes ERA5.
"""

from pathlib import Path

import xarray as xr

from tamrl import variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import netcdf
from tamrl.drivers.reanalysis import joining, time_steps
from tamrl.drivers.remote import climate_store
from tamrl.errors import ConfigError
from tamrl.layout import DOWNLOADS
from tamrl.options import Strict


class Options(Strict):
    """ERA5-Land from the Climate Data Store."""

    path: str = "{results}/inputs/era5_land"
    """Folder of NetCDF or GRIB files (or zip files with them), subfolders included."""
    download: bool = False
    """Fetch the files into `downloads/drivers/cds_era5_land` instead of reading `path`; ECMWF_DATASTORES_KEY must be set."""


def inputs(options: Options) -> list[str]:
    """The folder of files."""
    return [_folder(options)]


def _folder(options: Options) -> str:
    return DOWNLOADS.source("cds_era5_land") if options.download else options.path


def items(options: Options, names: tuple[str, ...]) -> list[str]:
    """What is fetched separately: variables as ERA5-Land names them."""
    return [variables.get(name).sources["cds_era5_land"].name for name in names]


def fetch(options: Options, *, item: str, year: int, folder: Path, months: int = 12) -> None:
    """Daily means, or amounts at 00:00, of a variable and year (its first `months`), one file a month; raises `DownloadError`."""
    climate_store.fetch(climate_store.era5_land(item, year, months), folder)


def listed(options: Options) -> dict[str, Path]:
    """The files by name."""
    return netcdf.listed(_folder(options))


def version(options: Options) -> dict[str, object]:
    """Number, bytes and checksum of the files."""
    return netcdf.fingerprint(_folder(options))


def open_static(options: Options, *, names: tuple[str, ...]) -> dict[str, xr.DataArray]:
    """None so far."""
    if names:
        raise ConfigError(f"cds_era5_land has no static variables, asked for {', '.join(names)}", where=variables.FILE)
    return {}


def open_dynamic(
    options: Options, *, names: tuple[str, ...], axis: TimeAxis, only: frozenset[str] | None = None
) -> dict[str, xr.DataArray]:
    """The named variables on the whole of `axis`, lazy; see the contract in `tamrl.drivers.sources`."""
    axis.need_years("cds_era5_land")
    datasets = list(netcdf.open_all(_folder(options), only))
    return {name: _variable(name, datasets, _folder(options), axis, only is not None) for name in names}


def _variable(name: str, datasets: list, folder: str, axis: TimeAxis, some: bool) -> xr.DataArray:
    alias = variables.get(name).sources["cds_era5_land"].name
    where = f"{netcdf.place(folder, datasets)} ({alias})"
    raw = joining.series([ds[alias] for _, ds in datasets if alias in ds], where=where)
    found = time_steps.variable(name, raw, source="cds_era5_land", axis=axis, accumulation="day", where=where, some=some)
    return found.assign_attrs(grid="boxes")
