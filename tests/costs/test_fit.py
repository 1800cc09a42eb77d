"""Rates are found again from measurements made with them, and the shipped ones are those of their own basis."""

import numpy as np
import pytest

from tamrl import config, files
from tamrl.costs import fit
from tamrl.costs.fit import Basis
from tamrl.costs.work import LIKE, RULES
from tamrl.errors import InputError


@pytest.mark.parametrize(("start", "slope"), [(2.0, 0.5), (0.0, 3.0), (4.0, 0.0)])
def test_a_line_is_found_again(start, slope):
    x = np.array([1.0, 10.0, 400.0])
    assert fit.fit_line(x, start + slope * x + 1e-12) == pytest.approx((start, slope), abs=1e-6)


def test_a_unit_costs_no_less_than_told():
    assert fit.fit_line(np.array([1.0, 100.0]), np.array([5.0, 5.0]), least=0.02)[1] >= 0.02


def test_the_shipped_rates_are_those_of_the_shipped_measurements():
    again = fit.fit_rates(Basis.read().basis)
    for rule, cost in Basis.read().costs.items():
        assert cost.model_dump() == pytest.approx(again[rule].model_dump()), rule
    assert set(again) == set(RULES) - set(LIKE), "a rule without a measurement"


def test_measured_jobs_are_met_within_a_factor_of_two():
    """On the largest run of each rule, where work outweighs the start."""
    costs = Basis.read().costs
    for rule, work in ((rule, work) for rule, work in RULES.items() if rule not in LIKE):
        runs = [(run.size, run.rules[rule]) for run in Basis.read().basis if rule in run.rules]
        sizes, job = max(runs, key=lambda pair: work.units(pair[0]))
        cost = costs[rule]
        assert 0.5 < (cost.start + cost.per_unit * work.units(sizes)) / job.cpu < 2, rule
        assert 0.5 < (cost.base + cost.held * work.memory(sizes) / fit.MIB) / job.mib < 2, rule


def test_a_run_that_is_not_finished_is_refused(tmp_path):
    with pytest.raises(InputError, match="not finished"):
        fit.measure_run(tmp_path)


@pytest.fixture
def finished(tmp_path):
    """A finished run `a` with four trainings."""
    conf = config.load({}).model_dump(mode="json")
    hardware = {"processor": "p", "cores": 2, "memory_gib": 8}
    files.write_json(tmp_path / "provenance.json", {"run": "a", "recorded": "now", "config": conf, "hardware": hardware})
    (tmp_path / "towers").mkdir()
    (tmp_path / "towers/towers.csv").write_text("site\nA\nB\nC\n")
    (tmp_path / "benchmarks/train_model").mkdir(parents=True)
    for name, seconds in {"tamrl-0-0": 1, "tamrl-1-0": 3, "tamrl-2-0": 8, "lightgbm-0-0": 5}.items():
        (tmp_path / f"benchmarks/train_model/{name}.tsv").write_text(f"s\tmax_rss\tcpu_time\n{seconds}\t100\t{seconds}\n")
    return tmp_path


def test_a_finished_run_is_measured(finished):
    found = fit.measure_run(finished)
    assert found.size.towers == 3
    assert found.rules["train_model"] == fit.Job(cpu=3, seconds=3, mib=100, jobs=3)
    assert found.rules["train_model/trees"].seconds == 5


def test_measurements_of_other_runs_stay_and_those_of_the_same_name_go(finished, tmp_path, monkeypatch):
    before = [run.run for run in Basis.read().basis]
    costs = tmp_path / "costs.json"
    costs.write_bytes(fit.COSTS.read_bytes())
    monkeypatch.setattr(fit, "COSTS", costs)
    for _ in range(2):
        fit.fit_runs([str(finished)])
        assert [run.run for run in Basis.read().basis] == [*before, "a"]
