"""Tiles over the nodes of one allocation: a Dask scheduler here, and workers on each node that a launcher such as `srun` starts.

Each worker opens cube and models itself and computes its tiles as a machine alone does, so the bits are the same. Connections
are encrypted with a key made for this map: nobody else on the cluster can give these workers something to do. Scheduler and
workers listen on the one network between the nodes, their web servers on the node itself alone (`worker`).
"""

import logging
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dask
import psutil
from distributed import Client, Future, LocalCluster, wait
from distributed.scheduler import KilledWorker
from distributed.security import Security
from distributed.utils import get_ip

import tamrl
from tamrl import escaping, log
from tamrl.errors import InputError, MachineError
from tamrl.grid import Tile
from tamrl.inference import processes

LOG = logging.getLogger(__name__)
PATIENCE = 600.0
"""Seconds that workers have to report: a shared file system is slow to give out a Python environment."""
ENDING = 60.0
"""Seconds that launcher and workers have to end."""
LOOK = 5.0
"""Seconds between two looks at whether the launcher still runs."""


class Nodes:
    """Workers that are ready; made by `started`."""

    def __init__(self, client: Client, launcher: subprocess.Popen) -> None:
        self._client, self._launcher = client, launcher
        self._known: set[str] = set()
        self._processes: dict[str, int] = {}
        self._lost: list[str] = []
        self._since = time.monotonic()

    def fill(self, tiles: list[Tile], one: Callable[[Tile], dict]) -> dict[str, dict]:
        """The record of each tile, as `tiled.fill` gives it; a tile whose worker is lost goes to another one.

        Raises
        ------
        InputError
            If all workers are lost, or a tile has ended several; errors of `one` as they are.
        """
        names = [tile.name for tile in tiles]
        self._count()
        futures = self._client.map(one, tiles, key=[f"tile-{name}" for name in names], pure=False)
        for _ in log.progress(self._as_they_end(futures), "tiles", total=len(tiles)):
            pass
        self._there()
        return dict(zip(names, self._client.gather(futures), strict=True))

    def _as_they_end(self, futures: list[Future]) -> Iterator[Future]:
        left = set(futures)
        while left:
            try:
                done, left = wait(left, timeout=LOOK, return_when="FIRST_COMPLETED")
            except TimeoutError:
                self.check()
                self._count()
                continue
            for future in done:
                if isinstance(error := future.exception(), KilledWorker):
                    raise InputError(
                        "a tile ended several workers", found=error, todo="give them more memory: the log of the queue says more"
                    ) from error
                future.result()
            yield from done

    def _there(self) -> set[str]:
        """Addresses of the workers; the log says which are lost."""
        there = set(self._client.scheduler_info(n_workers=-1)["workers"])
        for address in sorted(self._known - there):
            self._lost.append(f"process {self._processes.get(address, 'unknown')} at {address}")
            LOG.warning("%s is lost or gives no sign of life; its tiles go to other workers", self._lost[-1])
        self._known = there
        return there

    def _count(self) -> None:
        """Raise if there is no worker for longer than a silent one is waited for."""
        if self._there():
            self._since = time.monotonic()
        elif time.monotonic() - self._since > processes.SILENCE:
            raise MachineError(
                "no worker of the map gives a sign of life",
                where="; ".join(self._lost) or None,
                found=f"none for {processes.SILENCE} s",
                todo="see what stopped them; the same command goes on with the tiles that are missing",
            )

    def wait_for(self, count: int) -> None:
        """Return when `count` workers have reported.

        Raises
        ------
        InputError
            If they do not within `PATIENCE`, or the launcher ends.
        """
        end = time.monotonic() + PATIENCE
        while (there := len(self._client.scheduler_info(n_workers=-1)["workers"])) < count:
            self.check()
            if time.monotonic() > end:
                raise InputError(
                    f"{count} workers were launched", found=f"{there} reported in {PATIENCE:.0f} s", todo="see inference.launcher"
                )
            time.sleep(0.2)
        self._processes = self._client.run(os.getpid)

    def check(self) -> None:
        """Raise if the launcher has ended: then there are no workers."""
        if (code := self._launcher.poll()) is not None:
            raise InputError(
                "the workers of the map have ended",
                where=shlex.join(self._launcher.args[:-1]),
                found=f"exit status {code}",
                todo="see what it printed, and inference.launcher; the same command goes on with the tiles that are missing",
            )


@contextmanager
def started(count: int, *, threads: int, launcher: str, folder: Path) -> Iterator[Nodes]:
    """Start workers on `count` nodes, `threads` tiles at a time on each.

    Parameters
    ----------
    launcher : command that starts the words after it once a node; `{nodes}` and `{threads}` are filled in
    folder : on a file system that all nodes see; the keys lie there for the time being

    Raises
    ------
    InputError
        If the launcher is not there, or its workers do not report.
    """
    with tempfile.TemporaryDirectory(prefix=".workers-", dir=folder) as private:
        security = _keys(Path(private))
        local = {"host": get_ip() if count > 1 else "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
        ttl = {"distributed.scheduler.worker-ttl": f"{processes.SILENCE}s"}
        quiet = dask.config.set({"distributed.scheduler.http.routes": [], **ttl})  # web pages ask for no key
        with quiet, LocalCluster(n_workers=0, protocol="tls", security=security, **local) as cluster:
            words = escaping.split_command(launcher, nodes=count, threads=threads)
            own = processes.needed(threads)
            options = ["--nthreads", threads // own, "--nworkers", own, "--memory-limit", 0]
            options += ["--no-nanny"] if own == 1 else []
            options += ["--death-timeout", 60, "--protocol", "tls"]
            options += ["--tls-ca-file", f"{private}/ca", "--tls-cert", f"{private}/cert", "--tls-key", f"{private}/key"]
            command = [*words, sys.executable, "-m", "tamrl.inference.worker", *map(str, options), cluster.scheduler_address]
            here = {"PYTHONPATH": os.pathsep.join([str(Path(tamrl.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])}
            try:
                process = subprocess.Popen(command, env=os.environ | here, stdin=subprocess.DEVNULL)
            except OSError as error:
                todo = "set inference.nodes: 1 outside a queue, or inference.launcher to what starts a command on each node"
                raise InputError("workers cannot be launched", where=words[0], found=error, todo=todo) from error
            with _stopped(process), Client(cluster, set_as_default=False) as client, client.as_current():
                nodes = Nodes(client, process)
                nodes.wait_for(count * own)
                LOG.info("%d nodes of %d processes of %d threads, by: %s", count, own, threads // own, shlex.join(words))
                yield nodes
                client.shutdown()


@contextmanager
def _stopped(process: subprocess.Popen) -> Iterator[None]:
    """Whatever happens, the launcher ends, and what it started here; workers elsewhere that outlive it end themselves."""
    try:
        yield
        with suppress(subprocess.TimeoutExpired):  # what does not end by itself is ended below
            process.wait(timeout=ENDING)
    finally:
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            _, left = psutil.wait_procs([psutil.Process(process.pid), *started], timeout=ENDING)
            for one in left:  # such as stopped ones, which no other signal reaches
                with suppress(psutil.NoSuchProcess):
                    one.kill()
        process.wait()


def _keys(folder: Path) -> Security:
    """Keys for this map alone, also as files that only this user can read."""
    made = Security.temporary()
    for name, content in (("ca", made.tls_ca_file), ("cert", made.tls_worker_cert), ("key", made.tls_worker_key)):
        with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(content)
    return made
