"""SIGKILL at random moments, again and again: the map that is finished at last is the one that was never interrupted.

`make chaos` does it twenty times, in the tile store and in the running workflow.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tamrl import files, stores
from tamrl.inference.executors import processes

KILLS = int(os.environ.get("CHAOS", "3"))
CODE = (
    "import sys, json; sys.path.insert(0, sys.argv[1]); from tamrl.inference.stage import predict_tiles;"
    "print('ready', flush=True); predict_tiles(**json.loads(sys.argv[2]))"
)
INFERENCE = {"batch": 64, "spinup": 12, "device": "cpu", "memory": "carried", "numerics": "exact"}


def _arguments(cube, models, folder: Path) -> dict:
    """Of the stages that fill the store in the folder."""
    return {
        "cube": str(cube),
        "models": models,
        "label": "2011",
        "predictions": str(folder / "2011.zarr"),
        "tile": 2,
        "min_land_fraction": 0.02,
        "engine": INFERENCE,
    }


def _start(cube, models, folder: Path, threads: int, most: int | None = None) -> subprocess.Popen:
    """The map, begun; `most` bytes are all that a file may grow to."""
    arguments = _arguments(cube, models, folder) | {"manifest": str(folder / "2011.json"), "threads": threads}
    command = [sys.executable, "-c", CODE, str(Path(__file__).parents[2]), json.dumps(arguments)]
    limit = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))) if most else None
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE if most else None}
    process = subprocess.Popen(command, **streams, env=os.environ | {"OMP_NUM_THREADS": "1"}, preexec_fn=limit)
    assert process.stdout.readline() == b"ready\n"
    return process


def _finish(process: subprocess.Popen) -> float:
    """Seconds until it is done; it must succeed."""
    start = time.monotonic()
    process.communicate()
    assert process.returncode == 0
    return time.monotonic() - start


def _hashes(folder: Path) -> dict[str, str]:
    """Of every file of the finished map: manifest, memories, chunks."""
    kept = files.read_json(folder / "2011.json")
    memories = {
        p.relative_to(folder).as_posix(): files.sha256(p) for p in sorted((folder / "2011.memory").rglob("*.safetensors"))
    }
    return kept | memories | {"chunks": files.read_json(folder / "2011.zarr" / stores.MANIFEST)["files"]}


@pytest.mark.parametrize("threads", [1, 2, processes.THREADS + 1])
def test_kills_at_random_moments_end_in_the_same_hashes(cube, models, tmp_path, threads):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    seconds = _finish(_start(cube, models, whole, threads))
    random, killed = np.random.default_rng(threads), 0
    while killed < KILLS:
        process = _start(cube, models, broken, threads)
        time.sleep(random.uniform(0, seconds * 0.9))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        (broken / "2011.json").unlink(missing_ok=True)  # one that came through begins anew with what it wrote
        if killed % 4 == 3:
            _lose_something(broken, random)
    _finish(_start(cube, models, broken, threads))
    assert _hashes(broken) == _hashes(whole)
    assert not list(broken.rglob("*.partial")) and not list(broken.rglob(".part-*"))


def _lose_something(folder: Path, random: np.random.Generator) -> None:
    """Between two kills a record goes missing and a chunk is cut: both must be noticed."""
    records = sorted((folder / "2011.tiles").glob("*.json"))
    chunks = sorted(p for p in (folder / "2011.zarr").glob("*/c/**/*") if p.is_file())
    for some, harm in ((records, Path.unlink), (chunks, lambda p: p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]))):
        if some:
            harm(some[random.integers(len(some))])
