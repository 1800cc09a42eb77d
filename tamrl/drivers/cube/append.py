"""The cube that is kept, so that a longer one goes on from it: hard links to its files, and a record of each variable.

A step of a variable may be taken over only if it would be made of the same numbers by the same code. So the record of a variable
names what shaped it (`variable_key`), size, time and checksum of each file that its sources might read, and what these hold
(`Extent`). New files may change only the steps that they tell something of; all steps before these stay. Where that cannot be
shown, `KeptCube.start` says why, and the variable is made from all files. Composites always are: their gaps are filled from the
same season of all years, and steps lie between two of them, so each new one may change any step.
"""

import base64
import logging
import shutil
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from pydantic import TypeAdapter, ValidationError

from tamrl import files, provenance, stores
from tamrl.cache import Cache, Key
from tamrl.calendar import TimeAxis
from tamrl.drivers.cube import write
from tamrl.drivers.cube.access import SourceAccess
from tamrl.drivers.cube.plan import sources_of, with_needs
from tamrl.drivers.extent import Extent
from tamrl.drivers.formats import netcdf
from tamrl.drivers.reanalysis import time_steps
from tamrl.errors import InputError

_log = logging.getLogger(__name__)

LIBRARIES = ("python", "numpy", "xarray", "zarr", "netCDF4", "dask")
"""Software that may shape numbers or how they are stored."""

COMPOSITES = "gaps of composites are filled from all years"
UNLISTED = "its source does not tell which files are new"


class NotContinued(Exception):
    """Why a variable is made from all files."""


class FileStamp(NamedTuple):
    """Bytes, time of modification in ns and, where it was read, SHA-256 of a file."""

    size: int
    time: int
    checksum: str | None


Stamps = dict[str, dict[str, FileStamp]]
"""Stamps of files by source and name."""

Paths = Mapping[str, Mapping[str, Path]]
"""Files by source and name."""

Opener = Callable[[Mapping[str, frozenset[str]]], dict[str, xr.DataArray]]
"""Opens the variables that a variable is made of, from the files named of each source."""


@dataclass(frozen=True)
class NodeMask:
    """Zeros and ones (lat, lon) as compressed text."""

    text: str
    rows: int
    columns: int
    dtype: str

    @classmethod
    def pack(cls, weights: np.ndarray) -> "NodeMask":
        """The mask of an array."""
        text = base64.b64encode(zlib.compress(np.packbits(weights > 0).tobytes())).decode()
        rows, columns = weights.shape
        return cls(text, rows, columns, str(weights.dtype))

    def unpack(self) -> np.ndarray:
        """The array."""
        bits = np.frombuffer(zlib.decompress(base64.b64decode(self.text)), "uint8")
        return np.unpackbits(bits, count=self.rows * self.columns).reshape(self.rows, self.columns).astype(self.dtype)


def variable_key(name: str, access: SourceAccess, *, code: str, land_map: Mapping[str, object]) -> Key:
    """All that shapes the steps of a variable besides the files of its sources.

    Parameters
    ----------
    code : digest of the code
    land_map : version of the source of the land map
    """
    sources = {
        source: {"options": access.options(source).model_dump(mode="json"), "variables": names}
        for source, names in sources_of(name, access.sources).items()
    }
    axis, series = access.axis, access.drivers.co2 if "co2" in with_needs(name, access.sources) else None
    return Key(
        code,
        {library: version for library, version in provenance.software().items() if library in LIBRARIES},
        {"sources": sources, "first step": str(axis.start[0]), "step": axis.step, "resolution": access.grid.resolution},
        {"land map": land_map, "co2": files.checksum(Path(series)) if series else None},
    )


@dataclass(frozen=True)
class LeafRecord:
    """What was read of a variable of a source: its extent, counts of `expver`, and its nodes on land where only these count."""

    extent: Extent
    expver: str
    weights: NodeMask | None


@dataclass(frozen=True)
class VariableRecord:
    """What a variable of the cube rests on."""

    key: Key
    """All that shapes it besides these files."""
    files: Stamps
    """Stamps of the files of its sources, by source and name."""
    leaves: dict[str, LeafRecord]
    """The variables of the sources that it is made of."""
    largest: float


@dataclass(frozen=True)
class NoRecord:
    """Why a variable cannot go on."""

    reason: str


Record = VariableRecord | NoRecord
_RECORD: TypeAdapter[Record] = TypeAdapter(Record)


