"""The cube on disk: a Zarr group whose dynamic variables are written one by one, or taken from parts that other jobs wrote."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from tamrl import stores, temporary, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers import cube as cubes
from tamrl.drivers import regrid
from tamrl.drivers.cells import Cells
from tamrl.grid import Grid

TOLD = ("source", "expver", "filled_share", "climatology", "nodes", "product", "collection")
"""Attributes of a source's variable that the cube keeps."""


def template(statics: dict[str, np.ndarray], axis: TimeAxis, grid: Grid) -> xr.Dataset:
    """The cube without its dynamic variables: coordinates, statics and attributes."""
    ds = xr.Dataset(coords={"time": ("time", axis.start), "lat": ("lat", grid.lat), "lon": ("lon", grid.lon)})
    ds["time"].attrs = {"standard_name": "time", "long_name": "start of the step"}
    ds["time"].encoding = {"units": "days since 1970-01-01", "dtype": "int64", "chunks": (len(axis),)}
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
    ds.attrs = {"title": "Drivers on the grid of the maps", "time_step": axis.step, "resolution": grid.resolution}
    ds.attrs |= {"climatology": "months of the mean year"} if axis.climatology else {}
    return ds


def chunk(grid: Grid, count: int = cubes.CHUNK[0]) -> tuple[int, int, int]:
    """Steps, rows and columns of a chunk where the cube is smaller than one."""
    return min(cubes.CHUNK[0], count), min(cubes.CHUNK[1], grid.shape[0]), min(cubes.CHUNK[2], grid.shape[1])


def write_dynamic(store: Path, name: str, cells: Cells, land: np.ndarray) -> cubes.Tally:
    """Write one variable block by block of whole chunks in time, and count where it rests on filled composites."""
    group = zarr.open_group(store, mode="r+", zarr_format=3)
    array = _create(group, name, cells, dtype="float32", fill_value=np.nan)
    tally = cubes.Tally(name)

    def made() -> Iterator[tuple[slice, np.ndarray]]:
        """Blocks and their values."""
        for block in regrid.blocks(len(cells.time), cubes.CHUNK[0]):
            values = _block(name, cells, land, block)
            tally.add(values, land)
            _count_filled(group, cells, name, land, block)
            yield block, values

    _write(array, made())
    _finish(array, cells, tally, cells.time.start)
    return tally


def extend(store: Path, name: str, cells: Cells, land: np.ndarray, *, kept: Path, start: int, largest: float) -> cubes.Tally:
    """Write one variable of which the sealed store `kept` holds the steps before `start` as they would be made now.

    Its chunks of whole blocks in time become files of `store` too; the block in which `start` lies is read back.

    Parameters
    ----------
    largest : float
        The largest value of the steps kept.
    """
    old = stores.group(kept)[name]
    array = _create(zarr.open_group(store, mode="r+", zarr_format=3), name, cells, dtype="float32", fill_value=np.nan)
    first = start // cubes.CHUNK[0]
    for number in range(first):
        if (chunks := kept / name / "c" / str(number)).is_dir():
            shutil.copytree(chunks, store / name / "c" / str(number), copy_function=link)
    gone = _missing(old, slice(start, old.shape[0]), land)  # of steps that are made anew
    tally = cubes.Tally(name, largest, int(old.attrs["missing_over_land"]) - gone, start * int(land.sum()))
    before = slice(max(0, start - 2), start)
    tally.see(old[before])

    def made() -> Iterator[tuple[slice, np.ndarray]]:
        """Blocks and their values, those before `start` as they were."""
        for block in list(regrid.blocks(len(cells.time), cubes.CHUNK[0]))[first:]:
            parts, new = [], slice(max(start, block.start), block.stop)
            if block.start < start:
                parts.append(old[block.start : min(start, block.stop)])
            if new.start < new.stop:
                parts.append(_block(name, cells, land, new))
                tally.add(parts[-1], land)
            yield block, np.concatenate(parts)

    _write(array, made())
    _finish(array, cells, tally, cells.time.start[before.start :])
    return tally


