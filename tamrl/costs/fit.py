"""Rates from finished runs: seconds and memory of a job as a start plus a rate times its work.

`python -m tamrl.costs.fit results/a results/b` adds the measurements of these runs to those in `costs.json`, and fits the rates
to all of them.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tamrl import config as configuration
from tamrl import files
from tamrl.benchmarks import read_benchmark
from tamrl.costs.size import RunSize, training_cost
from tamrl.costs.work import LIKE, NETWORK, RULES, TREE
from tamrl.errors import InputError
from tamrl.layout import File, RunLayout
from tamrl.options import Strict
from tamrl.sections.run import Config

COSTS = Path(__file__).with_name("costs.json")
MIB = 1024**2

OF_MAPS = {"write_report", "record_provenance"}
"""Rules whose work depends on the maps, so that runs without grids do not measure it."""

WORK = 0.5
"""Smallest share of the seconds of the largest run that counts as work; in small runs the start hides the work."""

COLUMNS = {"seconds": "s", "cpu": "cpu_time", "mib": "max_rss", "written_mib": "io_out"}
"""Columns of Snakemake's benchmarks."""


class Rate(Strict):
    """Processor seconds and MiB of a job: `start + per_unit · units` and `base + held · bytes`; `runs` were measured."""

    start: float
    per_unit: float
    base: float
    held: float
    runs: int


class Job(Strict):
    """Costs of the median job of a rule."""

    cpu: float
    """Processor seconds."""
    mib: float
    """Peak memory."""
    jobs: int = 1
    """Jobs measured."""
    seconds: float | None = None
    written_mib: float | None = None


class Machine(Strict):
    """Hardware of a run."""

    processor: str
    cores: int
    memory_gib: float


class Measurement(Strict):
    """Costs of a finished run."""

    run: str
    recorded: str
    hardware: Machine
    size: RunSize
    rules: dict[str, Job]


class Basis(Strict):
    """`costs.json`: rates, and the measurements that they are fitted to."""

    basis: tuple[Measurement, ...]
    costs: dict[str, Rate]

    @classmethod
    def read(cls) -> "Basis":
        """Read the rates of the package."""
        return cls.model_validate(files.read_json(COSTS))

    def write(self) -> None:
        """Replace the rates of the package."""
        files.write_json(COSTS, self.model_dump(exclude_none=True))


def measure_run(folder: Path) -> Measurement:
    """Measure a finished run: its sizes, hardware, and the median job of each rule.

    Raise `InputError` if the run has no `provenance.json`.
    """
    layout = RunLayout(folder.name, str(folder.parent))
    provenance = Path(layout(File.PROVENANCE))
    if not provenance.exists():
        raise InputError("the run is not finished", where=provenance, todo=f"make maps with run: {folder.name}")
    record = files.read_json(provenance)
    config = configuration.load(record["config"])
    trees, benchmarks = _tree_tables(config, layout), Path(layout(File.BENCHMARKS))
    tables: dict[str, list[Path]] = {}
    for table in sorted(benchmarks.rglob("*.tsv")):
        rule = TREE if table in trees else table.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        tables.setdefault(rule, []).append(table)
    known = set(RULES) - (set() if config.drivers.sources else OF_MAPS)
    towers = len(Path(layout(File.TOWERS)).read_text(encoding="utf-8").splitlines()) - 1
    return Measurement(
        run=record["run"],
        recorded=record["recorded"],
        hardware=Machine(**{key: record["hardware"][key] for key in Machine.model_fields}),
        size=RunSize.of(config, towers=towers),
        rules={rule: _median_job(of_rule) for rule, of_rule in tables.items() if rule in known},
    )


def _tree_tables(config: Config, layout: RunLayout) -> set[Path]:
    """Return the benchmarks of the trainings of tree models."""
    models = [name for name in config.training.models if training_cost(config, name).kind == "trees"]
    members = range(max(config.training.members, config.evaluation.members or 0))
    folds = (*config.splits.fold_names, "all")
    parts = [f"{model}-{fold}-{member}" for model in models for fold in folds for member in members]
    return {Path(layout.benchmark(NETWORK, part)) for part in parts}


def _median_job(tables: Sequence[Path]) -> Job:
    """Return the median of the last lines of benchmarks."""
    rows = pd.DataFrame([read_benchmark(table) for table in tables])
    jobs = rows.reindex(columns=COLUMNS.values()).set_axis(list(COLUMNS), axis=1).astype(float)
    jobs["cpu"] = jobs["cpu"].fillna(jobs["seconds"]).fillna(0.0)
    return Job(jobs=len(jobs), **{name: round(value, 3) for name, value in jobs.median().dropna().items()})


def fit_line(x: np.ndarray, y: np.ndarray, *, least: float = 0.0) -> tuple[float, float]:
    """Fit `y ≈ start + slope · x` to arrays (N), y > 0, by relative least squares; start ≥ 0, slope ≥ `least`."""
    from scipy.optimize import nnls

    scale = x.max() or 1.0
    rest = np.maximum(y - least * x, 0.0)
    (start, slope), _ = nnls(np.stack([1 / y, x / scale / y], axis=1), rest / y)
    return float(start), float(slope / scale + least)


def fit_rates(runs: Sequence[Measurement]) -> dict[str, Rate]:
    """Fit the rates of each rule to the measurements. A job holds each of its bytes at least once."""
    rates = {}
    for rule, work in RULES.items():
        measured = [(run.size, run.rules[rule]) for run in runs if rule in run.rules]
        if measured and rule not in LIKE:
            units, held = (np.array([amount(size) for size, _ in measured]) for amount in (work.units, work.memory))
            seconds = np.array([max(job.cpu, 0.01) for _, job in measured])
            start, per_unit = fit_line(units, seconds, least=WORK * seconds[units.argmax()] / units.max())
            base, times = fit_line(held / MIB, np.array([job.mib for _, job in measured]), least=1.0)
            rates[rule] = Rate(start=start, per_unit=per_unit, base=base, held=times, runs=len(measured))
    return rates


def fit_runs(folders: Sequence[str]) -> None:
    """Measure the runs in `folders` and write `costs.json`; measurements of other runs stay."""
    new = {run.run: run for run in (measure_run(Path(folder)) for folder in folders)}
    runs = (*(run for run in Basis.read().basis if run.run not in new), *new.values())
    Basis(basis=runs, costs=fit_rates(runs)).write()


if __name__ == "__main__":
    fit_runs(sys.argv[1:])
