"""Tiles over several workers: the same numbers as of one machine, whatever becomes of a worker."""

import os
import signal
import socket
import stat
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
from distributed.utils import get_ip

from tamrl import files, stores
from tamrl.errors import InputError, MachineError
from tamrl.grid import Grid
from tamrl.inference.executors import cluster, processes
from tamrl.inference.stage import predict_tiles
from tests.inference.test_chaos import _arguments

TILES = list(Grid(30.0).tiles(2))[:5]


@pytest.fixture
def launcher(tmp_path) -> str:
    """Starts a command twice, as a queue does on two nodes."""
    script = tmp_path / "launch"
    script.write_text('#!/bin/sh\n"$@" &\n"$@" &\nwait\n')
    script.chmod(stat.S_IRWXU)
    return str(script)


def _told(tile, folder: str) -> dict:
    """Which process had this tile; the first one dies of it."""
    if not (first := Path(folder) / "first").exists():
        first.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"name": tile.name, "process": os.getpid()}


def _process(tile) -> dict:
    time.sleep(0.5)
    return {"process": os.getpid()}


def _deadly(tile) -> dict:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _sockets(process: psutil.Process) -> set[tuple[str, int]]:
    return {tuple(c.laddr) for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}


def _wrong(tile) -> dict:
    raise InputError("drivers are missing", where=tile.name, todo="build the cube again")


def test_two_workers_make_the_map_of_one_machine(cube, models, launcher, tmp_path):
    for name, given in {"one": {}, "two": {"nodes": 2, "launcher": launcher}}.items():
        (folder := tmp_path / name).mkdir()
        predict_tiles(**_arguments(cube, models, folder), manifest=str(folder / "2011.json"), threads=2, **given)
    one, two = (files.read_json(tmp_path / name / "2011.json") for name in ("one", "two"))
    assert one == two
    chunks = [files.read_json(tmp_path / name / "2011.zarr" / stores.MANIFEST)["files"] for name in ("one", "two")]
    assert chunks[0] == chunks[1] and len(chunks[0]) > 10
    assert not list((tmp_path / "two").glob(".workers-*")), "the keys are gone with the workers"


def test_beyond_a_few_threads_a_node_has_a_process_for_each(launcher, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "THREADS", 1)
    with cluster.start_cluster(2, threads=2, launcher=launcher, folder=tmp_path) as workers:
        found = workers.map(_process, TILES)
    assert len({record["process"] for record in found.values()}) > 2


@pytest.mark.parametrize(("count", "threads"), [(1, 1), (2, 1), (2, 2)])
def test_nobody_listens_but_on_the_network_between_the_nodes(launcher, tmp_path, monkeypatch, count, threads):
    monkeypatch.setattr(processes, "THREADS", 1)
    before = _sockets(psutil.Process())
    with cluster.start_cluster(count, threads=threads, launcher=launcher if count > 1 else "env", folder=tmp_path) as workers:
        found = _sockets(psutil.Process()) - before
        for child in psutil.Process().children(recursive=True):  # launcher, nannies and workers
            found |= _sockets(child)
        answers = [_answer(address) for address in found]
        scheduler = workers._client.scheduler.address
    own = get_ip() if count > 1 else "127.0.0.1"
    assert scheduler.startswith(f"tls://{own}:")
    assert {host for host, _ in found} == {own, "127.0.0.1"}
    assert len(found) >= 2 + 2 * count * threads, "scheduler, workers and their web servers"
    assert all(not answer.startswith(b"HTTP") or b" 404 " in answer for answer in answers), answers


def _answer(address: tuple[str, int]) -> bytes:
    """What a stranger without the key is told."""
    with socket.create_connection(address, timeout=5) as stranger, suppress(OSError):
        stranger.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        return stranger.recv(4096)
    return b""


