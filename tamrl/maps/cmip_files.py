"""Files of the export in the form of CMIP: one variable each, written chunk by chunk."""

from collections.abc import Mapping
from pathlib import Path

import dask
import xarray as xr

from tamrl import files
from tamrl.maps import cmip


def write_cmip(maps: Mapping[str, xr.Dataset], folder: Path, publisher: cmip.Publisher) -> list[Path]:
    """Write all variables of `cmip.VARIABLES` with their uncertainty, and the land of the cells; return the files.

    Parameters
    ----------
    maps : monthly maps by flux, lazy
    folder : made where it is not there; files of the same name are replaced
    publisher : names in file names and attributes
    """
    written = []
    for variable in cmip.VARIABLES:
        ds = maps[variable.flux]
        for kind in cmip.KINDS:
            name = cmip.file_name(variable.name + kind, publisher, cmip.span(ds))
            written.append(_write(cmip.export_flux(ds, variable, kind, publisher), folder / name))
    first = next(iter(maps.values()))
    for name, fixed in cmip.export_land(first, publisher).items():
        written.append(_write(fixed, folder / cmip.file_name(name, publisher, None)))
    return written


def _write(ds: xr.Dataset, path: Path) -> Path:
    with files.atomic(path, sealed=False) as part, dask.config.set(scheduler="single-threaded"):
        ds.to_netcdf(part, engine="netcdf4", unlimited_dims=["time"] if "time" in ds.dims else [])
    return path
