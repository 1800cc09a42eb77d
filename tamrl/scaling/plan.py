"""What a run will take on 1, 16 and 256 nodes, before anything runs: `make plan CONFIG=...`.

The chain is walked stage by stage: the jobs of a stage go to the nodes longest first, each on as many processors as its rule
can use; a stage lasts no less than its bytes through the shared file system.
"""

import sys
from dataclasses import dataclass

from tamrl import config as configuration
from tamrl.errors import TamrlError
from tamrl.planning import data_needs
from tamrl.scaling import fit, needs, size
from tamrl.scaling.work import RULES

NODES = (1, 16, 256)
CORES = 32
"""Processors of a node."""

SHARED = 5e9
"""Bytes a second of the whole shared file system."""

DISPATCH = 3.0
"""Seconds until a job of the queue has begun and Snakemake has started in it."""


@dataclass(frozen=True)
class Step:
    """The jobs of one rule in a plan."""

    rule: str
    jobs: int
    seconds: float
    mib: float
    threads: int
    moved: float

    @property
    def processor_hours(self) -> float:
        """Of all its jobs."""
        return self.jobs * self.seconds * self.threads / 3600


def steps(sizes: size.Size, *, cores: int = CORES) -> list[Step]:
    """Every rule with its jobs on nodes of `cores` processors."""
    found = []
    for rule, work in RULES.items():
        if count := round(work.jobs(sizes)):
            threads = min(work.threads, cores)
            moved = work.reads(sizes) + work.writes(sizes)
            seconds, mib = (amount(rule, sizes, threads=threads) for amount in (needs.seconds, needs.mib))
            found.append(Step(rule, count, seconds, mib, threads, count * moved))
    return found


def makespan(jobs: list[tuple[float, int]], *, nodes: int, cores: int) -> float:
    """Seconds until jobs of (seconds, threads) are done on `nodes` of `cores` processors, the longest first.

    A job takes `threads` processors of one node, the first that has them; nothing is backfilled.
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


def hours(found: list[Step], *, nodes: int, cores: int = CORES) -> float:
    """Hours of the whole chain, without waiting for the queue."""
    total = 0.0
    for stage in sorted({RULES[step.rule].stage for step in found}):
        mine = [step for step in found if RULES[step.rule].stage == stage]
        jobs = [(step.seconds, step.threads) for step in mine for _ in range(step.jobs)]
        total += max(makespan(jobs, nodes=nodes, cores=cores), sum(step.moved for step in mine) / SHARED)
    return total / 3600


def disk(sizes: size.Size) -> float:
    """Bytes that a finished run keeps: cube, predictions, maps and their members."""
    kept = [
        rule
        for rule in RULES
        if rule in ("build_driver", "build_cube", "predict_tiles", "write_map", "write_members", "write_era5")
    ]
    return sum(RULES[rule].jobs(sizes) * RULES[rule].writes(sizes) for rule in kept)


def _duration(seconds: float) -> str:
    """In the unit that reads best."""
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def text(sizes: size.Size, *, run: str, nodes: tuple[int, ...] = NODES, cores: int = CORES) -> str:
    """The plan as a page of Markdown."""
    found = steps(sizes, cores=cores)
    head = ["| rule | jobs | one job takes | GiB a job | threads | processor hours |", "|---|--:|--:|--:|--:|--:|"]
    rows = [
        f"| `{s.rule}` | {s.jobs} | {_duration(s.seconds)} | {s.mib / 1024:.1f} | {s.threads} | {s.processor_hours:.1f} |"
        for s in found
    ]
    times = [f"| {n} | {_duration(3600 * hours(found, nodes=n, cores=cores))} |" for n in nodes]
    return "\n".join(
        [
            f"`{run}`: {sum(s.jobs for s in found)} jobs, {sum(s.processor_hours for s in found):,.0f} processor hours, "
            f"{disk(sizes) / 1e9:,.0f} GB on disk, largest job {max(s.mib for s in found) / 1024:.1f} GiB.",
            "",
            f"| nodes of {cores} processors | whole run, queue not counted |",
            "|--:|--:|",
            *times,
            "",
            *head,
            *rows,
        ]
    )


def main(paths: list[str]) -> None:
    """Print the plan of the configurations laid over each other in `paths`; none is the default."""
    conf = configuration.load_files(paths)
    print(text(size.of(conf.model_dump(mode="json")), run=conf.run))
    print("", *data_needs(conf), sep="\n")
    runs = ", ".join(run["run"] for run in fit.basis())
    print(f"\nFitted to the runs {runs}; good to about a factor of {needs.MARGIN:g} (docs/scaling.md).")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except TamrlError as error:
        sys.exit(str(error))
