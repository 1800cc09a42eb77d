"""Tiles over the processes of one machine.

Threads that decode share the lock of the interpreter, which each needs again for every small operation, so that many are no
faster than some. Beyond `THREADS` tiles at a time each has a process of its own, which opens cube and models itself; the bits
are the same.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from tamrl.training.device import choose

THREADS = 4
"""Tiles at a time for which threads do."""


def needed(count: int) -> int:
    """Processes for `count` tiles at a time on a processor."""
    return count if count > THREADS else 1


@contextmanager
def started(count: int, *, device: str) -> Iterator[ProcessPoolExecutor | None]:
    """Processes for `count` tiles at a time, or None where threads do: for a few tiles, and on a GPU, which waits for nothing.

    To be entered before anything opens files or begins threads: the processes are forked at once, share the pages of what is
    imported so far, and a fork holds no thread but its own.
    """
    if needed(count) == 1 or choose(device).type != "cpu":
        yield None
        return
    context = multiprocessing.get_context("fork")  # the others would run the script of the workflow once more in each
    with ProcessPoolExecutor(count, mp_context=context, initializer=_end_with, initargs=(os.getpid(),)) as pool:
        pool.submit(os.getpid).result()  # all are there after the first task
        yield pool


def _end_with(parent: int) -> None:
    """End this process when its parent is killed, which has no time to tell."""
    if sys.platform == "linux":
        set_death_signal = 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
