"""Write files so that no half-written file has a final name, and seal them so that damage is detected when they are read.

`atomic` writes a *seal* next to each product: `.<name>.seal`, JSON with the SHA-256 of the bytes (as `sha256sum` prints it) and
the origin of the product (`tamrl.lineage`). `verified` compares the two; every stage reads the files of other stages through it.
Files below `results/` must have a seal; files of users have none.
"""

import errno
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
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
"""Files that the workflow engine adds to the folders that it tracks; they are not content."""

MANIFEST = "manifest.json"
"""List of all files of a Zarr store, with their checksums (`tamrl.stores`)."""

SEAL = ".seal"
JsonObject = Mapping[str, Any]
"""Content of a JSON file, whose keys its writer chooses."""

JOB = ".job"
"""Suffix of the record of the job that made a product, next to it (`tamrl.jobs`)."""


@contextmanager
def atomic(
    path: str | Path, *, listed: Callable[[str], bool] | None = None, key: JsonObject | None = None, sealed: bool = True
) -> Iterator[Path]:
    """Yield a temporary path (`tamrl.temporary`); on success sync, seal and rename what was written there.

    Works for files and for directories (Zarr stores). An earlier file of that name keeps it until then. `listed` tells by its
    relative name whether the seal of a directory lists a file; by default it lists all files, or only the manifest, which lists
    the others. The seal of an outer `atomic` directory covers what is written inside it. `key` is what the content depends on
    (`tamrl.cache`). A file that users may edit is not `sealed`. Raises `MachineError` if the disk is full or cannot be written.

    Parameters
    ----------
    path, listed, key, sealed : see above
    """
    path = Path(path)
    final = not temporary.within(path)
    with _blamed(path, None):
        path.parent.mkdir(parents=True, exist_ok=True)
        if final:
            temporary.sweep_once(path.parent.absolute())
    with _blamed(path, None), temporary.temporary_place(path) as part, _blamed(path, part):
        yield part
        if final:
            temporary.sync(part)
            _seal_of(part, listed, key).write(path) if sealed else seal_file(path).unlink(missing_ok=True)
        temporary.move_into_place(part, path)


@contextmanager
def _blamed(path: Path, part: Path | None) -> Iterator[None]:
    """If the machine is to blame, raise an error that names the file that could not be written."""
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
    if number not in border.MACHINE and part is not None and (refusal := temporary.refused(part)) in border.MACHINE:
        number = refusal
    denied = number in (errno.EACCES, errno.EPERM) and str(getattr(error, "filename", "")).startswith(str(path.parent))
    if number is None or not (number in border.MACHINE or denied):
        return None
    todo = border.MACHINE.get(number, "give yourself the right to write into this folder, or choose another")
    reason = f"{os.strerror(number)} ({errno.errorcode[number]})"
    return MachineError("the file cannot be written", where=path, found=reason, todo=todo)


@dataclass(frozen=True)
class Checksum:
    """Size in bytes and SHA-256 of a file."""

    bytes: int
    sha256: str

    @classmethod
    def compute(cls, path: Path) -> "Checksum":
        """Compute size and checksum of a file."""
        return cls(path.stat().st_size, checksum(path))

    @classmethod
    def parse(cls, entry: Any) -> "Checksum":
        """Parse the entry of a seal; raise `ValueError` if it is incomplete."""
        if not isinstance(entry["bytes"], int) or len(entry["sha256"]) != 64:
            raise ValueError("a checksum is incomplete")
        return cls(entry["bytes"], entry["sha256"])


