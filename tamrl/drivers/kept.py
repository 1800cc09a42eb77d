"""What is kept of a cube, so that a longer one need not be made anew: links to its files, and what its variables rest on.

A step of a variable may be taken over only if it would be made of the same numbers by the same code. So each variable has a
record: code, libraries, grid, step, first step, options and land map that shaped it (`key`), name, size, time and checksum of
each file that its sources might read (`files`), and what these tell (`leaves`, the variables that are read from files). Files
that came since may change only the steps that they tell something of; all steps before these stay. Where that cannot be shown,
`start` says why not, and the variable is made anew from the whole record. Composites always are: their gaps are filled
from the same season of all years, and steps lie between two of them, so each new one may change any step.
"""

import base64
import json
import logging
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tamrl import files, provenance, stores, temporary
from tamrl.drivers import cube as cubes
from tamrl.drivers import derived, store
from tamrl.drivers.formats import netcdf
from tamrl.drivers.reanalysis import time_steps
from tamrl.errors import InputError
from tamrl.sections import Drivers

log = logging.getLogger(__name__)

LIBRARIES = ("python", "numpy", "xarray", "zarr", "netCDF4", "dask")
"""Software that may shape numbers or how they are stored."""

Record = dict[str, Any]
"""What a variable rests on, JSON-like: `key`, `files`, `leaves`, `largest`, or why it is made anew each time: `whole`."""


@dataclass(frozen=True)
class Start:
    """Where a variable goes on.

    Attributes
    ----------
    step : int
        The first step to make.
    arrays : dict, optional
        Its sources' variables from the new files alone, if no step to make rests on another file.
    weights : dict
        Nodes that stand for land, as found with the first step of the record.
    """

    step: int
    arrays: dict[str, xr.DataArray] | None
    weights: dict[str, np.ndarray]

    def __str__(self) -> str:
        return f"step {self.step}, reading " + ("all files" if self.arrays is None else "the new files alone")


class Anew(Exception):
    """Why a variable is made from the whole record."""


def newest(folder: str | Path | None) -> Path | None:
    """The store kept last in `folder`, or None."""
    found = [path for path in Path(folder).glob("[0-9]*") if _sound(path)] if folder else []
    return max(found, key=lambda path: int(path.name), default=None)


def _sound(kept: Path) -> bool:
    """Whether what is kept can be opened; each variable is looked at when it is taken."""
    return files.intact(kept / stores.MANIFEST) and stores.damaged(kept, "zarr.json") is None


def keep(folder: str | Path | None, cube: str | Path, records: dict[str, Record]) -> None:
    """Keep a finished cube in `folder` by hard links, which take no room; what was kept before goes once that is done."""
    if not folder:
        return
    folder, last = Path(folder), newest(folder)
    target = folder / str(int(last.name) + 1 if last else 1)
    if not store.links(cube, folder):
        log.info("%s: no hard links there, so the next cube will be made anew", folder)
        return
    told = stores.manifest(cube)
    with files.atomic(target) as part:
        shutil.copytree(
            cube,
            part,
            copy_function=store.link,
            ignore=shutil.ignore_patterns(stores.MANIFEST, f".*{files.SEAL}", *files.FOREIGN),
        )
        stores.seal(part, about=told["about"] | {"records": records}, known=told["files"])
    for other in folder.iterdir():
        if other not in (target, files.seal_file(target)):
            temporary.remove(other)


def records(kept: Path | None) -> dict[str, Record]:
    """The records of a store kept, by variable."""
    return stores.manifest(kept)["about"]["records"] if kept else {}


