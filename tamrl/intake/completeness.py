"""Check that a file is as long as its format declares, and refuse a short file before it is used.

The first bytes identify the format, not the name. Only headers and directories are read. Reading the values would not help: the
classic NetCDF library returns zeros beyond the end of a file, without an error. Bytes after the declared end are accepted if
the library of the format ignores them.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from tamrl import files
from tamrl.errors import InputError
from tamrl.intake import _containers, _headers, border
from tamrl.intake._bytes import BoundedFile, DamageError

_FORMATS: dict[bytes, tuple[str, Callable[[BoundedFile], None]]] = {
    b"CDF\x01": ("classic NetCDF", _headers.check_classic),
    b"CDF\x02": ("classic NetCDF", _headers.check_classic),
    b"CDF\x05": ("classic NetCDF", _headers.check_classic),
    b"\x89HDF": ("HDF5 or NetCDF-4", _headers.check_hdf5),
    b"\x0e\x03\x13\x01": ("HDF4", _headers.check_hdf4),
    b"GRIB": ("GRIB", _headers.check_grib),
    b"PK\x03\x04": ("zip", _containers.check_zip),
    b"PK\x05\x06": ("zip", _containers.check_zip),
    b"II*\x00": ("TIFF", _containers.check_tiff),
    b"MM\x00*": ("TIFF", _containers.check_tiff),
    b"II+\x00": ("BigTIFF", _containers.check_tiff),
    b"MM\x00+": ("BigTIFF", _containers.check_tiff),
    b"PAR1": ("Parquet", _containers.check_parquet),
    b"\x1f\x8b\x08": ("gzip", _containers.check_gzip),
}
"""First bytes, name and rule of each format."""


INSIDE = (
    "its length is right, so it is damaged inside or written in a way not read here: compare its checksum with the provider's"
)
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

    A process checks a file once, until its size or time changes.

    Parameters
    ----------
    path : Path
    where : name for errors, by default `path`

    Raises
    ------
    InputError
        With the declared and the actual size, or the contradiction.
    """
    path = Path(path)
    with border.reading("the file cannot be read", where=where or path):
        status = path.stat()
        files.verified(path)  # of the twin, or a download
        fault = _fault(str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if fault:
        raise InputError(
            "the file cannot be read: it is cut short or damaged", where=where or path, found=fault, todo="fetch it again"
        )


@lru_cache(maxsize=65536)
def _fault(path: str, size: int, *changed: int) -> str | None:
    """Return the fault of a file, or None; `changed` distinguishes its states in the cache."""
    if not size:
        return "no bytes at all"
    with open(path, "rb") as handle:
        file = BoundedFile(handle, size)
        start = file.at(0, min(size, 8))
        other = ("HDF5 with a user block", _check_user_block)
        name, rule = next((entry for magic, entry in _FORMATS.items() if start.startswith(magic)), other)
        try:
            rule(file)
        except DamageError as reason:
            return f"{name}: {reason}"
    return None


def _check_user_block(file: BoundedFile) -> None:
    """Check a file that is HDF5 after a user block of 512, 1024, 2048 ... bytes; other formats declare no size."""
    if _headers.find_superblock(file):
        _headers.check_hdf5(file)


_TAIL = 1 << 16
_COMPLETE = (b"-9999", b"-9999.0", b"-9999.9")
"""Fill values of tower tables, which cannot be the beginning of another number."""


def check_text_end(source: Path | bytes, *, where: object = None) -> None:
    """Refuse a text table without a final line end, because its last number may be cut.

    A last row with as many fields as the row before it and a final fill value of -9999 is complete and passes: official
    FLUXNET2015 tables end like this.

    Parameters
    ----------
    source : the file, or its content (the last two rows suffice)
    where : name for errors, by default the path

    Raises
    ------
    InputError
        If the text is empty, or ends neither with a line end nor with such a row.
    """
    where = where or (source if isinstance(source, Path) else None)
    if isinstance(source, Path):
        files.verified(source)
    last = _tail(source) if isinstance(source, Path) else bytes(source[-_TAIL:])
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


def _tail(path: Path) -> bytes:
    with border.reading("the file cannot be read", where=path), open(path, "rb") as handle:
        handle.seek(max(path.stat().st_size - _TAIL, 0))
        return handle.read(_TAIL)
