"""The store of a map while its tiles are written, so that an interrupted run continues where it stopped.

`{label}.zarr` holds `gpp` and `reco` (member, time, lat, lon); a chunk is one member, one tile, all steps. `{label}.tiles/` holds
a record of each tile, written after it, with the SHA-256 of the fluxes of each member. What an earlier run left is used only if
its key and fluxes agree with the record; anything else is computed again. So a run that is killed at any moment loses at most the
tiles at work, and one more member costs that member.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from tamrl import carbon, files, stores, temporary
from tamrl.cache import Cache, Key
from tamrl.errors import ContractError, InputError, MachineError, StoreRemovedError
from tamrl.grid import Grid, Tile
from tamrl.inference.memory import has_memory, load_memories, memory_folder, save_memory
from tamrl.predictions import STORED_FLUXES, TileRecord
from tamrl.shapes import Memory

_log = logging.getLogger(__name__)

PATIENCE = 600.0
"""Seconds that a job waits for another one to create their common store."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Content of a store."""

    key: Key
    """All that shapes the fluxes of a member but its weights."""
    members: tuple[str, ...]
    names: tuple[str, ...]
    """Digest and name of each member, in order."""
    time: np.ndarray
    """Array of datetime64: time stamps of the mapped steps."""
    grid: Grid
    tile: int
    """Cells per side of a tile."""
    carried: bool
    """Whether the memory after the last step is stored too."""


@dataclass(frozen=True, eq=False)
class TileFluxes:
    """Fluxes of a tile."""

    values: np.ndarray
    """Array (2, member, time, lat, lon) of float32: GPP and RECO in gC m-2 d-1, NaN off land and where drivers are missing."""
    cells: int
    """Land cells."""
    memory: list[Memory] | None = None
    """Memory of each member, if it is to be stored."""