@dataclass(frozen=True)
class Seal:
    """Checksums and origin of a product, in a file next to it."""

    rule: str
    """The rule that made it."""
    origin: dict[str, Any]
    """How it was made (`lineage.current_origin`)."""
    checksum: Checksum | None = None
    """Checksum of a file; a directory has none."""
    files: dict[str, Checksum] = field(default_factory=dict)
    """Checksums of the files of a directory by their relative names."""
    key: dict[str, Any] | None = None
    """What the content depends on (`tamrl.cache`), if it is the entry of a cache."""

    @classmethod
    def read(cls, path: Path) -> "Seal":
        """Read the seal of a file or directory, once until it changes; raise `ContractError` if it is damaged."""
        status = seal_file(path).stat()
        return _read_seal(path, status.st_size, status.st_mtime_ns, status.st_ino)

    def write(self, path: Path) -> None:
        """Write the seal of the file or directory at `path`."""
        contents = {"files": {name: asdict(entry) for name, entry in self.files.items()}}
        content = self.origin | (asdict(self.checksum) if self.checksum else contents)
        replace_text(seal_file(path), as_json(content | ({} if self.key is None else {"key": self.key})))


def seal_file(path: Path) -> Path:
    """Return the path of the seal of a file or directory."""
    return path.with_name(f".{path.name}{SEAL}")


def job_file(path: Path) -> Path:
    """Return the path of the record of the job that made a product."""
    return path.with_name(f".{path.name}{JOB}")


def is_seal(name: str) -> bool:
    """Whether a name is that of a seal or of the record of a job."""
    return name.startswith(".") and name.endswith((SEAL, JOB))


def write_seal(path: str | Path) -> None:
    """Seal a file that was not written through `atomic`, such as a download that matches the checksum of its publisher."""
    _seal_of(Path(path), None).write(Path(path))


def _seal_of(path: Path, listed: Callable[[str], bool] | None, key: JsonObject | None = None) -> Seal:
    origin, plain_key = lineage.current_origin(), None if key is None else dict(key)
    rule = str(origin["rule"])
    if not path.is_dir():
        return Seal(rule, origin, Checksum.compute(path), key=plain_key)
    if listed is None and (path / MANIFEST).is_file():
        listed = MANIFEST.__eq__
    names = {str(PurePosixPath(p.relative_to(path))): p for p in list_files(path)}
    checksums = {name: Checksum.compute(p) for name, p in names.items() if listed is None or listed(name)}
    return Seal(rule, origin, files=checksums, key=plain_key)


def replace_text(target: Path, text: str) -> None:
    """Write a small file that has no seal: a seal itself, or the record of a job."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary.temporary_place(target) as part:
        part.write_text(text, encoding="utf-8")
        temporary.sync(part)
        os.replace(part, target)


def verified(path: str | Path) -> Path:
    """Compare a file with its seal and return its path; a file without a seal passes only outside `results/`.

    A process reads a file once, until it changes. Raises `ContractError` if the file or its seal is damaged or the seal is
    missing.
    """
    path = Path(path)
    if not path.is_file():
        return path
    rule, promise = _promise(path)
    if promise is None and is_product(path):
        raise _damaged(path, f"its seal {seal_file(path).name} is gone", _rule_of(path))
    if promise is None:
        return path
    status = path.stat()
    if status.st_size != promise.bytes:
        raise _damaged(path, f"{status.st_size} bytes, sealed with {promise.bytes}", rule)
    digest = _checksum(path.resolve(), status.st_size, status.st_mtime_ns, status.st_ino)
    if digest != promise.sha256:
        raise _damaged(path, f"SHA-256 {digest}, sealed with {promise.sha256}", rule)
    return path


def seals(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the sealed products below a folder with their origins (`lineage.current_origin`)."""
    for file in sorted(folder.rglob(f".*{SEAL}")):
        path = file.with_name(file.name.removeprefix(".").removesuffix(SEAL))
        if path.exists():
            yield path, dict(Seal.read(path).origin)


def is_intact(path: str | Path) -> bool:
    """Whether a file, or each file that the seal of a directory lists, exists and matches its seal; the log names damage."""
    path = Path(path)
    try:
        if path.is_dir() and (seal_file(path).is_file() or is_product(path)):
            return seal_file(path).is_file() and all(verified(path / name).is_file() for name in Seal.read(path).files)
        return verified(path).exists()
    except ContractError as error:
        _log.warning("%s", error)
        return False


