"""The layout of the store of a map: `gpp` and `reco` (member, time, lat, lon), a chunk being one member, one tile, all steps."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr

from tamrl import carbon, files, stores, temporary
from tamrl.cache import locked
from tamrl.errors import ContractError

LOG = logging.getLogger(__name__)

FLUXES = ("gpp", "reco")
"""What is stored; NEE is their difference."""

PATIENCE = 600.0
"""Seconds that a job waits for another one to lay out their common store."""


@dataclass(frozen=True)
class Layout:
    """What a store holds.

    Attributes
    ----------
    key : digest of all that shapes a member's numbers but its weights
    members : digest of each member, in order
    names : name of each member
    time, lat, lon : coordinates
    tile : cells per side
    """

    key: str
    members: tuple[str, ...]
    names: tuple[str, ...]
    time: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    tile: int


def records_folder(store: Path) -> Path:
    """Where the records of a store's tiles lie."""
    return store.with_suffix(".tiles")


def lay_out(store: Path, layout: Layout) -> None:
    """Make the store ready; what an earlier run left of the same key is kept, everything else is deleted.

    Members that the store has already keep their tiles, wherever they stand in the new order.
    """
    records = records_folder(store)
    with locked(records, "opening", patience=PATIENCE):
        temporary.sweep(store.parent)
        found = _attributes(store)
        whole = files.seal_file(store).is_file() and files.intact(store)
        if whole and found.get("key") == layout.key and found.get("members") == list(layout.members):
            (store / stores.MANIFEST).unlink(missing_ok=True)
            there = sum(1 for _ in records.glob("*.json"))
            LOG.info("%s is of the same models and drivers: its %d finished tiles are kept", store, there)
        elif found.get("key") == layout.key:
            why = "is of other members" if whole else "has damaged coordinates or metadata"
            LOG.info("%s %s: tiles of the members that stay are kept", store, why)
            with files.atomic(store, listed=_framed) as part:
                _create(part, layout)
                _move(store, part, found.get("members", []), list(layout.members))
        else:
            _discard(store)
            with files.atomic(store, listed=_framed) as part:
                _create(part, layout)


@contextmanager
def standing(store: Path) -> Iterator[None]:
    """While tiles are written: where they fail because somebody removed the store, or part of it, the error says that.

    Raises
    ------
    ContractError
        If an error comes and metadata of the store, or a file that is written, are gone.
    """
    try:
        yield
    except Exception as error:
        frame = [store / name / "zarr.json" for name in ("", *FLUXES)]
        if gone := [str(file) for file in frame if not file.is_file()] or _missed(error, store.parent):
            found = f"gone: {', '.join(gone)} ({type(error).__name__}: {error})"
            todo = "the same command makes anew what is missing"
            raise ContractError(
                "the store was removed while its tiles were written", where=store, found=found, todo=todo
            ) from error
        raise


def _missed(reason: BaseException | None, folder: Path) -> list[str]:
    """The file below `folder` that an error, or what caused it, did not find: its removal may still be under way."""
    while reason is not None:
        if isinstance(reason, FileNotFoundError) and str(reason.filename).startswith(str(folder)):
            return [str(reason.filename)]
        reason = reason.__cause__ or reason.__context__
    return []


def _discard(store: Path) -> None:
    """Delete a store of other drivers, with its records and memories."""
    if os.path.lexists(store):
        LOG.info("%s is of other drivers, options or code: it is made anew", store)
        temporary.remove(store)
    for record in [*records_folder(store).glob("*.json"), *records_folder(store).glob(f".*{files.SEAL}")]:
        record.unlink()
    shutil.rmtree(store.with_suffix(".memory"), ignore_errors=True)


def _move(old: Path, new: Path, before: list[str], after: list[str]) -> None:
    """Move the chunks of the members that stay; killed half-way, tiles that are lost are missed by their records."""
    for flux in FLUXES:
        (new / flux / "c").mkdir(parents=True, exist_ok=True)
        for k, member in enumerate(after):
            if member in before and (chunks := old / flux / "c" / str(before.index(member))).is_dir():
                shutil.move(chunks, new / flux / "c" / str(k))  # the store may be a link to another disk


def _attributes(store: Path) -> dict:
    """Attributes of a store, none where its metadata are gone or damaged."""
    try:
        return files.read_json(store / "zarr.json").get("attributes", {}) if (store / "zarr.json").is_file() else {}
    except (ContractError, ValueError, AttributeError) as error:
        LOG.warning("%s is damaged and will be made anew: %s", store, error)
        return {}


def _framed(name: str) -> bool:
    """Whether a file belongs to the frame of a store, its metadata and coordinates, and not to the numbers of its tiles."""
    return not name.startswith(tuple(f"{flux}/c/" for flux in FLUXES))


def _create(path: Path, layout: Layout) -> None:
    group = zarr.create_group(path, zarr_format=3, attributes={"key": layout.key, "members": list(layout.members)})
    steps, lat, lon = layout.time, layout.lat, layout.lon
    days = (steps - np.datetime64("1970-01-01", "ns").astype(steps.dtype)) / np.timedelta64(1, "D")
    units = {"time": {"units": "days since 1970-01-01", "calendar": "standard"}}
    for name, values in {"member": np.asarray(layout.names, dtype=np.int32), "time": days, "lat": lat, "lon": lon}.items():
        group.create_array(
            name,
            data=np.asarray(values),
            dimension_names=(name,),
            compressors=stores.compressors(),
            attributes=units.get(name, {}),
        )
    for flux in FLUXES:
        group.create_array(
            flux,
            shape=(len(layout.members), len(steps), len(lat), len(lon)),
            chunks=(1, len(steps), min(layout.tile, len(lat)), min(layout.tile, len(lon))),
            dtype="float32",
            fill_value=np.float32(np.nan),
            compressors=stores.compressors(),
            dimension_names=("member", "time", "lat", "lon"),
            attributes={"units": carbon.UNITS},
        )
