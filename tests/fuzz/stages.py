"""Files between stages as targets: each is copied with its seal from a finished run, or written by its stage, and read as the
next stage reads it. A bit that changes must be refused by name, or what is read must stay the same: caches are made anew.

The run is `results/test`, or the one that FUZZ_RUN names.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

from tamrl import contracts, files, stores
from tamrl.atlas import stage
from tamrl.cache import Key
from tamrl.drivers import stage as cubes
from tamrl.drivers.formats import geotiff, netcdf
from tamrl.inference import memory
from tamrl.inference.job import MapRequest, plan_map
from tamrl.inference.store import recall_memories, records_of
from tamrl.inference.worker import Worker, open_map_inputs
from tamrl.predictions import TileRecord, open_predictions
from tamrl.record import content_digest as recorded_content
from tamrl.sections.models import Engine
from tamrl.towers import row_groups, survey
from tamrl.towers import stage as towers
from tamrl.towers.networks import fluxnet2015
from tamrl.training import checkpoint
from tamrl.training.resume import EVERY, Resume, State
from tamrl.twin import stage as twin
from tests.fuzz import base

Target = partial(base.Target, guarded=True)


def run() -> Path:
    """The finished run."""
    folder = Path(os.environ.get("FUZZ_RUN", "results/test")).absolute()
    assert (folder / "provenance.json").is_file(), (
        f"no finished run at {folder}: make maps CONFIG=config/test.yaml, or set FUZZ_RUN"
    )
    return folder


def digest(*parts: object) -> str:
    """Of texts, bytes, arrays, tables and datasets, in order."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, xr.Dataset):
            part = repr([(n, v.dims, str(v.dtype), digest(v.values), _plain(v.attrs)) for n, v in sorted(part.variables.items())])
        elif isinstance(part, pd.DataFrame):
            part = part.to_csv() + repr(part.dtypes.to_dict())
        elif isinstance(part, np.ndarray):
            part = str(part.tolist()) if part.dtype.kind == "O" else np.ascontiguousarray(part).tobytes()
        found.update(part if isinstance(part, bytes) else repr(part).encode())
    return found.hexdigest()


def _plain(attrs: dict) -> dict:
    return {k: np.asarray(v).tolist() for k, v in attrs.items()}


def copied(name: str, folder: Path, *, inside: str = "") -> Path:
    """A file or folder of the run with its seal, under its own place below `folder`; returns it, or what lies `inside`."""
    source, target = run() / name, folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
    if files.seal_file(source).is_file():
        shutil.copy2(files.seal_file(source), files.seal_file(target))
    return target / inside if inside else target


def plain(name: str, read: Callable[[Path], object], *, inside: str = "", title: str = "") -> base.Target:
    """A product that is read by itself."""
    return Target(title or f"{name}{f'/{inside}' if inside else ''}", partial(copied, name, inside=inside), read)


def sealed(target: base.Target, name: str) -> base.Target:
    """The seal of another target; `name` of what it seals."""

    def make(folder: Path) -> Path:
        target.make(folder)
        return files.seal_file(folder / name)

    def read(path: Path) -> object:
        return target.read(path.parent / path.name.removeprefix(".").removesuffix(files.SEAL))

    return Target(f"seal of {name}", make, read)


def table(schema: Any) -> Callable[[Path], str]:
    """Reader of a table as text with its contract."""
    return lambda path: digest(contracts.read_csv(path, schema))


def dataset(path: Path) -> str:
    """As stages open NetCDF."""
    with xr.open_dataset(files.verified(path)) as ds:
        return digest(ds.load(), _plain(ds.attrs))


def parquet(path: Path) -> str:
    """As stages read Parquet."""
    return digest(pd.read_parquet(files.verified(path)))


def towers_parquet(path: Path) -> str:
    """As towers are read a few at a time."""
    return digest(row_groups.stored_columns([path]), pd.read_parquet(files.verified(path)))


def json_file(path: Path) -> str:
    """As stages read JSON."""
    return digest(files.as_json(files.read_json(path)))


def product(path: Path) -> str:
    """As a map's content is recorded."""
    return digest(recorded_content(str(path)), dataset(path))


def model(path: Path) -> str:
    """A member, whichever of its files was changed."""
    found = checkpoint.load_member(path if path.is_dir() else path.parent)
    state = {name: np.asarray(value) for name, value in found.model.state_dict().items()}
    return digest(
        found.spec.digest, found.spec.inputs_key, found.spec.training.model_dump_json(), *(v for _, v in sorted(state.items()))
    )


