"""Zip archives from elsewhere: what is wrong with one is told apart, so that only a broken one is to be fetched again."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tamrl import files
from tamrl.errors import InputError
from tamrl.intake import border

READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Methods of packing that are read. Python unpacks BZIP2 and LZMA too, but without a bound on what one read brings."""

METHODS = {1: "Shrink", 6: "Implode", 9: "Deflate64", 12: "BZIP2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
"""Other methods that programs pack by (APPNOTE.TXT 6.3.10, section 4.4.5); 99 stands for encryption."""

_AGAIN = "fetch the file again"
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
_DIRECTORY = (1 << 16) + 22
"""Bytes at the end of a file within which its directory must end."""


@contextmanager
def opened(source: Path | bytes, *, where: object) -> Iterator[zipfile.ZipFile]:
    """The open archive, from a path or from its bytes; faults that show while it is read are named too.

    Raises
    ------
    InputError
        If it is missing, no zip archive, breaks off before its directory, or is damaged.
    MachineError
        If the machine refuses to read it.
    """
    with border.reading("the archive cannot be read", where=where, todo=_AGAIN):
        if isinstance(source, Path):
            files.verified(source)  # of the twin, or a download
        try:
            archive = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
        except zipfile.BadZipFile as error:
            found, todo = _fault(source, error)
            raise InputError("the archive cannot be read", where=where, found=found, todo=todo) from error
    with archive:
        try:
            yield archive
        except OSError:
            with border.reading("the archive cannot be read", where=where, todo=_AGAIN):
                raise
        except _BROKEN as error:
            found = f"damaged: {error or type(error).__name__}"
            raise InputError("the archive cannot be read", where=where, found=found, todo=_AGAIN) from error


def _fault(source: Path | bytes, error: Exception) -> tuple[str, str]:
    """Why this is no readable archive, and what to do."""
    with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as handle:
        first, size = handle.read(512), handle.seek(0, io.SEEK_END)
        handle.seek(max(0, size - _DIRECTORY))
        last = handle.read()
    if not size:
        return "an empty file (0 bytes)", _AGAIN
    if first.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, no archive", "log in at the publisher where that is needed, and fetch the file itself"
    if not first.startswith(b"PK"):
        return f"no zip archive; it begins with {first[:8]!r}", "give the zip archive of the publisher"
    if len(last.rpartition(b"PK\x05\x06")[-1]) < 18 or b"PK\x05\x06" not in last:
        return f"it breaks off before its directory, after {size:,} bytes", _AGAIN
    return f"damaged: {error}", _AGAIN


def check_member(info: zipfile.ZipInfo, *, where: object) -> None:
    """Refuse a member that is encrypted or packed by a method that is not read; raises `InputError`."""
    if info.flag_bits & 0x41 or info.compress_type == 99:
        todo = "unpack it with its password and pack it anew without, or fetch it from its publisher"
        raise InputError(f"member {info.filename!r} is encrypted", where=where, todo=todo)
    if info.compress_type not in READABLE:
        method = ", ".join(filter(None, (str(info.compress_type), METHODS.get(info.compress_type))))
        raise InputError(
            f"member {info.filename!r} is packed by a method that cannot be read here ({method})",
            where=where,
            todo="unpack the archive and pack it anew as an ordinary zip (Deflate)",
        )
