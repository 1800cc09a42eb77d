"""ERA5-Land as the Copernicus Climate Data Store delivers it, NetCDF or GRIB (doi 10.24381/cds.e2161bac): 0.1°, land only.

Hourly amounts are sums since 00:00 UTC, so a day's total is the value of 00:00 of the next day; daily statistics are
amounts per day. Values stand for boxes of 0.1° around their nodes: a cell of the maps is their mean by shared area,
boxes over sea left out. A run that takes ERA5-Land after ERA5 in `drivers.sources` would never see it: name it first.
"""

import xarray as xr

from tamrl import variables
from tamrl.drivers.sources import _netcdf, _steps
from tamrl.errors import ConfigError
from tamrl.options import Strict


class Options(Strict):
    """ERA5-Land from the Climate Data Store."""

    path: str = "{results}/inputs/era5_land"
    """Folder of NetCDF or GRIB files (or zip files with them), subfolders included."""


def inputs(options: Options) -> list[str]:
    """The folder of files."""
    return [options.path]


def version(options: Options) -> dict[str, object]:
    """Number, bytes and checksum of the files."""
    return _netcdf.fingerprint(options.path)


def open_static(options: Options, *, names: tuple[str, ...]) -> dict[str, xr.DataArray]:
    """None so far."""
    if names:
        raise ConfigError(f"cds_era5_land has no static variables, asked for {', '.join(names)}", where=variables.FILE)
    return {}


def open_dynamic(options: Options, *, names: tuple[str, ...], years: tuple[int, ...], step: str) -> dict[str, xr.DataArray]:
    """The named variables on the whole axis of `years`, lazy; see the contract in `tamrl.drivers.sources`."""
    if not years:
        raise ConfigError("cds_era5_land has no climatology", where="time.years", todo="name the years")
    if not names:
        return {}
    datasets = list(_netcdf.open_all(options.path))
    return {name: _variable(name, datasets, options.path, years, step) for name in names}


def _variable(name: str, datasets: list, folder: str, years: tuple[int, ...], step: str) -> xr.DataArray:
    alias = variables.get(name).sources["cds_era5_land"].name
    where = f"{folder} ({alias})"
    raw = _steps.series([ds[alias] for _, ds in datasets if alias in ds], where=where)
    found = _steps.variable(name, raw, source="cds_era5_land", years=years, step=step, accumulation="day", where=where)
    return found.assign_attrs(grid="boxes")
