"""Stages of the rules predict_towers, predict_tiles and predict_part."""

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from tamrl import contracts, stores
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.files import atomic, sha256, verified, write_json
from tamrl.inference.decode import predict_series
from tamrl.inference.executors import start_executor
from tamrl.inference.job import MapRequest, plan_map
from tamrl.inference.numerics import NumericsCheck, to_device
from tamrl.inference.store import hash_lines
from tamrl.inference.worker import Worker, fill_tile, open_map_inputs, prepare_torch
from tamrl.predictions import Manifest, TileRecord, TileSummary
from tamrl.samples.splits import first_held_out
from tamrl.sections.models import Batches, Engine
from tamrl.training.checkpoint import Trained, load_ensemble
from tamrl.workflow import stage

_log = logging.getLogger(__name__)


@stage
def predict_towers(
    *,
    samples: str,
    splits: str,
    models: list[str],
    table: str,
    model: str,
    drivers: str,
    batches: Batches,
    threads: int = 1,
) -> None:
    """Predict every held-out tower with the members of the fold that holds it out.

    Parameters
    ----------
    samples, splits : files of `contracts.check_samples` and `contracts.SPLITS`
    models : folders of the trained members of all folds
    table : output, one row per member, site, date and measured flux
    model, drivers : written into the table
    batches : towers at once, and the device
    threads : folds that are predicted side by side
    """
    device = prepare_torch(batches.device)
    members = to_device(load_ensemble(models), device)
    spec = members[0].spec.inputs
    ds = contracts.check_samples(xr.load_dataset(verified(samples)), dynamic=spec.dynamic, static=spec.static, where=samples)
    split = contracts.read_csv(splits, contracts.SPLITS)
    fold_of = split.set_index("site")["fold"].reindex(ds["site"].values).to_numpy()

    def predict_fold(fold: str) -> list[pd.DataFrame]:
        """One table per member of a fold and flux, at the towers that it holds out."""
        held_out = ds.isel(site=fold_of == fold)
        of_fold = [m for m in members if m.spec.fold == fold]
        since = first_held_out(split, held_out["site"].values)
        if since is None:
            _check_unseen(held_out, of_fold)
        elif others := [m.spec.member for m in of_fold if m.spec.training.splits != sha256(splits)]:
            # in a split in time towers are known and steps are not
            raise ContractError("members were trained with another split in time", where=splits, found=others, todo="train again")
        rows = _tower_rows(held_out, of_fold, batch=batches.batch, device=device) if held_out.sizes["site"] else []
        if since is not None:  # only the rows that a split in time holds out
            begin = dict(zip(held_out["site"].values, since, strict=True))
            rows = [table[table["date"] >= table["site"].map(begin)] for table in rows]
        return rows

    with ThreadPoolExecutor(threads) as pool:
        frames = [table for tables in pool.map(predict_fold, sorted({m.spec.fold for m in members})) for table in tables]
    if not frames:
        raise ContractError("no tower is held out", where=splits, found=sorted(set(split["fold"])), todo="check splits.scheme")
    rows = pd.concat(frames, ignore_index=True)
    rows.insert(0, "model", model)
    rows.insert(2, "drivers", drivers)
    with atomic(table) as part:
        rows.to_parquet(part, index=False)
    _log.info("%d rows at %d towers by %d members", len(rows), rows["site"].nunique(), len(members))


def _check_unseen(held_out: xr.Dataset, members: list[Trained]) -> None:
    """Refuse a model that was trained on a tower it is to be scored at."""
    for member in members:
        if seen := set(member.spec.training.sites) & set(held_out["site"].values.tolist()):
            raise ContractError(
                f"member {member.spec.member} of fold {member.spec.fold} was trained on towers it is to be scored at",
                found=sorted(seen)[:5],
                todo="train again: the split has changed since",
            )


def _tower_rows(ds: xr.Dataset, members: list[Trained], *, batch: int, device: torch.device) -> list[pd.DataFrame]:
    """One table per member and flux, with the steps at which the flux was measured."""
    fluxes = predict_series(members, ds, batch=batch, device=device)  # (M, site, T, 3)
    frames = []
    for m, member in enumerate(members):
        for k, flux in enumerate(FLUXES):
            observed = ds[flux].values
            site, step = np.nonzero(np.isfinite(observed))
            frames.append(
                pd.DataFrame(
                    {
                        "fold": member.spec.fold,
                        "member": int(member.spec.member),
                        "site": ds["site"].values[site],
                        "date": ds["time"].values[step],
                        "flux": flux,
                        "observed": observed[site, step],
                        "qc": ds["nee_qc"].values[site, step],
                        "predicted": fluxes[m, site, step, k],
                    }
                )
            )
    return frames


