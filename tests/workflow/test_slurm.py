"""The tiny Earth through a real SLURM of two nodes: accidents, and a map shared by nodes, end in the numbers of a local run."""

import getpass
import hashlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import carbon
from tests.workflow.conftest import PATIENCE

pytestmark = pytest.mark.slow
TOOLS = ("munged", "slurmctld", "slurmd", "sbatch")
PACKAGES = "slurm-wlm and munge of Debian"
CONF = """
ClusterName=ci
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldPort={controller}
SchedulerParameters=batch_sched_delay=0,sched_interval=2
MinJobAge=3600
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
GresTypes=gpu
NodeName=one NodeHostname=localhost NodeAddr=127.0.0.1 Port={one} CPUs={cpus} RealMemory={memory} Gres=gpu:1 State=UNKNOWN
NodeName=two NodeHostname=localhost NodeAddr=127.0.0.1 Port={two} CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=ALL Default=NO MaxTime=INFINITE State=UP
"""
FAULT = """
import pathlib, time
if snakemake.rule == "{name}" and not pathlib.Path("{name}.tried").exists():
    pathlib.Path("{name}.tried").touch()
    {fault}
"""


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait_for(condition, what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come in {seconds} s"
        time.sleep(0.5)


def _says(command: list[str], **environment: str) -> str:
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    return done.stdout


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> str:
    """A controller and two nodes, one with a pretended GPU, on this machine, as the path of their configuration."""
    search = f"{os.environ['PATH']}:/usr/sbin"
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=search)]
    if missing:
        reason = f"no {', '.join(missing)}: install {PACKAGES}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("munge", "state", "spool-one", "spool-two"):
        (folder / name).mkdir(mode=0o755)
    folder.chmod(0o755)
    (folder / "munge/key").write_bytes(os.urandom(128))
    (folder / "munge/key").chmod(0o600)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2 * 85 // 200
    values = {"user": getpass.getuser(), "folder": folder, "cpus": os.cpu_count(), "memory": memory}
    (folder / "slurm.conf").write_text(CONF.format(controller=_free_port(), one=_free_port(), two=_free_port(), **values))
    (folder / "gres.conf").write_text("NodeName=one Name=gpu File=/dev/null\n")  # any device passes for a GPU
    keys = [f"--{name}={folder}/munge/{name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
    daemons = [
        ["munged", "--foreground", "--force", f"--key-file={folder}/munge/key", *keys],
        ["slurmctld", "-D", "-i", "-f", f"{folder}/slurm.conf"],
        *(["slurmd", "-D", "-N", node, "-f", f"{folder}/slurm.conf"] for node in ("one", "two")),
    ]
    environment = os.environ | {"PATH": search, "SLURM_CONF": f"{folder}/slurm.conf"}
    running = []
    try:
        for command in daemons:
            with open(folder / f"{command[0]}.log", "a") as log:
                running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            if command[0] == "munged":
                _wait_for((folder / "munge/socket").exists, "munge")
        state = ["sinfo", "-h", "-N", "-p", "main", "-o", "%T"]
        _wait_for(lambda: _says(state, SLURM_CONF=environment["SLURM_CONF"]).split() == ["idle", "idle"], "two idle nodes")
        yield environment["SLURM_CONF"]
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(timeout=30)


GROUPS = {
    "towers": ("read_network", "harmonise_towers"),
    "samples": ("collocate_drivers", "compare_drivers", "build_samples"),
    "learning": ("train_model", "predict_towers", "evaluate_models"),
    "maps": ("write_map", "write_members", "write_periods", "sum_budgets"),
    "records": ("build_atlas", "write_report", "record_provenance"),
}
"""Jobs so small that they go through the queue together."""


def _arguments() -> list[str]:
    few = [f"{rule}={threads}" for rule, threads in {"predict_tiles": 2, "build_cube": 2, "read_network": 1}.items()]
    together = [f"{rule}={group}" for group, rules in GROUPS.items() for rule in rules]
    return [
        *("--workflow-profile", "workflow/profiles/slurm", "--cores", "2", "--latency-wait", "10"),
        *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1"),
        *("--groups", *together, "--group-components", *(f"{group}=20" for group in GROUPS)),
        *("--set-threads", *few, "--set-resources", "write_truth:runtime=1 if attempt == 1 else 20"),
    ]


def _steps(configuration: str) -> Path:
    """A folder whose `srun` finds this queue: inside a job Snakemake forgets all variables of SLURM, `SLURM_CONF` among them."""
    folder = Path(configuration).parent / "bin"
    folder.mkdir(exist_ok=True)
    step = folder / "srun"
    step.write_text(f'#!/bin/sh\nSLURM_CONF={configuration} exec {shutil.which("srun")} "$@"\n')
    step.chmod(0o755)
    return folder


def _spoil(project, name: str, fault: str) -> Path:
    script = project.folder / "workflow/scripts/run_stage.py"
    script.write_text(FAULT.format(name=name, fault=fault) + script.read_text())
    return project.folder / f"{name}.tried"


def test_three_accidents_in_the_queue_change_no_number(finished, slurm, tmp_path_factory):
    project = type(finished)(tmp_path_factory.mktemp("queue"))
    _spoil(project, "write_truth", "time.sleep(3600)  # beyond its minute")
    _spoil(project, "write_static", "raise SystemExit('a fault that comes once')")
    cancelled = _spoil(project, "write_modis", "time.sleep(3600)  # until it is cancelled")
    environment = project.environment | {"SLURM_CONF": slurm, "PATH": f"{_steps(slurm)}:{os.environ['PATH']}"}
    log = project.folder / "run.log"
    with open(log, "w") as handle:
        run = subprocess.Popen(project.command(*_arguments()), cwd=project.folder, env=environment, stdout=handle, stderr=handle)
        try:
            _wait_for(lambda: cancelled.exists() or run.poll() is not None, "the job to cancel", seconds=PATIENCE)
            queue = _says(["squeue", "-h", "-o", "%i %k", "--states=RUNNING"], SLURM_CONF=slurm)
            job = next(line.split()[0] for line in queue.splitlines() if "write_modis" in line)
            subprocess.run(["scancel", job], env=environment, check=True)
            assert run.wait(timeout=PATIENCE) == 0, log.read_text()[-5000:]
        finally:  # else the next test waits for what is left in the queue
            run.kill()
            subprocess.run(["scancel", "--user", getpass.getuser()], env=environment, check=False)
    said = log.read_text()
    for state in ("CANCELLED", "TIMEOUT", "FAILED"):
        assert f"SLURM status is: '{state}'" in said, state
    assert _numbers(project) == _numbers(finished)


def _numbers(project) -> dict[str, str]:
    """Digests of what the run came to, without the dates in the attributes of its files."""
    found = {}
    for file in sorted(project.results.glob("maps/**/*.nc")):
        with xr.open_dataset(file) as ds:
            for name, values in ds.data_vars.items():
                found[f"{file.name} {file.parent.name} {name}"] = _digest(values.values)
    for file in (project.results / "budgets.csv", *sorted(project.results.glob("evaluation/*.csv"))):
        found[file.name] = _digest(pd.read_csv(file).to_csv().encode())
    assert len([name for name in found if "members" in name]) >= len(carbon.FLUXES)
    return found


def _digest(content: np.ndarray | bytes) -> str:
    return hashlib.sha256(content if isinstance(content, bytes) else np.ascontiguousarray(content).tobytes()).hexdigest()


def test_two_nodes_share_the_tiles_of_a_map(finished, slurm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nodes") / "project"
    shutil.copytree(finished.folder, folder, symlinks=True)
    project = type(finished)(folder)
    (label,) = [file.stem for file in (project.results / "predictions").glob("*.json")]
    alone = (project.results / f"predictions/{label}.json").read_bytes()
    for part in (project.results / "predictions").iterdir():
        part.unlink() if part.is_file() else shutil.rmtree(part)
    with open(folder / "config/test.yaml", "a") as config:
        config.write("\ninference: {nodes: 2}\n")
    environment = project.environment | {"SLURM_CONF": slurm, "PATH": f"{_steps(slurm)}:{os.environ['PATH']}"}
    target = f"results/test/predictions/{label}.json"
    command = [*project.command(*_arguments()), "--set-resources", "predict_tiles:mem_mb=1500", "--", target]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    logs = "".join(log.read_text() for log in folder.glob(".snakemake/slurm_logs/rule_predict_tiles/**/*.log"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:] + logs[-5000:]
    said = (project.results / f"logs/predict_tiles/{label}.log").read_text()
    assert "2 nodes of 1 processes of 2 threads, started by: srun --nodes=2" in said
    assert (folder / target).read_bytes() == alone


def test_the_queue_gives_its_gpu_to_jobs_that_ask_for_it(slurm):
    ask = ["srun", "--partition=gpu", "--gres=gpu:1", "--mem=100", "sh", "-c", "echo $CUDA_VISIBLE_DEVICES"]
    assert _says(ask, SLURM_CONF=slurm).strip() == "0"