def record_from_json(values: object) -> Record:
    """A record from the manifest of a store; one of another form is none."""
    try:
        return _RECORD.validate_python(values)
    except ValidationError:
        return NoRecord("its record has another form")


def record_to_json(record: Record) -> Any:
    """A record as JSON-like values, for the manifest of a store."""
    return _RECORD.dump_python(record, mode="json")


@dataclass(frozen=True)
class VariableInputs:
    """What decides, before a variable is made, whether it goes on: its key, and the files of its sources as they are now."""

    name: str
    key: Key
    stamps: Stamps
    paths: Paths
    summed: bool

    def record(self, arrays: Mapping[str, xr.DataArray], weights: Mapping[str, np.ndarray], largest: float) -> Record:
        """The record of the variable, once it is made from `arrays`."""
        if any(da.attrs.get("cadence") == "composite" for da in arrays.values()):
            return NoRecord(COMPOSITES)
        if any("extent" not in da.attrs for da in arrays.values()):
            return NoRecord(UNLISTED)
        leaves = {
            name: LeafRecord(da.attrs["extent"], da.attrs["expver"], NodeMask.pack(weights[name]) if name in weights else None)
            for name, da in arrays.items()
        }
        return VariableRecord(self.key, self.stamps, leaves, largest)


@dataclass(frozen=True)
class Start:
    """Where a variable goes on."""

    step: int
    """The first step to make."""
    arrays: dict[str, xr.DataArray] | None
    """The variables of its sources from the new files alone, if no step to make rests on another file."""
    weights: dict[str, np.ndarray]
    """Nodes that stand for land, chosen with the first step of the record."""
    largest: float
    """The largest value of the steps before."""

    def __str__(self) -> str:
        return f"step {self.step}, reading " + ("all files" if self.arrays is None else "the new files alone")


@dataclass(frozen=True)
class KeptCube:
    """A kept cube: its sealed store, and the records of its variables."""

    store: Path
    records: dict[str, Record]

    @classmethod
    def newest(cls, folder: str | Path | None) -> "KeptCube | None":
        """The cube kept last in `folder`, or None."""
        if not folder:
            return None
        cache = Cache(Path(folder))
        names = [path.name for path in cache.folder.glob("[0-9]*") if cache.stored(path.name) is not None]
        # each variable is compared with its checksums when it is taken
        names = [name for name in names if stores.find_damage(cache.path(name), "zarr.json") is None]
        if not names:
            return None
        store = cache.path(max(names, key=int))
        records = stores.read_manifest(store).origin["records"]
        return cls(store, {name: record_from_json(record) for name, record in records.items()})

    def start(self, now: VariableInputs, axis: TimeAxis, opener: Opener) -> Start:
        """Where a variable goes on. Raise `NotContinued` if it does not."""
        record = self.records.get(now.name, NoRecord("it was not in the cube before"))
        if isinstance(record, NoRecord):
            raise NotContinued(record.reason)
        if differences := now.key.differences(record.key):
            raise NotContinued(f"other {', '.join(differences)}")
        for source, old in record.files.items():
            if (file := _changed(old, now.stamps[source], now.paths[source])) is not None:
                raise NotContinued(f"{source}: {file} changed")
        if (file := stores.find_damage(self.store, now.name)) is not None:
            raise NotContinued(f"what was kept is damaged: {file}")
        count = write.array_of(stores.open_group(self.store), now.name).shape[0]
        if count > len(axis):
            raise NotContinued("the time axis became shorter")
        fresh = {source: frozenset(stamps) - frozenset(record.files[source]) for source, stamps in now.stamps.items()}
        return _start_from(record, fresh, count, axis, now.summed, opener)


