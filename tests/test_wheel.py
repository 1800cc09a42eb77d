"""The installed package brings all that it reads."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def installed(root, tmp_path_factory) -> Path:
    """The wheel, built and unpacked in a folder outside the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(root / "tamrl", folder / "source/tamrl")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, folder / "source" / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    subprocess.run([*command, "-w", str(folder), str(folder / "source")], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


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


def test_type_checkers_find_the_annotations(installed):
    assert (installed / "tamrl/py.typed").is_file()
