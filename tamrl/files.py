"""Writing so that a half-written file never carries a final name, and seals by which damage is seen when a file is read.

What `atomic` writes carries a *seal*: `.<name>.seal` beside it, JSON with the SHA-256 of the bytes (what `sha256sum` prints) and
how it was made (`tamrl.lineage`). `verified` compares; every stage reads the files of other stages through it. Files below
`results/` must have one; files that users bring have none.
"""

import errno
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from tamrl import lineage, temporary
from tamrl.errors import ContractError, MachineError, TamrlError
from tamrl.intake import border
from tamrl.layout import RESULTS
from tamrl.record_paths import portable

_log = logging.getLogger(__name__)

FOREIGN = (".snakemake_timestamp",)
"""Files that the workflow engine drops into folders it tracks; they are no content."""

MANIFEST = "manifest.json"
"""List of all files of a Zarr store, with their checksums (`tamrl.stores`)."""

SEAL = ".seal"
JOB = ".job"
"""Record of the job that made a product, beside it (`tamrl.jobs`)."""


@contextmanager
def atomic(path: str | Path, *, listed: Callable[[str], bool] | None = None, key: dict[str, Any] | None = None) -> Iterator[Path]:
    """Give a temporary name of a place of its own (`tamrl.temporary`); on success sync it, seal it and give it its name.

    Works for files and for directories (Zarr stores). What had the name before keeps it until that moment.

    Parameters
    ----------
    listed : callable, optional
        Which files of a directory its seal names, by their names relative to it; by default all, or the manifest alone, which
        lists the others. What is written inside another `atomic` directory is sealed with that.
    key : JSON-like, optional
        What the content depends on, for the seal (`tamrl.cache`).

    Raises
    ------
    MachineError
        Where the disk is full or may not be written.
    """
    path = Path(path)
    final = not temporary.within(path)
    with _blamed(path, None):
        path.parent.mkdir(parents=True, exist_ok=True)
        if final:
            temporary.sweep_once(path.parent.absolute())
    with _blamed(path, None), temporary.place(path) as part, _blamed(path, part):
        yield part
        if final:
            temporary.sync(part)
            _write_seal(path, _content(part, listed) | ({"key": key} if key is not None else {}))
        temporary.put(part, path)


@contextmanager
def _blamed(path: Path, part: Path | None) -> Iterator[None]:
    """Where the machine is to blame, have the error name what could not be written."""
    try:
        yield
    except TamrlError:
        raise
    except Exception as error:
        if named := _unwritten(error, path, part):
            raise named from error
        raise


def _unwritten(error: Exception, path: Path, part: Path | None) -> MachineError | None:
    number = error.errno if isinstance(error, OSError) else None
    if number not in border.MACHINE and part is not None and (found := temporary.refused(part)) in border.MACHINE:
        number = found
    denied = number in (errno.EACCES, errno.EPERM) and str(error.filename).startswith(str(path.parent))
    if number not in border.MACHINE and not denied:
        return None
    todo = border.MACHINE.get(number, "give yourself the right to write into this folder, or choose another")
    said = f"{os.strerror(number)} ({errno.errorcode[number]})"
    return MachineError("the file cannot be written", where=path, found=said, todo=todo)


def seal_file(path: Path) -> Path:
    """Where the seal of a file or directory lies."""
    return path.with_name(f".{path.name}{SEAL}")


def job_file(path: Path) -> Path:
    """Where the record of the job that made a product lies."""
    return path.with_name(f".{path.name}{JOB}")


def is_seal(name: str) -> bool:
    """Whether a file of this name tells about the product beside it: a seal, or the record of its job."""
    return name.startswith(".") and name.endswith((SEAL, JOB))


def seal(path: str | Path) -> None:
    """Seal a file that was not written through `atomic`, such as a download that was compared with what its publisher says."""
    _write_seal(Path(path), _content(Path(path), None))


def _content(path: Path, listed: Callable[[str], bool] | None) -> dict[str, Any]:
    """What a seal says of a file, or of each file of a directory by its relative name."""
    if not path.is_dir():
        return {"bytes": path.stat().st_size, "sha256": checksum(path)}
    if listed is None and (path / MANIFEST).is_file():
        listed = MANIFEST.__eq__
    names = {str(PurePosixPath(p.relative_to(path))): p for p in members(path)}
    return {"files": {name: _content(p, None) for name, p in names.items() if listed is None or listed(name)}}


def _write_seal(path: Path, content: dict[str, Any]) -> None:
    replace_text(seal_file(path), as_json(lineage.told() | content))


