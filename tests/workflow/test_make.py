"""What is given to make reaches the programs as it is: blanks do not divide it, and nothing in it is run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tamrl.command.main import build_parser
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
    "check-providers": ("CONFIG",),
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


COMMAND = ["python", "-m", "tamrl"]


def test_paths_with_blanks_are_one_word(project):
    for name in ("my run", "my profile", "a 'quoted' one"):
        (project / name).mkdir()
    (project / "my config.yaml").write_text("drivers: {sources: [packaged]}\n")
    chosen = ["my config.yaml", "--profile", "my profile"]
    assert _make(project, "maps", CONFIG="my config.yaml", PROFILE="my profile") == [[*COMMAND, "run", *chosen]]
    assert _make(project, "atlas", CONFIG="my config.yaml") == [[*COMMAND, "atlas", "my config.yaml", "--cores", "all"]]
    assert _make(project, "unlock", CONFIG="my config.yaml") == [
        [*COMMAND, "run", "my config.yaml", "--cores", "1", "--", "--unlock"]
    ]
    assert _make(project, "archive", RUN="my run") == [[*COMMAND, "archive", "my run"]]
    assert _make(project, "reproduce", RUN="a 'quoted' one") == [[*COMMAND, "reproduce", "a 'quoted' one", "--cores", "all"]]
    assert _make(project, "reproduce", RUN="my run", ACCEPT="yes", CONFIG="my config.yaml", PROFILE="my profile") == [
        [*COMMAND, "reproduce", "my run", "--accept-commands", "--over", *chosen]
    ]
    assert _make(project, "scaling", RUNS="my run") == [[*COMMAND, "scaling", "my run"]]


def test_lists_of_files_are_lists(project):
    assert _make(project, "plan", CONFIG="a.yaml b.yaml") == [[*COMMAND, "plan", "a.yaml", "b.yaml"]]
    assert _make(project, "maps", CONFIG="a.yaml b.yaml", CORES="3") == [[*COMMAND, "run", "a.yaml", "b.yaml", "--cores", "3"]]
    assert _make(project, "scaling", RUNS="results/a results/b") == [[*COMMAND, "scaling", "results/a", "results/b"]]
    assert _make(project, "maps") == [[*COMMAND, "run", "--cores", "all"]]
    assert _make(project, "maps", VERBOSE="1") == [[*COMMAND, "run", "--cores", "all", "--verbose"]]
    assert _make(project, "atlas", VERBOSE="1") == [[*COMMAND, "atlas", "--cores", "all", "--verbose"]]


def test_make_knows_one_way_into_the_project():
    """Snakemake and the modules of the project are started by the command `tamrl`, which checks what it is given."""
    recipes = [line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("\t")]
    assert sum("$(TAMRL) " in line for line in recipes) > 8
    assert not [line for line in recipes if "$(BIN)/snakemake" in line or "-m snakemake" in line]
    inner = [line for line in recipes if "-m tamrl." in line]
    assert len(inner) == 1 and "$(call quoted,PYTHON) -m tamrl.intake.machine" in inner[0], "before anything is installed"


def test_make_and_the_command_agree_on_their_words(project):
    """What make calls is taken by the parser of the command."""
    given = {"CONFIG": "a.yaml", "RUN": "results/a", "RUNS": "results/a", "PROFILE": "x"}
    for target in (
        "maps",
        "atlas",
        "plan",
        "reproduce",
        "archive",
        "scaling",
        "unlock",
        "worlds",
        "config",
        "search",
        "benchmark",
    ):
        for call in _make(project, target, **given):
            words = call[3 : call.index("--")] if "--" in call else call[3:]
            assert build_parser().parse_args(words).command == call[3], call
