"""Safe reading of zip archives that came from elsewhere.

Nothing is unpacked to disk. Members are streamed up to a size limit, so that hostile names and wrong headers do no harm, and
decades of half hours need only the memory of the wanted columns. An archive with one suspicious member is refused as a whole.
"""

import io
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from tamrl.errors import InputError
from tamrl.intake import zips

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_BYTES = 1 << 32
"""Unpacked bytes of the largest streamed member (half hours of 30 years have about 1.3 GB)."""

MAX_WHOLE = 1 << 28
"""Largest member held in memory: tables of metadata."""

MAX_RATIO = 100
"""Largest ratio of bytes out to bytes in; tower files have 3 to 20."""

_BLOCK = 1 << 20


class CappedStream(io.RawIOBase):
    """A stream that counts its bytes and refuses to pass more than `cap` bytes."""

    def __init__(self, source: IO[bytes], *, cap: int, refusal: InputError):
        self._source, self._cap, self._refusal = source, cap, refusal
        self.passed = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read the next bytes; raise the refusal beyond the cap."""
        target = memoryview(buffer)
        block = self._source.read(len(target))
        self.passed += len(block)
        if self.passed > self._cap:
            raise self._refusal
        target[: len(block)] = block
        return len(block)


def list_members(path: Path) -> list[str]:
    """Return the sorted names of the members of an archive.

    Raises `InputError` if the file is not a zip archive or is damaged, or if a member leaves the archive or is a link.
    """
    with _archive(path) as archive:
        return sorted({info.filename for info in archive.infolist() if not info.is_dir()})


@contextmanager
def open_member(path: Path, name: str, *, max_bytes: int = MAX_BYTES, max_ratio: int = MAX_RATIO) -> Iterator[CappedStream]:
    """Open a member of an archive as a stream, so that it is never completely in memory.

    Parameters
    ----------
    path, name : archive and member
    max_bytes : cap of the unpacked size
    max_ratio : cap of the unpacked size, as a multiple of the archive's size

    Raises `InputError` as in `list_members`; if the member is encrypted or packed by an unsupported method; or if it exceeds
    a cap while it is read (the sizes in its header are not trusted).
    """
    with _archive(path) as archive:
        info = archive.getinfo(name)
        zips.check_member(info, where=path)
        size = path.stat().st_size
        cap = min(max_bytes, max(zips.FREE, max_ratio * size))
        refusal = InputError(
            f"the archive is refused: member {name!r} grows beyond {cap:,} bytes",
            where=path,
            found=f"{size:,} bytes on disk",
            todo="no tower file is packed so tightly; fetch it from its publisher",
        )
        with archive.open(info) as member:
            yield CappedStream(member, cap=cap, refusal=refusal)


def read_members(
    path: Path, choose: Callable[[list[str]], list[str]], *, max_bytes: int = MAX_WHOLE, max_ratio: int = MAX_RATIO
) -> dict[str, bytes]:
    """Read the members that `choose` picks from the list of names into memory.

    Parameters
    ----------
    choose : function that picks from the sorted names
    max_bytes : cap of the unpacked size of all picked members
    max_ratio : as in `open_member`

    Raises `InputError` as `open_member` does.
    """
    contents: dict[str, bytes] = {}
    for name in choose(list_members(path)):
        left = max_bytes - sum(len(content) for content in contents.values())
        with open_member(path, name, max_bytes=left, max_ratio=max_ratio) as member:
            contents[name] = b"".join(iter(lambda: member.read(_BLOCK), b""))
    return contents


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; any fault in it is an `InputError` that names it."""
    if not path.is_file():
        raise InputError("the archive does not exist", where=path)
    with zips.open_zip(path, where=path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                _check(info, path)
        yield archive


def _check(info: zipfile.ZipInfo, path: Path) -> None:
    """Refuse names that leave the archive, links and devices."""
    # zipfile rewrites a name on reading (null bytes, separators): check the name that the archive holds.
    name = (info.orig_filename or info.filename).replace("\\", "/")
    parts = PurePosixPath(name).parts
    kind = stat.S_IFMT(info.external_attr >> 16)
    reasons = {
        "leaves the archive": ".." in parts or name.startswith("/") or ":" in name or "\0" in name,
        "is a link or device": kind not in (0, stat.S_IFREG, stat.S_IFDIR),
    }
    for reason, holds in reasons.items():
        if holds:
            raise InputError(f"the archive is refused: member {name!r} {reason}", where=path, todo="fetch it from its publisher")
