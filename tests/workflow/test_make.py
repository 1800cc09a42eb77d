"""What is given to make reaches the programs as it is: blanks do not divide it, and nothing in it is run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT

STAND_IN = """#!{python}
import json, sys
with open("called", "a") as file:
    file.write(json.dumps([{name!r}, *sys.argv[1:]]) + "\\n")
"""
EVIL = ["x; touch pwned", "$(touch pwned)", "`touch pwned`", "x' ; touch pwned; '", "$(shell touch pwned)", "x && touch pwned #"]
EVIL += ["x | tee pwned", "x > pwned", "${shell touch pwned}", "x\ntouch pwned", "$$(touch pwned)"]
TARGETS = {
    "reproduce": ("RUN", "PROFILE", "CORES"),
    "archive": ("RUN",),
    "scaling": ("RUNS",),
    "plan": ("CONFIG",),
    "maps": ("CONFIG", "PROFILE", "CORES"),
    "atlas": ("CONFIG", "CORES"),
    "unlock": ("CONFIG",),
    "fuzz": ("SEED", "CASES"),
}


@pytest.fixture
def project(tmp_path) -> Path:
    """The Makefile with programs that only note how they are called."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock.txt", "requirements-real.lock.txt"):
        (tmp_path / name).touch()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name in ("python", "snakemake"):
        (file := tmp_path / ".venv/bin" / name).write_text(STAND_IN.format(python=sys.executable, name=name))
        file.chmod(0o755)
    for name in (".venv/done", ".venv/real", ".venv"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (2e9, 2e9))
    return tmp_path


def _make(folder: Path, target: str, **given: str) -> list[list[str]]:
    """How each program was called."""
    done = subprocess.run(
        ["make", target, *(f"{k}={v}" for k, v in given.items())], cwd=folder, capture_output=True, text=True, check=False
    )
    if "\n" not in "".join(given.values()):  # that ends in an error of the shell
        assert done.returncode == 0, done.stderr
    called = folder / "called"
    lines = called.read_text().splitlines() if called.exists() else []
    called.unlink(missing_ok=True)
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(("target", "name"), [(target, name) for target, names in TARGETS.items() for name in names])
def test_nothing_that_is_given_to_make_is_run(project, target, name):
    for evil in EVIL:
        calls = _make(project, target, **{name: evil})
        assert not (project / "pwned").exists(), evil
        if name in ("RUN", "PROFILE", "CORES", "SEED", "CASES") and "\n" not in evil:
            assert any(evil in call for call in calls), (evil, calls)


def test_paths_with_blanks_are_one_word(project):
    for name in ("my run", "my profile", "a 'quoted' one"):
        (project / name).mkdir()
    (project / "my profile/config.v8+.yaml").touch()
    (project / "my config.yaml").write_text("drivers: {sources: [packaged]}\n")
    profile = ["--workflow-profile", "my profile"]
    chosen = ["--rerun-incomplete", "--configfile", "my config.yaml"]
    assert _make(project, "maps", CONFIG="my config.yaml", PROFILE="my profile")[1:] == [
        ["python", "-m", "tamrl.intake.document", "my config.yaml", "my profile/config.v8+.yaml"],
        ["snakemake", *profile, *chosen],
    ]
    assert _make(project, "atlas", CONFIG="my config.yaml")[-1] == ["snakemake", "--cores", "all", *chosen, "--", "atlas"]
    assert _make(project, "archive", RUN="my run") == [["python", "-m", "tamrl.archive", "my run"]]
    assert _make(project, "reproduce", RUN="a 'quoted' one")[0][3:] == ["a 'quoted' one", "--cores", "all"]
    assert _make(project, "scaling", RUNS="my run") == [["python", "-m", "tamrl.costs.fit", "my run"]]


def test_lists_of_files_are_lists(project):
    assert _make(project, "plan", CONFIG="a.yaml b.yaml") == [["python", "-m", "tamrl.costs", "a.yaml", "b.yaml"]]
    assert _make(project, "scaling", RUNS="results/a results/b")[0][3:] == ["results/a", "results/b"]
    assert _make(project, "maps")[-1] == ["snakemake", "--cores", "all", "--rerun-incomplete"]
