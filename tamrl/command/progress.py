"""The state of a run while it runs: its phases, its jobs, and what is said of them in words."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tamrl import escaping
from tamrl.command.phases import Phase, phases_of
from tamrl.costs.forecast import Forecast

SHOWN_JOBS = 3
"""Running jobs that are named at once."""


def clock(seconds: float) -> str:
    """A duration as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def roughly(seconds: float) -> str:
    """A duration that is not known well."""
    if seconds < 45:
        return "less than a minute"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 90 else f"about {seconds / 3600:.1f} h"


@dataclass(frozen=True)
class StartedJob:
    """A job of Snakemake."""

    number: int
    rule: str
    wildcards: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Rule and wildcards."""
        return escaping.one_line(" ".join((self.rule, "-".join(self.wildcards))))


@dataclass
class RunProgress:
    """What a run has done. Times are seconds of one clock."""

    forecast: Forecast
    phases: list[Phase] = field(init=False)
    jobs: dict[int, StartedJob] = field(default_factory=dict)
    """All that have begun, by number."""
    failed: dict[int, StartedJob] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.phases = phases_of(self.forecast.jobs)

    def start(self, job: StartedJob, now: float) -> None:
        """Note that a job began; again, if it is a second attempt."""
        self.jobs[job.number] = job
        self.failed.pop(job.number, None)
        self.forecast.start(job.number, job.rule, now)

    def finish(self, number: int, now: float) -> Phase | None:
        """Note that a job ended well; returns the phase that has ended with it."""
        job = self.jobs[number]
        self.forecast.end(number, now)
        phase = self.phase_of(job.rule)
        return phase if self.done(phase) == self.total(phase) else None

    def fail(self, number: int, now: float) -> float:
        """Note that a job failed; returns its seconds."""
        self.failed[number] = self.jobs[number]
        return self.forecast.end(number, now, good=False)

    def phase_of(self, rule: str) -> Phase:
        """Phase of a rule of this run."""
        return next(phase for phase in self.phases if rule in phase.rules)

    def done(self, phase: Phase) -> int:
        """Finished jobs of a phase."""
        return sum(map(self.forecast.done, phase.rules))

    def total(self, phase: Phase) -> int:
        """All jobs of a phase."""
        return sum(self.forecast.jobs[rule] for rule in phase.rules)

    def place(self, phase: Phase) -> str:
        """Number of a phase among those of the run."""
        return f"[{self.phases.index(phase) + 1}/{len(self.phases)}]"

    def finished_line(self, phase: Phase, now: float) -> str:
        """What is said of a phase that has ended, with the time since the run began; phases may run side by side."""
        count, end = self.total(phase), clock(now - self.forecast.begun)
        jobs = f"{count} job{'s' if count > 1 else ''}"
        return f"{self.place(phase)} {phase.title:15} done at {end:>5}, {jobs}: {phase.purpose}"

    def status_line(self, now: float) -> str:
        """Share of the time that has passed, the time left and the jobs that run."""
        running = [f"{self.jobs[number].name} ({clock(now - begun)})" for number, (_, begun) in self.forecast.running().items()]
        more = [f"{len(running) - SHOWN_JOBS} more"] if len(running) > SHOWN_JOBS else []
        jobs = ", ".join([*running[:SHOWN_JOBS], *more]) or "no job"
        parts = [f"{100 * self.forecast.share(now):3.0f} % of the time", f"{clock(now - self.forecast.begun)} so far"]
        return " · ".join([*parts, f"{roughly(self.forecast.seconds_left(now))} left", f"running: {jobs}"])


def failure_lines(job: StartedJob, seconds: float, logs: Sequence[str], reason: Sequence[str]) -> list[str]:
    """What is said of a job that failed: its rule, its log and the reason that the log states.

    Parameters
    ----------
    job : that failed
    seconds : how long it ran
    logs : its log files
    reason : last error lines of the log
    """
    lines = [f"FAILED {job.name}, after {clock(seconds)}", *(f"  log: {escaping.one_line(log)}" for log in logs)]
    return [*lines, *(f"  | {escaping.for_log(line)}" for line in reason)]
