"""Tiles over the processes of one machine: the same numbers, errors with their names, and no process that outlives its map."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tamrl import files, stores
from tamrl.errors import InputError
from tamrl.inference import processes, tiled
from tamrl.inference.stage import predict_part, predict_tiles
from tests.inference.test_chaos import _arguments
from tests.inference.test_nodes import TILES, _deadly, _wrong

MANY = processes.THREADS + 1


def _process(tile) -> dict:
    time.sleep(0.2)
    return {"process": os.getpid()}


def test_processes_make_the_map_of_one_thread(cube, models, tmp_path):
    for name, threads in {"one": 1, "many": MANY}.items():
        (folder := tmp_path / name).mkdir()
        predict_tiles(**_arguments(cube, models, folder), manifest=str(folder / "2011.json"), threads=threads)
    (folder := tmp_path / "shares").mkdir()
    for part in (0, 1):
        predict_part(**_arguments(cube, models, folder), output=str(folder / f"{part}.json"), threads=MANY, part=part, parts=2)
    predict_tiles(**_arguments(cube, models, folder), manifest=str(folder / "2011.json"), threads=1)
    manifests = [files.read_json(tmp_path / name / "2011.json") for name in ("one", "many", "shares")]
    assert manifests[0] == manifests[1] == manifests[2]
    chunks = [files.read_json(tmp_path / name / "2011.zarr" / stores.MANIFEST)["files"] for name in ("one", "many", "shares")]
    assert chunks[0] == chunks[1] == chunks[2] and len(chunks[0]) > 10


def test_each_tile_at_a_time_has_a_process():
    with processes.started(MANY, device="cpu") as pool:
        found = tiled.fill(TILES, _process, threads=MANY, pool=pool)
    assert os.getpid() not in {record["process"] for record in found.values()}
    assert len({record["process"] for record in found.values()}) > 1
    with processes.started(processes.THREADS, device="cpu") as pool:
        assert pool is None


def test_a_process_that_is_killed_and_errors_of_tiles_have_their_names():
    with processes.started(MANY, device="cpu") as pool, pytest.raises(InputError, match=r"was ended(.|\n)*memory"):
        tiled.fill(TILES, _deadly, threads=MANY, pool=pool)
    with (
        processes.started(MANY, device="cpu") as pool,
        pytest.raises(InputError, match=r"drivers are missing(.|\n)*build the cube again"),
    ):
        tiled.fill(TILES, _wrong, threads=MANY, pool=pool)


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux to end them")
def test_no_process_outlives_its_map():
    code = (
        "import time; from tamrl.inference import processes\n"
        f"with processes.started({MANY}, device='cpu') as pool:\n"
        f"    [pool.submit(time.sleep, 60) for _ in range({MANY})]; print(*pool._processes, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    children = [int(word) for word in parent.stdout.readline().split()]
    assert len(children) == MANY and all(Path(f"/proc/{child}").exists() for child in children)
    parent.kill()
    parent.wait()
    end = time.monotonic() + 20
    while any(_alive(child) for child in children) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(_alive(child) for child in children)


def _alive(process: int) -> bool:
    """Whether a process runs; one that has ended may wait to be counted."""
    status = Path(f"/proc/{process}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
