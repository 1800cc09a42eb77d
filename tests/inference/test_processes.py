"""Tiles over the processes of one machine: the same numbers, errors with their names, and no process that outlives its map."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tamrl import files, stores
from tamrl.errors import InputError, MachineError
from tamrl.inference import stage, worker
from tamrl.inference.executors import processes, start_executor
from tamrl.inference.executors.threads import ThreadExecutor
from tamrl.inference.stage import predict_part, predict_tiles
from tests.inference.test_chaos import CODE, _arguments, _finish, _hashes, _start
from tests.inference.test_cluster import TILES, _deadly, _wrong

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
        predict_part(**_arguments(cube, models, folder), record=str(folder / f"{part}.json"), threads=MANY, part=part, parts=2)
    predict_tiles(**_arguments(cube, models, folder), manifest=str(folder / "2011.json"), threads=1)
    manifests = [files.read_json(tmp_path / name / "2011.json") for name in ("one", "many", "shares")]
    assert manifests[0] == manifests[1] == manifests[2]
    chunks = [files.read_json(tmp_path / name / "2011.zarr" / stores.MANIFEST)["files"] for name in ("one", "many", "shares")]
    assert chunks[0] == chunks[1] == chunks[2] and len(chunks[0]) > 10


def test_each_tile_at_a_time_has_a_process(tmp_path):
    with processes.start_processes(MANY) as pool:
        found = pool.map(_process, TILES)
    assert os.getpid() not in {record["process"] for record in found.values()}
    assert len({record["process"] for record in found.values()}) > 1
    for threads, kind in ((MANY, processes.ProcessExecutor), (processes.THREADS, ThreadExecutor)):
        with start_executor(threads=threads, device="cpu", folder=tmp_path) as executor:
            assert isinstance(executor, kind)


def test_a_process_that_is_killed_and_errors_of_tiles_have_their_names():
    with processes.start_processes(MANY) as pool, pytest.raises(InputError, match=r"was ended(.|\n)*memory"):
        pool.map(_deadly, TILES)
    with (
        processes.start_processes(MANY) as pool,
        pytest.raises(InputError, match=r"drivers are missing(.|\n)*build the cube again"),
    ):
        pool.map(_wrong, TILES)


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux to end them")
def test_no_process_outlives_its_map():
    code = (
        "import time; from tamrl.inference.executors import processes\n"
        f"with processes.start_processes({MANY}) as pool:\n"
        f"    [pool.pool.submit(time.sleep, 60) for _ in range({MANY})]; print(*pool.pool._processes, flush=True); time.sleep(60)"
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


def _stopped(tile, where: str) -> dict:
    """One process is stopped while it makes its first tile; the others take long, and give signs of life all the same."""
    mark = Path(where) / "stopped"
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        time.sleep(1)
        return {"process": os.getpid()}
    mark.write_text(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGSTOP)
    return {}


def test_a_process_that_is_stopped_ends_the_map_with_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "SILENCE", 3)
    begun = time.monotonic()
    with (
        pytest.raises(MachineError, match=r"no sign of life[\s\S]*goes on") as caught,
        processes.start_processes(MANY) as pool,
    ):
        pool.map(partial(_stopped, where=str(tmp_path)), TILES * 3)
    assert f"process {(tmp_path / 'stopped').read_text()} (stopped)" in caught.value.where
    assert time.monotonic() - begun < 40


def test_processes_that_are_slow_are_left_alone(monkeypatch):
    monkeypatch.setattr(processes, "SILENCE", 3)
    with processes.start_processes(MANY) as pool:
        found = list(pool.pool.map(time.sleep, [6] * MANY))
    assert found == [None] * MANY


def test_a_map_that_is_stopped_as_a_whole_goes_on_when_it_may():
    code = (
        "import time; from tamrl.inference.executors import processes\nprocesses.SILENCE = 3\n"
        f"with processes.start_processes({MANY}) as pool:\n"
        f"    print('ready', flush=True); list(pool.pool.map(time.sleep, [2] * {MANY})); print('done', flush=True)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], start_new_session=True
    )
    assert parent.stdout.readline() == b"ready\n"
    os.killpg(parent.pid, signal.SIGSTOP)
    time.sleep(6)
    os.killpg(parent.pid, signal.SIGCONT)
    assert parent.communicate(timeout=60)[0] == b"done\n"


def test_a_stopped_map_is_finished_by_the_next_call(cube, models, tmp_path, monkeypatch):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    arguments = {}
    for folder in (whole, broken):
        folder.mkdir()
        arguments[folder] = _arguments(cube, models, folder) | {"manifest": str(folder / "2011.json"), "threads": MANY}
    predict_tiles(**arguments[whole])
    predict_part(**_arguments(cube, models, broken), record=str(broken / "part.json"), threads=1, part=0, parts=4)
    kept = {p.name: p.stat().st_mtime_ns for p in (broken / "2011.tiles").glob("r*.json")}
    monkeypatch.setattr(stage, "fill_tile", partial(_stop_once, str(tmp_path)))
    with monkeypatch.context() as impatient, pytest.raises(MachineError, match="no sign of life"):
        impatient.setattr(processes, "SILENCE", 3)
        predict_tiles(**arguments[broken])
    predict_tiles(**arguments[broken])
    assert files.read_json(whole / "2011.json") == files.read_json(broken / "2011.json")
    assert kept and kept.items() <= {p.name: p.stat().st_mtime_ns for p in (broken / "2011.tiles").glob("r*.json")}.items()


def _stop_once(where: str, job, tile) -> dict:
    if not (Path(where) / "stopped").exists():
        _stopped(tile, where)
    return worker.fill_tile(job, tile)


@pytest.mark.parametrize("threads", [1, MANY])
@pytest.mark.parametrize("gone", ["2011.zarr", "."])
def test_a_store_that_is_removed_is_named_and_made_anew(cube, models, tmp_path, threads, gone):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    _finish(_start(cube, models, whole, threads))
    code = CODE.replace(
        "print('ready'",
        "import shutil; from tamrl.inference import worker as m; from pathlib import Path; one = m.predict_tile;\n"
        "def cut(worker, *a):\n"
        "    found = one(worker, *a)\n"
        "    if list(worker.store.path.parent.glob('2011.tiles/r*.json')):\n"
        f"        shutil.rmtree(Path(sys.argv[3]) / {gone!r}, ignore_errors=True)\n"
        "    return found\n"
        "m.predict_tile = cut\nprint('ready'",
    )
    arguments = _arguments(cube, models, broken) | {"manifest": str(broken / "2011.json"), "threads": threads}
    command = [sys.executable, "-c", code, str(Path(__file__).parents[2]), json.dumps(arguments), str(broken)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert ended.returncode == 1
    assert "the store was removed while its tiles were written" in ended.stderr and str(broken / "2011.zarr") in ended.stderr
    broken.mkdir(exist_ok=True)
    _finish(_start(cube, models, broken, threads))
    assert _hashes(broken) == _hashes(whole)
