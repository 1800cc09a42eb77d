"""Runs on real data say what they will need, and fetch each variable and year by a job of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import PATIENCE

ROOT = Path(__file__).parents[2]
SNAKEMAKE = Path(sys.executable).parent / "snakemake"


@pytest.fixture
def plan(tmp_path):
    for name in ("fluxnet2015", "fluxnet", "era5", "modis", "static"):
        (tmp_path / "global" / name).mkdir(parents=True)

    def run(*drivers):
        command = [SNAKEMAKE, "--dry-run", "--quiet", "reason", "--nolock", "--forceall", "--configfile", "config/global.yaml"]
        command += ["--config", *drivers] if drivers else []
        environment = os.environ | {"TAMRL_DATA": str(tmp_path)}
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    run.folder = tmp_path
    return run


def test_the_plan_of_the_global_run_says_what_it_needs():
    command = [sys.executable, "-m", "tamrl.costs", "config/global.yaml"]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for what in (
        "files of arco_era5",
        "what stays of arco_era5",
        "files of modis",
        "cube of drivers",
        "memory of the largest job",
        "computing on two cores",
    ):
        assert what in text


@pytest.mark.parametrize("file", ["test", "global"])
def test_parsing_prints_nothing(plan, file):
    command = [SNAKEMAKE, "--list-rules", "--configfile", f"config/{file}.yaml"]
    environment = os.environ | {"TAMRL_DATA": str(plan.folder)}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment)
    assert all(line.isidentifier() for line in done.stdout.splitlines())
    assert all(line.startswith("Config file ") for line in done.stderr.splitlines())


def test_what_is_fetched_is_fetched_variable_by_variable_and_year_by_year(plan):
    static = "static: {path: '{data}/global/static', download: false}"
    done = plan(
        f"drivers={{sources: [cds_era5, modis, static], cds_era5: {{download: true}}, modis: {{download: true}}, {static}}}"
    )
    for folder in ("cds_era5/t2m/2001", "cds_era5/d2m/2010", "cds_era5/tp/2024", "modis/MOD13C1/2003"):
        assert f"downloads/drivers/{folder}" in done.stdout
    assert done.stdout.count("rule download_drivers:") == 24 * 5


def test_static_maps_are_fetched_once_for_all_years(plan):
    done = plan()
    for folder in ("static/land_cover/2019", "static/elevation/2022", "static/koppen/2020"):
        assert done.stdout.count(f"output: downloads/drivers/{folder}\n") == 1
    assert done.stdout.count("rule download_drivers:") == 24 * 5 + 3