def test_what_one_machine_began_workers_finish(cube, models, launcher, tmp_path):
    arguments = _arguments(cube, models, tmp_path) | {"manifest": str(tmp_path / "2011.json"), "threads": 1}
    predict_tiles(**arguments)
    whole = files.read_json(tmp_path / "2011.json")
    tiles = sorted((tmp_path / "2011.tiles").glob("r*.json"))
    times = {tile: tile.stat().st_mtime_ns for tile in tiles[1:]}
    tiles[0].unlink()
    predict_tiles(**arguments, nodes=2, launcher=launcher)
    assert files.read_json(tmp_path / "2011.json") == whole
    assert {tile: tile.stat().st_mtime_ns for tile in times} == times and tiles[0].exists()


def test_a_tile_of_a_lost_worker_goes_to_another(launcher, tmp_path):
    with cluster.start_cluster(2, threads=1, launcher=launcher, folder=tmp_path) as workers:
        found = workers.map(partial(_told, folder=str(tmp_path)), TILES)
    assert [found[tile.name]["name"] for tile in TILES] == [tile.name for tile in TILES]
    assert len({record["process"] for record in found.values()}) == 1


def test_a_map_without_workers_ends_with_a_name(launcher, tmp_path):
    with (
        pytest.raises(InputError, match="have ended"),
        cluster.start_cluster(2, threads=1, launcher=launcher, folder=tmp_path) as workers,
    ):
        workers.map(_deadly, TILES)
    with pytest.raises(InputError, match=r"cannot be launched(.|\n)*nowhere(.|\n)*inference\.nodes: 1"):
        _start("nowhere", tmp_path)
    with pytest.raises(InputError, match=r"have ended(.|\n)*exit status 3"):
        _start("sh -c 'exit 3'", tmp_path)
    assert not list(tmp_path.glob(".workers-*"))


def test_errors_of_tiles_arrive_as_they_are(launcher, tmp_path):
    with (
        pytest.raises(InputError, match=r"drivers are missing(.|\n)*build the cube again"),
        cluster.start_cluster(2, threads=1, launcher=launcher, folder=tmp_path) as workers,
    ):
        workers.map(_wrong, TILES)


def test_keys_are_for_this_user_alone(tmp_path):
    cluster._keys(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ca", "cert", "key"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def _start(launcher: str, folder: Path) -> None:
    with cluster.start_cluster(2, threads=1, launcher=launcher, folder=folder):
        pytest.fail("there are no workers")


def _stops(tile, folder: str) -> dict:
    """The first worker that has a tile is stopped while it makes it."""
    with suppress(FileExistsError), open(Path(folder) / "stopped", "x", encoding="utf-8") as mark:
        mark.write(str(os.getpid()))
        mark.flush()
        os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(0.2)
    return {"process": os.getpid()}


def _all_stop(tile) -> dict:
    os.kill(os.getpid(), signal.SIGSTOP)
    return {}


def _gone(process: int) -> bool:
    end = time.monotonic() + 20
    while Path(f"/proc/{process}").exists() and time.monotonic() < end:
        time.sleep(0.1)
    return not Path(f"/proc/{process}").exists()


def test_tiles_of_a_worker_that_is_stopped_go_to_another_and_it_does_not_stay(launcher, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(processes, "SILENCE", 20)  # other workers may be slow on a busy machine
    monkeypatch.setattr(cluster, "ENDING", 5)
    monkeypatch.setattr(cluster, "INTERVAL", 1)
    with cluster.start_cluster(2, threads=1, launcher=launcher, folder=tmp_path) as workers:
        found = workers.map(partial(_stops, folder=str(tmp_path)), TILES)
    stopped = int((tmp_path / "stopped").read_text())
    assert len(found) == len(TILES) and stopped not in {record["process"] for record in found.values()}
    assert f"process {stopped} at tls" in caplog.text and _gone(stopped)


def test_a_map_whose_workers_are_all_stopped_ends_with_their_names(launcher, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "SILENCE", 5)
    monkeypatch.setattr(cluster, "ENDING", 5)
    monkeypatch.setattr(cluster, "INTERVAL", 1)
    begun = time.monotonic()
    with (
        pytest.raises(MachineError, match=r"no worker[\s\S]*process \d+ at tls[\s\S]*process \d+ at tls[\s\S]*goes on"),
        cluster.start_cluster(2, threads=1, launcher=launcher, folder=tmp_path) as workers,
    ):
        workers.map(_all_stop, TILES)
    assert time.monotonic() - begun < 120
