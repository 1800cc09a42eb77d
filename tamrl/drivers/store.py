"""The cube on disk: a Zarr group whose dynamic variables are written one by one, or taken from parts that other jobs wrote."""

import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from tamrl import stores, variables
from tamrl.drivers import cube as cubes
from tamrl.drivers import regrid
from tamrl.drivers.cells import Cells
from tamrl.grid import Grid


def template(statics: dict[str, np.ndarray], axis: np.ndarray, grid: Grid, step: str, climatology: bool) -> xr.Dataset:
    """The cube without its dynamic variables: coordinates, statics and attributes."""
    ds = xr.Dataset(coords={"time": ("time", axis), "lat": ("lat", grid.lat), "lon": ("lon", grid.lon)})
    ds["time"].attrs = {"standard_name": "time", "long_name": "start of the step"}
    ds["time"].encoding = {"units": "days since 1970-01-01", "dtype": "int64", "chunks": (axis.size,)}
    ds["lat"].attrs = {"standard_name": "latitude", "units": "degrees_north"}
    ds["lon"].attrs = {"standard_name": "longitude", "units": "degrees_east"}
    for name, values in statics.items():
        kind = variables.get(name).classes
        dims = (*([kind] if kind else []), "lat", "lon")
        ds[name] = (dims, values, variables.attributes(name))
        lead = values.shape[:-2]
        ds[name].encoding = {"chunks": (*lead, *chunk(grid)[1:]), "compressors": stores.compressors()}
        if kind:
            ds = ds.assign_coords({kind: (kind, np.array(variables.get(name).members, dtype=object))})
    ds.attrs = {"title": "Drivers on the grid of the maps", "time_step": step, "resolution": grid.resolution}
    ds.attrs |= {"climatology": "months of the mean year"} if climatology else {}
    return ds


def chunk(grid: Grid, count: int = cubes.CHUNK[0]) -> tuple[int, int, int]:
    """Steps, rows and columns of a chunk where the cube is smaller than one."""
    return min(cubes.CHUNK[0], count), min(cubes.CHUNK[1], grid.shape[0]), min(cubes.CHUNK[2], grid.shape[1])


def write_dynamic(store: Path, name: str, cells: Cells, land: np.ndarray) -> None:
    """Write one variable block by block of whole chunks in time, and count where it rests on filled composites."""
    count = cells.axis.time.size
    group = zarr.open_group(store, mode="r+", zarr_format=3)
    array = _create(group, name, cells, dtype="float32", fill_value=np.nan)
    tally = cubes.Tally(name)
    with ThreadPoolExecutor(1) as writer:  # one block is written while the next is read: at most two are held
        written: list[Future[None]] = []
        for block in regrid.blocks(count, cubes.CHUNK[0]):
            values = _block(name, cells, land, block)
            tally.add(values, land)
            _count_filled(group, cells, name, land, block)
            for earlier in written:
                earlier.result()
            written = [writer.submit(array.__setitem__, block, values)]
        for last in written:
            last.result()
    source = cells.arrays[name].attrs if name in cells.arrays else {"source": "derived"}
    kept = {k: v for k, v in source.items() if k in ("source", "expver", "filled_share", "climatology", "nodes")}
    array.update_attributes(variables.attributes(name) | kept | {"missing_over_land": tally.missing})
    tally.check(cells.axis.time, source.get("source"))


def _create(group: zarr.Group, name: str, cells: Cells, **kind: Any) -> zarr.Array:
    """An empty array (time, lat, lon) of the cube."""
    count = cells.axis.time.size
    layout = {"chunks": chunk(cells.grid, count), "compressors": stores.compressors(), "dimension_names": ("time", "lat", "lon")}
    return group.create_array(name, shape=(count, *cells.grid.shape), **layout, **kind)


def _count_filled(group: zarr.Group, cells: Cells, name: str, land: np.ndarray, block: slice) -> None:
    """Add a variable with composites to `filled_drivers` of the steps of a block."""
    parts = [cells.filled(name, part) for part in cubes.pieces(cells.axis.time, block)]
    if parts[0] is None:
        return
    if variables.FILLED not in group:
        _create(group, variables.FILLED, cells, dtype="uint8", fill_value=0).update_attributes(
            variables.attributes(variables.FILLED) | {"of": 0}
        )
    array = group[variables.FILLED]
    array[block] = array[block] + (np.concatenate(parts) & land)
    if block.start == 0:
        array.update_attributes({"of": array.attrs["of"] + 1})


def _block(name: str, cells: Cells, land: np.ndarray, block: slice) -> np.ndarray:
    """Values of the steps of a block (time, lat, lon), missing over sea."""
    values = np.full((block.stop - block.start, *cells.grid.shape), np.nan, "float32")
    for part in cubes.pieces(cells.axis.time, block):
        inside = values[part.start - block.start : part.stop - block.start]
        np.copyto(inside, cells.values(name, part), where=land)
    return values


def take(store: Path, part: Path) -> dict[str, dict[str, Any]]:
    """Take the variables of a finished part into the cube, without copying where the file system can link.

    Returns the entries of the part's manifest for the files that are now the cube's, for `stores.seal`.
    """
    stores.check(part)
    known = stores.manifest(part)["files"]
    group, other = (zarr.open_group(path, mode=mode, zarr_format=3) for path, mode in ((store, "r+"), (part, "r")))
    for name in other.array_keys():
        if name != variables.FILLED or name not in group:
            shutil.copytree(part / name, store / name, copy_function=_link)
            continue
        array, more = group[name], other[name]
        for block in regrid.blocks(array.shape[0], array.chunks[0]):
            array[block] = array[block] + more[block]
        array.update_attributes({"of": array.attrs["of"] + more.attrs["of"]})
    return {name: entry for name, entry in known.items() if "/" in name and not name.startswith(f"{variables.FILLED}/")}


def _link(source: str, target: str) -> None:
    """One more name for the same file; Zarr replaces files and never writes into them, so the part stays as it is."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
