"""Maps of a run written in the form of CMIP: one variable a file, chunk by chunk."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import dask
import xarray as xr

from tamrl import files
from tamrl.api.run import Run
from tamrl.maps import cmip


def export_cmip(
    run: Run,
    folder: Path,
    *,
    source_id: str = "tamrl",
    institution_id: str = "unspecified",
    year: int | Iterable[int] | None = None,
) -> list[Path]:
    """Write the monthly maps of a run for ILAMB and ESMValTool (`tamrl.maps.cmip`), kg m-2 s-1; return the files.

    Parameters
    ----------
    run : a finished run
    folder : made where it is not there; files of the same name are replaced
    source_id, institution_id : names of the product and of its publisher
    year : one or several years; None for all that there are

    Raises
    ------
    InputError
        If the run has no monthly maps, or a name cannot stand in the name of a file.
    """
    publisher = cmip.Publisher(source_id, institution_id)
    years = list(year) if isinstance(year, Iterable) else year
    fluxes = dict.fromkeys(variable.flux for variable in cmip.VARIABLES)
    return write_cmip({flux: run.maps(flux, "monthly", years) for flux in fluxes}, folder, publisher)


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
