"""What benches share: a line of the table, and how long a call takes."""

import math
import time
from collections.abc import Callable
from typing import Any


def row(name: str, value: float, unit: str, target: float | None, *, below: bool = False) -> dict[str, Any]:
    """A line; its target is the least that is wanted, or with `below` the most. None: there is no target."""
    met = target is None or (value <= target if below else value >= target)
    return {"name": name, "value": value, "unit": unit, "target": target, "met": bool(met)}


def took(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of one call."""
    start = clock()
    call()
    return clock() - start


def fastest(call: Callable[[], object], repeat: int = 3, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of the fastest of `repeat` calls, after one that warms up."""
    call()
    return min(took(call, clock) for _ in range(repeat))


def exponent(
    small: Callable[[], object], large: Callable[[], object], *, times: float, calls: int = 1, clock: Callable[[], float]
) -> float:
    """Exponent with which the cost grows between two sizes, 1 for linear: each is the fastest of three calls.

    Parameters
    ----------
    small, large : work at two sizes
    times : how much larger the second is
    calls : how often `small` does its work in a call
    """
    return math.log(calls * fastest(large, 3, clock) / fastest(small, 3, clock)) / math.log(times)
