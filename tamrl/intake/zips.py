"""Open foreign zip archives and distinguish their faults, so that only a broken archive has to be fetched again.

Sizes in headers are not trusted: the number of members is limited, members that share bytes are refused, and unpacked bytes are
counted (`UnpackedBytes`).
"""

import io
import logging
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tamrl import files
from tamrl.errors import InputError
from tamrl.intake import border

_log = logging.getLogger(__name__)

READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Packing methods that are read. Python also unpacks BZIP2 and LZMA, but without a limit on the size of one read."""

METHODS = {1: "Shrink", 6: "Implode", 9: "Deflate64", 12: "BZIP2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
"""Other packing methods of programs (APPNOTE.TXT 6.3.10, section 4.4.5); 99 means encryption."""

MOST_MEMBERS = 10_000
"""Archives with more members are refused."""

FREE = 1 << 24
"""Bytes that an archive of any size may unpack to."""

_BLOCK = 1 << 20
_AGAIN = "fetch the file again"
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
_DIRECTORY = (1 << 16) + 22
"""Bytes at the end of a file within which its directory must end."""


@contextmanager
def open_zip(source: Path | bytes, *, where: object) -> Iterator[zipfile.ZipFile]:
    """Open an archive from its path or bytes; faults that appear while it is read become named errors too.

    Raise `InputError` if it is missing, not a zip archive, cut before its directory, or damaged; `MachineError` if the machine
    refuses to read it.
    """
    with border.reading("the archive cannot be read", where=where, todo=_AGAIN):
        if isinstance(source, Path):
            files.verified(source)  # of the twin, or a download
        _bounded(source, where)
        try:
            archive = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
        except zipfile.BadZipFile as error:
            fault, todo = _fault(source, error)
            raise InputError("the archive cannot be read", where=where, found=fault, todo=todo) from error
    with archive:
        _apart(archive, where)
        try:
            yield archive
        except OSError:
            with border.reading("the archive cannot be read", where=where, todo=_AGAIN):
                raise
        except _BROKEN as error:
            fault = f"damaged: {error or type(error).__name__}"
            raise InputError("the archive cannot be read", where=where, found=fault, todo=_AGAIN) from error


def _tail(source: Path | bytes) -> tuple[bytes, bytes, int]:
    """Return the first bytes, the last bytes with the end of the directory, and the size."""
    with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as handle:
        first, size = handle.read(512), handle.seek(0, io.SEEK_END)
        handle.seek(max(0, size - _DIRECTORY))
        return first, handle.read(), size


def _bounded(source: Path | bytes, where: object) -> None:
    """Refuse a directory with too many entries before it is read, by the number and size that its end declares."""
    _, mark, end = _tail(source)[1].rpartition(b"PK\x05\x06")
    count, size = int.from_bytes(end[6:8], "little"), int.from_bytes(end[8:12], "little")
    if mark and len(end) >= 18 and max(count, size // 512) > MOST_MEMBERS:
        counted = f"{count:,} members, {size:,} bytes of directory"
        todo = f"archives of up to {MOST_MEMBERS:,} members are read: unpack it, and pack what is needed"
        raise InputError("the archive is refused: it has too many members", where=where, found=counted, todo=todo)


def _apart(archive: zipfile.ZipFile, where: object) -> None:
    """Refuse members that share bytes, by which a small archive could unpack to any size, and an archive within a cut one."""
    end, before = 0, ""
    members = sorted(archive.infolist(), key=lambda info: info.header_offset)
    if members and members[0].header_offset:
        begin = f"{members[0].header_offset:,} bytes before its first member"
        raise InputError("the archive is refused: it begins with something else", where=where, found=begin, todo=_AGAIN)
    for info in members:
        if info.header_offset < end:
            pair = f"{before!r} and {info.filename!r}"
            raise InputError("the archive is refused: members overlap", where=where, found=pair, todo=_AGAIN)
        end, before = info.header_offset + 30 + len(info.orig_filename) + info.compress_size, info.filename


class UnpackedBytes:
    """Counts the unpacked bytes of an archive and refuses more than `ratio` times its size."""

    def __init__(self, size: int, *, ratio: int, where: object):
        self.most, self.size, self._where = max(FREE, ratio * size), size, where
        self.total = 0

    def blocks(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yield a member in blocks; raise `InputError` at the limit."""
        check_member(info, where=self._where)
        with archive.open(info) as member:
            while block := member.read(_BLOCK):
                self.total += len(block)
                if self.total > self.most:
                    asked = f"the archive is refused: it unpacks to more than {self.most:,} bytes"
                    raise InputError(asked, where=self._where, found=f"{self.size:,} bytes, {info.filename!r}", todo=_AGAIN)
                yield block


def damaged_member(path: Path, *, ratio: int, where: object) -> str | None:
    """Return the first member with a wrong checksum, or None; members with an unsupported packing method are not tested."""
    with open_zip(path, where=where) as archive:
        count = UnpackedBytes(path.stat().st_size, ratio=ratio, where=where)
        for info in archive.infolist():
            if info.flag_bits & 0x41 or info.compress_type not in READABLE:
                _log.warning("%s: the member %r cannot be tested: encrypted, or packed by another method", where, info.filename)
                continue
            try:
                for _ in count.blocks(archive, info):
                    pass
            except (zipfile.BadZipFile, zlib.error, EOFError):
                return info.filename
    return None


def _fault(source: Path | bytes, error: Exception) -> tuple[str, str]:
    """Return why an archive is not readable, and what to do."""
    first, last, size = _tail(source)
    if not size:
        return "an empty file (0 bytes)", _AGAIN
    if first.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, no archive", "log in at the publisher where that is needed, and fetch the file itself"
    if not first.startswith(b"PK"):
        return f"not a zip archive; it begins with {first[:8]!r}", "give the zip archive of the publisher"
    if len(last.rpartition(b"PK\x05\x06")[-1]) < 18 or b"PK\x05\x06" not in last:
        return f"it breaks off before its directory, after {size:,} bytes", _AGAIN
    return f"damaged: {error}", _AGAIN


def check_member(info: zipfile.ZipInfo, *, where: object) -> None:
    """Raise `InputError` for a member that is encrypted or has an unsupported packing method."""
    if info.flag_bits & 0x41 or info.compress_type == 99:
        todo = "unpack it with its password and pack it again without one, or fetch it from its publisher"
        raise InputError(f"member {info.filename!r} is encrypted", where=where, todo=todo)
    if info.compress_type not in READABLE:
        method = ", ".join(filter(None, (str(info.compress_type), METHODS.get(info.compress_type))))
        asked = f"member {info.filename!r} is packed by a method that cannot be read here ({method})"
        raise InputError(asked, where=where, todo="unpack the archive and pack it again as an ordinary zip (Deflate)")
