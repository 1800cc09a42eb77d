"""What the workflow itself costs: the plan of a full reproduction, and the tiles of a map on one worker and on two."""

import json
import math
import resource
import stat
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

from tamrl import classes, stores, variables
from tamrl.grid import Grid
from tamrl.inference.executors import start_executor
from tamrl.inference.job import MapRequest, plan_map
from tamrl.inference.worker import OpenedMap, Worker, fill_tile, open_map_inputs
from tamrl.models import tamrl
from tamrl.samples.dataset import InputSpec
from tamrl.samples.standardise import Moments, Standardisation
from tamrl.sections.models import Engine
from tamrl.training import checkpoint
from tamrl.training.model_spec import model_dims
from tests.benchmarks.bench_inference import matrix_rate
from tests.benchmarks.rows import row, took
from tests.modelling import trained

ROOT = Path(__file__).parents[2]
YEARS, JOBS, MEMBERS = 24, 100, 10
TILE, DAYS = 12, 2 * 365
DYNAMIC, STATIC = ("air_temperature", "shortwave_radiation", "evi"), ("igbp_fraction",)
INFERENCE = {"batch": 2048, "spinup": 365, "device": "cpu"}


def run() -> list[dict[str, Any]]:
    """Seconds of planning, and how much faster two workers are than one."""
    rows = [row(f"planning {YEARS} years x {JOBS} jobs x {MEMBERS} members", _planning(), "s of processor", 60, below=True)]
    with tempfile.TemporaryDirectory() as folder:
        few, many = (_scheduling(Path(folder) / str(jobs), jobs) for jobs in (YEARS * JOBS // 4, YEARS * JOBS))
        rows += [
            row(f"scheduling {YEARS * JOBS} ready jobs that do nothing", many, "s of processor", None),
            row("exponent of ready jobs", math.log(many / few) / math.log(4), "", 1.05, below=True),
        ]
        return rows + _workers(Path(folder))


def _scheduling(folder: Path, jobs: int) -> float:
    """Processor seconds of Snakemake for jobs that are all ready at once and only touch their file."""
    folder.mkdir()
    for k in range(jobs):
        (folder / f"{k}.txt").touch()
    rules = (
        f"rule all:\n    input: [f'{{k}}.txt' for k in range({jobs})]\nrule one:\n    output: '{{k}}.txt'\n    shell: 'true'\n"
    )
    (folder / "Snakefile").write_text(rules)
    command = [sys.executable, "-m", "snakemake", "--touch", "--forceall", "--quiet", "all", "--nolock", "--cores", "32"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _planning() -> float:
    """Processor seconds of a dry run from towers to maps, a map shared by many jobs."""
    years = list(range(2001, 2001 + YEARS))
    overlay = {"time": {"years": years, "map_years": years}, "training": {"members": MEMBERS}, "inference": {"jobs": JOBS}}
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", "--nolock", "--forceall", "--cores", "2"]
    settings = [f"{key}={json.dumps(value)}" for key, value in overlay.items()]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*command, "--config", "run=plan", *settings], cwd=ROOT, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    count = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("predict_part"))
    assert int(count) == YEARS * JOBS, f"planned {count} shares of maps"
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _workers(folder: Path) -> list[dict[str, Any]]:
    """Wall time of the same tiles on one thread, on two, and on two Dask workers of one thread each, which open the map first."""
    _cube(folder / "cube.zarr")
    models = tuple(Path(_member(folder / f"member-{k}", k)) for k in range(5))
    launcher = folder / "launch"
    launcher.write_text('#!/bin/sh\n"$@" 2>/dev/null &\n"$@" 2>/dev/null &\nwait\n')
    launcher.chmod(stat.S_IRWXU)
    seconds, share = {}, 0.0
    for name in ("one", "two", "nodes"):
        store = folder / name / "2011.zarr"
        store.parent.mkdir()
        request = MapRequest(folder / "cube.zarr", models, "2011", store, TILE, 0.02, Engine(**INFERENCE))
        opened = open_map_inputs(request)
        worker = Worker(plan_map(request, opened.exact, opened.drivers), opened)
        worker.store.prepare()
        size = {"one": {"threads": 1}, "two": {"threads": 2}, "nodes": {"threads": 1, "nodes": 2, "launcher": str(launcher)}}
        with start_executor(**size[name], device="cpu", folder=store.parent) as executor:
            work = worker.fill if executor.in_process else partial(fill_tile, worker.job)
            before = time.process_time()
            seconds[name] = took(partial(executor.map, work, worker.job.tiles))
        if name == "one":
            share = _operations(opened) / (time.process_time() - before) / matrix_rate()
    return [
        row("tiles of a map: products of the network over the matrix rate", share, "share", 0.6),
        row("tiles of a map: two threads over one", seconds["one"] / seconds["two"], "times", None),
        row("tiles of a map: two Dask workers over one thread", seconds["one"] / seconds["nodes"], "times", None),
    ]


def _operations(opened: OpenedMap) -> float:
    """Operations in the matrix products of all decoders, over a map and the steps before it."""
    count = 0.0
    for member in opened.exact:
        for decoder in member.model.decoders:
            layers = (*decoder.lstm.parameters(), decoder.embed.weight, decoder.head.weight)
            count += sum(2 * weight.numel() for weight in layers if weight.dim() == 2)
    return count * opened.drivers.sizes["lat"] * opened.drivers.sizes["lon"] * DAYS


def _cube(path: Path) -> None:
    """Two years of days at 5 degrees, all of it land."""
    random, grid, days = np.random.default_rng(1), Grid(5.0), pd.date_range("2010-01-01", "2011-12-31")
    ds = xr.Dataset(
        coords={"time": days, "lat": grid.lat, "lon": grid.lon, "igbp": list(classes.IGBP)}, attrs={"time_step": "day"}
    )
    for name, centre, spread in (("air_temperature", 285, 8), ("shortwave_radiation", 200, 60), ("evi", 0.4, 0.1)):
        ds[name] = ("time", "lat", "lon"), random.normal(centre, spread, (len(days), *grid.shape)).clip(0).astype("f4")
    ds["igbp_fraction"] = ("igbp", "lat", "lon"), random.dirichlet(np.ones(17), grid.shape).transpose(2, 0, 1).astype("f4")
    ds["land_fraction"] = ("lat", "lon"), np.ones(grid.shape, "f4")
    for name in ds:
        ds[name].attrs = variables.attributes(str(name))
    ds.to_zarr(path, zarr_format=3, consolidated=False)
    stores.seal_store(path, origin={})


def _member(folder: Path, seed: int) -> str:
    """A default model as it begins."""
    spec = InputSpec(DYNAMIC, STATIC, "day", tamrl.Options().windows)
    inputs = {n: Moments((0.0,), (100.0,), variables.get(n).units) for n in DYNAMIC}
    inputs["igbp_fraction"] = Moments((0.0,) * 17, (1.0,) * 17, "1")
    scaling = Standardisation(inputs, {"gpp": 5.0, "reco": 4.0, "nee": 2.5})
    torch.manual_seed(seed)
    model = tamrl.build(model_dims(spec, scaling), tamrl.Options())
    checkpoint.save_model(folder, trained(model, spec, scaling, member=str(seed)))
    return str(folder)
