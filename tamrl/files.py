"""Writing so that a half-written file never carries a final name, and checksums."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tamrl.errors import MachineError
from tamrl.intake import border

FOREIGN = (".snakemake_timestamp",)
"""Files that the workflow engine drops into folders it tracks; they are no content."""


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; on success sync it and rename it, on error remove it.

    Works for files and for directories (Zarr stores). Raises `MachineError` where the disk is full or may not be written.
    """
    path = Path(path)
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _sync(part)
        if part.is_dir() and path.exists():
            shutil.rmtree(path)
        os.replace(part, path)
    except OSError as error:
        if named := _unwritten(error, path):
            raise named from error
        raise
    finally:
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)


def _unwritten(error: OSError, path: Path) -> MachineError | None:
    """The error with the name of what could not be written, if the machine is to blame."""
    denied = error.errno in (errno.EACCES, errno.EPERM) and str(error.filename).startswith(str(path.parent))
    if error.errno not in border.MACHINE and not denied:
        return None
    todo = border.MACHINE.get(error.errno, "give yourself the right to write into this folder, or choose another")
    said = f"{error.strerror} ({errno.errorcode[error.errno]})"
    return MachineError("the file cannot be written", where=path, found=said, todo=todo)


def _sync(path: Path) -> None:
    for file in [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]:
        with open(file, "rb") as handle:
            os.fsync(handle.fileno())


def as_json(content: object) -> str:
    """`content` as sorted, indented JSON."""
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"


def write_json(path: str | Path, content: object) -> None:
    """Write `content` as sorted, indented JSON."""
    with atomic(path) as part:
        part.write_text(as_json(content), encoding="utf-8")


def read_json(path: str | Path) -> dict:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def checksum(path: str | Path, algorithm: str = "sha256") -> str:
    """Checksum of the bytes of one file, hexadecimal; `algorithm` as publishers write it (MD5, SHA-256)."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, algorithm.lower().replace("-", "")).hexdigest()


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, or of a directory's relative names and contents."""
    path, digest = Path(path), hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file() and p.name not in FOREIGN) if path.is_dir() else [path]:
        digest.update(str(file.relative_to(path)).encode())
        with open(file, "rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
