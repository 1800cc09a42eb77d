"""Memory and minutes of a job for the queue of a cluster, from the fitted rates."""

import math
from collections.abc import Callable
from functools import cache

from tamrl.costs.fit import MIB, Basis, Rate
from tamrl.costs.size import RunSize
from tamrl.costs.work import FEW, LIKE, NETWORK, RULES, TREE
from tamrl.sections.run import Config

MARGIN = 2.0
"""Factor between the first request of a job and the rates, which are accurate to about this factor."""

LEAST_MIB, LEAST_MINUTES = 2000, 20
"""Smallest request of a job: queues round up, and a cold file system takes the first minutes."""

BANDWIDTH = 100e6
"""Bytes a second of a file that a job reads or writes on a shared file system, cautiously."""

Request = Callable[..., int]


@cache
def _rate(rule: str) -> Rate:
    return Basis.read().costs[LIKE.get(rule, rule)]


def job_seconds(rule: str, size: RunSize, *, threads: int = 1) -> float:
    """Return the seconds of one job: its start, its work on `threads` processors, and its bytes through the file system."""
    rate, work = _rate(rule), RULES[rule]
    moved = work.reads(size) / work.streams + work.writes(size)
    return rate.start + rate.per_unit * work.units(size) / threads + moved / BANDWIDTH


def job_mib(rule: str, size: RunSize, *, threads: int = 1) -> float:
    """Return the MiB of one job with its threads."""
    rate, work = _rate(rule), RULES[rule]
    processes = threads * work.process if threads > FEW else 0.0
    return rate.base + rate.held * work.memory(size) / MIB + processes


def job_resources(rule: str, config: Config, *, jobs: int = 1) -> dict[str, Request]:
    """Return the resources of a Snakemake rule, `mem_mb` and `runtime` (minutes), which double with each attempt.

    Trainings ask for the larger of a network and a tree model; `jobs` of the rule that run one after the other for their sum.
    """
    size = RunSize.of(config)
    kinds = [NETWORK, TREE] if rule == NETWORK else [rule]

    def mem_mb(wildcards: object, attempt: int, threads: int) -> int:
        """Memory of an attempt."""
        memory = max(LEAST_MIB, MARGIN * max(job_mib(kind, size, threads=threads) for kind in kinds))
        return math.ceil(memory * (1 << (attempt - 1)) / 100) * 100

    def runtime(wildcards: object, attempt: int, threads: int) -> int:
        """Minutes of an attempt."""
        longest = jobs * max(job_seconds(kind, size, threads=min(threads, RULES[kind].threads)) for kind in kinds)
        return math.ceil(max(LEAST_MINUTES, MARGIN * longest / 60) * (1 << (attempt - 1)))

    return {"mem_mb": mem_mb, "runtime": runtime}