@stage
def predict_tiles(
    *,
    cube: Path,
    models: list[Path],
    manifest: Path,
    label: str,
    predictions: Path,
    tile: int,
    min_land_fraction: float,
    engine: Engine,
    threads: int,
    previous: Path | None = None,
    nodes: int = 1,
    launcher: str = "",
) -> None:
    """Predict the globe with every member; an interrupted run continues.

    Parameters
    ----------
    cube, models, label, tile, min_land_fraction, engine : see `MapRequest`
    manifest : output, `predictions/{label}.json`; written last, so its existence means that the map is complete
    predictions : Zarr store of the members, next to the manifest
    threads : tiles at the same time, on each node
    previous : with `memory: carried`, the manifest of the mapped year before; without it the memory begins with the cube
    nodes, launcher : workers that share the tiles, and the command that starts them; see `start_executor`
    """
    request = MapRequest(cube, tuple(models), label, predictions, tile, min_land_fraction, engine, previous)
    predictions.parent.mkdir(parents=True, exist_ok=True)
    folder = predictions.parent
    with (
        start_executor(threads=threads, device=engine.device, folder=folder, nodes=nodes, launcher=launcher) as executor,
        _prepared(request, "lock") as worker,
    ):
        job = worker.job
        records = executor.map(worker.fill if executor.in_process else partial(fill_tile, job), job.tiles)
        check = worker.check_numerics()
        worker.store.seal(records, label=label)
        _manifest(worker, records, check).write(manifest)


@stage
def predict_part(
    *,
    cube: Path,
    models: list[Path],
    record: Path,
    label: str,
    predictions: Path,
    tile: int,
    min_land_fraction: float,
    engine: Engine,
    threads: int,
    part: int,
    parts: int,
    previous: Path | None = None,
) -> None:
    """Predict a share of the tiles into the common store, where `predict_tiles` then finds them.

    Parameters
    ----------
    cube, models, label, predictions, tile, min_land_fraction, engine, threads, previous : as for `predict_tiles`
    record : output; lists the tiles of this share
    part, parts : number of this share, and of all shares
    """
    request = MapRequest(cube, tuple(models), label, predictions, tile, min_land_fraction, engine, previous)
    with (
        start_executor(threads=threads, device=engine.device, folder=predictions.parent) as executor,
        _prepared(request, f"lock-{part}") as worker,
    ):
        job = worker.job
        records = executor.map(worker.fill if executor.in_process else partial(fill_tile, job), job.tiles[part::parts])
    write_json(record, {"key": job.key.digest, "tiles": sorted(records)})


@contextmanager
def _prepared(request: MapRequest, lock: str) -> Iterator[Worker]:
    """Plan a map and hold a lock of its prepared store; `lock` tells apart the jobs that may share it."""
    opened = open_map_inputs(request)
    worker = Worker(plan_map(request, opened.exact, opened.drivers), opened)
    with worker.store.records.locked(lock):
        worker.store.prepare()
        with worker.store.naming_removal():
            yield worker


def _manifest(worker: Worker, records: Mapping[str, TileRecord], check: NumericsCheck) -> Manifest:
    """Manifest of a finished map."""
    job = worker.job
    tiles = {}
    for name, record in records.items():
        digest = hash_lines(record.members[member] for member in job.members)
        tiles[name] = TileSummary(sha256=digest, cells=record.cells, missing=record.missing)
    return Manifest(
        label=job.request.label,
        model=worker.opened.exact[0].spec.name,
        members=job.members,
        key=job.key.digest,
        cube=stores.manifest_digest(job.request.cube),
        store=job.request.store.name,
        store_digest=stores.manifest_digest(job.request.store),
        digest=hash_lines(f"{name} {tile.sha256}" for name, tile in sorted(tiles.items())),
        cells=sum(record.cells for record in records.values()),
        missing=sum(record.missing for record in records.values()),
        numerics=check.numerics,
        difference=check.rounding,
        spinup_difference=check.spinup,
        tiles=tiles,
    )
