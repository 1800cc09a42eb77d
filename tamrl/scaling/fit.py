"""Rates from finished runs: seconds and memory of a job as a start plus so much for each unit of its work.

`python -m tamrl.scaling.fit results/a results/b` adds the measurements of these runs to those in `costs.json`, and fits the rates
to all of them.
"""

import csv
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tamrl import files
from tamrl.errors import InputError
from tamrl.scaling import size
from tamrl.scaling.work import LIKE, NETWORK, RULES, TREE

COSTS = Path(__file__).with_name("costs.json")
MIB = 1024**2

OF_MAPS = {"write_report", "record_provenance"}
"""Rules whose work is that of the maps, so that runs without grids say nothing of them."""

WORK = 0.5
"""Share of the seconds of the largest run measured that counts as work at the least: small runs hide work behind the start."""


@dataclass(frozen=True)
class Cost:
    """Seconds of processor and MiB of a job: `start + per_unit · units` and `base + held · bytes`; `runs` were measured."""

    start: float
    per_unit: float
    base: float
    held: float
    runs: int


def measured(run: Path) -> dict[str, Any]:
    """What a finished run took: its sizes, hardware, and of each rule the median job.

    Raises
    ------
    InputError
        If the run has no `provenance.json`.
    """
    if not (run / "provenance.json").exists():
        raise InputError("the run is not finished", where=run / "provenance.json", todo=f"make maps with run: {run.name}")
    record = files.read_json(run / "provenance.json")
    found = size.of(record["config"], towers=_towers(run / "towers/towers.csv"))
    jobs: dict[str, list[dict[str, float]]] = {}
    for table in sorted((run / "benchmarks").rglob("*.tsv")):
        rule = table.relative_to(run / "benchmarks").parts[0].removesuffix(".tsv")
        tree = rule == NETWORK and table.name.split("-")[0] in size.TREES
        jobs.setdefault(TREE if tree else rule, []).append(_job(table))
    known = set(RULES) - (set() if record["config"]["drivers"]["sources"] else OF_MAPS)
    rules = {rule: _median(rows) | {"jobs": len(rows)} for rule, rows in jobs.items() if rule in known}
    about = {key: record["hardware"][key] for key in ("processor", "cores", "memory_gib")}
    return {"run": record["run"], "recorded": record["recorded"], "hardware": about, "size": asdict(found), "rules": rules}


def _towers(table: Path) -> int:
    return sum(1 for _ in table.open(encoding="utf-8")) - 1


def _job(table: Path) -> dict[str, float]:
    with open(table, encoding="utf-8") as handle:
        row = list(csv.DictReader(handle, delimiter="\t"))[-1]
    number = {key: float(row[name]) for key, name in _COLUMNS.items() if row.get(name, "-") not in ("-", "NA", "")}
    return {"cpu": number.get("seconds", 0.0)} | number


_COLUMNS = {"seconds": "s", "cpu": "cpu_time", "mib": "max_rss", "written_mib": "io_out"}


def _median(rows: list[dict[str, float]]) -> dict[str, float]:
    names = {name for row in rows for name in row}
    return {name: round(float(np.median([row[name] for row in rows if name in row])), 3) for name in sorted(names)}


def line(x: np.ndarray, y: np.ndarray, *, least: float = 0.0) -> tuple[float, float]:
    """Start and slope of `y ≈ start + slope · x`, neither below zero nor the slope below `least`, by relative least squares.

    Parameters
    ----------
    x, y : (N,) units and what was measured, y > 0
    least : what a unit takes at the least, whatever was measured
    """
    from scipy.optimize import nnls

    scale = x.max() or 1.0
    rest = np.maximum(y - least * x, 0.0)
    (start, slope), _ = nnls(np.stack([1 / y, x / scale / y], axis=1), rest / y)
    return float(start), float(slope / scale + least)


def fit(found: list[dict[str, Any]]) -> dict[str, Cost]:
    """Rates of each rule from the measurements of `measured`. A byte that a job holds is held once at the least."""
    costs = {}
    for rule, work in RULES.items():
        seen = [(size.Size(**run["size"]), run["rules"][rule]) for run in found if rule in run["rules"]]
        if seen and rule not in LIKE:
            units, held = (np.array([amount(s) for s, _ in seen]) for amount in (work.units, work.memory))
            seconds = np.array([max(job["cpu"], 0.01) for _, job in seen])
            start, per_unit = line(units, seconds, least=WORK * seconds[units.argmax()] / units.max())
            base, times = line(held / MIB, np.array([job["mib"] for _, job in seen]), least=1.0)
            costs[rule] = Cost(start, per_unit, base, times, len(seen))
    return costs


def read() -> dict[str, Cost]:
    """The rates that ship with the package."""
    return {rule: Cost(**cost) for rule, cost in files.read_json(COSTS)["costs"].items()}


def basis() -> list[dict[str, Any]]:
    """The measurements behind them."""
    return files.read_json(COSTS)["basis"]


def main(runs: list[str]) -> None:
    """Measure `runs` and write `costs.json`; measurements of other runs stay."""
    new = {run["run"]: run for run in (measured(Path(run)) for run in runs)}
    found = [run for run in basis() if run["run"] not in new] + list(new.values())
    files.write_json(COSTS, {"basis": found, "costs": {rule: asdict(cost) for rule, cost in fit(found).items()}})


if __name__ == "__main__":
    main(sys.argv[1:])
