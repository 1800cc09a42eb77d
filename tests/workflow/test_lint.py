"""The linters are part of the tests: Python, Snakemake files, and the workflow itself."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PYTHON = "3.11"
"""Version of the environments, the least that the package asks for."""


@pytest.mark.parametrize(
    "command",
    [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("snakefmt", "--check", "Snakefile", "workflow")],
    ids=["ruff", "ruff-format", "snakefmt"],
)
def test_linters_are_clean(command):
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_snakemake_lint_is_clean():
    done = subprocess.run([BIN / "snakemake", "--lint"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Congratulations" in done.stdout + done.stderr, done.stdout + done.stderr


def test_environments_hold_the_pins_of_the_lock():
    lock = dict(line.split("==") for line in (ROOT / "requirements.lock.txt").read_text().splitlines())
    lock = {name.lower().replace("_", "-"): version for name, version in lock.items()}
    for file in sorted((ROOT / "envs").glob("*.yaml")):
        entries = yaml.safe_load(file.read_text())["dependencies"]
        pip = next(e["pip"] for e in entries if isinstance(e, dict))
        pins = [e.split("=", 1) for e in entries if isinstance(e, str) and not e.startswith(("python", "pip"))]
        pins += [e.split("==", 1) for e in pip]
        assert len(pins) > 10
        for name, version in pins:
            if name not in ("pytorch-gpu",):
                assert lock[name.lower().replace("_", "-")] == version, f"{file.name}: {name}"
        assert f"python={PYTHON}" in entries
    recipe = (ROOT / "envs/apptainer.def").read_text()
    assert f"From: python:{PYTHON}-" in recipe and "pip install" in recipe and "-r /opt/requirements.lock.txt" in recipe


def test_modules_and_functions_keep_to_the_size_of_the_house():
    import ast

    for file in [*(ROOT / "tamrl").rglob("*.py"), *(ROOT / "workflow").rglob("*.py")]:
        text = file.read_text()
        assert text.count("\n") <= 400, file
        assert file.stem not in ("utils", "helpers", "misc", "common"), file
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 60, f"{file}: {node.name}"
