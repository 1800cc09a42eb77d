"""The time that a run still takes, while it runs: by the fitted rates at first, then by what its finished jobs took."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tamrl.costs import needs
from tamrl.costs.plan import DISPATCH, PlannedRule, run_hours
from tamrl.costs.size import RunSize
from tamrl.costs.work import NETWORK, RULES, TREE
from tamrl.sections.run import Config

SHORT = 3.0
"""Seconds of a job of a rule without rates, besides its start."""

LEARNT = 20.0
"""Seconds of measurements that weigh as much as the fitted rates."""

ALMOST = 0.95
"""Largest share of a job that counts as done while it runs."""

ALIKE = {
    "place_drivers": "build_samples",
    "collocate_sums": "collocate_drivers",
    "build_sums": "build_samples",
    "build_alternatives": "build_samples",
    "adapt_towers": NETWORK,
    "predict_sums": "predict_towers",
    "predict_part": "predict_tiles",
    "compare_sensors": "build_driver",
    "measure_ceilings": "evaluate_models",
    "score_independent": "evaluate_models",
    "choose_settings": "evaluate_models",
    "cover_truth": "sum_year",
    "compare_product": "sum_year",
    "write_product": "write_map",
    "check_products": "record_provenance",
}
"""Rules whose jobs take about as long as those of a rule with rates: the one whose memory and minutes they ask for."""


def expected_job_seconds(rules: Iterable[str], config: Config, *, cores: int) -> dict[str, float]:
    """Return the seconds of a job of each rule, from its start to its end, with at most `cores` threads.

    The jobs of `train_model` have one number, the mean over networks and trees; a part of a map takes its share of the map.
    """
    size = RunSize.of(config)

    def seconds(name: str) -> float:
        return needs.job_seconds(name, size, threads=min(RULES[name].threads, cores))

    expected = {}
    for rule in rules:
        alike = ALIKE.get(rule, rule)
        if alike == NETWORK:
            counts = {kind: RULES[kind].jobs(size) for kind in (NETWORK, TREE)}
            expected[rule] = sum(seconds(kind) * count for kind, count in counts.items()) / max(sum(counts.values()), 1)
        elif alike in RULES:
            expected[rule] = seconds(alike) / (config.inference.jobs if rule == "predict_part" else 1)
            expected[rule] *= size.labels if rule != alike and alike == "sum_year" else 1  # they read every label
        else:
            expected[rule] = SHORT
    return {rule: value + DISPATCH for rule, value in expected.items()}


def jobs_at_once(jobs: Mapping[str, int], expected: Mapping[str, float], *, cores: int) -> float:
    """Return how many jobs run side by side on average on one node, by the plan: job seconds over seconds.

    Parameters
    ----------
    jobs, expected : number of jobs, and seconds of one of them, of each rule
    cores : processors of the node
    """
    known = {rule: ALIKE.get(rule, rule) for rule in jobs if ALIKE.get(rule, rule) in RULES}
    planned = [
        PlannedRule(alike, jobs[rule], expected[rule] - DISPATCH, 0.0, min(RULES[alike].threads, cores), 0.0)
        for rule, alike in known.items()
    ]
    total = sum(jobs[rule] * expected[rule] for rule in jobs)
    others = sum(jobs[rule] * expected[rule] for rule in jobs if rule not in known)
    seconds = 3600 * run_hours(planned, nodes=1, cores=cores) + others / cores
    return max(1.0, total / seconds) if seconds else 1.0


@dataclass
class Forecast:
    """Seconds of the jobs of a run, expected and measured. Times are seconds of one clock."""

    jobs: Mapping[str, int]
    """Jobs of each rule."""
    expected: Mapping[str, float]
    """Seconds of one job of each rule before any is measured."""
    lanes: float
    """Jobs side by side before any is measured."""
    begun: float
    """When the run began."""
    _took: dict[str, list[float]] = field(default_factory=dict)
    _running: dict[int, tuple[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, jobs: Mapping[str, int], config: Config, *, cores: int | None, begun: float) -> "Forecast":
        """Return the forecast of a run with these jobs.

        Parameters
        ----------
        jobs : number of jobs of each rule
        config : of the run
        cores : processors of this machine, by default all
        begun : now
        """
        cores = cores or os.cpu_count() or 1
        expected = expected_job_seconds(jobs, config, cores=cores)
        return cls(dict(jobs), expected, jobs_at_once(jobs, expected, cores=cores), begun)

    def start(self, job: int, rule: str, now: float) -> None:
        """Note that a job began."""
        self._running[job] = (rule, now)

    def end(self, job: int, now: float, *, good: bool = True) -> float:
        """Note that a job ended, and return its seconds; one that failed is still to be done."""
        rule, begun = self._running.pop(job)
        if good:
            self._took.setdefault(rule, []).append(now - begun)
        return now - begun

    def running(self) -> dict[int, tuple[str, float]]:
        """Return rule and beginning of the jobs that run, the oldest first."""
        return dict(sorted(self._running.items(), key=lambda item: item[1][1]))

    def done(self, rule: str) -> int:
        """Return the number of finished jobs of a rule."""
        return len(self._took.get(rule, ()))

    @property
    def pace(self) -> float:
        """What jobs took over what was expected of them."""
        measured = sum(map(sum, self._took.values()))
        planned = sum(len(took) * self.expected[rule] for rule, took in self._took.items())
        return (measured + LEARNT) / (planned + LEARNT)

    def job_seconds(self, rule: str) -> float:
        """Return the seconds of one job of a rule: the mean of its finished jobs, else those expected at the pace of others."""
        took = self._took.get(rule)
        return sum(took) / len(took) if took else self.expected[rule] * self.pace

    def _work(self, rules: Iterable[str], now: float) -> tuple[float, float]:
        """Seconds of all jobs of the rules, and of these what is done."""
        every = {rule: self.job_seconds(rule) for rule in rules if rule in self.jobs}
        total = sum(self.jobs[rule] * seconds for rule, seconds in every.items())
        done = sum(self.done(rule) * seconds for rule, seconds in every.items())
        parts = (min(now - begun, ALMOST * every[rule]) for rule, begun in self._running.values() if rule in every)
        return total, done + sum(parts)

    def share(self, now: float, rules: Iterable[str] | None = None) -> float:
        """Return the share of the time of these rules' jobs that has passed; of all rules by default."""
        total, done = self._work(self.jobs if rules is None else rules, now)
        return min(done / total, 1.0) if total else 1.0

    def seconds_left(self, now: float) -> float:
        """Return the seconds until all jobs have ended."""
        total, done = self._work(self.jobs, now)
        busy = sum(map(sum, self._took.values())) + sum(now - begun for _, begun in self._running.values())
        lanes = (busy + LEARNT * self.lanes) / (now - self.begun + LEARNT)
        return max(total - done, 0.0) / max(lanes, 1.0)
