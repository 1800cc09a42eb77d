"""Check the machine before a run. Only the standard library is used: `make` calls this before packages are installed."""

import os
import re
import resource
import sys
import tempfile
from pathlib import Path

from tamrl.errors import MachineError, TamrlError

SPECIAL = re.compile(r"""[\s'"$`\\*?()<>|&;]""")
"""Characters that a shell interprets: Snakemake passes the path of Python to it without quotes."""

LEAST = 1536
"""Address space that a process needs to load the libraries of models (MiB); with less they abort or hang."""


def check_address_space() -> None:
    """Refuse a limit of address space (ulimit -v) that is too small to load the libraries of models."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST * 1024**2:
        raise MachineError(
            "a process may not have the memory that the libraries of models need",
            found=f"{limit / 1024**2:.0f} MiB of addresses (ulimit -v)",
            todo=f"ulimit -v unlimited, or at least {LEAST * 1024}",
        )


def check_machine(python: str | Path = sys.executable) -> None:
    """Refuse a machine on which each job would fail; `python` is the interpreter of the jobs.

    Raises `MachineError` for characters of the shell in that path, for braces in it or in the working folder, and if temporary
    files or files of Snakemake cannot be written.
    """
    check_address_space()
    python, here = Path(python).absolute(), Path.cwd()
    if braces := sorted({*re.findall(r"\{[^{}]*\}", f"{python} {here}")}):
        marks = f"in the path {', '.join(braces)}, which it takes for something to fill in"
        todo = "move the project to a folder without braces in its path"
        raise MachineError("Snakemake cannot run in this folder", where=here, found=marks, todo=todo)
    if odd := sorted(set(SPECIAL.findall(str(python)))):
        marks = "in its path " + ", ".join({" ": "a blank", "\n": "a line break"}.get(mark, mark) for mark in odd)
        todo = "move the project to a folder without blanks, quotes and other signs of the shell in its path"
        raise MachineError("jobs cannot be started from this folder", where=python, found=marks, todo=todo)
    wanted = os.environ.get("TMPDIR")
    try:
        place = tempfile.gettempdir()
        with tempfile.TemporaryFile(buffering=0) as handle:
            handle.write(bytes(4096))
    except OSError as error:
        todo = "set TMPDIR to a folder that can be written and has room"
        where = wanted or "/tmp"
        raise MachineError("temporary files cannot be written", where=where, found=error.strerror, todo=todo) from error
    if wanted and Path(place) != Path(wanted).absolute():
        print(f"TMPDIR is {wanted}, where nothing can be written: temporary files go to {place}", file=sys.stderr)
    place = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        Path(place).expanduser().joinpath("snakemake").mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
        todo = "set XDG_CACHE_HOME, or HOME, to a folder that can be written"
        raise MachineError("Snakemake cannot keep its files", where=place, found=error, todo=todo) from error


if __name__ == "__main__":
    try:
        check_machine(*sys.argv[1:])
    except TamrlError as error:
        sys.exit(str(error))
