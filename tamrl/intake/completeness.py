"""Check that a file is as long as its format declares, and refuse a short file before it is used.

The first bytes identify the format, not the name. Only headers and directories are read. Reading the values would not help: the
classic NetCDF library returns zeros beyond the end of a file, without an error. Bytes after the declared end are accepted if
the library of the format ignores them. Readers of GRIB, zip and Parquet check the length themselves.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from tamrl import files
from tamrl.errors import InputError
from tamrl.intake import _headers, border
from tamrl.intake._bytes import BoundedFile, DamageError

_FORMATS: dict[bytes, tuple[str, Callable[[BoundedFile], None]]] = {
    b"CDF\x01": ("classic NetCDF", _headers.check_classic),
    b"CDF\x02": ("classic NetCDF", _headers.check_classic),
    b"CDF\x05": ("classic NetCDF", _headers.check_classic),
    b"\x89HDF": ("HDF5 or NetCDF-4", _headers.check_hdf5),
    b"\x0e\x03\x13\x01": ("HDF4", _headers.check_hdf4),
    b"II*\x00": ("TIFF", _headers.check_tiff),
    b"MM\x00*": ("TIFF", _headers.check_tiff),
    b"II+\x00": ("BigTIFF", _headers.check_tiff),
    b"MM\x00+": ("BigTIFF", _headers.check_tiff),
}
"""First bytes, name and rule of each format."""


INSIDE = "its length is right: it is damaged inside, or of a form not read here; compare its checksum with the provider's"
"""What to do about a file that passes `check_complete` but cannot be read."""

FREE = 1 << 27
"""Bytes that a variable may have in a file of any size: values that were never written take no space."""

RATIO = 1100
"""Largest number of bytes of values per byte of a file: Deflate packs up to 1032 into one."""


def most_bytes(path: Path) -> int:
    """Return the largest size of a variable in this file (B); more is refused before memory is allocated."""
    return max(FREE, RATIO * Path(path).stat().st_size)


def check_complete(path: Path, *, where: object = None) -> None:
    """Refuse a file that is shorter than it declares. Files of formats that declare no size pass, unless they are empty.

    A process checks a file once, until its size or time changes. Raise `InputError` with `where` (by default the path), and the
    declared and the actual size, or the contradiction.
    """
    path = Path(path)
    with border.reading("the file cannot be read", where=where or path):
        status = path.stat()
        files.verified(path)  # of the twin, or a download
        fault = _fault(str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if fault:
        asked = "the file cannot be read: it is cut short or damaged"
        raise InputError(asked, where=where or path, found=fault, todo="fetch it again")


@lru_cache(maxsize=65536)
def _fault(path: str, size: int, *changed: int) -> str | None:
    """Return the fault of a file, or None; `changed` distinguishes its states in the cache."""
    if not size:
        return "no bytes at all"
    with open(path, "rb") as handle:
        file = BoundedFile(handle, size)
        start = file.at(0, min(size, 8))
        known = next((entry for magic, entry in _FORMATS.items() if start.startswith(magic)), None)
        name, rule = known or ("HDF5 with a user block", _headers.check_hdf5)
        try:
            if known or _headers.find_superblock(file):  # other formats declare no size
                rule(file)
        except DamageError as reason:
            return f"{name}: {reason}"
    return None


_TAIL = 1 << 16
_COMPLETE = (b"-9999", b"-9999.0", b"-9999.9")
"""Fill values of tower tables, which cannot be the beginning of another number."""


def check_text_end(source: Path | bytes, *, where: object = None) -> None:
    """Refuse a text table without a final line end, because its last number may be cut; `source` is the file or its content.

    A last row with as many fields as the row before it and a final fill value of -9999 is complete and passes: official
    FLUXNET2015 tables end like this. Raise `InputError` with `where` if the text is empty, or ends neither way.
    """
    where = where or (source if isinstance(source, Path) else None)
    if isinstance(source, Path):
        files.verified(source)
        with border.reading("the file cannot be read", where=source), open(source, "rb") as handle:
            handle.seek(max(source.stat().st_size - _TAIL, 0))
            source = handle.read(_TAIL)
    last = source[-_TAIL:]
    if not last:
        raise InputError("the file is empty", where=where, todo="fetch it again")
    if last.endswith((b"\n", b"\r", b"\n\x00", b"\r\x00")):  # the zero is UTF-16
        return
    rows = last.replace(b"\x00", b"").splitlines()[-2:]
    fields = [re.split(rb"[,;\t]", row) for row in rows]
    if len(rows) == 2 and len(fields[0]) == len(fields[1]) > 1 and fields[1][-1].strip() in _COMPLETE:
        return
    ending = rows[-1].decode("utf-8", "replace")[-60:] if rows else ""
    todo = "fetch it again; if its last line is complete, add a line end after it"
    raise InputError("the text breaks off without a line end", where=where, found=repr(ending), todo=todo)
