"""The cache stores expensive results with a key, and uses them again only under the same key.

An entry is a file or a folder. It is written through `files.atomic`, so that it is complete or absent, and its seal holds its
checksums and its key. A reader names the key that an entry must have; a damaged entry, or one with another key, is made again.
A killed process leaves no entry, or the earlier one.

Reading and writing take no lock: if two processes write an entry at the same time, the last one wins. A process that changes
several files that belong together holds the lock `locked`.
"""

import errno
import fcntl
import json
import logging
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from tamrl import files, lineage, provenance, temporary
from tamrl.errors import InputError, MachineError
from tamrl.intake import border

_log = logging.getLogger(__name__)

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
"""Error numbers of a file system that has no locks."""

REFUSED = "the lock of this folder cannot be taken"


@dataclass(frozen=True)
class Key:
    """Everything that an entry depends on. Entries with equal keys hold the same numbers."""

    code: str
    """Digest of the source code that makes the entry."""
    software: Mapping[str, str]
    """Versions of the libraries which that code imports and which shape numbers, by name of import."""
    config: files.JsonObject
    """JSON-like settings, by name so that `differences` can name them."""
    inputs: files.JsonObject
    """JSON-like stamps or checksums of the inputs, by name."""

    def __post_init__(self) -> None:
        for name in ("software", "config", "inputs"):  # as they come back from a file: lists for tuples, no local paths
            object.__setattr__(self, name, json.loads(files.as_json(getattr(self, name))))

    def __hash__(self) -> int:
        return hash(self.digest)

    @classmethod
    def of(cls, *modules: str, config: files.JsonObject, inputs: files.JsonObject | None = None) -> "Key":
        """Return the key of results that `modules`, with all their imports from this package, make of `inputs` and `config`."""
        return cls(provenance.code_digest(*modules), provenance.libraries(*modules), config, inputs or {})

    @property
    def digest(self) -> str:
        """Return the short SHA-256 of the key."""
        return lineage.settings_digest(asdict(self))

    def differences(self, other: "Key") -> tuple[str, ...]:
        """Return the names of differing parts, such as `code`, `software.pandas` or `config.grid.resolution`."""
        return tuple(_differences("", asdict(self), asdict(other)))

    def to_json(self) -> dict[str, Any]:
        """Return the parts of the key, JSON-like."""
        return asdict(self)


def _differences(name: str, left: object, right: object) -> Iterator[str]:
    if isinstance(left, dict) and isinstance(right, dict):
        for part in sorted(left.keys() | right.keys()):
            yield from _differences(f"{name}.{part}" if name else part, left.get(part), right.get(part))
    elif left != right:
        yield name


