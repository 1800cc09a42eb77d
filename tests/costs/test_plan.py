"""Plans grow with the grid, shrink with nodes, and ask the queue for more after each failure."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tamrl import config
from tamrl.costs import needs, plan, work
from tamrl.costs.search import format_search, setting_hours
from tamrl.costs.size import RunSize
from tamrl.drivers.formats import netcdf
from tamrl.inference.executors import processes
from tamrl.sections.run import Config

ROOT = Path(__file__).parents[2]


def _config(**changes) -> Config:
    return config.load(changes)


@pytest.fixture
def coarse() -> Config:
    return _config(grid={"resolution": 2})


@pytest.fixture
def fine() -> Config:
    return _config(grid={"resolution": 0.5})


def test_jobs_on_one_processor_wait_for_each_other():
    assert plan.makespan([(10, 1), (20, 1)], nodes=1, cores=1) == pytest.approx(30 + 2 * plan.DISPATCH)
    assert plan.makespan([(10, 1), (20, 1)], nodes=1, cores=2) == pytest.approx(20 + plan.DISPATCH)
    assert plan.makespan([(10, 2), (20, 2)], nodes=1, cores=2) == pytest.approx(30 + 2 * plan.DISPATCH)
    assert plan.makespan([(10, 2), (20, 2)], nodes=2, cores=2) == pytest.approx(20 + plan.DISPATCH)
    assert plan.makespan([(10, 2), (20, 1), (5, 1)], nodes=1, cores=2) == pytest.approx(35 + 3 * plan.DISPATCH)


def test_no_plan_is_faster_than_its_work_on_all_processors():
    jobs = [(float(1 + i % 7), 1 + i % 3) for i in range(50)]
    work = sum((seconds + plan.DISPATCH) * threads for seconds, threads in jobs)
    for nodes in (1, 2, 5):
        assert plan.makespan(jobs, nodes=nodes, cores=4) >= work / (4 * nodes)
    assert plan.makespan(jobs, nodes=5, cores=4) < plan.makespan(jobs, nodes=1, cores=4)


def test_a_finer_grid_takes_more_time_memory_and_disk(coarse, fine):
    a, b = RunSize.of(coarse), RunSize.of(fine)
    assert plan.disk_bytes(b) == pytest.approx(16 * plan.disk_bytes(a), rel=0.01)
    assert plan.run_hours(plan.plan_steps(b), nodes=1) > 1.5 * plan.run_hours(plan.plan_steps(a), nodes=1)
    assert plan.run_hours(plan.plan_steps(b), nodes=16) < plan.run_hours(plan.plan_steps(b), nodes=1)


def test_tiles_in_processes_need_memory_each(coarse):
    own = needs.job_resources("predict_tiles", coarse)["mem_mb"]
    assert work.FEW == processes.THREADS
    assert own(None, attempt=1, threads=32) > own(None, attempt=1, threads=work.FEW) + 32 * work.RULES["predict_tiles"].process


def test_a_job_asks_for_more_with_the_grid_and_with_each_attempt(coarse, fine):
    a, b = (needs.job_resources("build_cube", conf) for conf in (coarse, fine))
    assert b["mem_mb"](None, attempt=1, threads=1) > a["mem_mb"](None, attempt=1, threads=1) >= needs.LEAST_MIB
    assert b["mem_mb"](None, attempt=2, threads=1) == pytest.approx(2 * b["mem_mb"](None, attempt=1, threads=1), abs=100)
    assert b["runtime"](None, attempt=3, threads=1) == pytest.approx(4 * b["runtime"](None, attempt=1, threads=1), abs=4)
    whole = needs.job_resources("build_cube", _config(grid={"resolution": 0.1}))["runtime"]
    assert whole(None, attempt=1, threads=8) < whole(None, attempt=1, threads=1)


def test_a_region_takes_less_time_and_disk_after_the_drivers():
    globe, region = (RunSize.of(_config(grid={"resolution": 0.25, "bounds": bounds})) for bounds in (None, (-12, 34, 42, 72)))
    assert region.mapped == pytest.approx(54 * 38 / (360 * 180)) and globe.mapped == 1.0
    assert work.RULES["build_cube"].units(region) == work.RULES["build_cube"].units(globe)
    for rule in ("predict_tiles", "write_map", "assess_applicability"):
        assert work.RULES[rule].units(region) == pytest.approx(region.mapped * work.RULES[rule].units(globe))
    assert work.bytes_of_products(region) == pytest.approx(region.mapped * work.bytes_of_products(globe))


def _global(**drivers) -> RunSize:
    given = yaml.safe_load((ROOT / "config/global.yaml").read_text())
    return RunSize.of(config.load(given | {"drivers": given["drivers"] | drivers}))


def test_the_global_run_has_no_serial_tail():
    steps = plan.plan_steps(_global())
    assert max(step.seconds for step in steps) < 600
    assert plan.run_hours(steps, nodes=16) < 0.75
    assert max(step.mib for step in steps) < 64 * 1024, "a common node"


def test_files_that_are_read_for_their_checksums_count():
    kept, streamed = _global(), _global(arco_era5={"download": False})
    assert work.RULES["build_cube"].streams == netcdf.STREAMS
    assert kept.source_bytes > 120e9 > streamed.source_bytes > 0, "what stays with its provider is no file"
    assert RunSize.of(_config()).source_bytes == 0, "a virtual Earth fetches nothing"
    assert needs.job_seconds("build_cube", kept) > needs.job_seconds("build_cube", streamed) + 100


def test_drivers_in_jobs_of_their_own_are_described_so_too():
    together, single = (_global(variable_jobs=chosen) for chosen in (False, True))
    rules = {step.rule: step for step in plan.plan_steps(single)}
    assert rules["describe_driver"].jobs == single.variables
    assert rules["assess_applicability"].seconds < needs.job_seconds("assess_applicability", together, threads=8) / 20


def test_the_plan_is_printed_for_every_configuration():
    done = subprocess.run(
        [sys.executable, "-m", "tamrl.costs", "config/global.yaml"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "| 256 |" in done.stdout and "`predict_tiles` | 23 |" in done.stdout and "Fitted to the runs" in done.stdout


def test_a_search_costs_all_its_trainings():
    models = {"lightgbm": {"trees": [100, 1000]}, "ctlstm": {"hidden": [16, 256]}}
    conf = config.load({"search": {"settings": 3, "models": models}})
    hours = setting_hours(conf)
    assert set(hours) == {f"{model}_s0{k}" for model in models for k in range(3)}
    by_trees = {conf.training.options(name)["trees"]: hours[name] for name in hours if name.startswith("lightgbm")}
    assert by_trees[100] < by_trees[250] < by_trees[1000]
    by_width = {conf.training.options(name)["hidden"]: hours[name] for name in hours if name.startswith("ctlstm")}
    assert by_width[16] < by_width[64] < by_width[256]
    doubled = setting_hours(config.load({"search": {"settings": 3, "models": models, "folds": [0, 1]}}))
    assert sum(doubled.values()) == pytest.approx(2 * sum(hours.values()))
    assert "| `ctlstm` | 3 |" in format_search(conf)


def test_the_plan_counts_with_the_threads_of_the_profile():
    profile = yaml.safe_load((ROOT / "workflow/profiles/slurm/config.yaml").read_text())
    assert profile["set-threads"] == {name: rule.threads for name, rule in work.RULES.items() if rule.threads > 1}
