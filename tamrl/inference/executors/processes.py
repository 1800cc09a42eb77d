"""Tiles over the processes of one machine.

Threads that decode share the lock of the interpreter, which each needs for every small operation, so that many threads are no
faster than a few. Beyond `THREADS` tiles at a time each tile has a process, which opens cube and models itself; the bits are the
same.

A thread in each process gives a sign of life every second, however long its tile takes. A process that gives none for `SILENCE`
seconds is stopped or starved: it is ended, and the map with it.
"""

import ctypes
import logging
import mmap
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from tamrl.errors import InputError, MachineError
from tamrl.grid import Tile
from tamrl.inference.executors.threads import collect_tiles

T = TypeVar("T")
_log = logging.getLogger(__name__)

THREADS = 4
"""Tiles at a time up to which threads suffice."""

SILENCE = 60
"""Seconds without a sign of life after which a process counts as stopped. Seconds in which the map itself stands still do not
count, so that a job which a queue suspends as a whole goes on."""


def count_processes(tiles: int) -> int:
    """Number of processes for `tiles` tiles at a time on a processor."""
    return tiles if tiles > THREADS else 1


class ProcessExecutor:
    """Runs tiles in the processes of a pool; see `Executor`."""

    in_process = False

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self.pool = pool

    def map(self, work: Callable[[Tile], T], tiles: Sequence[Tile]) -> dict[str, T]:
        """Results of `work`, which is pickled, by the names of the tiles."""
        try:
            return collect_tiles(tiles, [self.pool.submit(work, tile) for tile in tiles])
        except BrokenProcessPool as error:
            todo = "give the job more memory, or fewer threads; the same command goes on with the tiles that are missing"
            raise InputError("a process that made tiles was ended", found=error, todo=todo) from error


@contextmanager
def start_processes(count: int) -> Iterator[ProcessExecutor]:
    """Start `count` processes.

    Enter it before anything opens files or starts threads: the processes are forked at once, share the pages of all imports so
    far, and a fork has no other threads. Raises `MachineError` if a process gave no sign of life and was ended.
    """
    context = multiprocessing.get_context("fork")  # the others would run the script of the workflow once more in each
    signs = memoryview(mmap.mmap(-1, 8 * (2 * count + 1))).cast("Q")  # shared; those of `multiprocessing` need room on a disk
    watch, begin = _Watch(signs), (os.getpid(), signs, context.Lock())
    try:
        with ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=begin) as pool:
            first = pool.submit(os.getpid)  # all processes exist after the first task
            with watch.looking(pool):
                first.result()
                yield ProcessExecutor(pool)
    except Exception as error:
        if watch.silent and BrokenProcessPool in (type(error), type(error.__cause__)):
            raise watch.refusal() from error
        if isinstance(error, BrokenProcessPool):
            todo = "give the job more memory, or fewer threads"
            raise MachineError("processes that make tiles cannot be started", found=error, todo=todo) from error
        raise


def _begin(parent: int, signs: memoryview, lock: Any) -> None:
    """Prepare this process: it ends when its parent is killed, and gives signs of life."""
    if sys.platform == "linux":
        set_death_signal = 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    with lock:
        place = 2 * signs[0] + 1
        signs[0] += 1
    signs[place] = os.getpid()
    threading.Thread(target=_live, args=(signs, place + 1), daemon=True).start()


def _live(signs: memoryview, place: int) -> None:
    while True:
        signs[place] += 1
        time.sleep(1)


class _Watch:
    """Checks every second whether each process has given a sign of life, and ends silent ones."""

    def __init__(self, signs: memoryview) -> None:
        self.signs = signs  # number of processes, then the id of each and the number of its signs
        self.silent: dict[int, str] = {}

    @contextmanager
    def looking(self, pool: ProcessPoolExecutor) -> Iterator[None]:
        """Check while the block runs, and while the pool ends after it."""
        stop = threading.Event()
        processes = dict(pool._processes)  # the pool forgets them when it breaks
        thread = threading.Thread(target=self._look, args=(processes, stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            stop.set()

    def _look(self, processes: dict[int, Any], stop: threading.Event) -> None:
        quiet, last = dict.fromkeys(processes, 0), dict.fromkeys(processes, 0)
        while not stop.wait(1):
            last_signs = dict(zip(self.signs[1::2], self.signs[2::2], strict=True))
            for process in [p for p in processes if processes[p].is_alive()]:
                last_sign = last_signs.get(process, 0)
                quiet[process] = 0 if last_sign != last[process] else quiet[process] + 1
                last[process] = last_sign
                if quiet[process] >= SILENCE:
                    self.silent[process] = _state(process)
                    _log.error("%s", self.refusal())
                    quiet[process] = 0
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)

    def refusal(self) -> MachineError:
        """Error that names the processes that were ended."""
        return MachineError(
            "a process that made tiles gave no sign of life and was ended",
            where=", ".join(f"process {process} ({state})" for process, state in self.silent.items()),
            found=f"none for {SILENCE} s",
            todo="see what stopped it (a signal, memory that is swapped out, a drive that does not answer); "
            "the same command goes on with the tiles that are missing",
        )


def _state(process: int) -> str:
    """State of a process, as the kernel reports it."""
    try:
        letter = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "state unknown"
    return {"T": "stopped", "t": "traced", "D": "waits for a disk or drive"}.get(letter, f"state {letter}")
