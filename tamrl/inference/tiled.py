"""The tiles of a map: members written tile by tile, so that an interrupted run continues where it stopped.

Beside the store `{label}.zarr` (see `layout`), `{label}.tiles/` holds one record a tile, written after the tile: its key
(drivers, options), its counts, and for each member the SHA-256 of its numbers. What an earlier run left is taken over only if
key and numbers agree with the record; anything else is computed again. So a run that is killed at any moment loses at most
the tiles at work, and one more member costs that member.
"""

import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

import dask
import numpy as np
import zarr
from dask.callbacks import Callback

from tamrl import files, log, stores, temporary
from tamrl.errors import ContractError, InputError, MachineError
from tamrl.grid import Tile
from tamrl.inference import memory
from tamrl.inference.layout import FLUXES, Layout, records_folder
from tamrl.inference.predict import Memory
from tamrl.predictions import Manifest

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Done:
    """What a tile gave.

    Attributes
    ----------
    fluxes : array (2, member, time, lat, lon)
        gpp and reco, NaN off land and where drivers are missing.
    cells : int
        Number of land cells.
    memory : list of Memory, or None
        One a member, if it is to be put down.
    """

    fluxes: np.ndarray
    cells: int
    memory: list[Memory] | None = field(default=None)


Compute = Callable[[Tile, list[int]], Done]
"""Computes a tile for some of the members, given by position."""


def fill(
    tiles: list[Tile], one: Callable[[Tile], dict], *, threads: int, pool: ProcessPoolExecutor | None = None
) -> dict[str, dict]:
    """Name and record of each tile (see `one`), `threads` tiles at a time, by the processes of `pool` where there are some.

    Raises
    ------
    InputError
        If a process was ended from outside; errors of `one` as they are.
    """
    ticks = log.progress(range(len(tiles)), "tiles")
    work = dask.delayed(one)
    tasks = [work(tile, dask_key_name=f"tile-{tile.name}") for tile in tiles]  # without names their order is random
    how = {"scheduler": "processes", "pool": pool, "chunksize": 1} if pool else {"scheduler": "threads", "num_workers": threads}
    try:
        with Callback(posttask=lambda *_: next(ticks, None)):
            records = dask.compute(*tasks, **how)
    except BrokenProcessPool as error:
        todo = "give the job more memory, or fewer threads; the same command goes on with the tiles that are missing"
        raise InputError("a process that made tiles was ended", found=error, todo=todo) from error
    return {tile.name: record for tile, record in zip(tiles, records, strict=True)}


def one(tile: Tile, group: zarr.Group, compute: Compute, *, store: Path, layout: Layout, remember: bool) -> dict:
    """Compute for a tile the members that have no valid record, write them, then the record.

    Parameters
    ----------
    remember : whether memories are put down, and wanted of earlier runs

    Returns
    -------
    dict
        The record: `cells` of land, `missing` steps of these cells, counted once for all members; `members`: the SHA-256 of
        each one's numbers; with `remember` `memory`: that of each one's file.
    """
    record = _adopted(group, tile, store, layout, remember)
    positions = [k for k, digest in enumerate(layout.members) if digest not in record["members"]]
    if not positions:
        return record
    done = compute(tile, positions)
    try:
        for k, position in enumerate(positions):
            for flux, values in zip(FLUXES, done.fluxes[:, k], strict=True):
                group[flux][position, :, tile.rows, tile.columns] = values
        own = {layout.members[p]: digest(done.fluxes[:, k]) for k, p in enumerate(positions)}
        record |= {"key": layout.key, "cells": done.cells, "missing": missing(done.fluxes[0, 0], done.cells)}
        record |= {"members": record["members"] | own}
        if done.memory is not None and done.cells:
            files_ = {
                layout.members[p]: memory.save(store, tile.name, layout.members[p], done.memory[k])
                for k, p in enumerate(positions)
            }
            record |= {"memory": record.get("memory", {}) | files_}
        files.write_json(_record(store, tile.name), record)
    except (OSError, MachineError) as error:
        raise InputError(
            f"tile {tile.name} cannot be written",
            where=store,
            found=error,
            todo="make room and give the same command again: finished tiles are kept",
        ) from error
    return record


