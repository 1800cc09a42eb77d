"""Stages of the rules predict_towers, predict_tiles and predict_part."""

import json
import logging
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
import torch
import xarray as xr

from tamrl import contracts, stores
from tamrl.cache import locked
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.files import atomic, sha256, verified, write_json
from tamrl.grid import Tile
from tamrl.inference import processes, tiled
from tamrl.inference.layout import lay_out, records_folder, standing
from tamrl.inference.mapping import Map, fill, prepare
from tamrl.inference.numerics import to_device
from tamrl.inference.predict import predict
from tamrl.samples.dataset import lead_in
from tamrl.samples.splits import cut
from tamrl.sections.models import Batches, Engine
from tamrl.training.checkpoint import Trained, load_ensemble
from tamrl.workflow import stage

LOG = logging.getLogger(__name__)


@stage
def predict_towers(
    *, samples: str, splits: str, models: list[str], table: str, model: str, drivers: str, batches: Batches
) -> None:
    """Predict every held-out tower with the members of the fold that holds it out.

    Parameters
    ----------
    samples, splits : files of `contracts.samples` and `contracts.SPLITS`
    models : folders of the trained members of all folds
    table : output, one row a member, site, date and measured flux
    model, drivers : written into the table
    """
    device = prepare(batches.device)
    members = to_device(load_ensemble(models), device)
    spec = members[0].spec.inputs
    ds = contracts.samples(xr.load_dataset(verified(samples)), dynamic=spec.dynamic, static=spec.static, where=samples)
    split = contracts.read_csv(splits, contracts.SPLITS)
    fold_of = split.set_index("site")["fold"].reindex(ds["site"].values).to_numpy()
    frames = []
    for fold in sorted({m.spec.fold for m in members}):
        held_out = ds.isel(site=fold_of == fold)
        own = [m for m in members if m.spec.fold == fold]
        since = cut(split, held_out["site"].values)
        if since is None:
            _check_unseen(held_out, own)
        else:
            _check_split(own, splits)
        if held_out.sizes["site"]:
            rows = _tower_rows(held_out, own, batch=batches.batch, device=device)
            frames += rows if since is None else _later(rows, dict(zip(held_out["site"].values, since, strict=True)))
    if not frames:
        raise ContractError("no tower is held out", where=splits, found=sorted(set(split["fold"])), todo="check splits.scheme")
    rows = pd.concat(frames, ignore_index=True)
    rows.insert(0, "model", model)
    rows.insert(2, "drivers", drivers)
    with atomic(table) as part:
        rows.to_parquet(part, index=False)
    LOG.info("%d rows at %d towers by %d members", len(rows), rows["site"].nunique(), len(members))


def _check_unseen(held_out: xr.Dataset, members: list[Trained]) -> None:
    """Refuse a model that was trained on a tower it is to be scored at."""
    for member in members:
        if seen := set(member.spec.training.sites) & set(held_out["site"].values.tolist()):
            raise ContractError(
                f"member {member.spec.member} of fold {member.spec.fold} was trained on towers it is to be scored at",
                found=sorted(seen)[:5],
                todo="train again: the split has changed since",
            )


def _check_split(members: list[Trained], splits: str) -> None:
    """In a split in time towers are known and steps are not: refuse a model that was trained with another split."""
    if others := [m.spec.member for m in members if m.spec.training.splits != sha256(splits)]:
        raise ContractError("members were trained with another split in time", where=splits, found=others, todo="train again")


def _later(rows: list[pd.DataFrame], since: dict[str, np.datetime64]) -> list[pd.DataFrame]:
    """Only the rows that a split in time holds out."""
    return [table[table["date"] >= table["site"].map(since)] for table in rows]


def _tower_rows(ds: xr.Dataset, members: list[Trained], *, batch: int, device: torch.device) -> list[pd.DataFrame]:
    """One table a member and flux, with the steps at which the flux was measured."""
    year = members[0].spec.inputs.year
    steps = np.concatenate([lead_in(0, year, min(year, ds.sizes["time"])), np.arange(ds.sizes["time"])])
    found = predict(members, ds, steps=steps, skip=year, batch=batch, device=device)  # (M, site, T, 3)
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
                        "predicted": found[m, site, step, k],
                    }
                )
            )
    return frames


@stage
def predict_tiles(
    *,
    cube: str,
    models: list[str],
    manifest: str,
    label: str,
    predictions: str,
    tile: int,
    min_land_fraction: float,
    engine: Engine,
    threads: int,
    previous: str | None = None,
    nodes: int = 1,
    launcher: str = "",
) -> None:
    """Predict the globe with every member; an interrupted run continues.

    Parameters
    ----------
    cube : `drivers/cube.zarr`
    models : folders of the trained members
    manifest : output; written last, so its existence means that the map is complete
    label : a year, or `climatology`
    predictions : Zarr store of the members, dims (member, time, lat, lon)
    tile : cells per side
    min_land_fraction : cells with less land stay missing
    threads : tiles at work at the same time, on each node
    previous : with `memory: carried`, the manifest of the mapped year before this one; without, the memory begins with the cube
    nodes, launcher : workers that share the tiles, and what starts them (see `nodes.started`); one node is this process
    """
    arguments = {"cube": cube, "models": list(models), "label": label, "store": predictions, "tile": tile}
    arguments |= {"min_land_fraction": min_land_fraction, "engine": engine.model_dump(mode="json"), "previous": previous}
    with processes.started(threads if nodes == 1 else 1, device=engine.device) as pool:
        job = Map(**arguments | {"engine": engine})
        with locked(records_folder(job.store)):
            lay_out(job.store, job.layout)
            with standing(job.store):
                if nodes == 1:
                    records = _filled(job, job.tiles, arguments, threads, pool)
                else:
                    from tamrl.inference import nodes as spread  # `distributed` is slow to import

                    with spread.started(nodes, threads=threads, launcher=launcher, folder=job.store.parent) as workers:
                        records = workers.fill(job.tiles, partial(fill, json.dumps(arguments)))
                about = {"model": job.members[0].spec.name, "cube": stores.digest(cube)} | job.measured()
                tiled.finish(job.store, records, manifest=manifest, label=label, layout=job.layout, about=about)


@stage
def predict_part(
    *,
    cube: str,
    models: list[str],
    record: str,
    label: str,
    predictions: str,
    tile: int,
    min_land_fraction: float,
    engine: Engine,
    threads: int,
    part: int,
    parts: int,
    previous: str | None = None,
) -> None:
    """Predict one of `parts` shares of the tiles into the common store; `predict_tiles` then finds them there.

    Keywords as of `predict_tiles`; `record` lists the tiles of this share.
    """
    arguments = {"cube": cube, "models": list(models), "label": label, "store": predictions, "tile": tile}
    arguments |= {"min_land_fraction": min_land_fraction, "engine": engine.model_dump(mode="json"), "previous": previous}
    with processes.started(threads, device=engine.device) as pool:
        job = Map(**arguments | {"engine": engine})
        with locked(records_folder(job.store), f"lock-{part}"):
            lay_out(job.store, job.layout)
            with standing(job.store):
                records = _filled(job, job.tiles[part::parts], arguments, threads, pool)
    write_json(record, {"key": job.layout.key, "tiles": sorted(records)})


def _filled(job: Map, tiles: list[Tile], arguments: dict, threads: int, pool: ProcessPoolExecutor | None) -> dict[str, dict]:
    """Records of the tiles, made by this process or by those of the pool."""
    one = partial(fill, json.dumps(arguments)) if pool else job.fill
    return tiled.fill(tiles, one, threads=threads, pool=pool)
