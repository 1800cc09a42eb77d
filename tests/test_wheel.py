"""The installed package brings all that it reads."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tamrl.command.doctor import requirements
from tests.api import conftest as tiny
from tests.api import test_package_model as package_model

samples, table, tiny_run = tiny.samples, tiny.table, tiny.tiny_run
"""Fixtures: a tiny run, and drivers of its towers."""


PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
OFFLINE = ["--no-deps", "--no-build-isolation", "--no-index"]


@pytest.fixture(scope="module")
def source(root, tmp_path_factory) -> Path:
    """The files of the project, as a fresh clone has them."""
    folder = tmp_path_factory.mktemp("wheel") / "source"
    for name in ("tamrl", "workflow", "config", "envs"):
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "Snakefile"):
        shutil.copy(root / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def installed(source) -> Path:
    """The wheel, built and installed in a folder outside the checkout."""
    folder = source.parent
    subprocess.run([*PIP, "wheel", *OFFLINE, "-w", str(folder), str(source)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    target = ["install", "--no-deps", "--no-index", "--target", str(folder / "site")]
    subprocess.run([*PIP, *target, str(wheel)], check=True, capture_output=True)
    return folder / "site"


def _command(installed: Path, folder: Path, *words: str, program: tuple[str, ...] = ("-m", "tamrl")) -> str:
    """What the command prints, from a folder that has nothing of the checkout."""
    environment = os.environ | {"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *program, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def _run(code: str, installed: Path) -> str:
    """What a program prints that finds the wheel's package and no other, in a folder that has nothing of the checkout."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=installed.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_installed_package_loads_its_configuration(installed):
    code = "import tamrl; from tamrl import config; print(tamrl.__file__, config.load({}).run)"
    assert _run(code, installed) == f"{installed / 'tamrl/__init__.py'} default"


def test_the_installed_package_has_its_templates_tables_and_no_revision(installed):
    code = """
from pathlib import Path
from tamrl import provenance
from tamrl.atlas import bundle
from tamrl.costs import fit
from tamrl.towers import public_files
assert public_files.SOURCES.is_file() and fit.COSTS.is_file() and len(bundle.SOURCES) > 20
assert provenance.shipped("report/templates/*.html")
print(provenance.revision(), provenance.lock_digest())
"""
    assert _run(code, installed) == "unknown none"


def test_the_command_is_installed_and_predicts_from_an_empty_folder(installed, tiny_run, table, tmp_path):
    assert "tamrl predict" in _command(installed, tmp_path, "--help")
    assert _command(installed, tmp_path, "--version", program=(str(installed / "bin/tamrl"),)).startswith("tamrl ")
    table.to_csv(tmp_path / "drivers.csv", index=False)
    _command(installed, tmp_path, "predict", tiny_run.folder, "--device", "cpu", "--drivers", "drivers.csv", "--output", "x.csv")
    lines = (tmp_path / "x.csv").read_text().splitlines()
    assert len(lines) == 20 * 48 + 1 and lines[0].startswith("site,date,lat,lon,gpp,gpp_std")


def test_the_installed_package_predicts_a_place_with_its_own_model(installed, tmp_path):
    package_model.a_year().to_csv(tmp_path / "my-site.csv", index=False)
    place = ("--lat", "51.1", "--lon", "10.5", "--igbp", "DBF", "--koppen", "Temperate")
    lines = _command(installed, tmp_path, "predict", "--drivers", "my-site.csv", *place, "--device", "cpu").splitlines()
    assert len(lines) == 366 and lines[0].startswith("site,date,lat,lon,gpp,gpp_std,gpp_q05,gpp_q95,reco")
    assert all(0 <= float(line.split(",")[4]) < 30 for line in lines[1:]), "each day has a flux"
    assert f"`{package_model.NAME}`" in _command(installed, tmp_path, "card")


def test_the_installed_workflow_is_planned_from_an_empty_folder(installed, tmp_path):
    assert "run: test" in _command(installed, tmp_path, "config", "config/test.yaml")
    text = _command(installed, tmp_path, "run", "config/test.yaml", "--cores", "1", "--dry-run")
    assert "rule build_cube:" in text and "rule write_report:" in text and "results/test/report.html" in text


@pytest.mark.slow
def test_the_installed_workflow_runs_from_an_empty_folder(installed, tmp_path):
    text = _command(installed, tmp_path, "run", "config/test.yaml", "--cores", "1", "--", "results/test/inputs/co2.csv")
    assert (tmp_path / "results/test/inputs/co2.csv").is_file(), text


def test_the_installed_files_of_the_workflow_are_all_that_there_are(installed, root):
    def listed(folder):
        inside = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        return {path.as_posix() for path in inside if "__pycache__" not in path.parts}

    for name in ("workflow", "config"):
        missing = listed(root / name) - listed(installed / "share/tamrl" / name)
        assert missing <= {"README.md"}


def test_the_source_distribution_holds_what_the_wheel_is_made_of(source, installed, tmp_path):
    build = "import sys; from setuptools.build_meta import build_sdist; print(build_sdist(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=source, capture_output=True, text=True, check=True)
    with tarfile.open(tmp_path / done.stdout.split()[-1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {path.relative_to(installed).as_posix() for path in (installed / "tamrl").rglob("*") if path.is_file()}
    assert {name for name in wanted if "__pycache__" not in name} <= names
    assert {"Snakefile", "workflow/rules/common.smk", "config/test.yaml", "pyproject.toml", "LICENSE", "README.md"} <= names


def test_type_checkers_find_the_annotations(installed):
    assert (installed / "tamrl/py.typed").is_file()


BLOCKED = """
import importlib.metadata, sys

class Absent:
    \"\"\"Finds nothing of the packages that only runs need.\"\"\"

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from tamrl.command.main import main

sys.exit(main({words}))
"""


def _core_alone(installed: Path, folder: Path, *words: str) -> str:
    """What a command prints where nothing is installed but the core and what it needs."""
    code = BLOCKED.replace("{names}", repr(_only_of_runs())).replace("{words}", repr(list(words)))
    return _command(installed, folder, program=("-c", code))


def _only_of_runs() -> set[str]:
    """Modules of the packages of the extra `workflow` that the core does not bring."""
    wanted, core = requirements(), set()
    while wanted:
        name = canonicalize_name(wanted.pop())
        if name not in core:
            core.add(name)
            lines = [Requirement(line) for line in importlib.metadata.requires(name) or []]
            wanted += [line.name for line in lines if not line.marker or line.marker.evaluate({"extra": ""})]
    modules = importlib.metadata.packages_distributions()
    only = {canonicalize_name(name) for name in requirements("workflow")} - core
    return {module for module, names in modules.items() if {canonicalize_name(name) for name in names} & only}


def test_the_core_predicts_without_the_packages_of_runs(installed, tiny_run, tmp_path):
    assert {"snakemake", "rasterio", "lightgbm", "requests"} & _only_of_runs() >= {"snakemake", "rasterio", "lightgbm"}
    package_model.a_year().to_csv(tmp_path / "my-site.csv", index=False)
    place = ("--lat", "51.1", "--lon", "10.5", "--igbp", "DBF", "--koppen", "Temperate")
    _core_alone(installed, tmp_path, "predict", "--drivers", "my-site.csv", *place, "--output", "x.csv")
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 366
    assert "tamrl-fluxnet2015" in _core_alone(installed, tmp_path, "card")