def linked(kept: Path, name: str, start: int) -> dict[str, dict[str, Any]]:
    """Entries in the manifest of `kept` for the files that `extend` links."""
    whole = tuple(f"{name}/c/{number}/" for number in range(start // cubes.CHUNK[0]))
    return {file: entry for file, entry in stores.manifest(kept)["files"].items() if whole and file.startswith(whole)}


def _missing(array: zarr.Array, steps: slice, land: np.ndarray) -> int:
    """How many values over land are missing in some steps of a stored variable."""
    parts = (array[steps.start + b.start : steps.start + b.stop] for b in regrid.blocks(steps.stop - steps.start, cubes.CHUNK[0]))
    return sum(int(np.isnan(part[:, land]).sum()) for part in parts)


def _write(array: zarr.Array, made: Iterator[tuple[slice, np.ndarray]]) -> None:
    """Write blocks in time; one is written while the next is made, so that at most two are held."""
    with ThreadPoolExecutor(1) as writer:
        written: list[Future[None]] = []
        for block, values in made:
            for earlier in written:
                earlier.result()
            written = [writer.submit(array.__setitem__, block, values)]
        for last in written:
            last.result()


def _finish(array: zarr.Array, cells: Cells, tally: cubes.Tally, seen: np.ndarray) -> None:
    """Attributes of a variable, and what is said against its values in the steps `seen`."""
    source = cells.arrays[tally.name].attrs if tally.name in cells.arrays else {"source": "derived"}
    told = {k: v for k, v in source.items() if k in TOLD}
    array.update_attributes(variables.attributes(tally.name) | told | {"missing_over_land": tally.missing})
    tally.check(seen, source.get("source"))


def _create(group: zarr.Group, name: str, cells: Cells, **kind: Any) -> zarr.Array:
    """An empty array (time, lat, lon) of the cube."""
    count = len(cells.time)
    layout = {"chunks": chunk(cells.grid, count), "compressors": stores.compressors(), "dimension_names": ("time", "lat", "lon")}
    return group.create_array(name, shape=(count, *cells.grid.shape), **layout, **kind)


def _count_filled(group: zarr.Group, cells: Cells, name: str, land: np.ndarray, block: slice) -> None:
    """Add a variable with composites to `filled_drivers` of the steps of a block."""
    parts = [cells.filled(name, part) for part in cubes.pieces(cells.time.start, block)]
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
    for part in cubes.pieces(cells.time.start, block):
        inside = values[part.start - block.start : part.stop - block.start]
        np.copyto(inside, cells.values(name, part), where=land)
    np.copyto(values, np.float32(np.nan), where=np.isnan(values))  # one kind of missing: chunks of it alone are not stored
    return values


def take(store: Path, part: Path) -> dict[str, dict[str, Any]]:
    """Take the variables of a finished part into the cube, without copying where the file system can link.

    Returns the entries of the part's manifest for the files that are now the cube's, for `stores.seal`.
    """
    stores.check(part)
    known = stores.manifest(part)["files"]
    group, other = zarr.open_group(store, mode="r+", zarr_format=3), stores.group(part)
    for name in other.array_keys():
        if name != variables.FILLED or name not in group:
            shutil.copytree(part / name, store / name, copy_function=link)
            continue
        array, more = group[name], other[name]
        for block in regrid.blocks(array.shape[0], array.chunks[0]):
            array[block] = array[block] + more[block]
        array.update_attributes({"of": array.attrs["of"] + more.attrs["of"]})
    return {name: entry for name, entry in known.items() if "/" in name and not name.startswith(f"{variables.FILLED}/")}


def links(store: str | Path, folder: Path) -> bool:
    """Whether files of a store can have a second name in `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    with temporary.place(folder / "probe") as probe:
        try:
            os.link(Path(store) / stores.MANIFEST, probe)
        except OSError:
            return False
    return True


def link(source: str, target: str) -> None:
    """One more name for the same file; Zarr replaces files and never writes into them, so the part stays as it is."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