@dataclass(frozen=True)
class Cache:
    """Entries below a folder, each with a name: a path relative to the folder. Other files in the folder are left alone."""

    folder: Path

    def path(self, name: str) -> Path:
        """Return the path of an entry, whether it exists or not."""
        return self.folder / name

    def get(self, name: str, key: Key) -> Path | None:
        """Path of an entry, if it is intact and has this key; otherwise None, and the log says why.

        Of a folder all files are read and compared that its seal names: those of a Zarr store with a manifest are not.
        """
        if (stored := self.stored(name)) is None:
            return None
        if differences := key.differences(stored):
            _log.info("%s is made again, for another %s", self.path(name), ", ".join(differences))
            return None
        return self.path(name)

    def stored(self, name: str) -> Key | None:
        """Key of an entry, None if it is absent or damaged."""
        path = self.path(name)
        if not path.exists():
            return None
        if not files.seal_file(path).is_file():
            _log.warning("%s has no seal and is not used", path)
            return None
        try:
            key = Key(**(files.Seal.read(path).key or {})) if files.is_intact(path) else None
        except TypeError as error:  # sealed, but not by this cache
            _log.info("%s has no key (%s)", path, error)
            return None
        if key is None:
            _log.warning("%s is damaged and is made again", path)
        return key

    def put(self, name: str, key: Key, *, listed: Callable[[str], bool] | None = None) -> AbstractContextManager[Path]:
        """Yield a temporary path for an entry; at the end of the block it replaces an earlier entry of that name.

        `listed` says whether the seal of a folder lists a file, see `files.atomic`, which also names the errors.
        """
        return files.atomic(self.path(name), listed=listed, key=key.to_json())

    def prune(self, *, keep: Iterable[str] = ()) -> tuple[str, ...]:
        """Remove all sealed files and folders except `keep`, and leftovers of killed processes; return the removed names.

        A sealed file without a key counts too: it is an entry of an earlier version. Files without a seal stay.
        """
        if not self.folder.is_dir():
            return ()
        names = tuple(name for name in self._names() if name not in set(keep))
        for name in names:
            self.remove(name)
        for folder in {self.folder, *(self.path(name).parent for name in names)}:
            temporary.sweep(folder)
            if folder != self.folder and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        return names

    def remove(self, name: str) -> None:
        """Remove an entry with its seal; one that does not exist is no error."""
        path = self.path(name)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        files.seal_file(path).unlink(missing_ok=True)

    def locked(self, name: str = "lock", *, patience: float = 0.0) -> AbstractContextManager[None]:
        """Hold a lock of this folder, see `locked`."""
        return locked(self.folder, name, patience=patience)

    def _names(self) -> list[str]:
        """Return the sorted names of sealed files and folders, without those inside an entry."""
        names: list[str] = []
        for folder, below, inside in os.walk(self.folder):
            sealed = {
                n.removeprefix(".").removesuffix(files.SEAL) for n in inside if n.startswith(".") and n.endswith(files.SEAL)
            }
            names += [(Path(folder) / name).relative_to(self.folder).as_posix() for name in sealed]
            below[:] = [name for name in below if name not in sealed and not name.startswith(temporary.PART)]
        return sorted(names)


@contextmanager
def locked(folder: Path, name: str = "lock", *, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock `name` of a folder, which ends with the process that holds it.

    It excludes other processes, and other machines if the file system has locks. If it has none, a file that names the process
    replaces the lock. Raises `InputError` if another process holds it for longer than `patience` seconds, and `MachineError` if
    the file system refuses for another reason.
    """
    path = folder / name
    with border.reading(REFUSED, where=path, error=MachineError):
        if folder.exists() and not folder.is_dir():
            todo = "move it away: the folder is made again"
            raise MachineError(REFUSED, where=folder, found="a file, not a folder", todo=todo)
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644), "r+")
    with handle:
        end = time.monotonic() + patience
        while (release := _take(handle, path)) is None:
            if time.monotonic() >= end:
                mark = path.with_name(f"{path.name}.held")
                advice = f"; if no such process runs, delete {mark}" if mark.exists() else ""
                todo = f"wait for it, or end it and give the command again{advice}"
                raise InputError("another process writes here", where=path, found=_holder(mark), todo=todo)
            time.sleep(0.1)
        try:
            yield
        finally:
            release()


def _take(handle: TextIO, path: Path) -> Callable[[], None] | None:
    """Take the lock and return the function that releases it, or None while another process holds it."""
    with border.reading(REFUSED, where=path, error=MachineError):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return None
            if error.errno not in NO_LOCKS:
                raise
            return _take_mark(path.with_name(f"{path.name}.held"))
    return lambda: None  # closing the file does


def _take_mark(mark: Path) -> Callable[[], None] | None:
    """Take the lock by a file that only one process can create; remove the file of an ended process of this machine."""
    try:
        number = os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        if _has_ended(mark):
            mark.unlink(missing_ok=True)
        return None
    with os.fdopen(number, "w", encoding="utf-8") as handle:
        handle.write(f"process {os.getpid()} of {socket.gethostname()}")
    _log.warning("the file system of %s has no locks: %s replaces one", mark.parent, mark.name)
    return partial(mark.unlink, missing_ok=True)


def _holder(mark: Path) -> str | None:
    try:
        return mark.read_text(encoding="utf-8") or None
    except FileNotFoundError:
        return None


def _has_ended(mark: Path) -> bool:
    _, number, _, machine = [*(_holder(mark) or "").split(" "), *[""] * 4][:4]
    if machine != socket.gethostname() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except OSError as error:  # a process of another user cannot be signalled, but it runs
        return error.errno == errno.ESRCH
    return False