class TileStore:
    """The Zarr store of a label, and next to it the records of its tiles and the memories at the end of its year."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path, self.layout = path, layout
        self.records = records_of(path)
        self._frames = Cache(path.parent)

    def _array(self, flux: str) -> zarr.Array[Any]:
        """Open the array of a flux; each time, as writing into a removed one would create chunks without metadata."""
        return zarr.open_array(self.path / flux, mode="r+")

    def prepare(self) -> None:
        """Create the store, or take over what an earlier run left under the same key; everything else is deleted.

        Members that the store has already keep their tiles, whatever their place in the new order.
        """
        key, members = self.layout.key, list(self.layout.members)
        with self.records.locked("opening", patience=PATIENCE):
            temporary.sweep(self.path.parent)
            intact = self._frames.get(self.path.name, key) is not None
            stored_key, stored_members = self._attributes()
            if intact and stored_key == key.digest and stored_members == members:
                (self.path / files.MANIFEST).unlink(missing_ok=True)
                count = sum(1 for _ in self.records.folder.glob("*.json"))
                _log.info("%s has the same models and drivers: its %d finished tiles are kept", self.path, count)
                return
            same = stored_key == key.digest
            if same:
                why = "has other members" if intact else "has damaged coordinates or metadata"
                _log.info("%s %s: tiles of the members that stay are kept", self.path, why)
            else:
                self._discard()
            with self._frames.put(self.path.name, key, listed=_is_frame) as part:
                self._create(part)
                if same:
                    self._move_chunks(part, stored_members)

    @contextmanager
    def naming_removal(self) -> Iterator[None]:
        """While tiles are written: if writing fails because somebody removed the store, or a part of it, the error says so.

        Raises `StoreRemovedError` if an error comes, and metadata of the store or a file that is being written are gone.
        """
        try:
            yield
        except Exception as error:
            if isinstance(error, StoreRemovedError):
                raise
            frame = [self.path / name / "zarr.json" for name in ("", *STORED_FLUXES)]
            if gone := [str(file) for file in frame if not file.is_file()] or _missing_file(error, self.path.parent):
                raise self._removed(gone, error) from error
            raise

    def _removed(self, gone: list[str], error: Exception) -> StoreRemovedError:
        return StoreRemovedError(
            "the store was removed while its tiles were written",
            where=self.path,
            found=f"gone: {', '.join(gone)} ({type(error).__name__}: {error})",
            todo="the same command makes again what is missing",
        )

    def complete(self, tile: Tile, compute: Callable[[list[int]], TileFluxes]) -> TileRecord:
        """Write what a tile lacks: `compute` is called with the positions of the members that have no valid record.

        Raises `InputError` if the disk is full or cannot be written, and `StoreRemovedError` if the folder of a file that is
        being written is gone; errors of `compute` pass.
        """
        record = self._valid_record(tile)
        positions = [k for k, member in enumerate(self.layout.members) if member not in record.members]
        if not positions:
            return record
        fluxes = compute(positions)
        try:
            return self._write(tile, record, positions, fluxes)
        except (OSError, MachineError) as error:
            if gone := _missing_file(error, self.path.parent):  # here, because a process returns its error without the cause
                raise self._removed(gone, error) from error
            raise InputError(
                f"tile {tile.name} cannot be written",
                where=self.path,
                found=error,
                todo="make room and give the same command again: finished tiles are kept",
            ) from error

    def _write(self, tile: Tile, record: TileRecord, positions: Sequence[int], fluxes: TileFluxes) -> TileRecord:
        members, memory = dict(record.members), dict(record.memory)
        for k, position in enumerate(positions):
            for flux, values in zip(STORED_FLUXES, fluxes.values[:, k], strict=True):
                self._array(flux)[position, :, tile.rows, tile.columns] = values
            members[self.layout.members[position]] = hash_values(fluxes.values[:, k])
        if fluxes.memory is not None and fluxes.cells:
            for member, tensors in zip((self.layout.members[k] for k in positions), fluxes.memory, strict=True):
                memory[member] = save_memory(self.path, tile.name, member, tensors)
        first = fluxes.values[0, 0]  # the same steps are missing in all members
        missing = fluxes.cells * len(first) - int(np.isfinite(first).sum())
        record = TileRecord(cells=fluxes.cells, missing=missing, members=members, memory=memory)
        with self.records.put(f"{tile.name}.json", self.layout.key) as part:
            part.write_text(files.as_json(record.model_dump(mode="json")), encoding="utf-8")
        return record

    def _valid_record(self, tile: Tile) -> TileRecord:
        """Record of a tile with those members alone whose stored fluxes and memories agree with it."""
        if (path := self.records.get(f"{tile.name}.json", self.layout.key)) is None:
            return TileRecord()
        record = TileRecord.read(path)
        valid = []
        for k, member in enumerate(self.layout.members):
            if member not in record.members:
                continue
            if self._agrees(record, tile, k):
                valid.append(member)
            else:
                name = self.layout.names[k]
                _log.warning("tile %s of member %s differs from its record and will be computed again", tile.name, name)
        memory = {member: sha256 for member, sha256 in record.memory.items() if member in valid}
        return record.model_copy(update={"members": {member: record.members[member] for member in valid}, "memory": memory})

    def _agrees(self, record: TileRecord, tile: Tile, position: int) -> bool:
        member = self.layout.members[position]
        try:
            fluxes = np.stack([self._array(flux)[position, :, tile.rows, tile.columns] for flux in STORED_FLUXES])
        except (ValueError, RuntimeError, OSError) as error:
            _log.warning("tile %s is damaged: %s", tile.name, error)
            return False
        if hash_values(fluxes) != record.members[member]:
            return False
        needs_memory = self.layout.carried and record.cells > 0
        return not needs_memory or has_memory(self.path, tile.name, member, record.memory.get(member, ""))

    def seal(self, records: Mapping[str, TileRecord], *, label: str) -> None:
        """Seal the store, when all tiles have their records.

        Raises `ContractError` if no cell of the globe has a flux.
        """
        if not any(record.cells for record in records.values()):
            todo = "check land_fraction and maps.min_land_fraction"
            raise ContractError("no cell of the cube is land", where=self.path, todo=todo)
        for folder in (self.records.folder, *memory_folder(self.path).glob("*")):
            temporary.sweep(folder)
        for killed in self.path.rglob("*.partial"):
            killed.unlink()
        stores.seal_store(self.path, origin={"label": label, "key": self.layout.key.digest})

    def _discard(self) -> None:
        """Delete the store of another key, with its records and memories."""
        if os.path.lexists(self.path):
            _log.info("%s has other drivers, options or code: it is made again", self.path)
            temporary.remove(self.path)
        self.records.prune()
        shutil.rmtree(memory_folder(self.path), ignore_errors=True)

    def _move_chunks(self, new: Path, before: Sequence[str]) -> None:
        """Move the chunks of the members that stay into a new store; killed half-way, the records show which tiles are lost."""
        for flux in STORED_FLUXES:
            (new / flux / "c").mkdir(parents=True, exist_ok=True)
            for k, member in enumerate(self.layout.members):
                if member in before and (chunks := self.path / flux / "c" / str(before.index(member))).is_dir():
                    shutil.move(chunks, new / flux / "c" / str(k))  # the store may be a link to another disk

    def _attributes(self) -> tuple[str, list[str]]:
        """Digest of the key and members of the stored map; empty where its metadata are gone or damaged."""
        try:
            metadata = self.path / "zarr.json"
            attributes = files.read_json(metadata).get("attributes", {}) if metadata.is_file() else {}
            return attributes.get("key", ""), attributes.get("members", [])
        except (ContractError, ValueError, AttributeError) as error:
            _log.warning("%s is damaged and will be made again: %s", self.path, error)
            return "", []

    def _create(self, path: Path) -> None:
        """Write metadata and coordinates of the store."""
        layout, grid = self.layout, self.layout.grid
        group = zarr.create_group(path, zarr_format=3, attributes={"key": layout.key.digest, "members": list(layout.members)})
        days = (layout.time - np.datetime64("1970-01-01", "ns").astype(layout.time.dtype)) / np.timedelta64(1, "D")
        coordinates = {"member": np.asarray(layout.names, dtype=np.int32), "time": days, "lat": grid.lat, "lon": grid.lon}
        for name, values in coordinates.items():
            array = group.create_array(name, data=np.asarray(values), dimension_names=(name,), compressors=stores.compressors())
            if name == "time":
                array.attrs.update({"units": "days since 1970-01-01", "calendar": "standard"})
        for flux in STORED_FLUXES:
            group.create_array(
                flux,
                shape=(len(layout.members), len(layout.time), *grid.shape),
                chunks=(1, len(layout.time), *(min(layout.tile, size) for size in grid.shape)),
                dtype="float32",
                fill_value=np.float32(np.nan),
                compressors=stores.compressors(),
                dimension_names=("member", "time", "lat", "lon"),
                attributes={"units": carbon.UNITS},
            )


def records_of(store: Path) -> Cache:
    """The records of the tiles of a store."""
    return Cache(store.with_suffix(".tiles"))


def recall_memories(store: Path, tile: str, members: Sequence[str]) -> list[Memory]:
    """Read the memories that the store of an earlier year has for a tile.

    Raises `ContractError` if that of one of the members is missing or damaged.
    """
    path = records_of(store).path(f"{tile}.json")
    return load_memories(store, TileRecord.read(path) if path.is_file() else TileRecord(), tile, members)


def hash_values(values: np.ndarray) -> str:
    """SHA-256 of the bytes of an array."""
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()


def hash_lines(lines: Iterable[str]) -> str:
    """SHA-256 of lines of text."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def _is_frame(name: str) -> bool:
    """Whether a file of a store is metadata or a coordinate, and holds no fluxes."""
    return not name.startswith(tuple(f"{flux}/c/" for flux in STORED_FLUXES))


def _missing_file(error: BaseException | None, folder: Path) -> list[str]:
    """The file below `folder` that an error, or its cause, did not find: its removal may be in progress."""
    while error is not None:
        if isinstance(error, FileNotFoundError) and str(error.filename).startswith(str(folder)):
            return [str(error.filename)]
        error = error.__cause__ or error.__context__
    return []
