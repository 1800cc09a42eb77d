"""SIGKILL of the whole workflow while it maps: the same command then ends in the same numbers. `make chaos`: twenty times."""

import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from tamrl import files

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("CHAOS", "1"))
TARGETS = ("results/test/budgets.csv", "results/test/maps/monthly/gpp_2012.nc")


def _command(project, *arguments: str) -> list[str]:
    return project.command("--cores", "2", "--nolock", *TARGETS, *arguments)


def _digests(project) -> dict:
    manifest = files.read_json(project.results / "predictions/2012.json")
    return {k: manifest[k] for k in ("digest", "tiles", "members", "store")} | {
        "budgets": files.sha256(project.results / "budgets.csv")
    }


def _copy(project, folder):
    other = type(project)(folder)
    shutil.copytree(project.folder, folder, dirs_exist_ok=True, symlinks=True)
    return other


def test_a_killed_workflow_ends_in_the_same_hashes(finished, tmp_path_factory):
    before = _digests(finished)
    finished = _copy(finished, tmp_path_factory.mktemp("chaos"))  # other tests read the first
    for name in ("predictions/2012.json", "budgets.csv"):
        (finished.results / name).unlink()
    shutil.rmtree(finished.results / "predictions/2012.zarr")
    random = np.random.default_rng(KILLS)
    for _ in range(KILLS):
        process = subprocess.Popen(
            _command(finished),
            cwd=finished.folder,
            env=finished.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a group of its own, so that its jobs die with it
        )
        time.sleep(random.uniform(2, 14))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = finished.snakemake("--cores", "2", "--nolock", *TARGETS)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert _digests(finished) == before
    assert not list((finished.results / "predictions").rglob(".part-*"))
