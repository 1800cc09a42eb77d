"""Tiles over the nodes of one allocation: a Dask scheduler here, and workers on each node, started by a launcher such as `srun`.

Each worker opens cube and models itself and computes its tiles as a single machine does, so the bits are the same. Connections
are encrypted with a key made for this map: nobody else on the cluster can give work to these workers. Scheduler and workers
listen only on the network between the nodes, their web servers only on the node itself (`cluster_worker`).
"""

import logging
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

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
from tamrl.inference.executors import processes

T = TypeVar("T")
_log = logging.getLogger(__name__)
PATIENCE = 600.0
"""Seconds that workers have to report: a shared file system loads a Python environment slowly."""
ENDING = 60.0
"""Seconds that launcher and workers have to end."""
INTERVAL = 5.0
"""Seconds between two checks that the launcher still runs."""


class ClusterExecutor:
    """Runs tiles on workers that were started by the process `launcher` with `command`; see `Executor`."""

    in_process = False

    def __init__(self, client: Client, launcher: subprocess.Popen[bytes], command: str) -> None:
        self._client, self._launcher, self._command = client, launcher, command
        self._known: set[str] = set()
        self._processes: dict[str, int] = {}
        self._lost: list[str] = []
        self._since = time.monotonic()

    def map(self, work: Callable[[Tile], T], tiles: Sequence[Tile]) -> dict[str, T]:
        """Results of `work` by the names of the tiles; a tile whose worker is lost goes to another one.

        Raises `InputError` if all workers are lost, or a tile has ended several; errors of `work` pass.
        """
        names = [tile.name for tile in tiles]
        self._check_workers()
        futures = self._client.map(work, tiles, key=[f"tile-{name}" for name in names], pure=False)
        for _ in log.progress(self._as_completed(futures), "tiles", total=len(tiles)):
            pass
        self._find_workers()
        return dict(zip(names, self._client.gather(futures), strict=True))

    def _as_completed(self, futures: Sequence[Future[Any]]) -> Iterator[Future[Any]]:
        pending = set(futures)
        while pending:
            try:
                done, pending = wait(pending, timeout=INTERVAL, return_when="FIRST_COMPLETED")
            except TimeoutError:
                self.check_launcher()
                self._check_workers()
                continue
            for future in done:
                if isinstance(error := future.exception(), KilledWorker):
                    raise InputError(
                        "a tile ended several workers", found=error, todo="give them more memory: the log of the queue says more"
                    ) from error
                future.result()
            yield from done

    def _find_workers(self) -> set[str]:
        """Addresses of the workers; the log names those that were lost."""
        workers = set(self._client.scheduler_info(n_workers=-1)["workers"])
        for address in sorted(self._known - workers):
            self._lost.append(f"process {self._processes.get(address, 'unknown')} at {address}")
            _log.warning("%s is lost or gives no sign of life; its tiles go to other workers", self._lost[-1])
        self._known = workers
        return workers

    def _check_workers(self) -> None:
        """Raise if there has been no worker for longer than a silent one is waited for."""
        if self._find_workers():
            self._since = time.monotonic()
        elif time.monotonic() - self._since > processes.SILENCE:
            raise MachineError(
                "no worker of the map gives a sign of life",
                where="; ".join(self._lost) or None,
                found=f"none for {processes.SILENCE} s",
                todo="see what stopped them; the same command goes on with the tiles that are missing",
            )

    def wait_for(self, count: int) -> None:
        """Wait until `count` workers have reported.

        Raises `InputError` if they do not within `PATIENCE`, or the launcher ends.
        """
        end = time.monotonic() + PATIENCE
        while (reported := len(self._client.scheduler_info(n_workers=-1)["workers"])) < count:
            self.check_launcher()
            if time.monotonic() > end:
                reports = f"{reported} reported in {PATIENCE:.0f} s"
                raise InputError(f"{count} workers were launched", found=reports, todo="see inference.launcher")
            time.sleep(0.2)
        self._processes = self._client.run(os.getpid)

    def check_launcher(self) -> None:
        """Raise if the launcher has ended: then there are no workers."""
        if (code := self._launcher.poll()) is not None:
            raise InputError(
                "the workers of the map have ended",
                where=self._command,
                found=f"exit status {code}",
                todo="see what it printed, and inference.launcher; the same command goes on with the tiles that are missing",
            )


@contextmanager
def start_cluster(count: int, *, threads: int, launcher: str, folder: Path) -> Iterator[ClusterExecutor]:
    """Start workers on `count` nodes.

    Parameters
    ----------
    threads : tiles at the same time, on each node
    launcher : command that starts the words after it once per node; `{nodes}` and `{threads}` are replaced
    folder : on a file system that all nodes see; the keys lie there while the workers run

    Raises `InputError` if the launcher cannot be started, or its workers do not report.
    """
    with tempfile.TemporaryDirectory(prefix=".workers-", dir=folder) as private:
        security = _keys(Path(private))
        local = {"host": get_ip() if count > 1 else "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
        ttl = {"distributed.scheduler.worker-ttl": f"{processes.SILENCE}s"}
        quiet = dask.config.set({"distributed.scheduler.http.routes": [], **ttl})  # web pages ask for no key
        with quiet, LocalCluster(n_workers=0, protocol="tls", security=security, **local) as cluster:
            words = escaping.split_command(launcher, nodes=count, threads=threads)
            per_node = processes.count_processes(threads)
            options = ["--nthreads", threads // per_node, "--nworkers", per_node, "--memory-limit", 0]
            options += ["--no-nanny"] if per_node == 1 else []
            options += ["--death-timeout", 60, "--protocol", "tls"]
            options += ["--tls-ca-file", f"{private}/ca", "--tls-cert", f"{private}/cert", "--tls-key", f"{private}/key"]
            command = [*words, sys.executable, "-m", "tamrl.inference.executors.cluster_worker", *map(str, options)]
            command.append(cluster.scheduler_address)
            package = {"PYTHONPATH": os.pathsep.join([str(Path(tamrl.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])}
            try:
                process = subprocess.Popen(command, env=os.environ | package, stdin=subprocess.DEVNULL)
            except OSError as error:
                todo = "set inference.nodes: 1 outside a queue, or inference.launcher to what starts a command on each node"
                raise InputError("workers cannot be launched", where=words[0], found=error, todo=todo) from error
            with _stopped(process), Client(cluster, set_as_default=False) as client, client.as_current():
                executor = ClusterExecutor(client, process, shlex.join(command[:-1]))
                executor.wait_for(count * per_node)
                shape = count, per_node, threads // per_node
                _log.info("%d nodes of %d processes of %d threads, started by: %s", *shape, shlex.join(words))
                yield executor
                client.shutdown()


@contextmanager
def _stopped(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the launcher and what it started here, whatever happens; workers elsewhere that outlive it end themselves."""
    try:
        yield
        with suppress(subprocess.TimeoutExpired):  # otherwise it is ended below
            process.wait(timeout=ENDING)
    finally:
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            _, alive = psutil.wait_procs([psutil.Process(process.pid), *started], timeout=ENDING)
            for survivor in alive:  # such as stopped ones, which no other signal reaches
                with suppress(psutil.NoSuchProcess):
                    survivor.kill()
        process.wait()


def _keys(folder: Path) -> Security:
    """Create keys for this map, and write them into files that only this user can read."""
    security: Security = Security.temporary()
    for name, attribute in (("ca", "tls_ca_file"), ("cert", "tls_worker_cert"), ("key", "tls_worker_key")):
        with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(getattr(security, attribute))
    return security
