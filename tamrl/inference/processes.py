"""Tiles over the processes of one machine.

Threads that decode share the lock of the interpreter, which each needs again for every small operation, so that many are no
faster than some. Beyond `THREADS` tiles at a time each has a process of its own, which opens cube and models itself; the bits
are the same.

A thread in each process gives a sign of life every second, however long its tile takes. A process that gives none for `SILENCE`
looks in a row is stopped or starved: it is ended, and the map with it.
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
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tamrl.errors import MachineError
from tamrl.training.device import choose_device

LOG = logging.getLogger(__name__)

THREADS = 4
"""Tiles at a time for which threads do."""

SILENCE = 60
"""Seconds without a sign of life after which a process counts as stopped. Seconds in which the map itself stands still do not
count, so that a job which a queue suspends as a whole goes on."""


def needed(count: int) -> int:
    """Processes for `count` tiles at a time on a processor."""
    return count if count > THREADS else 1


@contextmanager
def started(count: int, *, device: str) -> Iterator[ProcessPoolExecutor | None]:
    """Processes for `count` tiles at a time, or None where threads do: for a few tiles, and on a GPU, which waits for nothing.

    To be entered before anything opens files or begins threads: the processes are forked at once, share the pages of what is
    imported so far, and a fork holds no thread but its own.

    Raises
    ------
    MachineError
        If a process gave no sign of life and was ended.
    """
    if needed(count) == 1 or choose_device(device).type != "cpu":
        yield None
        return
    context = multiprocessing.get_context("fork")  # the others would run the script of the workflow once more in each
    signs = memoryview(mmap.mmap(-1, 8 * (2 * count + 1))).cast("Q")  # shared; those of `multiprocessing` need room on a disk
    watch, begin = _Watch(signs), (os.getpid(), signs, context.Lock())
    try:
        with ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=begin) as pool:
            first = pool.submit(os.getpid)  # all are there after the first task
            with watch.looking(pool):
                first.result()
                yield pool
    except Exception as error:
        if watch.silent and BrokenProcessPool in (type(error), type(error.__cause__)):
            raise watch.refusal() from error
        if isinstance(error, BrokenProcessPool):
            todo = "give the job more memory, or fewer threads"
            raise MachineError("processes that make tiles cannot be started", found=error, todo=todo) from error
        raise


def _begin(parent: int, signs: memoryview, lock: Any) -> None:
    """Prepare this process: it ends when its parent is killed, which has no time to tell, and gives signs of life."""
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
    """Looks every second whether each process has given a sign of life, and ends those that are silent.

    `signs` hold how many processes took their places, then the id of each and how many signs it has given.
    """

    def __init__(self, signs: memoryview) -> None:
        self.signs = signs
        self.silent: dict[int, str] = {}

    @contextmanager
    def looking(self, pool: ProcessPoolExecutor) -> Iterator[None]:
        """Look as long as the block runs, and while the pool comes to its end after that."""
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
                    LOG.error("%s", self.refusal())
                    quiet[process] = 0
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)

    def refusal(self) -> MachineError:
        """What became of the processes that were ended."""
        return MachineError(
            "a process that made tiles gave no sign of life and was ended",
            where=", ".join(f"process {process} ({state})" for process, state in self.silent.items()),
            found=f"none for {SILENCE} s",
            todo="see what stopped it (a signal, memory that is swapped out, a drive that does not answer); "
            "the same command goes on with the tiles that are missing",
        )


def _state(process: int) -> str:
    """What the kernel says of a process."""
    try:
        letter = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "state unknown"
    return {"T": "stopped", "t": "traced", "D": "waits for a disk or drive"}.get(letter, f"state {letter}")