def _above(path: Path, name: str) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.name == name)


def cube(path: Path) -> str:
    """The cube, whichever of its files was changed: axes, and what the cells of a tile hold."""
    ds = stores.open_cube(_above(path, "cube.zarr"))
    return digest(
        ds[["land_fraction", "elevation"]].isel(lat=slice(12), lon=slice(12)).load(), *(ds[d].values for d in sorted(ds.coords))
    )


def _chunk(store: Path, array: str, least: int = 200) -> str:
    """A chunk of an array that holds numbers, relative to the store."""
    found = (p for p in sorted((store / array / "c").rglob("*")) if p.is_file() and p.stat().st_size >= least)
    return str(next(found).relative_to(store))


def cube_part(what: str) -> base.Target:
    """A file of the cube."""
    named = {"coordinate": "lat", "data": "land_fraction"}

    def make(folder: Path) -> Path:
        inside = _chunk(run() / "drivers/cube.zarr", named[what], 1) if what in named else what
        return copied("drivers/cube.zarr", folder, inside=inside)

    return Target(f"drivers/cube.zarr: {what}", make, cube)


def predictions(path: Path) -> str:
    """Predictions of a label as the maps open them, whichever of their files was changed."""
    folder = _above(path, "predictions")
    ds = open_predictions(folder / "2012.json", label="2012", cube=run() / "drivers/cube.zarr")
    return digest(ds.model, ds.digest, ds.ds.isel(time=slice(5)).load())


def predictions_part(what: str) -> base.Target:
    """A file of finished predictions."""
    named = {"coordinate": "lat", "data": "gpp"}

    def make(folder: Path) -> Path:
        manifest = copied("predictions/2012.json", folder)
        inside = _chunk(run() / "predictions/2012.zarr", named[what], 1) if what in named else what
        store = copied("predictions/2012.zarr", folder)
        return manifest if what == "manifest of the map" else store / inside

    return Target(f"predictions/2012.zarr: {what}", make, predictions)


def _worker(store: Path) -> Worker:
    """A worker on the map of the run, into another store."""
    members = tuple(run() / f"models/tamrl/fold-all/member-{m}" for m in range(2))
    request = MapRequest(run() / "drivers/cube.zarr", members, "2012", store, 12, 0.02, Engine(device="cpu"))
    opened = open_map_inputs(request)
    worker = Worker(plan_map(request, opened.exact, opened.drivers), opened)
    worker.store.prepare()
    return worker


def unfinished(path: Path) -> str:
    """A store of tiles that an interrupted job goes on with: layout, one tile and axes."""
    store = _above(path, "predictions") / "2012.zarr"
    worker = _worker(store)
    record = worker.fill(_first(worker))
    worker.store.seal({"r": record}, label="2012")
    ds = stores.open_sealed(store).isel(time=slice(5), lat=slice(_first(worker).rows.stop))
    return digest(files.as_json(record.model_dump(mode="json")), ds.load())


def _first(worker: Worker) -> Any:
    return next(tile for tile in worker.job.tiles if worker.opened.land[tile.rows, tile.columns].any())


def unfinished_part(what: str) -> base.Target:
    """A file of a store that is not finished, or the record of a tile."""
    named = {"coordinate": "lat", "data": "gpp"}

    def make(folder: Path) -> Path:
        worker = _worker(store := folder / "predictions/2012.zarr")
        worker.fill(_first(worker))
        if what == "record":
            return next(store.with_suffix(".tiles").glob("r*.json"))
        return store / (_chunk(store, named[what], 1) if what in named else what)

    return Target(f"unfinished store: {what}", make, unfinished)


def _archive(folder: Path) -> tuple[list[Path], survey.SurveyPlan]:
    return [folder / "archives"], survey.SurveyPlan("day", store=folder / "kept")


def kept_archive(path: Path) -> str:
    """What was kept of an archive; damaged, the archive is read again."""
    paths, wanted = _archive(_above(path, "kept").parent)
    return digest(*survey.read_tables(fluxnet2015, paths, fluxnet2015.Options(path=str(paths[0])), wanted))


def kept_archive_part(suffix: str) -> base.Target:
    """Half of what is kept of an archive."""

    def make(folder: Path) -> Path:
        (paths, _), source = _archive(folder), run() / "inputs/towers/fluxnet2015"
        paths[0].mkdir()
        for file in (*source.glob("FLX_AA-Flx_BIF*"), min(source.glob("FLX_XV*.zip"))):
            shutil.copy2(file, paths[0])
        kept_archive(folder / "kept")
        return next((folder / "kept").rglob(f"[!.]*{suffix}"))

    return Target(f"kept archive: {suffix}", make, kept_archive)


