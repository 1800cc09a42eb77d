"""The tile store: members written tile by tile, so that an interrupted run continues where it stopped.

`{label}.zarr` holds `gpp` and `reco` (member, time, lat, lon); beside it `{label}.tiles/` holds one record a tile, written
after the tile: its key (models, cube, options), the SHA-256 of its numbers and its counts. A tile is taken over from an
earlier run only if key and numbers agree with its record; anything else is computed again.
"""

import fcntl
import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
import numpy as np
import zarr
from dask.callbacks import Callback

from tamrl import carbon, files, log, stores
from tamrl.errors import ContractError, InputError
from tamrl.grid import Tile

LOG = logging.getLogger(__name__)

FLUXES = ("gpp", "reco")
"""What is stored; NEE is their difference."""

Fluxes = tuple[np.ndarray, int]
"""gpp and reco (2, member, time, lat, lon), and the number of land cells of the tile."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder of records for this process; raises `InputError` if another one has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                "another process writes this map", where=folder, todo="wait for it, or end it and give the command again"
            ) from None
        yield


def records_folder(store: Path) -> Path:
    """Where the records of a store's tiles lie."""
    return store.with_suffix(".tiles")


def open_store(
    store: Path, *, key: str, members: list[str], time: np.ndarray, lat: np.ndarray, lon: np.ndarray, tile: int
) -> zarr.Group:
    """Open the store for writing; one of another key, or of none, is deleted with its records.

    Parameters
    ----------
    key : digest of all that shapes the numbers
    members : names
    time, lat, lon : coordinates
    tile : cells per side; chunks hold one member and one tile, all steps
    """
    found = _attributes(store)
    if found.get("key") == key:
        for leftover in [stores.MANIFEST, *(p.relative_to(store) for p in store.rglob("*.partial"))]:
            (store / leftover).unlink(missing_ok=True)
        LOG.info("%s is of the same models and drivers: finished tiles are kept", store)
        return zarr.open_group(store, mode="r+")
    if store.exists():
        LOG.info("%s is of other models or drivers: it is made anew", store)
        shutil.rmtree(store)
    for record in records_folder(store).glob("*.json"):
        record.unlink()
    with files.atomic(store) as part:
        _create(part, key=key, members=members, time=time, lat=lat, lon=lon, tile=tile)
    return zarr.open_group(store, mode="r+")


def _attributes(store: Path) -> dict:
    return files.read_json(store / "zarr.json").get("attributes", {}) if (store / "zarr.json").is_file() else {}


def _create(path: Path, *, key: str, members: list[str], time: np.ndarray, lat: np.ndarray, lon: np.ndarray, tile: int) -> None:
    group = zarr.create_group(path, zarr_format=3, attributes={"key": key})
    days = (time - np.datetime64("1970-01-01", "ns").astype(time.dtype)) / np.timedelta64(1, "D")
    units = {"time": {"units": "days since 1970-01-01", "calendar": "standard"}}
    for name, values in {"member": np.asarray(members, dtype=np.int32), "time": days, "lat": lat, "lon": lon}.items():
        group.create_array(
            name,
            data=np.asarray(values),
            dimension_names=(name,),
            compressors=stores.compressors(),
            attributes=units.get(name, {}),
        )
    shape = (len(members), len(time), len(lat), len(lon))
    for flux in FLUXES:
        group.create_array(
            flux,
            shape=shape,
            chunks=(1, len(time), min(tile, len(lat)), min(tile, len(lon))),
            dtype="float32",
            fill_value=np.float32(np.nan),
            compressors=stores.compressors(),
            dimension_names=("member", "time", "lat", "lon"),
            attributes={"units": carbon.UNITS},
        )


def fill(
    group: zarr.Group, tiles: list[Tile], compute: Callable[[Tile], Fluxes], *, store: Path, key: str, threads: int
) -> dict[str, dict]:
    """Compute the tiles that have no valid record, `threads` at a time, and write each with its record.

    Returns
    -------
    dict
        Tile name: `sha256` of its numbers, `cells` of land, `missing` steps of these cells (counted once for all members).
    """
    known = {tile.name: record for tile in tiles if (record := _adopted(group, tile, store, key))}
    LOG.info("%d of %d tiles are there already", len(known), len(tiles))
    todo = [tile for tile in tiles if tile.name not in known]
    ticks = log.progress(range(len(todo)), "tiles")
    tasks = [dask.delayed(_one)(group, tile, compute, store, key) for tile in todo]
    with Callback(posttask=lambda *_: next(ticks, None)):
        made = dask.compute(*tasks, scheduler="threads", num_workers=threads)
    known |= {tile.name: record for tile, record in zip(todo, made, strict=True)}
    return {tile.name: {k: known[tile.name][k] for k in ("sha256", "cells", "missing")} for tile in tiles}


def _one(group: zarr.Group, tile: Tile, compute: Callable[[Tile], Fluxes], store: Path, key: str) -> dict:
    fluxes, cells = compute(tile)
    try:
        for flux, values in zip(FLUXES, fluxes, strict=True):
            group[flux][:, :, tile.rows, tile.columns] = values
        record = {"key": key, "sha256": digest(fluxes), "cells": cells, "missing": missing(fluxes[0, 0], cells)}
        files.write_json(_record(store, tile), record)
    except OSError as error:
        raise InputError(
            f"tile {tile.name} cannot be written",
            where=store,
            found=error,
            todo="make room and give the same command again: finished tiles are kept",
        ) from error
    return record


def _adopted(group: zarr.Group, tile: Tile, store: Path, key: str) -> dict | None:
    """The record of a tile whose stored numbers agree with it."""
    if not _record(store, tile).is_file():
        return None
    record = files.read_json(_record(store, tile))
    if record["key"] != key:
        return None
    try:
        fluxes = np.stack([group[flux][:, :, tile.rows, tile.columns] for flux in FLUXES])
    except (ValueError, RuntimeError, OSError) as error:
        LOG.warning("tile %s is damaged and will be computed again: %s", tile.name, error)
        return None
    if digest(fluxes) != record["sha256"]:
        LOG.warning("tile %s differs from its record and will be computed again", tile.name)
        return None
    return record


def _record(store: Path, tile: Tile) -> Path:
    return records_folder(store) / f"{tile.name}.json"


def digest(values: np.ndarray) -> str:
    """SHA-256 of the numbers of an array."""
    return hashlib.sha256(np.ascontiguousarray(values)).hexdigest()


def missing(fluxes: np.ndarray, cells: int) -> int:
    """Missing steps (time, lat, lon) over the tile's `cells` land cells."""
    return cells * len(fluxes) - int(np.isfinite(fluxes).sum())


def finish(store: Path, records: dict[str, dict], *, manifest: str, label: str, key: str, about: dict) -> None:
    """Seal the store and write the manifest of the map, which says that it is complete.

    Raises
    ------
    ContractError
        If no cell of the globe has a flux.
    """
    cells = sum(r["cells"] for r in records.values())
    if cells == 0:
        raise ContractError("no cell of the cube is land", where=store, todo="check land_fraction and maps.min_land_fraction")
    stores.seal(store, about={"label": label, "key": key})
    content = about | {
        "label": label,
        "key": key,
        "store": stores.digest(store),
        "digest": hashlib.sha256("".join(f"{n} {r['sha256']}\n" for n, r in sorted(records.items())).encode()).hexdigest(),
        "cells": cells,
        "missing": sum(r["missing"] for r in records.values()),
        "tiles": records,
    }
    files.write_json(manifest, content)
