"""The cube on disk: a Zarr group whose dynamic variables are written one by one, or taken from parts that other jobs wrote."""

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from tamrl import stores, temporary, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers import regrid
from tamrl.drivers.cube.checks import Tally
from tamrl.drivers.cube.fields import CompositeField, Field, read_parts
from tamrl.drivers.cube.plan import CHUNK
from tamrl.drivers.mapped import MappedRegion
from tamrl.files import MANIFEST
from tamrl.grid import Grid

SOURCE_ATTRIBUTES = ("source", "expver", "filled_share", "climatology", "nodes", "product", "collection")
"""Attributes of a source's variable that the cube keeps."""


def cube_without_fields(
    statics: dict[str, np.ndarray], axis: TimeAxis, grid: Grid, region: MappedRegion | None = None
) -> xr.Dataset:
    """The cube without its dynamic variables: coordinates, statics and attributes; `region` is what the run maps, if not all.

    Parameters
    ----------
    statics : arrays (lat, lon) or (class, lat, lon), by name
    """
    ds = xr.Dataset(coords={"time": ("time", axis.start), "lat": ("lat", grid.lat), "lon": ("lon", grid.lon)})
    ds["time"].attrs = {"standard_name": "time", "long_name": "start of the step"}
    ds["time"].encoding = {"units": "days since 1970-01-01", "dtype": "int64", "chunks": (len(axis),)}
    ds["lat"].attrs = {"standard_name": "latitude", "units": "degrees_north"}
    ds["lon"].attrs = {"standard_name": "longitude", "units": "degrees_east"}
    for name, values in statics.items():
        kind = variables.get(name).classes
        dims = (*([kind] if kind else []), "lat", "lon")
        ds[name] = (dims, values, variables.attributes(name))
        chunks = (*values.shape[:-2], *chunk_shape(grid, len(axis))[1:])
        ds[name].encoding = {"chunks": chunks, "compressors": stores.compressors()}
        if kind:
            ds = ds.assign_coords({kind: (kind, np.array(variables.get(name).members, dtype=object))})
    ds.attrs = {"title": "Drivers on the grid of the maps", "time_step": axis.step, "resolution": grid.resolution}
    ds.attrs |= {"climatology": "months of the mean year"} if axis.climatology else {}
    if region:
        ds = ds.assign_coords({stores.MAPPED: (("lat", "lon"), region.cells.astype("int8"))}).assign_attrs(region=region.name)
    return ds


def chunk_shape(grid: Grid, steps: int) -> tuple[int, int, int]:
    """Steps, rows and columns of a chunk; those of the cube where it is smaller."""
    return min(CHUNK[0], steps), min(CHUNK[1], grid.shape[0]), min(CHUNK[2], grid.shape[1])


class VariableWriter:
    """Writes one dynamic variable into the Zarr group of a store, over the cells where `land` (lat, lon) is true."""

    def __init__(self, store: Path, name: str, field: Field, axis: TimeAxis, grid: Grid, land: np.ndarray) -> None:
        self.store, self.name, self.field, self.axis, self.land = store, name, field, axis, land
        self.grid = grid
        self.group = zarr.open_group(store, mode="r+", zarr_format=3)

    def write(self) -> Tally:
        """Write all steps block by block of whole chunks in time, and count where they rest on filled composites."""
        array, tally = self._create(self.name, dtype="float32", fill_value=np.nan), Tally(self.name, self.grid)

        def counted_blocks() -> Iterator[tuple[slice, np.ndarray]]:
            """Blocks of time steps with their values, counted on the way."""
            for block, values in self._blocks(list(regrid.consecutive_blocks(len(self.axis), CHUNK[0]))):
                tally.add(values, self.land)
                self._count_filled(block)
                yield block, values

        _write_blocks(array, counted_blocks())
        self._finish(array, tally, self.axis)
        return tally

    def extend(self, previous: Path, start: int, largest: float) -> Tally:
        """Write the steps from `start` on; the sealed store `previous` holds those before, with `largest` as their largest value.

        Its chunks of whole blocks in time become files of this store too; the block in which `start` lies is read back.
        """
        old = array_of(stores.open_group(previous), self.name)
        array = self._create(self.name, dtype="float32", fill_value=np.nan)
        first = start // CHUNK[0]
        for number in range(first):
            if (chunks := previous / self.name / "c" / str(number)).is_dir():
                shutil.copytree(chunks, self.store / self.name / "c" / str(number), copy_function=link)
        remade = _missing(old, slice(start, old.shape[0]), self.land)  # steps that are made again
        missing = _number(old, "missing_over_land") - remade
        tally = Tally(self.name, self.grid, largest, missing, start * int(self.land.sum()))
        before = slice(max(0, start - 2), start)
        tally.add_means(_read(old, before))

        def continued_blocks() -> Iterator[tuple[slice, np.ndarray]]:
            """Yield blocks with their values; those before `start` are read from `previous`."""
            blocks = list(regrid.consecutive_blocks(len(self.axis), CHUNK[0]))[first:]
            new = [slice(max(start, block.start), block.stop) for block in blocks]
            values = self._blocks([part for part in new if part.start < part.stop])
            for block, part in zip(blocks, new, strict=True):
                pieces = [_read(old, slice(block.start, min(start, block.stop)))] if block.start < start else []
                if part.start < part.stop:
                    pieces.append(next(values)[1])
                    tally.add(pieces[-1], self.land)
                yield block, np.concatenate(pieces)

        _write_blocks(array, continued_blocks())
        self._finish(array, tally, self.axis.part(slice(before.start, None)))
        return tally

    def _blocks(self, blocks: Sequence[slice]) -> Iterator[tuple[slice, np.ndarray]]:
        """Blocks of steps with their values (time, lat, lon), missing over sea."""
        parts = [read_parts(self.axis, block) for block in blocks]
        stream = self.field.values([part for inside in parts for part in inside]) if blocks else iter(())
        for block, inside in zip(blocks, parts, strict=True):
            values = np.full((block.stop - block.start, *self.grid.shape), np.nan, "float32")
            for part in inside:
                np.copyto(values[part.start - block.start : part.stop - block.start], next(stream), where=self.land)
            np.copyto(values, np.float32(np.nan), where=np.isnan(values))  # one kind of missing: its chunks are not stored
            yield block, values

    def _create(self, name: str, *, dtype: str, fill_value: float) -> zarr.Array[Any]:
        """An empty array (time, lat, lon) of the cube."""
        return self.group.create_array(
            name,
            shape=(len(self.axis), *self.grid.shape),
            chunks=chunk_shape(self.grid, len(self.axis)),
            compressors=stores.compressors(),
            dimension_names=("time", "lat", "lon"),
            dtype=dtype,
            fill_value=fill_value,
        )

    def _finish(self, array: zarr.Array[Any], tally: Tally, steps: TimeAxis) -> None:
        """Write the attributes of a variable, and refuse it where its values in `steps` cannot be right."""
        attributes = self.field.attributes
        named: dict[str, Any] = {name: value for name, value in attributes.items() if name in SOURCE_ATTRIBUTES}
        array.update_attributes(variables.attributes(self.name) | named | {"missing_over_land": tally.missing})
        tally.check(steps, attributes.get("source"))

    def _count_filled(self, block: slice) -> None:
        """Add a variable with composites to `filled_drivers` of the steps of a block."""
        if not isinstance(self.field, CompositeField):
            return
        if variables.FILLED not in self.group:
            counts = self._create(variables.FILLED, dtype="uint8", fill_value=0)
            counts.update_attributes(variables.attributes(variables.FILLED) | {"of": 0})
        array = array_of(self.group, variables.FILLED)
        filled = [self.field.filled(part) for part in read_parts(self.axis, block)]
        array[block] = _read(array, block) + (np.concatenate(filled) & self.land)
        if block.start == 0:
            array.update_attributes({"of": _number(array, "of") + 1})