def is_product(path: Path) -> bool:
    """Whether a file is finished and lies below `results/` of the working folder, where only rules write."""
    unfinished = any(part.startswith(temporary.PART) for part in path.parts)
    return not unfinished and path.absolute().is_relative_to(Path.cwd() / RESULTS)


def _promise(path: Path) -> tuple[str, Checksum | None]:
    """Return rule and checksum from the seal of a file, or else from the seal of the nearest sealed directory above it."""
    if seal_file(path).is_file():
        seal = Seal.read(path)
        return seal.rule, seal.checksum
    for folder in path.parents:
        if folder.name and seal_file(folder).is_file():
            seal = Seal.read(folder)
            return seal.rule, seal.files.get(str(PurePosixPath(path.relative_to(folder))))
    return "", None


def _rule_of(path: Path) -> str:
    """Return the rule that made a file, from the record of its job; empty if there is none."""
    for place in (path, *path.parents):
        if place.name and job_file(place).is_file():
            with suppress(ValueError, KeyError, OSError):
                return str(json.loads(job_file(place).read_text(encoding="utf-8"))["rule"])
    return ""


@lru_cache(maxsize=256)
def _read_seal(path: Path, *changed: int) -> Seal:
    try:
        content = json.loads(seal_file(path).read_text(encoding="utf-8"))
        is_file, key = "files" not in content, content.pop("key", None)
        of_file = {name: content.pop(name, None) for name in ("bytes", "sha256")}
        entries = {name: Checksum.parse(entry) for name, entry in content.pop("files", {}).items()}
        return Seal(str(content["rule"]), content, Checksum.parse(of_file) if is_file else None, entries, key)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, f"its seal cannot be read: {error}", _rule_of(path)) from error


def _damaged(path: Path, fault: str, rule: str) -> ContractError:
    todo = f"delete it, or call snakemake with --forcerun {rule}: that rule makes it" if rule else "delete it: it is made again"
    return ContractError("the file differs from its seal", where=path, found=fault, todo=todo)


def as_json(content: object) -> str:
    """Return `content` as sorted, indented JSON, without the paths of this machine."""
    return json.dumps(portable(content), indent=1, sort_keys=True, allow_nan=False) + "\n"


def save_text(path: str | Path, text: str) -> None:
    """Write a text in UTF-8."""
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: object) -> None:
    """Write `content` as sorted, indented JSON."""
    save_text(path, as_json(content))


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a JSON file that matches its seal."""
    content: dict[str, Any] = json.loads(verified(path).read_text(encoding="utf-8"))
    return content


def checksum(path: str | Path, algorithm: str = "sha256") -> str:
    """Return the checksum of a file, hexadecimal; `algorithm` as publishers write it (MD5, SHA-256)."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, algorithm.lower().replace("-", "")).hexdigest()


@lru_cache(maxsize=4096)
def _checksum(path: Path, *changed: int) -> str:
    return checksum(path)


def list_files(folder: Path) -> list[Path]:
    """Return the files of a directory, sorted by name, without seals, unfinished files and files of the workflow engine."""
    inside = (p for p in folder.rglob("*") if p.is_file() and p.name not in FOREIGN and not is_seal(p.name))
    return sorted(p for p in inside if not temporary.within(p.relative_to(folder)))


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as `sha256sum` prints it, or of a directory.

    A directory is hashed as its sorted files: length of the name, name and SHA-256 of the content of each.
    """
    path = Path(path)
    if not path.is_dir():
        return checksum(path)
    digest = hashlib.sha256()
    for file in list_files(path):
        name = str(PurePosixPath(file.relative_to(path))).encode()
        digest.update(len(name).to_bytes(8, "big") + name + bytes.fromhex(checksum(file)))
    return digest.hexdigest()
