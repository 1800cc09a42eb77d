"""The time of a run on 1, 16 and 256 nodes, before it starts: `make plan CONFIG=...`.

The plan goes through the chain stage by stage. The jobs of a stage go to the nodes longest first, each on as many processors as
its rule can use. A stage lasts at least as long as the shared file system needs for its bytes.
"""

from dataclasses import dataclass

from tamrl.costs import needs
from tamrl.costs.size import RunSize
from tamrl.costs.work import RULES

NODES = (1, 16, 256)
CORES = 32
"""Processors of a node."""

SHARED = 5e9
"""Bytes a second of the whole shared file system."""

DISPATCH = 3.0
"""Seconds until the queue has started a job and Snakemake runs in it."""


@dataclass(frozen=True)
class PlannedRule:
    """The jobs of one rule in a plan."""

    rule: str
    jobs: int
    seconds: float
    mib: float
    threads: int
    moved: float

    @property
    def processor_hours(self) -> float:
        """Hours of all its jobs together."""
        return self.jobs * self.seconds * self.threads / 3600


def plan_steps(size: RunSize, *, cores: int = CORES) -> list[PlannedRule]:
    """Return every rule with its jobs on nodes of `cores` processors."""
    planned = []
    for rule, work in RULES.items():
        if count := round(work.jobs(size)):
            threads = min(work.threads, cores)
            moved = work.reads(size) + work.writes(size)
            seconds, mib = (amount(rule, size, threads=threads) for amount in (needs.job_seconds, needs.job_mib))
            planned.append(PlannedRule(rule, count, seconds, mib, threads, count * moved))
    return planned


def makespan(jobs: list[tuple[float, int]], *, nodes: int, cores: int) -> float:
    """Return the seconds until jobs of (seconds, threads) are done on `nodes` of `cores` processors, the longest first.

    A job takes `threads` processors of the first node that has them free; gaps are not filled later.
    """
    free = [[0.0] * cores for _ in range(nodes)]
    end = 0.0
    for seconds, threads in sorted(jobs, reverse=True):
        node = min(free, key=lambda times: times[threads - 1])
        done = node[threads - 1] + seconds + DISPATCH
        node[:threads] = [done] * threads
        node.sort()
        end = max(end, done)
    return end


def run_hours(planned: list[PlannedRule], *, nodes: int, cores: int = CORES) -> float:
    """Return the hours of the whole chain, without the time in the queue."""
    total = 0.0
    for stage in sorted({RULES[step.rule].stage for step in planned}):
        parallel = [step for step in planned if RULES[step.rule].stage == stage]
        jobs = [(step.seconds, step.threads) for step in parallel for _ in range(step.jobs)]
        total += max(makespan(jobs, nodes=nodes, cores=cores), sum(step.moved for step in parallel) / SHARED)
    return total / 3600


def disk_bytes(size: RunSize) -> float:
    """Return the bytes of the cube, predictions, maps and members of a finished run."""
    stored = ("write_era5", "build_driver", "build_cube", "predict_tiles", "write_map", "write_members")
    return sum(RULES[rule].jobs(size) * RULES[rule].writes(size) for rule in stored)


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def format_plan(size: RunSize, *, run: str, nodes: tuple[int, ...] = NODES, cores: int = CORES) -> str:
    """Return the plan as a page of Markdown.

    Parameters
    ----------
    nodes : numbers of nodes to plan for
    cores : processors of a node
    """
    planned = plan_steps(size, cores=cores)
    head = ["| rule | jobs | one job takes | GiB a job | threads | processor hours |", "|---|--:|--:|--:|--:|--:|"]
    rows = [
        f"| `{s.rule}` | {s.jobs} | {_duration(s.seconds)} | {s.mib / 1024:.1f} | {s.threads} | {s.processor_hours:.1f} |"
        for s in planned
    ]
    times = [f"| {n} | {_duration(3600 * run_hours(planned, nodes=n, cores=cores))} |" for n in nodes]
    return "\n".join(
        [
            f"`{run}`: {sum(s.jobs for s in planned)} jobs, {sum(s.processor_hours for s in planned):,.0f} processor hours, "
            f"{disk_bytes(size) / 1e9:,.0f} GB on disk, largest job {max(s.mib for s in planned) / 1024:.1f} GiB.",
            "",
            f"| nodes of {cores} processors | whole run, queue not counted |",
            "|--:|--:|",
            *times,
            "",
            *head,
            *rows,
        ]
    )
