"""Snakemake whose local jobs start with the libraries in memory: `python -m tamrl.forked`, with the options of `snakemake`.

A job of a small run computes for a second and imports for four. Here every script is run by a process forked from one that has
imported what stages need and done nothing else, so that jobs start at once and share no state. Scripts of conda environments,
containers and clusters start as Snakemake starts them.
"""

import atexit
import multiprocessing
import multiprocessing.process
import runpy
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from snakemake import cli
from snakemake.benchmark import benchmarked
from snakemake.script import PythonScript

PACKAGE = Path(__file__).parent
LOOK = 1
"""Seconds between two looks at the processor time and memory of a job; Snakemake takes 30, and misses what comes after the last.
"""
FURTHER = ("tamrl.models.tamrl", "tamrl.product_checks", "tamrl.record", "tamrl.report.summary", "tamrl.truth")
"""Modules that jobs import and that are not named after a stage."""


def stage_modules() -> list[str]:
    """Names of the modules whose functions jobs run, and of those that they import late."""
    files = sorted(PACKAGE.glob("**/*stage.py"))
    return [".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in files] + list(FURTHER)


def run_script(path: str) -> None:
    """Run a script as the main module of this process, and then what it left to be done at its end."""
    try:
        runpy.run_path(path, run_name="__main__")
    except Exception:
        sys.excepthook(*sys.exc_info())  # which writes the error into the log of the job; multiprocessing would not call it
        sys.exit(1)
    finally:
        atexit._run_exitfuncs()  # processes of multiprocessing end without


def execute(script: Any, path: str, edit: bool = False) -> None:
    """Run the script of a job in a forked process, as `PythonScript.execute_script` does in a new one.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    if script.container_img or script.conda_env or script.env_modules:
        _by_snakemake(script, path, edit)
        return
    job = multiprocessing.get_context("forkserver").Process(target=run_script, args=(path,))
    job.start()
    with benchmarked(job.pid, script.bench_record, LOOK) if script.bench_record is not None else nullcontext():
        job.join()
    if job.exitcode:
        raise subprocess.CalledProcessError(job.exitcode, path)


_by_snakemake = PythonScript.execute_script


def fork_jobs() -> None:
    """Let Snakemake in this process run scripts of local jobs by `execute`."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(stage_modules())
    PythonScript.execute_script = execute


def main(arguments: list[str] | None = None) -> int:
    """Run Snakemake; returns its exit status."""
    fork_jobs()
    return int(cli.main(arguments) or 0)


if __name__ == "__main__":
    sys.exit(main())