def array_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """An array of a group."""
    array = group[name]
    assert isinstance(array, zarr.Array)
    return array


def _read(array: zarr.Array[Any], steps: slice) -> np.ndarray:
    return np.asarray(array[steps])


def _number(array: zarr.Array[Any], attribute: str) -> int:
    return int(str(array.attrs[attribute]))


def linked_entries(previous: Path, name: str, start: int) -> dict[str, stores.StoredFile]:
    """Entries in the manifest of `previous` for the files that `VariableWriter.extend` links."""
    folders = tuple(f"{name}/c/{number}/" for number in range(start // CHUNK[0]))
    return {file: entry for file, entry in stores.read_manifest(previous).files.items() if folders and file.startswith(folders)}


def take_part(store: Path, part: Path) -> dict[str, stores.StoredFile]:
    """Take the variables of a finished part into the cube, without copying where the file system can link.

    Returns the entries of the part's manifest for the files that are now the cube's, for `stores.seal_store`.
    """
    stores.check_store(part)
    entries = stores.read_manifest(part).files
    group, other = zarr.open_group(store, mode="r+", zarr_format=3), stores.open_group(part)
    for name in other.array_keys():
        if name != variables.FILLED or name not in group:
            shutil.copytree(part / name, store / name, copy_function=link)
            continue
        array, more = array_of(group, name), array_of(other, name)
        for block in regrid.consecutive_blocks(array.shape[0], array.chunks[0]):
            array[block] = _read(array, block) + _read(more, block)
        array.update_attributes({"of": _number(array, "of") + _number(more, "of")})
    return {name: entry for name, entry in entries.items() if "/" in name and not name.startswith(f"{variables.FILLED}/")}


def can_link(store: str | Path, folder: Path) -> bool:
    """Whether files of a store can have a second name in `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    with temporary.temporary_place(folder / "probe") as probe:
        try:
            os.link(Path(store) / MANIFEST, probe)
        except OSError:
            return False
    return True


def link(source: str, target: str) -> None:
    """Give a file a second name; Zarr replaces files and never writes into them, so the first stays as it is."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def _missing(array: zarr.Array[Any], steps: slice, land: np.ndarray) -> int:
    """How many values over land are missing in some steps of a stored variable."""
    blocks = regrid.consecutive_blocks(steps.stop - steps.start, CHUNK[0])
    parts = (_read(array, slice(steps.start + b.start, steps.start + b.stop)) for b in blocks)
    return sum(int(np.isnan(part[:, land]).sum()) for part in parts)


def _write_blocks(array: zarr.Array[Any], blocks: Iterator[tuple[slice, np.ndarray]]) -> None:
    """Write blocks in time, each while the next is computed, so that at most two are in memory."""
    with ThreadPoolExecutor(1) as writer:
        written: list[Future[None]] = []
        for block, values in blocks:
            for earlier in written:
                earlier.result()
            written = [writer.submit(array.__setitem__, block, values)]
        for last in written:
            last.result()