def _kept_cube(folder: Path) -> str:
    """Build a cube of one variable that goes on from the one kept, if there is one."""
    recorded = files.read_json(run() / "provenance.json")["config"]
    drivers = recorded["drivers"] | {"variables": {"dynamic": ["air_temperature"], "static": ["elevation"]}}
    for source in drivers["sources"]:
        drivers[source] |= {"path": str(run() / "inputs" / Path(drivers[source]["path"]).name)}
    time = {"step": recorded["time"]["step"], "years": [2011]}
    given = {"drivers": drivers, "time": time, "resolution": 30.0, "threads": 1}
    cubes.build_cube(paths=[], cube=str(folder / "cube.zarr"), kept_cubes=str(folder / "kept"), **given)
    return digest(files.as_json(stores.read_manifest(folder / "cube.zarr").model_dump()["files"]))


def kept_cube(path: Path) -> str:
    """The cube that goes on from what was kept; damaged, it is made anew."""
    return _kept_cube(_above(path, "kept").parent)


def kept_cube_part(what: str) -> base.Target:
    """A file of a cube that is kept."""

    def make(folder: Path) -> Path:
        _kept_cube(folder)
        store = next((folder / "kept").glob("[0-9]*"))
        inside = _chunk(store, "air_temperature", 1) if what == "data" else what
        changed = store / inside
        content = changed.read_bytes()
        changed.unlink()  # the cube has the same file by a link
        changed.write_bytes(content)
        return changed

    return Target(f"kept cube: {what}", make, kept_cube)


def memories(path: Path) -> str:
    """What a model remembers of a year, as the next year takes it up."""
    store = _above(path, "2012.memory").with_suffix(".zarr")
    return digest(*(t.numpy() for t in recall_memories(store, "tile", ["a" * 64])[0]))


def _memory(folder: Path) -> Path:
    store, member = folder / "2012.zarr", "a" * 64
    sha256 = memory.save_memory(store, "tile", member, (torch.arange(12.0).reshape(1, 3, 4), torch.ones(1, 3, 2)))
    TileRecord(memory={member: sha256}).write(records_of(store).path("tile.json"))
    return next((folder / "2012.memory").rglob("*.safetensors"))


def raw(path: Path) -> str:
    """A raw file that the twin wrote or a download brought, as the sources open it."""
    if path.suffix == ".tif":
        return digest(geotiff.open_map(path).values)
    folder = path.parent
    return digest(*(ds.load() for _, ds in netcdf.open_all(folder, frozenset({path.name}))))


def archive(path: Path) -> str:
    """Archives of towers that the twin wrote."""
    folder, options = path.parent, fluxnet2015.Options(path=str(path.parent))
    return digest(*survey.read_tables(fluxnet2015, [folder], options, survey.SurveyPlan("day")))


def _first_of(folder: str, pattern: str) -> str:
    return min(p.name for p in (run() / folder).glob(pattern))


def raw_file(folder: str, pattern: str, read: Callable[[Path], str]) -> base.Target:
    """A raw file, with its folder."""
    return Target(f"{folder}: {pattern}", lambda here: copied(folder, here) / _first_of(folder, pattern), read)


def pages(path: Path) -> str:
    """The program of the atlas, as it is copied into the pages of a run."""
    target = path.parent / "again"
    stage._copy(path, target)
    return digest(target.read_bytes())


