"""Safe reading of zip archives that came from elsewhere.

Nothing is ever unpacked to disk: wanted members are streamed into memory below a cap, so that neither a hostile name nor a
lying header can do harm. An archive with one suspicious member is refused as a whole.
"""

import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tamrl.errors import InputError

MAX_BYTES = 1 << 30
"""Largest member read, in bytes as they come out of the decompressor (a daily file of 30 years has some 30 MB)."""

MAX_RATIO = 100
"""Largest ratio of bytes out to bytes in; tower files have 3 to 20."""

_FREE = 1 << 24
"""Members below this size may have any ratio."""

_BLOCK = 1 << 20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


def read(
    path: Path, choose: Callable[[list[str]], list[str]], *, max_bytes: int = MAX_BYTES, max_ratio: int = MAX_RATIO
) -> dict[str, bytes]:
    """Read the members of a zip archive that `choose` picks from the list of its names.

    Returns
    -------
    dict of member name and content

    Raises
    ------
    InputError
        If the file is no zip or damaged, if any member's name leaves the archive, is a link or encrypted, or if a member
        grows beyond the caps while it is read (the sizes in its header are not believed).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = {info.filename: info for info in archive.infolist() if not info.is_dir()}
            for info in infos.values():
                _check(info, path)
            return {name: _stream(archive, infos[name], path, max_bytes, max_ratio) for name in choose(sorted(infos))}
    except FileNotFoundError:
        raise InputError("the archive is not there", where=path) from None
    except _BROKEN as error:
        raise InputError(
            "the archive cannot be read", where=path, found=error or type(error).__name__, todo="fetch the file again"
        ) from error


def _check(info: zipfile.ZipInfo, path: Path) -> None:
    """Refuse names that leave the archive, links, devices and encrypted members."""
    # zipfile rewrites a name on reading (null bytes, separators): judge what the archive really says.
    name = (info.orig_filename or info.filename).replace("\\", "/")
    parts = PurePosixPath(name).parts
    kind = stat.S_IFMT(info.external_attr >> 16)
    reasons = {
        "leaves the archive": ".." in parts or name.startswith("/") or ":" in name or "\0" in name,
        "is a link or device": kind not in (0, stat.S_IFREG, stat.S_IFDIR),
        "is encrypted": bool(info.flag_bits & 0x1),
    }
    for reason, holds in reasons.items():
        if holds:
            raise InputError(f"the archive is refused: member {name!r} {reason}", where=path, todo="fetch it from its publisher")


def _stream(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, max_bytes: int, max_ratio: int) -> bytes:
    """Decompress one member block by block, counting what really comes out."""
    cap = min(max_bytes, max(_FREE, max_ratio * path.stat().st_size))
    blocks: list[bytes] = []
    size = 0
    with archive.open(info) as member:
        while block := member.read(_BLOCK):
            size += len(block)
            if size > cap:
                raise InputError(
                    f"the archive is refused: member {info.filename!r} grows beyond {cap:,} bytes",
                    where=path,
                    found=f"{path.stat().st_size:,} bytes on disk",
                    todo="no tower file is packed so tightly; fetch it from its publisher",
                )
            blocks.append(block)
    return b"".join(blocks)
