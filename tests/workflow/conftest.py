"""A whole run of config/test.yaml in a folder of its own, made once for all tests that look at its products."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]
SNAKEMAKE = str(Path(sys.executable).parent / "snakemake")
PROGRAM = [sys.executable, "-m", "tamrl.forked"]
"""Snakemake as `tamrl run` starts its jobs."""

USER = "somebody-of-the-tests"

PATIENCE = 2400
"""Seconds after which a run counts as hanging; machines differ by a factor of five, so that no less would do for all."""


class Project:
    """A copy of the project's files, as a fresh clone has them, to run Snakemake in; one that is there is taken as it is."""

    def __init__(self, folder: Path):
        self.folder, self.results = folder, folder / "results/test"
        if folder.exists() and any(folder.iterdir()):
            return
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("Snakefile", "workflow", "tamrl", "config", "envs", "requirements.lock.txt", "Makefile"):
            source = ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / name)

    def command(self, *arguments: str) -> list[str]:
        return [*PROGRAM, "--configfile", "config/test.yaml", "--rerun-incomplete", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """With the name of a user and a folder of data that no record may tell."""
        data = {"TAMRL_DATA": f"/srv/{USER}/data"}
        return data | os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": "", "USER": USER, "LOGNAME": USER}

    def snakemake(self, *arguments: str, timeout: float = PATIENCE) -> subprocess.CompletedProcess:
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
    """Read it, or copy it: the processes that run the tests side by side share one."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    with FileLock(folder.with_suffix(".lock")):
        if (folder / "done").exists():
            return Project(folder)
        shutil.rmtree(folder, ignore_errors=True)
        project = Project(folder)
        done = project.snakemake("--cores", "2")
        logs = "\n".join(p.read_text()[-2000:] for p in folder.glob("results/**/*.log") if "Traceback" in p.read_text())
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:] + logs
        (folder / "done").touch()
    return project
