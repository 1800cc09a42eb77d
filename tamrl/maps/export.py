"""Streamed writing of a product: the frame at once, then its fields slab by slab of steps, compressed."""

from collections.abc import Iterable
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

from tamrl.maps import acdd
from tamrl.maps.cf import FILL

CHUNK = 1024**2
"""Bytes of a chunk: whole maps of a few steps, as GIS and CDO read them."""


def steps_per_chunk(sizes: dict[str, int]) -> int:
    """Steps in a chunk of (time, lat, lon) float32."""
    return int(np.clip(CHUNK // (4 * sizes["lat"] * sizes["lon"]), 1, sizes["time"]))


def write(
    path: Path, *, frame: xr.Dataset, fields: xr.Dataset, slabs: Iterable[tuple[slice, dict[str, np.ndarray]]], compression: int
) -> None:
    """Write a NetCDF-4 file.

    Parameters
    ----------
    path : Path
        The temporary name given by `files.atomic`.
    frame : Dataset
        Axes, bounds, static fields and global attributes.
    fields : Dataset
        Names, dimensions and attributes of what is streamed; its coordinates that `frame` lacks are written too.
    slabs : iterable of (steps, {name: array})
        In any order; NaN becomes the fill value.
    compression : int
        zlib level 0 to 9.
    """
    extra = {str(n): c for n, c in fields.coords.items() if n not in frame.variables and n in fields.dims}
    full = frame.assign_coords(extra)
    for name in extra:
        full[name].encoding["_FillValue"] = None
    packed = {"zlib": compression > 0, "complevel": compression, "shuffle": True}
    encoding = {n: full[n].encoding | packed for n in full.data_vars if full[n].dims == ("lat", "lon")}
    full.to_netcdf(path, engine="netcdf4", encoding=encoding, unlimited_dims=["time"])  # so that years can be joined
    with netCDF4.Dataset(path, "a") as file:
        file.set_fill_off()  # every value is written below
        for name, field in fields.data_vars.items():  # after cell_area, else CDO warns of it
            _create(file, str(name), field, packed)
        for when, arrays in slabs:
            for name, values in arrays.items():
                _fill(file[name], when.start, values)


def _fill(variable: netCDF4.Variable, start: int, values: np.ndarray) -> None:
    """Write `values` from step `start` on, a chunk's steps at a time (no second copy of the slab in memory)."""
    length = variable.chunking()[0]
    for first in range(0, len(values), length):
        part = values[first : first + length]
        variable[start + first : start + first + len(part)] = np.where(np.isnan(part), FILL, part)


def _create(file: netCDF4.Dataset, name: str, field: xr.DataArray, packed: dict) -> None:
    sizes = {dim: len(file.dimensions[dim]) for dim in field.dims}
    first = steps_per_chunk(sizes)
    chunks = [{"time": first, "lat": size, "lon": size}.get(dim, 1) for dim, size in sizes.items()]
    variable = file.createVariable(name, "f4", field.dims, fill_value=FILL, chunksizes=chunks, **packed)
    variable.setncatts(field.attrs | {"coverage_content_type": acdd.content(name)})
