"""What a run asks of the machine before anything runs; no package is needed: `python -m tamrl.intake.machine` comes before them."""

import os
import re
import sys
import tempfile
from pathlib import Path

from tamrl.errors import MachineError, TamrlError
from tamrl.intake import border

SPECIAL = re.compile(r"""[\s'"$`\\*?()<>|&;]""")
"""What a shell does not take as it is: Snakemake gives it the path of Python without quotes."""


def check(python: str | Path = ".venv/bin/python") -> None:
    """Refuse a machine on which each job would fail; `python` is the interpreter of the jobs. Raises `MachineError`."""
    python = Path(python).absolute()
    if odd := sorted(set(SPECIAL.findall(str(python)))):
        raise MachineError(
            "jobs cannot be started from this folder",
            where=python,
            found="in its path " + ", ".join({" ": "a blank", "\n": "a line break"}.get(mark, mark) for mark in odd),
            todo="move the project to a folder without blanks, quotes and other signs of the shell in its path",
        )
    place = os.environ.get("TMPDIR", "/tmp")
    todo = "set TMPDIR to a folder that can be written and has room"
    with (
        border.reading("temporary files cannot be written", where=place, todo=todo, error=MachineError),
        tempfile.TemporaryFile(buffering=0) as handle,
    ):
        handle.write(bytes(4096))


if __name__ == "__main__":
    try:
        check()
    except TamrlError as error:
        sys.exit(str(error))