def _start_from(
    record: VariableRecord, fresh: Mapping[str, frozenset[str]], count: int, axis: TimeAxis, summed: bool, opener: Opener
) -> Start:
    """Return where to go on after `count` steps because of the new files of each source."""
    new = {source: names for source, names in fresh.items() if names}
    try:
        arrays = opener(new)
    except InputError as error:
        raise NotContinued(f"the new files cannot be told apart ({error})") from None
    step, leaves = count, record.leaves
    for leaf, da in arrays.items():
        extent: Extent = da.attrs["extent"]
        if not extent.same_form(leaves[leaf].extent):
            raise NotContinued(f"the new files hold {leaf} in another form, or too few times to tell")
        step = min(step, int(np.searchsorted(axis.start, _step_of(extent.steps[0], axis))))
    if step == 0:
        raise NotContinued("the new files reach back to the first step")
    later = all(da.attrs["extent"].times[0] > leaves[leaf].extent.times[1] for leaf, da in arrays.items())
    next_step = axis.start[min(step, len(axis) - 1)]
    ended = all(_step_of(leaf.extent.steps[1], axis) < next_step for leaf in leaves.values())
    weights = {name: leaf.weights.unpack() for name, leaf in leaves.items() if leaf.weights}
    if summed or not (later and ended) or len(new) < len(fresh):
        return Start(step, None, weights, record.largest)
    for name, da in arrays.items():
        before = leaves[name]
        expver = time_steps.add_expver(before.expver, da.attrs["expver"])
        da.attrs |= {"extent": before.extent.until(da.attrs["extent"]), "expver": expver}
    return Start(step, arrays, weights, record.largest)


def _step_of(day: str, axis: TimeAxis) -> Any:
    """The start of the step that holds a day or month."""
    start = np.datetime64(day, "M") if axis.step == "month" else np.datetime64(day, "D")
    return start.astype("datetime64[ns]")


def stamp_files(paths: Mapping[str, Path], *, checksums: bool) -> dict[str, FileStamp]:
    """Stamps of files; with `checksums` all are read through."""
    status = {name: path.stat() for name, path in paths.items()}
    sums = netcdf.file_checksums(paths) if checksums else dict.fromkeys(paths)
    return {name: FileStamp(s.st_size, s.st_mtime_ns, sums[name]) for name, s in status.items()}


def _changed(old: Mapping[str, FileStamp], now: Mapping[str, FileStamp], paths: Mapping[str, Path]) -> str | None:
    """The first file that is gone or changed; one of the same size and time is read only if `now` has its checksum."""
    for file, before in old.items():
        stamp = now.get(file)
        if stamp is None or stamp.size != before.size:
            return file
        same = stamp.checksum == before.checksum if stamp.checksum else stamp.time == before.time
        if not same and netcdf.file_checksum(paths[file]) != before.checksum:
            return file
    return None


def confirm_record(record: Record, before: Record | None, paths: Paths, *, name: str) -> Record:
    """The record of a variable that another job made, with the checksums of its files.

    Raise `InputError` if a file was taken for unchanged by its size and time, and is not.

    Parameters
    ----------
    before : the record that it went on from
    """
    if isinstance(record, NoRecord):
        return record
    known = before.files if isinstance(before, VariableRecord) else {}
    confirmed: Stamps = {}
    for source, stamps in record.files.items():
        now = stamp_files(paths[source], checksums=True)
        if any(file not in now or now[file][:2] != stamp[:2] for file, stamp in stamps.items()):
            _log.warning("%s: files of %s changed while it was made, so that it will be made anew", name, source)
            return NoRecord("its files changed while it was made")
        for file, stamp in known.get(source, {}).items():
            if now[file].checksum != stamp.checksum:
                todo = "delete the folder in which the cube is kept (drivers/.cube.zarr.kept), and run again"
                raise InputError(f"a file of {source} changed, but neither its size nor its time", where=file, todo=todo)
        confirmed[source] = {file: now[file] for file in stamps}
    return VariableRecord(record.key, confirmed, record.leaves, record.largest)


def keep_cube(folder: str | Path | None, cube: str | Path, records: Mapping[str, Record]) -> None:
    """Keep a finished cube in `folder` by hard links, which take no room; earlier ones are removed once that is done."""
    if not folder:
        return
    cache, last = Cache(Path(folder)), KeptCube.newest(folder)
    name = str(int(last.store.name) + 1 if last else 1)
    if not write.can_link(cube, cache.folder):
        _log.info("%s: no hard links there, so the next cube will be made anew", folder)
        return
    manifest = stores.read_manifest(cube)
    key = Key(manifest.origin["code"], {}, {}, {"cube": stores.manifest_digest(cube)})
    with cache.put(name, key) as part:
        ignored = shutil.ignore_patterns(files.MANIFEST, f".*{files.SEAL}", *files.FOREIGN)
        shutil.copytree(cube, part, copy_function=write.link, ignore=ignored)
        values = {variable: record_to_json(record) for variable, record in records.items()}
        stores.seal_store(part, origin=manifest.origin | {"records": values}, known=manifest.files)
    cache.prune(keep=[name])
