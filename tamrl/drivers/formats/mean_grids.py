"""Global grids in NetCDF whose cells have their centres as coordinates: twelve mean months, or no time at all."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from tamrl import variables
from tamrl.drivers.formats import netcdf
from tamrl.drivers.formats.climatology import mean_year_starts
from tamrl.errors import ContractError, InputError, UnitError
from tamrl.grid import Grid
from tamrl.intake import times

SOURCE = "netcdf_grids"


def open_grids(folder: Path, names: tuple[str, ...]) -> dict[str, xr.DataArray]:
    """The named variables (time, lat, lon) or (lat, lon), lazy, from the files of a folder.

    Raises
    ------
    InputError
        If no file has a variable, several have it, its dimensions or months are others, or its cells do not cover the globe.
    UnitError
        If it has no unit, or its unit is not one of the variable.
    """
    if not names:
        return {}
    paths = [path for path in netcdf.folder_contents(folder) if path.suffix.lower() in (".nc", ".nc4")]
    contents = {path: netcdf.with_known_names(netcdf.open_decoded(path, where=path), path) for path in paths}
    return {name: _grid(name, contents, folder) for name in names}


def _grid(name: str, contents: Mapping[Path, xr.Dataset], folder: Path) -> xr.DataArray:
    wanted = variables.get(name).sources[SOURCE]
    holding = [path for path, ds in contents.items() if wanted.name in ds.data_vars]
    if len(holding) != 1:
        names = [path.name for path in holding] or [path.name for path in contents]
        todo = (
            f"have the variable {wanted.name} (months 1 to 12, lat, lon; units such as {wanted.units}) in one NetCDF file there"
        )
        raise InputError(f"{'several files have' if holding else 'no file has'} {name}", where=folder, found=names, todo=todo)
    (path,) = holding
    raw = contents[path][wanted.name]
    dims = ("month", "lat", "lon") if variables.get(name).role == "dynamic" else ("lat", "lon")
    if set(raw.dims) != set(dims):
        raise InputError(f"{wanted.name} must have the dimensions {', '.join(dims)}", where=path, found=raw.dims)
    units = str(raw.attrs.get("units", "")).strip()
    if not units:
        raise UnitError(f"{wanted.name} states no unit", where=path, todo=f"set its attribute units, such as {wanted.units}")
    raw = raw.transpose(*dims)
    if "month" in dims:
        order = np.argsort(times.check_months(raw["month"].values, where=path))
        raw = raw.isel(month=order).rename(month="time").assign_coords(time=mean_year_starts())
    raw = netcdf.mask_fill_values(_global(netcdf.orient(raw, path), path), name=name, where=path.name)
    canonical = variables.canonical(raw, name=name, source_units=units, where=path.name).assign_attrs(grid="pixels")
    if name == "elevation":  # maps of the whole Earth hold the sea floor
        lowest = variables.get(name).range[0]
        canonical = canonical.where(~(canonical < lowest), 0.0)
    return canonical


def _global(da: xr.DataArray, path: Path) -> xr.DataArray:
    """The field as it is; refuses one whose coordinates are not the centres of cells that cover the globe."""
    try:
        Grid.from_dataset(da)
    except ContractError as error:
        ends = ", ".join(f"{name} {da[name].values[0]:g} to {da[name].values[-1]:g}" for name in ("lat", "lon"))
        state, todo = (
            f"{da.sizes['lat']} x {da.sizes['lon']}, {ends}",
            "put values at the centres of cells, such as 89.5, 88.5, ...",
        )
        raise InputError(
            "the cells must cover the globe, with their centres as coordinates", where=path, found=state, todo=todo
        ) from error
    return da
