"""Temporary folders for unfinished files, and the move of finished files to their final names.

A temporary folder `.part-<random>/` lies next to the file. Its name cannot be guessed, only this user may enter it, and its
process holds a lock in it. A free lock marks the leftovers of a killed process.
"""

import ctypes
import errno
import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from tamrl.errors import MachineError

PART = ".part-"
_LOCK, _ASIDE, _PROBE = ".lock", ".aside-", ".probe"
_ROOM = 1024**2


@contextmanager
def temporary_place(path: Path) -> Iterator[Path]:
    """Yield a path of the same name in a new temporary folder, which is removed at the end with all its content."""
    folder, lock = _made(path.parent)
    try:
        yield folder / path.name
    finally:
        os.close(lock)
        for pause in (0.0, 0.1, 0.4, 1.5):  # threads of a library may still write after its error
            time.sleep(pause)
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break


def _made(parent: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PART, dir=parent))
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:  # swept before it was locked
            continue
        with suppress(OSError):  # a file system without locks: nobody sweeps there
            fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / _LOCK).exists():
            return folder, lock
        os.close(lock)


def within(path: Path) -> bool:
    """Return whether a path lies in a temporary folder."""
    return any(name.startswith(PART) for name in path.parts[:-1])


def sweep(folder: Path) -> None:
    """Remove leftovers of killed processes of this user in `folder`; restore a product that was moved aside."""
    for left in folder.glob(f"{PART}*"):
        with suppress(OSError):
            if left.is_symlink() or left.stat().st_uid != os.geteuid():
                continue
            if not (left / _LOCK).exists():
                left.rmdir()  # fails for all but an empty one
                continue
            lock = os.open(left / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for old in left.glob(f"{_ASIDE}*"):
                    if not os.path.lexists(product := folder / old.name.removeprefix(_ASIDE)):
                        old.rename(product)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)


def abandoned(folder: Path) -> list[Path]:
    """Return the temporary folders in `folder` whose process has ended; their content is unfinished."""
    left = []
    for place in sorted(folder.glob(f"{PART}*")):
        try:
            lock = os.open(place / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # of another user, or swept at this moment
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.append(place)
        except OSError:  # its process runs
            continue
        finally:
            os.close(lock)
    return left


def begun(path: Path) -> Path:
    """Return the folder `.<name>.part` next to `path`, for downloads that later calls continue; refuse one of another user."""
    part = path.with_name(f".{path.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    if part.is_symlink() or part.stat().st_uid != os.geteuid():
        raise MachineError("the temporary folder is not ours", where=part, found="a link or foreign folder", todo="delete it")
    return part


def no_link(path: str, flags: int) -> int:
    """Open a file whose name others may know; refuse a link of that name."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


sweep_once = cache(sweep)
"""Sweep a folder once per process."""


def move_into_place(part: Path, path: Path) -> None:
    """Rename `part` to `path`, replacing an earlier file of that name, and sync the folder."""
    if os.path.lexists(path) and (_is_folder(part) or _is_folder(path)):
        with temporary_place(path) as aside:
            if _exchange(part, path):
                part.rename(aside)
            else:
                path.rename(aside.with_name(f"{_ASIDE}{path.name}"))  # from where `sweep` restores it
                part.rename(path)
    else:
        os.replace(part, path)
    if not within(path):
        _sync(path.parent)


def remove(path: Path) -> None:
    """Remove a file, a folder with its content, or a link but not its target."""
    shutil.rmtree(path) if _is_folder(path) else path.unlink(missing_ok=True)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names atomically; return False if the system or the file system cannot."""
    swap = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    here, exchange = -100, 2
    if swap is None or swap(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0:
        return swap is not None
    if (number := ctypes.get_errno()) in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


def sync(path: Path) -> None:
    """Flush a file, or a folder with its content, to the disk."""
    for inside in path.rglob("*") if path.is_dir() else ():
        if not inside.is_symlink():
            _sync(inside)
    _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refused(part: Path) -> int | None:
    """Return the error number with which the file system refuses to store the size of `part` again; None if it accepts.

    Libraries report a full disk by various errors ("NetCDF: HDF error", "Permission denied"), so this asks the file system.
    """
    held = sum(p.stat().st_size for p in (part, *part.rglob("*")) if p.is_file())
    probe = part.with_name(_PROBE)
    try:
        handle = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.posix_fallocate(handle, 0, max(held, _ROOM))
        finally:
            os.close(handle)
            probe.unlink()
    except OSError as error:
        return error.errno
    return None