def replace_text(target: Path, text: str) -> None:
    """Write a small file that has no seal: a seal itself, or the record of a job."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary.place(target) as part:
        part.write_text(text, encoding="utf-8")
        temporary.sync(part)
        os.replace(part, target)


def verified(path: str | Path) -> Path:
    """The path, after its bytes were compared with their seal; a file without one passes only where users bring files.

    A file is read for this once by a process, as long as nothing happens to it.

    Raises
    ------
    ContractError
        If the file or its seal is damaged, or the seal is gone; names the file and the rule that makes it again.
    """
    path = Path(path)
    if not path.is_file():
        return path
    promise = _promise(path)
    if promise is None and is_made(path):
        raise _damaged(path, f"its seal {seal_file(path).name} is gone", _rule_of(path))
    if promise is None:
        return path
    status = path.stat()
    if status.st_size != promise["bytes"]:
        raise _damaged(path, f"{status.st_size} bytes, sealed with {promise['bytes']}", promise["rule"])
    digest = _checksum(path.resolve(), status.st_size, status.st_mtime_ns, status.st_ino)
    if digest != promise["sha256"]:
        raise _damaged(path, f"SHA-256 {digest}, sealed with {promise['sha256']}", promise["rule"])
    return path


def seals(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Products below a folder that have a seal of their own, each with how it was made (`lineage.told`)."""
    for file in sorted(folder.rglob(f".*{SEAL}")):
        path = file.with_name(file.name.removeprefix(".").removesuffix(SEAL))
        if path.exists():
            yield path, {k: v for k, v in _read_seal(path).items() if k not in ("bytes", "sha256", "files", "key")}


def sealed_key(path: Path) -> dict[str, Any]:
    """The key in the seal of a file or directory (`tamrl.cache`).

    Raises
    ------
    KeyError
        If its seal has none.
    """
    return dict(_read_seal(path)["key"])


def intact(path: str | Path) -> bool:
    """Whether a file, or all that the seal of a directory names, is there and as it was sealed; for caches to make it anew."""
    path = Path(path)
    try:
        if path.is_dir() and (seal_file(path).is_file() or is_made(path)):
            return seal_file(path).is_file() and all(verified(path / name).is_file() for name in _read_seal(path)["files"])
        return verified(path).exists()
    except ContractError as error:
        _log.warning("%s", error)
        return False


def is_made(path: Path) -> bool:
    """Whether a file lies where only rules write, below `results/` of the working folder, and is done."""
    unfinished = any(part.startswith(temporary.PART) for part in path.parts)
    return not unfinished and path.absolute().is_relative_to(Path.cwd() / RESULTS)


def _promise(path: Path) -> dict[str, Any] | None:
    """What the seal says of a file: its own, or that of the nearest directory above that has one and names the file."""
    if seal_file(path).is_file():
        return _read_seal(path)
    for folder in path.parents:
        if folder.name and seal_file(folder).is_file():
            promise = _read_seal(folder)
            entry = promise["files"].get(str(PurePosixPath(path.relative_to(folder))))
            return entry and {"rule": promise["rule"], **entry}
    return None


def _rule_of(path: Path) -> str:
    """The rule that made a file, from the record of its job; empty where there is none."""
    for place in (path, *path.parents):
        if place.name and job_file(place).is_file():
            with suppress(ValueError, KeyError, OSError):
                return str(json.loads(job_file(place).read_text(encoding="utf-8"))["rule"])
    return ""


def _read_seal(path: Path) -> dict[str, Any]:
    status = seal_file(path).stat()
    return _seal_content(path, status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=256)
def _seal_content(path: Path, *changed: int) -> dict[str, Any]:
    try:
        content = json.loads(seal_file(path).read_text(encoding="utf-8"))
        entries = content["files"].values() if "files" in content else [content]
        rule = str(content["rule"])
        if not all(isinstance(e["bytes"], int) and len(e["sha256"]) == 64 for e in entries):
            raise ValueError("a checksum is incomplete")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, f"its seal cannot be read: {error}", _rule_of(path)) from error
    return {**content, "rule": rule}


def _damaged(path: Path, found: str, rule: str) -> ContractError:
    todo = f"delete it, or call snakemake with --forcerun {rule}: that rule makes it" if rule else "delete it: it is made again"
    return ContractError("the file is not as it was written", where=path, found=found, todo=todo)


def as_json(content: object) -> str:
    """`content` as sorted, indented JSON, without the paths of this machine."""
    return json.dumps(portable(content), indent=1, sort_keys=True, allow_nan=False) + "\n"


def write_json(path: str | Path, content: object) -> None:
    """Write `content` as sorted, indented JSON."""
    with atomic(path) as part:
        part.write_text(as_json(content), encoding="utf-8")


def read_json(path: str | Path) -> dict:
    """Read a JSON file that is as it was sealed."""
    return json.loads(verified(path).read_text(encoding="utf-8"))


def checksum(path: str | Path, algorithm: str = "sha256") -> str:
    """Checksum of the bytes of one file, hexadecimal; `algorithm` as publishers write it (MD5, SHA-256)."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, algorithm.lower().replace("-", "")).hexdigest()


@lru_cache(maxsize=4096)
def _checksum(path: Path, *changed: int) -> str:
    return checksum(path)


def members(folder: Path) -> list[Path]:
    """The files of a directory, sorted by name; not those of the workflow engine, no seals and nothing half-written."""
    there = (p for p in folder.rglob("*") if p.is_file() and p.name not in FOREIGN and not is_seal(p.name))
    return sorted(p for p in there if not temporary.within(p.relative_to(folder)))


def sha256(path: str | Path) -> str:
    """SHA-256 of a file as `sha256sum` prints it, or of a directory.

    That of a directory is over its sorted entries, each the length of the name, the name and the SHA-256 of the content.
    """
    path = Path(path)
    if not path.is_dir():
        return checksum(path)
    digest = hashlib.sha256()
    for file in members(path):
        name = str(PurePosixPath(file.relative_to(path))).encode()
        digest.update(len(name).to_bytes(8, "big") + name + bytes.fromhex(checksum(file)))
    return digest.hexdigest()
