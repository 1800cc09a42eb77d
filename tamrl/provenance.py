"""Digests of code, configuration and inputs, by which rules rerun after a change and products state their origin."""

import hashlib
import json
import os
import platform
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from tamrl import __version__, files, lineage
from tamrl.intake import border
from tamrl.syntax import read_source

ROOT = Path(__file__).parents[1]
HALVES = (".part-", ".arrived-", ".snakemake", ".nfs")
"""Prefixes of files that are no content: partial downloads, marks of Snakemake, files deleted while open on NFS."""


def config_digest(section: object) -> str:
    """Return the short SHA-256 of JSON-like content, independent of the order of keys."""
    text = json.dumps(section, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Code(str):
    """Digest of the code of `modules`, as a parameter of a rule; Snakemake records and compares its `repr` with libraries.

    So another version of a library that shapes numbers reruns only the rules whose code imports it.
    """

    libraries: dict[str, str]

    def __new__(cls, *modules: str) -> "Code":
        """Compute the digest of the present code and libraries."""
        made = super().__new__(cls, code_digest(*modules))
        made.libraries = libraries(*modules)
        return made

    def __repr__(self) -> str:
        return " ".join([super().__repr__(), *(f"{name}-{version}" for name, version in self.libraries.items())])

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


def libraries(*modules: str) -> dict[str, str]:
    """Return the versions of the libraries that shape numbers (`lineage.LIBRARIES`) which `modules` import at any depth."""
    return lineage.versions({name.split(".")[0] for module in _closure(modules) for name in _imported(module)})


def code_digest(*modules: str) -> str:
    """Return the short SHA-256 of `modules` and all they import from this package, without docstrings and comments."""
    text = "\n".join(f"{module} {_source_digest(file)}" for module in sorted(_closure(modules)) if (file := _file(module)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _closure(modules: Iterable[str]) -> set[str]:
    """Return the modules and all modules of this package that they import at any depth."""
    seen: set[str] = set()
    todo = list(modules)
    while todo:
        module = todo.pop()
        if module in seen or _file(module) is None:
            continue
        seen.add(module)
        todo += imports(module)
    return seen


@cache
def _file(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((p for p in candidates if p.exists()), None)


@cache
def imports(module: str) -> tuple[str, ...]:
    """Return the modules of this package that `module` imports by name."""
    return tuple(sorted({m for m in _imported(module) if m.split(".")[0] == "tamrl" and _file(m)}))


@cache
def _imported(module: str) -> tuple[str, ...]:
    """Return all names that `module` imports when it runs, without imports for type checkers only."""
    file = _file(module)
    return tuple(name for name, sure in (read_source(file).imports if file else ()) if sure or _file(name))


@cache
def _source_digest(file: Path) -> str:
    return read_source(file).digest


def file_stamps(paths: Iterable[str | Path]) -> str:
    """Return the short SHA-256 of name, size in bytes and time of modification in ns of every file at or below `paths`.

    It changes when a file is overwritten or an older one is restored. No file is opened; links are followed. Absent and
    unreadable paths are recorded as such. Raises `MachineError` if the file system does not answer.
    """
    lines = []
    for path in {str(path) for path in paths}:
        with border.reading("name, size and time of an input cannot be read", where=path):
            lines += [f"{path}{line}" for line in _stamped("", path, ())]
    return hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()[:16]


class Stamps(dict[str, object]):
    """Stamps of inputs by path, as a parameter of a rule; its `repr`, which Snakemake records and compares, reads them again.

    Snakemake keeps parameters from its planning, when files that the run makes do not exist yet.
    """

    def __init__(self, look: Callable[[], dict[str, object]]) -> None:
        super().__init__(look())
        self._look = look

    def __repr__(self) -> str:
        return repr(self._look())

    def __reduce__(self) -> tuple[type[dict[str, object]], tuple[dict[str, object]]]:
        return dict, (dict(self),)


def _stamped(name: str, place: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    """Yield lines of the file or folder at `place`; `above` are the folders above it, because links may form a loop."""
    try:
        status = Path(place).stat()
        key = (status.st_dev, status.st_ino)
        if not stat.S_ISDIR(status.st_mode):
            yield f"{name} {status.st_size} {status.st_mtime_ns}"
        elif key not in above:
            with os.scandir(place) as entries:
                inside = [
                    (entry.name, entry.path)
                    for entry in entries
                    if not (entry.name.startswith(HALVES) or files.is_seal(entry.name))
                ]
            for child, path in inside:
                yield from _stamped(f"{name}/{child}", path, (*above, key))
    except (FileNotFoundError, NotADirectoryError, PermissionError) as reason:
        yield f"{name} {type(reason).__name__}"


def contents(paths: Iterable[str | Path]) -> str:
    """Return the short SHA-256 of the contents of small files of the project, whose times a new checkout changes."""
    return config_digest({str(path): files.sha256(path) if Path(path).exists() else None for path in paths})


def shipped(pattern: str) -> dict[str, str]:
    """Return the SHA-256 of files of the package by name, as a parameter of rules: a new checkout changes times of files."""
    folder = ROOT / "tamrl"
    return {path.relative_to(folder).as_posix(): files.checksum(path) for path in sorted(folder.glob(pattern))}


def software() -> dict[str, str]:
    """Return the installed versions of this package, Python, Snakemake and the libraries that shape numbers."""
    programs = {"tamrl": __version__, "python": platform.python_version(), "snakemake": lineage.package_version("snakemake")}
    return programs | lineage.versions(lineage.LIBRARIES)


def lock_digest() -> str:
    """Return the short SHA-256 of the lock of packages, or `none` outside a checkout."""
    lock = ROOT / "requirements.lock.txt"
    return hashlib.sha256(lock.read_bytes()).hexdigest()[:16] if lock.exists() else "none"


def revision() -> str:
    """Return the git commit of the project, with `-dirty` if files differ, or `unknown` outside a checkout."""
    if not (ROOT / "Snakefile").is_file():
        return "unknown"
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
