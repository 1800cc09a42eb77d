"""Every configuration that ships plans to the last rule, and bad ones stop before the plan."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tamrl import config
from tests.workflow.conftest import PATIENCE

ROOT = Path(__file__).parents[2]
SNAKEMAKE = Path(sys.executable).parent / "snakemake"
CONFIGS = sorted(p for p in (ROOT / "config").glob("*.yaml") if p.stem not in ("variables",))


def plan(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    command = [SNAKEMAKE, "--dry-run", "--quiet", "rules", "--nolock", "--forceall", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | environment, timeout=PATIENCE
    )


@pytest.mark.parametrize("file", CONFIGS, ids=lambda f: f.stem)
def test_every_configuration_plans_to_the_last_rule(file, shared_data, tmp_path):
    for name in ("fluxnet2015", "fluxnet", "era5", "modis", "static"):  # what a user puts there
        (tmp_path / "global" / name).mkdir(parents=True)
    data = tmp_path if file.stem == "global" else shared_data
    done = plan("--configfile", str(file), TAMRL_DATA=str(data))
    assert done.returncode == 0, done.stdout + done.stderr


def test_variables_of_the_cube_can_be_jobs_of_their_own():
    done = plan("--config", "drivers={variable_jobs: true}")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(line.split()[:2] for line in done.stdout.splitlines() if line.startswith(("build_", "describe_", "assess_")))
    assert counts["build_driver"] == counts["describe_driver"] == "8"
    assert counts["build_cube"] == counts["assess_applicability"] == "1"


def test_members_that_draw_alternatives_get_them(tmp_path):
    wanted = tmp_path / "choice.yaml"
    wanted.write_text("choices: {stated: {towers: {alternatives: [partitioning, ustar]}}}")
    done = plan("--configfile", str(wanted))
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(line.split()[:2] for line in done.stdout.splitlines() if line.startswith("build_"))
    assert counts["build_samples"] == "2" and counts["build_alternatives"] == "1"  # the run itself does without


def test_the_benchmark_scores_all_models_and_adapts_some(shared_data):
    done = plan("--configfile", "config/benchmark.yaml", "config/adapt.yaml", TAMRL_DATA=str(shared_data))
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(line.split()[:2] for line in done.stdout.splitlines() if line.startswith(("adapt_", "evaluate_", "write_")))
    assert counts["adapt_towers"] == "2"
    assert counts["evaluate_models"] == counts["write_report"] == counts["write_adaptation"] == "1"


def test_a_misspelt_key_stops_before_the_plan():
    done = plan("--config", "training={member: 3}")
    assert done.returncode != 0
    assert "did you mean members" in done.stdout + done.stderr


def test_braces_in_titles_and_labels_are_text():
    title = "A {virtual} {run} {0} {{x}} {results} { Earth"
    shown = {"title": title, "reference": {"label": "the {truth}"}}
    done = plan("--configfile", "config/test.yaml", "--config", f"evaluation={json.dumps(shown)}")
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = config.load({"evaluation": shown, "maps": {"attribution": {"project": "{data}"}}})
    assert loaded.evaluation.title == title and loaded.maps.attribution == {"project": "{data}"}


def test_a_missing_input_stops_before_the_plan(tmp_path):
    done = plan("--configfile", "config/real.yaml", "--config", "towers={networks: [table], table: {path: nothere.csv}}")
    assert done.returncode != 0
    assert "nothere.csv" in done.stdout + done.stderr
    assert "to do" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["local", "slurm", "slurm-gpu"])
def test_profiles_are_understood(name):
    command = [SNAKEMAKE, "--dry-run", "--nolock", "--forceall", "--configfile", "config/test.yaml"]
    command += ["--workflow-profile", f"workflow/profiles/{name}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert ("gres=gpu:1" in done.stdout) == (name == "slurm-gpu")
    assert ("runtime=" in done.stdout) and ("mem_mb=" in done.stdout)