def _trained(path: Path, stop: int | None = None) -> str:
    """A small training with its state beside `path`; ended at a step, or gone on with to the end."""
    torch.manual_seed(1)
    network, random = torch.nn.Linear(3, 2), np.random.default_rng(1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    resume = Resume(path, key=Key("k", {}, {}, {}))
    state = resume.restore(network, optimizer, random) or State(0, {"loss": []}, np.inf, None)
    for step in range(state.step, EVERY + 3):
        loss = network(torch.as_tensor(random.normal(size=(4, 3)), dtype=torch.float32) + torch.rand(4, 3)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        state = State(
            step + 1, {"loss": [*state.history["loss"], float(loss)]}, min(state.best, float(loss)), network.state_dict()
        )
        resume.save(state, network, optimizer, random)
        if stop == state.step:
            break
    return digest(*(t.numpy() for t in network.state_dict().values()), state.history, state.best)


def _training(folder: Path) -> Path:
    _trained(folder / "model", EVERY)
    return folder / "model.resume.safetensors"


def training(path: Path) -> str:
    """The end of a training that goes on from its state; damaged, it starts anew."""
    return _trained(path.with_name(path.name.removesuffix(".resume.safetensors")))


def world(path: Path) -> str:
    """The virtual Earth, whichever of its files was changed."""
    opened = twin._open(str(_above(path, "world.zarr")))
    return digest(opened.years, opened.static("elevation"), repr(opened.towers), repr(opened.tower_series()))


TABLES = {
    "towers/towers.csv": contracts.SITES,
    "towers/quality.csv": contracts.QUALITY,
    "samples/splits.csv": contracts.SPLITS,
    "drivers/comparison.csv": contracts.COMPARISON,
    "evaluation/site_metrics.csv": contracts.METRICS,
    "evaluation/scores.csv": contracts.SCORES,
    "evaluation/comparisons.csv": contracts.COMPARISONS,
    "evaluation/reliability.csv": contracts.RELIABILITY,
    "evaluation/dissimilarity.csv": contracts.DISSIMILARITY,
    "evaluation/truth_coverage.csv": contracts.TRUTH_COVERAGE,
    "budgets.csv": contracts.BUDGETS,
    "budget_members.csv": contracts.BUDGET_MEMBERS,
    "budget_trends.csv": contracts.BUDGET_TRENDS,
    "regions.csv": contracts.REGIONS,
}
DATASETS = ("samples/grid.nc", "samples/tower.nc", "drivers/towers.nc", "maps/applicability.nc")
MAPS = ("maps/gpp_2012.nc", "maps/annual/gpp_2012.nc", "maps/monthly/gpp_2012.nc", "maps/members/gpp_2012.nc")
PARQUETS = ("evaluation/members/tamrl-grid.parquet", "evaluation/predictions.parquet", "towers/fluxnet2015.parquet")
METADATA = ("zarr.json", "lat/zarr.json", "coordinate", "data")

TARGETS = [
    *(plain(name, table(schema)) for name, schema in TABLES.items()),
    *(plain(name, dataset) for name in DATASETS),
    *(plain(name, product) for name in MAPS),
    *(plain(name, parquet) for name in PARQUETS),
    plain("towers/towers.parquet", towers_parquet),
    plain("towers/fluxnet2015_sites.csv", lambda path: digest(towers._read_sites(path))),
    plain("towers/fluxnet2015_aside.csv", lambda path: digest(towers._read_aside(path))),
    *(plain(name, json_file) for name in ("evaluation/calibration.json", "provenance.json")),
    *(
        plain(f"models/{m}", model, inside=file)
        for m in ("tamrl/fold-all/member-0", "lightgbm/fold-0/member-0")
        for file in (checkpoint.SPEC, checkpoint.WEIGHTS)
    ),
    *(cube_part(what) for what in (*METADATA, "land_fraction/zarr.json", files.MANIFEST)),
    *(predictions_part(what) for what in (*METADATA, "gpp/zarr.json", files.MANIFEST, "manifest of the map")),
    *(unfinished_part(what) for what in (*METADATA, "gpp/zarr.json", "record")),
    *(kept_archive_part(suffix) for suffix in (".parquet", ".json")),
    Target("training under way", _training, training),
    *(plain("inputs/world.zarr", world, inside=inside) for inside in ("zarr.json", files.MANIFEST, "static/elevation/zarr.json")),
    *(plain(name, pages) for name in ("towers/citations.bib", "towers/acknowledgements.txt")),
    plain("atlas", pages, inside="atlas.js"),
    *(kept_cube_part(what) for what in ("zarr.json", "air_temperature/zarr.json", "data", files.MANIFEST)),
    Target("memory of a year", _memory, memories),
    raw_file("inputs/era5", "*.nc", raw),
    raw_file("inputs/modis", "*.nc", raw),
    raw_file("inputs/static", "*.tif", raw),
    raw_file("inputs/towers/fluxnet2015", "FLX_XV*.zip", archive),
    raw_file("inputs/towers/fluxnet2015", "FLX_AA-Flx_BIF*.csv", archive),
]
TARGETS += [
    sealed(plain("samples/splits.csv", table(contracts.SPLITS)), "samples/splits.csv"),
    sealed(plain("models/tamrl/fold-all/member-0", model), "models/tamrl/fold-all/member-0"),
    sealed(plain("drivers/cube.zarr", cube), "drivers/cube.zarr"),
]
