"""Executors run the tiles of a map: threads or processes of this machine, or workers on the nodes of a cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from tamrl.grid import Tile
from tamrl.inference.executors import processes
from tamrl.inference.executors.threads import ThreadExecutor
from tamrl.training.device import choose_device

T = TypeVar("T")


class Executor(Protocol):
    """Runs a function for every tile. The results do not depend on the executor."""

    in_process: bool
    """Whether the function runs in this process, and can use what is open here."""

    def map(self, work: Callable[[Tile], T], tiles: Sequence[Tile]) -> dict[str, T]:
        """Results of `work` by the names of the tiles.

        Raises `InputError` if a process was ended from outside; errors of `work` pass.
        """


@contextmanager
def start_executor(*, threads: int, device: str, folder: Path, nodes: int = 1, launcher: str = "") -> Iterator[Executor]:
    """Start the executor that suits the job; to be entered before anything opens files or starts threads.

    Parameters
    ----------
    threads : tiles at the same time, on each node
    device : of `inference.device`. A few tiles, and tiles on a GPU, need no processes of their own.
    folder : on a file system that all nodes see
    nodes, launcher : nodes of the allocation, and the command that starts workers there

    Raises `MachineError` or `InputError` if processes or workers cannot be started, or give no sign of life.
    """
    if nodes > 1:
        from tamrl.inference.executors.cluster import start_cluster  # `distributed` is slow to import

        with start_cluster(nodes, threads=threads, launcher=launcher, folder=folder) as cluster:
            yield cluster
    elif processes.count_processes(threads) > 1 and choose_device(device).type == "cpu":
        with processes.start_processes(threads) as pool:
            yield pool
    else:
        yield ThreadExecutor(threads)
