"""ERA5 and ERA5-Land as the Copernicus Climate Data Store delivers them in NetCDF (doi 10.24381/cds.adbb2d47).

Daily statistics, hourly values and monthly means are told apart by the spacing of their times. Handled: the time axes and
bounds of `tamrl.intake.times`; `expver` 1 (final) and 5 (preliminary) as coordinate or dimension, final first, never added;
files split into instantaneous and accumulated variables; zip archives under any name; both longitude conventions; either
direction of latitude, also of files that differ in these.

Accumulations (radiation, precipitation). An hourly value of ERA5 covers the hour that *ends* at its time, so the value of
00:00 belongs to the day before. ERA5-Land accumulates from 00:00 on, so a day's total is the value of 00:00 of the next day.
Daily statistics and monthly means hold amounts per day.
"""

from pathlib import Path
from typing import Literal

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
    """ERA5 from the Climate Data Store."""

    path: str = "{results}/inputs/era5"
    """Folder of NetCDF files (or zip files with them)."""
    download: bool = False
    """Fetch the files into `downloads/drivers/cds_era5` instead of reading `path`; ECMWF_DATASTORES_KEY must be set."""
    nodes: Literal["all", "land"] = "all"
    """Nodes that stand for a cell: all four corners, or those on land (for real ERA5)."""
    accumulation: Literal["auto", "hour", "day"] = "auto"
    """Hourly accumulations: over the hour (ERA5), since 00:00 (ERA5-Land), or told by the grid (0.1° is ERA5-Land)."""


def inputs(options: Options) -> list[str]:
    """The folder of files."""
    return [_folder(options)]


def _folder(options: Options) -> str:
    return DOWNLOADS.source("cds_era5") if options.download else options.path


def items(options: Options, names: tuple[str, ...]) -> list[str]:
    """What is fetched separately: variables as ERA5 names them."""
    return [variables.get(name).sources["cds_era5"].name for name in names]


def fetch(options: Options, *, item: str, year: int, folder: Path, months: int = 12) -> None:
    """Daily statistics of a variable and year (its first `months`), one file a month; raises `DownloadError`."""
    climate_store.fetch(climate_store.era5(item, year, months), folder)


def listed(options: Options) -> dict[str, Path]:
    """The files by name."""
    return netcdf.listed(_folder(options))


def version(options: Options) -> dict[str, object]:
    """Number, bytes and checksum of the files."""
    return netcdf.fingerprint(_folder(options))


def open_static(options: Options, *, names: tuple[str, ...]) -> dict[str, xr.DataArray]:
    """None so far."""
    if names:
        raise ConfigError(f"cds_era5 has no static variables, asked for {', '.join(names)}", where=variables.FILE)
    return {}


def open_dynamic(
    options: Options, *, names: tuple[str, ...], axis: TimeAxis, only: frozenset[str] | None = None
) -> dict[str, xr.DataArray]:
    """The named variables on the whole of `axis`, lazy; see the contract in `tamrl.drivers.sources`."""
    axis.need_years("cds_era5")
    datasets = list(netcdf.open_all(_folder(options), only))
    return {name: _variable(name, datasets, options, axis, only is not None) for name in names}


def _variable(name: str, datasets: list, options: Options, axis: TimeAxis, some: bool) -> xr.DataArray:
    alias = variables.get(name).sources["cds_era5"].name
    where = f"{netcdf.place(_folder(options), datasets)} ({alias})"
    raw = joining.series([ds[alias] for _, ds in datasets if alias in ds], where=where)
    found = time_steps.variable(
        name, raw, source="cds_era5", axis=axis, accumulation=options.accumulation, where=where, some=some
    )
    return found.assign_attrs(nodes=options.nodes)
