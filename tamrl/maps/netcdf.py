"""Write a product as NetCDF-4: the frame at once, then its fields, compressed, a slab of steps at a time."""

from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

from tamrl.maps import acdd
from tamrl.maps.cf import FILL

CHUNK = 1024**2
"""Bytes of a chunk: whole maps of a few steps, as GIS and CDO read them."""


def steps_per_chunk(sizes: Mapping[Hashable, int]) -> int:
    """Return the steps of a chunk of (time, lat, lon) float32, from the lengths of the dimensions."""
    return int(np.clip(CHUNK // (4 * sizes["lat"] * sizes["lon"]), 1, sizes["time"]))


def write_netcdf(
    path: Path, *, frame: xr.Dataset, fields: xr.Dataset, slabs: Iterable[tuple[slice, dict[str, np.ndarray]]], compression: int
) -> None:
    """Write a NetCDF-4 file.

    Parameters
    ----------
    path : the temporary name given by `files.atomic`
    frame : axes, bounds, static fields and global attributes
    fields : names, dimensions and attributes of the streamed fields, and coordinates that `frame` lacks
    slabs : iterable of (steps, {name: array}); in any order; NaN becomes the fill value
    compression : zlib level 0 to 9
    """
    extra = {str(name): c for name, c in fields.coords.items() if name not in frame.variables and name in fields.dims}
    full = frame.assign_coords(extra)
    for further in extra:
        full[further].encoding["_FillValue"] = None
    packed = {"zlib": compression > 0, "complevel": compression, "shuffle": True}
    encoding = {n: full[n].encoding | packed for n in full.data_vars if full[n].dims == ("lat", "lon")}
    full.to_netcdf(path, engine="netcdf4", encoding=encoding, unlimited_dims=["time"])  # so that years can be joined
    with netCDF4.Dataset(path, "a") as file:
        file.set_fill_off()  # every value is written below
        for name, field in fields.data_vars.items():  # after cell_area, else CDO warns of it
            _create(file, str(name), field, compression)
        for when, arrays in slabs:
            for name, values in arrays.items():
                length = int(file[name].chunking()[0])
                for first in range(0, len(values), length):  # a chunk at a time: no second copy of the slab in memory
                    part, start = values[first : first + length], when.start + first
                    file[name][start : start + len(part)] = np.where(np.isnan(part), FILL, part)


def _create(file: netCDF4.Dataset, name: str, field: xr.DataArray, compression: int) -> None:
    """Create a variable, chunked in whole maps."""
    sizes = {dim: len(file.dimensions[str(dim)]) for dim in field.dims}
    first = steps_per_chunk(sizes)
    chunks = [{"time": first, "lat": size, "lon": size}.get(str(dim), 1) for dim, size in sizes.items()]
    variable = file.createVariable(  # type: ignore[call-overload]  # the stubs take literal levels of compression only
        name,
        np.dtype("f4"),
        [str(dim) for dim in field.dims],
        fill_value=FILL,
        chunksizes=chunks,
        zlib=compression > 0,
        complevel=compression,
        shuffle=True,
    )
    variable.setncatts(field.attrs | {"coverage_content_type": acdd.content_type(name)})