def key(
    name: str, *, drivers: Drivers, options: dict[str, Any], code: str, land: object, axis: np.ndarray, **more: object
) -> Record:
    """What shapes the steps of a variable besides its files, JSON-like.

    Parameters
    ----------
    options : of each source of the drivers
    land : version of the source of the land map
    more : step and resolution
    """
    leaves = needed(name, drivers.sources)
    co2 = files.checksum(drivers.co2) if "co2" in _tree(name, drivers.sources) else None
    software = {k: v for k, v in provenance.software().items() if k in LIBRARIES}
    sources = {source: {"options": options[source], "variables": names} for source, names in leaves.items()}
    found = {"code": code, "software": software, "land map": land, "first step": str(axis[0]), "sources": sources, "co2": co2}
    return json.loads(files.as_json(found | more))


def needed(name: str, sources: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """What a variable is made of, by source."""
    return {source: names for source, names in cubes.plan((name,), sources).items() if names}


def is_summed(name: str, sources: tuple[str, ...]) -> bool:
    """Whether a variable is, or rests on, a sum over earlier steps."""
    derivations = (part for part in _tree(name, sources) if not cubes.provider(part, sources))
    return any(derived.get(part).summed for part in derivations)


def _tree(name: str, sources: tuple[str, ...]) -> set[str]:
    """A variable and all it is derived from."""
    needs = () if cubes.provider(name, sources) else derived.get(name).needs
    return {name}.union(*(_tree(need, sources) for need in needs))


def stamped(paths: dict[str, Path], *, checksums: bool) -> dict[str, list]:
    """Bytes, time and checksum (else None) of files."""
    about = {name: path.stat() for name, path in paths.items()}
    return {n: [s.st_size, s.st_mtime_ns, netcdf.checksum(paths[n]) if checksums else None] for n, s in about.items()}


def record(
    key: Record, stamps: dict[str, dict[str, list]], arrays: dict[str, xr.DataArray], weights: dict, largest: float
) -> Record:
    """The record of a variable that was made; `arrays` are its sources' variables, `stamps` the files by source."""
    if any(da.attrs.get("cadence") == "composite" for da in arrays.values()):
        return {"whole": "gaps of composites are filled from all years"}
    if any("extent" not in da.attrs for da in arrays.values()):
        return {"whole": "its source does not tell which files are new"}
    packed = {name: _pack(w) for name, w in weights.items() if w is not None and name in arrays}
    leaves = {n: da.attrs["extent"] | {"expver": da.attrs["expver"], "weights": packed.get(n)} for n, da in arrays.items()}
    return {"key": key, "files": stamps, "leaves": leaves, "largest": largest}


def confirmed(record: Record, old: dict[str, dict[str, list]], paths: dict[str, dict[str, Path]], *, name: str) -> Record:
    """The record of a variable made apart, with the checksums of its files; `old` are those it went on from, by source.

    Raises
    ------
    InputError
        If one of these was taken for unchanged by its size and time, and is not.
    """
    found = dict(record.get("files", {}))
    for source, told in found.items():
        now = stamped(paths[source], checksums=True)
        if any(file not in now or now[file][:2] != about[:2] for file, about in told.items()):
            log.warning("%s: files of %s changed while it was made, so that it will be made anew", name, source)
            return {"whole": "its files changed while it was made"}
        for file, about in old.get(source, {}).items():
            if now[file][2] != about[2]:
                todo = "delete the folder in which the cube is kept (drivers/.cube.zarr.kept), and run again"
                raise InputError(f"a file of {source} changed, but neither its size nor its time", where=file, todo=todo)
        found[source] = {file: now[file] for file in told}
    return record if "whole" in record else record | {"files": found}


def start(
    before: Record | None,
    *,
    name: str,
    key: Record,
    stamps: dict[str, dict[str, list]],
    paths: dict[str, dict[str, Path]],
    kept: Path,
    axis: np.ndarray,
    summed: bool,
    opened: Callable[[dict[str, frozenset[str]]], dict[str, xr.DataArray]],
) -> Start:
    """Where a variable goes on, from its record `before`.

    Parameters
    ----------
    stamps, paths : files of its sources now
    summed : whether it is, or rests on, a sum over earlier steps
    opened : opens its variables of the sources given in the files given

    Raises
    ------
    Anew
        If it does not.
    """
    if before is None or "whole" in before:
        raise Anew(before["whole"] if before else "it was not in the cube before")
    if other := [part for part in key if key[part] != before["key"].get(part)]:
        raise Anew(f"other {', '.join(other)}")
    for source, old in before["files"].items():
        if (file := _changed(old, stamps[source], paths[source])) is not None:
            raise Anew(f"{source}: {file} changed")
    if (file := stores.damaged(kept, name)) is not None:
        raise Anew(f"what was kept is damaged: {file}")
    count = stores.group(kept)[name].shape[0]
    if count > axis.size:
        raise Anew("the time axis became shorter")
    fresh = {source: frozenset(now) - frozenset(before["files"][source]) for source, now in stamps.items()}
    return _from_new(before, {s: new for s, new in fresh.items() if new}, fresh, count, axis, summed, opened)


def _from_new(
    before: Record,
    given: dict[str, frozenset[str]],
    fresh: dict[str, frozenset[str]],
    count: int,
    axis: np.ndarray,
    summed: bool,
    opened: Callable[[dict[str, frozenset[str]]], dict[str, xr.DataArray]],
) -> Start:
    """Where to go on for the sake of the new files, and whether they are all that is needed."""
    try:
        arrays = opened(given)
    except InputError as error:
        raise Anew(f"the new files cannot be told apart ({error})") from None
    step, leaves = count, before["leaves"]
    for leaf, da in arrays.items():
        extent, old = da.attrs["extent"], leaves[leaf]
        if extent["every"] is None or any(extent[k] != old[k] for k in ("every", "grid")):
            raise Anew(f"the new files hold {leaf} in another form, or too few times to tell")
        step = min(step, int(np.searchsorted(axis, _step(extent["steps"][0], axis))))
    if step == 0:
        raise Anew("the new files reach back to the first step")
    apart = all(da.attrs["extent"]["times"][0] > leaves[leaf]["times"][1] for leaf, da in arrays.items())
    ended = all(_step(old["steps"][1], axis) < axis[min(step, axis.size - 1)] for old in leaves.values())
    weights = {leaf: _unpack(old["weights"]) for leaf, old in leaves.items() if old["weights"]}
    if summed or not (apart and ended) or len(given) < len(fresh):
        return Start(step, None, weights)
    for leaf, da in arrays.items():
        extent, old = da.attrs["extent"], leaves[leaf]
        both = {k: [old[k][0], extent[k][1]] for k in ("times", "steps")}
        da.attrs |= {"extent": extent | both, "expver": time_steps.add_expver(old["expver"], da.attrs["expver"])}
    return Start(step, arrays, weights)


def _step(day: str, axis: np.ndarray) -> np.datetime64:
    """The step of `axis` that holds a day or month."""
    monthly = axis.size > 1 and axis[1] - axis[0] > np.timedelta64(2, "D")
    return np.datetime64(day, "M" if monthly else "D").astype(axis.dtype)


def _changed(old: dict[str, list], now: dict[str, list], paths: dict[str, Path]) -> str | None:
    """The first file that is gone or not as it was; one of the same size and time is read only if `now` has its checksum."""
    for file, (size, time, known) in old.items():
        if file not in now or now[file][0] != size:
            return file
        same = now[file][2] == known if now[file][2] else now[file][1] == time
        if not same and netcdf.checksum(paths[file]) != known:
            return file
    return None


def _pack(weights: np.ndarray) -> list:
    """Zeros and ones as text, with their shape and type."""
    return [base64.b64encode(zlib.compress(np.packbits(weights > 0).tobytes())).decode(), *weights.shape, str(weights.dtype)]


def _unpack(packed: list) -> np.ndarray:
    text, rows, columns, kind = packed
    bits = np.frombuffer(zlib.decompress(base64.b64decode(text)), "uint8")
    return np.unpackbits(bits, count=rows * columns).reshape(rows, columns).astype(kind)
