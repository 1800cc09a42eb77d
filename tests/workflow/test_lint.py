"""The linters are part of the tests: Python, Snakemake files, and the workflow itself."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tamrl import files

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PYTHON = "3.11"
"""Version of the environments, the least that the package asks for."""


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("snakefmt", "--check", "Snakefile", "workflow"),
        ("mypy",),
    ],
    ids=["ruff", "ruff-format", "snakefmt", "mypy"],
)
def test_linters_are_clean(command):
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_snakemake_lint_is_clean():
    done = subprocess.run([BIN / "snakemake", "--lint"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Congratulations" in done.stdout + done.stderr, done.stdout + done.stderr


def test_environments_hold_the_pins_of_the_lock():
    lock = {name: version for name, version, _ in _pins("requirements.lock.txt")}
    for file in (ROOT / "envs/cpu.yaml", ROOT / "envs/gpu.yaml"):
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
    assert f"From: python:{PYTHON}-" in recipe and "sh /opt/tamrl/envs/install.sh python" in recipe
    for file in (
        "requirements.lock.txt",
        *(f"envs/{p.name}" for p in [*(ROOT / "envs").glob("*.lock.txt")] if "torch" in p.name),
    ):
        assert f"    {file} /opt/tamrl/{file}\n" in recipe


def _pins(file: str) -> list[tuple[str, str, list[str]]]:
    """Name, version and hashes of each package of a lock."""
    entries = re.sub(r"\s*\\\n\s*", " ", (ROOT / file).read_text()).splitlines()
    found = [
        re.fullmatch(r"([\w.-]+)==([^\s;]+)(?: ;[^#]*?)?((?: --hash=sha256:[0-9a-f]{64})*)", e) for e in entries if e[:1] != "#"
    ]
    assert all(found), file
    return [(m[1].lower().replace("_", "-"), m[2], m[3].split()) for m in found]


@pytest.mark.parametrize("file", sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("**/*.lock.txt") if ".venv" not in p.parts))
def test_every_package_is_pinned_by_version_and_hash(file):
    assert all(version and hashes for _, version, hashes in _pins(file))
    assert "://" not in (ROOT / file).read_text(), "where packages come from is the business of whoever installs them"


def test_packages_are_installed_by_hash_alone():
    for file in ("Makefile", "envs/install.sh", "envs/apptainer.def", ".ci/run"):
        for line in (ROOT / file).read_text().splitlines():
            if "pip install" in line and not line.startswith("#"):
                assert "--require-hashes" in line and "--no-deps" in line, (file, line)
    torch = {
        (version, *hashes)
        for file in ("requirements.lock.txt", "envs/torch-cpu.lock.txt")
        for name, version, hashes in _pins(file)
        if name == "torch"
    }
    assert sorted(version for version, *_ in torch) == ["2.13.0", "2.13.0+cpu"]


def test_a_package_of_another_content_is_refused(tmp_path):
    """pip with a wheel whose one byte differs from the lock."""
    wheel = tmp_path / "tamrl_probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tamrl_probe.py", "")
        archive.writestr("tamrl_probe-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tamrl-probe\nVersion: 1.0\n")
        archive.writestr("tamrl_probe-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tamrl_probe-1.0.dist-info/RECORD", "")
    shutil.copytree(ROOT / "envs", tmp_path / "envs")
    (tmp_path / "envs/torch-cpu.lock.txt").write_text("")
    (tmp_path / "python").write_text(
        f'#!/bin/sh\nexec {sys.executable} "$@" --target {tmp_path}/into --no-index --find-links {tmp_path}\n'
    )
    (tmp_path / "python").chmod(0o755)
    for digest, good in ((files.checksum(wheel), True), ("0" * 64, False)):
        (tmp_path / "requirements.lock.txt").write_text(f"tamrl-probe==1.0 --hash=sha256:{digest}\n")
        shutil.rmtree(tmp_path / "into", ignore_errors=True)
        command = ["sh", "envs/install.sh", str(tmp_path / "python")]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (tmp_path / "into/tamrl_probe.py").exists() is good, done.stderr
        assert good or ("do not match" in done.stderr.lower() and done.returncode)