def _adopted(group: zarr.Group, tile: Tile, store: Path, layout: Layout, remember: bool) -> dict:
    """The record of a tile, with the members alone whose stored numbers and memories agree with it."""
    fresh, path = {"members": {}}, _record(store, tile.name)
    record = files.read_json(path) if files.intact(path) else fresh
    if record.get("key") != layout.key:
        return fresh
    kept = {}
    for k, member in enumerate(layout.members):
        said = record["members"].get(member)
        if said and _agrees(group, tile, k, said) and (not remember or _remembered(record, store, tile.name, member)):
            kept[member] = said
        elif said:
            LOG.warning("tile %s of member %s differs from its record and will be computed again", tile.name, layout.names[k])
    own = {m: s for m, s in record.get("memory", {}).items() if m in kept}
    return record | {"members": kept} | ({"memory": own} if own else {})


def _agrees(group: zarr.Group, tile: Tile, member: int, said: str) -> bool:
    try:
        fluxes = np.stack([group[flux][member, :, tile.rows, tile.columns] for flux in FLUXES])
    except (ValueError, RuntimeError, OSError) as error:
        LOG.warning("tile %s is damaged: %s", tile.name, error)
        return False
    return digest(fluxes) == said


def _remembered(record: dict, store: Path, tile: str, member: str) -> bool:
    return record["cells"] == 0 or memory.intact(store, tile, member, record.get("memory", {}).get(member, ""))


def _record(store: Path, tile: str) -> Path:
    return records_folder(store) / f"{tile}.json"


def recall(store: Path, tile: str, members: list[str]) -> list[Memory]:
    """The memories that `fill` put down for a tile of another year's store.

    Raises
    ------
    ContractError
        If there is none of one of the members.
    """
    said = files.read_json(_record(store, tile)).get("memory", {}) if _record(store, tile).is_file() else {}
    return [memory.load(store, tile, member, said.get(member, "")) for member in members]


def digest(values: np.ndarray) -> str:
    """SHA-256 of the numbers of an array."""
    return hashlib.sha256(np.ascontiguousarray(values)).hexdigest()


def missing(fluxes: np.ndarray, cells: int) -> int:
    """Missing steps (time, lat, lon) over the tile's `cells` land cells."""
    return cells * len(fluxes) - int(np.isfinite(fluxes).sum())


def finish(store: Path, records: dict[str, dict], *, manifest: str, label: str, layout: Layout, about: dict) -> None:
    """Seal the store and write the manifest of the map, which says that it is complete.

    Raises
    ------
    ContractError
        If no cell of the globe has a flux.
    """
    cells = sum(r["cells"] for r in records.values())
    if cells == 0:
        raise ContractError("no cell of the cube is land", where=store, todo="check land_fraction and maps.min_land_fraction")
    for folder in (records_folder(store), *memory.folder(store).glob("*")):
        temporary.sweep(folder)
    for killed in store.rglob("*.partial"):
        killed.unlink()
    stores.seal(store, about={"label": label, "key": layout.key})
    tiles = {name: _summary(record, layout) for name, record in records.items()}
    Manifest(
        **about,
        label=label,
        key=layout.key,
        members=layout.members,
        store=store.name,
        store_digest=stores.digest(store),
        digest=_joined(f"{name} {tile['sha256']}" for name, tile in sorted(tiles.items())),
        cells=cells,
        missing=sum(r["missing"] for r in records.values()),
        tiles=tiles,
    ).write(manifest)


def _summary(record: dict, layout: Layout) -> dict:
    return {
        "sha256": _joined(record["members"][member] for member in layout.members),
        "cells": record["cells"],
        "missing": record["missing"],
    }


def _joined(lines: object) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
