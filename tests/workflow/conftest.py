"""A whole run of config/test.yaml in a folder of its own, made once for all tests that look at its products."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SNAKEMAKE = str(Path(sys.executable).parent / "snakemake")


class Project:
    """A copy of the project's files, as a fresh clone has them, to run Snakemake in."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("Snakefile", "workflow", "tamrl", "config", "envs", "requirements.lock.txt", "Makefile"):
            source = ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / name)
        self.results = folder / "results/test"

    def command(self, *arguments: str) -> list[str]:
        return [SNAKEMAKE, "--configfile", "config/test.yaml", "--rerun-incomplete", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ""}

    def snakemake(self, *arguments: str, timeout: float = 900) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    project = Project(tmp_path_factory.mktemp("project"))
    done = project.snakemake("--cores", "2")
    logs = "\n".join(p.read_text()[-2000:] for p in project.folder.glob("results/**/*.log") if "Traceback" in p.read_text())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:] + logs
    return project
