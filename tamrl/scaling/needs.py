"""Memory and minutes of a job for the queue of a cluster, from the fitted rates."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from tamrl.scaling import fit, size
from tamrl.scaling.work import FEW, LIKE, NETWORK, RULES, TREE

MARGIN = 2.0
"""What a job asks for on its first try, over what the rates say: they are good to about that."""

LEAST_MIB, LEAST_MINUTES = 2000, 20
"""A job asks for no less; queues round up anyway, and the first minutes go to a cold file system."""

BANDWIDTH = 100e6
"""Bytes a second that one job reads or writes on a shared file system, cautiously."""

Amount = Callable[..., int]


@cache
def _costs() -> dict[str, fit.Cost]:
    return fit.read()


def seconds(rule: str, sizes: size.Size, *, threads: int = 1) -> float:
    """Seconds of one job: its start, its work on `threads` processors, and its bytes through the file system."""
    cost, work = _costs()[LIKE.get(rule, rule)], RULES[rule]
    moved = work.reads(sizes) + work.writes(sizes)
    return cost.start + cost.per_unit * work.units(sizes) / threads + moved / BANDWIDTH


def mib(rule: str, sizes: size.Size, *, threads: int = 1) -> float:
    """MiB of one job with its threads."""
    cost, work = _costs()[LIKE.get(rule, rule)], RULES[rule]
    processes = threads * work.process if threads > FEW else 0.0
    return cost.base + cost.held * work.memory(sizes) / fit.MIB + processes


def resources(rule: str, config: dict[str, Any]) -> dict[str, Amount]:
    """Resources of a Snakemake rule, `mem_mb` and `runtime` (minutes), that double with each attempt.

    Parameters
    ----------
    rule : a rule of the workflow; trainings ask for the larger of a network and a tree model
    config : the whole configuration as plain values
    """
    sizes = size.of(config)
    kinds = [NETWORK, TREE] if rule == NETWORK else [rule]

    def mem_mb(wildcards: object, attempt: int, threads: int) -> int:
        """Of this attempt, with its threads."""
        memory = max(LEAST_MIB, MARGIN * max(mib(kind, sizes, threads=threads) for kind in kinds))
        return math.ceil(memory * 2 ** (attempt - 1) / 100) * 100

    def runtime(wildcards: object, attempt: int, threads: int) -> int:
        """Of this attempt, with its threads."""
        longest = max(seconds(kind, sizes, threads=min(threads, RULES[kind].threads)) for kind in kinds)
        return math.ceil(max(LEAST_MINUTES, MARGIN * longest / 60) * 2 ** (attempt - 1))

    return {"mem_mb": mem_mb, "runtime": runtime}
