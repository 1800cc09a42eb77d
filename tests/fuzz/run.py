"""Run targets in processes of their own, and count what comes of each mutated file."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.base import BAD, Outcome, Target

ROOT = Path(__file__).parents[2]
LIMIT = 30.0
"""Seconds after which the reading of one small file counts as a hang."""
START = 300.0
"""Seconds that imports and the making of the sample may take."""


@dataclass
class Tally:
    """Counts of a target, and its cases that are faults."""

    name: str
    counts: Counter[Outcome] = field(default_factory=Counter)
    faults: list[dict] = field(default_factory=list)


class _Nursery:
    """A process with all imports, from which one at a time is forked that reads cases; its lines come with a limit of time."""

    def __init__(self) -> None:
        env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "TAMRL_FUZZ": "1"}
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        self.process = subprocess.Popen([sys.executable, "-m", "tests.fuzz.child"], cwd=ROOT, env=env, text=True, **pipes)
        self.lines: queue.Queue[dict | None] = queue.Queue()
        self.stderr: list[str] = []
        threading.Thread(target=self._drain, daemon=True).start()
        threading.Thread(target=lambda: self.stderr.extend(self.process.stderr), daemon=True).start()

    def _drain(self) -> None:
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    @contextmanager
    def child(self, *arguments: object) -> Iterator["_Nursery"]:
        """A process that reads cases; it is ended, should it still run, with the block."""
        self.stderr.clear()
        chosen = {name: value for name, value in os.environ.items() if name.startswith("FUZZ_")}
        self.process.stdin.write(json.dumps({"arguments": arguments, "environment": chosen}) + "\n")
        self.process.stdin.flush()
        self.code: int | None = None
        process = self.next(START)["process"]
        try:
            yield self
        finally:
            if self.code is None:
                with suppress(ProcessLookupError):  # it may have ended after its last line
                    os.kill(process, signal.SIGKILL)
            while self.code is None:
                self.next(START)

    def next(self, limit: float) -> dict | None:
        """The next line; None where the process is at its end. `queue.Empty` after `limit` seconds."""
        line = self.lines.get(timeout=limit)
        if line is None:
            raise RuntimeError(f"no process can be forked\n{''.join(self.stderr)}")
        self.code = line.get("exit")
        return line if self.code is None else None


_own = threading.local()


def _nursery() -> _Nursery:
    """That of this thread."""
    if not hasattr(_own, "nursery"):
        _own.nursery = _Nursery()
    return _own.nursery


def run(target: Target, *, seed: int, cases: Sequence[int], limit: float = LIMIT, module: str = "tests.fuzz.targets") -> Tally:
    """Read mutated samples of a target.

    Parameters
    ----------
    cases : sequence of int
        Consecutive numbers; a number and the seed give the same mutation each time.
    limit : float
        Seconds after which one reading counts as a hang.
    module : str
        Where the process of the target finds it, in `TARGETS`.
    """
    tally, at, last = Tally(target.name), cases[0], cases[-1] + 1
    while at < last:
        with _nursery().child(module, target.name, seed, at, last) as child:
            if not child.next(START):
                raise RuntimeError(f"{target.name}: the valid sample cannot be read\n{''.join(child.stderr)}")
            for found in _read(child, at, last, limit):
                tally.counts[found["outcome"]] += 1
                if found["outcome"] in BAD:
                    tally.faults.append({"target": target.name, "seed": seed} | found)
                at = found["case"] + 1
    return tally


def _read(child: _Nursery, first: int, last: int, limit: float) -> Iterator[dict]:
    """Each case with its outcome, until the process hangs, dies or is done."""
    for _ in range(first, last):
        begun = child.next(limit)
        try:
            ended = child.next(limit)
        except queue.Empty:
            yield begun | {"outcome": "hang", "said": f"more than {limit:g} s"}
            return
        if ended is None:
            yield begun | {"outcome": "dead", "said": f"exit {child.code}: {''.join(child.stderr)[-2000:]}"}
            return
        yield begun | ended


def run_all(
    targets: Sequence[Target], *, seed: int, cases: Sequence[int], limit: float = LIMIT, jobs: int = 1
) -> Iterator[Tally]:
    """Tallies of the targets in their order, `jobs` of them at once."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda target: run(target, seed=seed, cases=cases, limit=limit), targets)
