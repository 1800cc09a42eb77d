"""A lock between processes, also between those of several machines, that ends with the process that holds it."""

import errno
import fcntl
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TextIO

from tamrl.errors import InputError, MachineError
from tamrl.intake import border

LOG = logging.getLogger(__name__)

ABSENT = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
"""Error numbers of a file system that has no locks."""

REFUSED = "the lock of this map cannot be taken"


@contextmanager
def locked(folder: Path, name: str = "lock", *, patience: float = 0.0) -> Iterator[None]:
    """Hold a lock in the folder of records; on a file system without locks a file that names the process stands for it.

    Raises
    ------
    InputError
        If another process has it for longer than `patience` seconds.
    MachineError
        If the file system refuses for another reason.
    """
    path = folder / name
    with border.reading(REFUSED, where=path, error=MachineError):
        if folder.exists() and not folder.is_dir():
            raise MachineError(REFUSED, where=folder, found="a file, not a folder", todo="move it away: the folder is made anew")
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644), "r+")
    with handle:
        until = time.monotonic() + patience
        while (release := _take(handle, path)) is None:
            if time.monotonic() >= until:
                mark = _mark(path)
                last = f"; if no such process runs, delete {mark}" if mark.exists() else ""
                todo = f"wait for it, or end it and give the command again{last}"
                raise InputError("another process writes this map", where=path, found=_holder(mark), todo=todo)
            time.sleep(0.1)
        try:
            yield
        finally:
            release()


def _take(handle: TextIO, path: Path) -> Callable[[], None] | None:
    """What gives the lock back, or None while another process has it."""
    with border.reading(REFUSED, where=path, error=MachineError):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return None
            if error.errno not in ABSENT:
                raise
            return _take_mark(_mark(path))
    return lambda: None  # closing the file does


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.held")


def _take_mark(mark: Path) -> Callable[[], None] | None:
    """The same by a file that only one process can make; one of a process of this machine that has ended is taken over."""
    try:
        number = os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        if _ended(mark):
            mark.unlink(missing_ok=True)
        return None
    with os.fdopen(number, "w", encoding="utf-8") as handle:
        handle.write(f"process {os.getpid()} of {socket.gethostname()}")
    LOG.warning("the file system of %s has no locks: %s stands for one", mark.parent, mark.name)
    return partial(mark.unlink, missing_ok=True)


def _holder(mark: Path) -> str | None:
    try:
        return mark.read_text(encoding="utf-8") or None
    except FileNotFoundError:
        return None


def _ended(mark: Path) -> bool:
    _, number, _, machine = [*(_holder(mark) or "").split(" "), *[""] * 4][:4]
    if machine != socket.gethostname() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except OSError as error:  # a process of another user may not be asked, but is there
        return error.errno == errno.ESRCH
    return False
