"""Stages of the rules predict_towers and predict_tiles."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from tamrl import contracts, stores
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.files import atomic, sha256
from tamrl.grid import Grid, Tile
from tamrl.inference import tiled
from tamrl.inference.plan import Plan, plan
from tamrl.inference.predict import predict
from tamrl.provenance import config_digest
from tamrl.samples.dataset import lead_in
from tamrl.samples.splits import cut
from tamrl.training.checkpoint import Trained, load_ensemble
from tamrl.training.device import choose

LOG = logging.getLogger(__name__)


def predict_towers(
    *, samples: str, splits: str, models: list[str], table: str, model: str, drivers: str, inference: dict
) -> None:
    """Predict every held-out tower with the members of the fold that holds it out.

    Parameters
    ----------
    samples, splits : files of `contracts.samples` and `contracts.SPLITS`
    models : folders of the trained members of all folds
    table : output, one row a member, site, date and measured flux
    model, drivers : written into the table
    inference : `batch`, `device`
    """
    device = _prepare(inference["device"])
    members = _on(device, load_ensemble(models))
    spec = members[0].spec
    ds = contracts.samples(xr.load_dataset(samples), dynamic=spec.dynamic, static=spec.static, where=samples)
    split = contracts.read_csv(splits, contracts.SPLITS)
    fold_of = split.set_index("site")["fold"].reindex(ds["site"].values).to_numpy()
    frames = []
    for fold in sorted({m.fold for m in members}):
        held_out = ds.isel(site=fold_of == fold)
        own = [m for m in members if m.fold == fold]
        since = cut(split, held_out["site"].values)
        if since is None:
            _check_unseen(held_out, own)
        else:
            _check_split(own, splits)
        if held_out.sizes["site"]:
            rows = _tower_rows(held_out, own, batch=inference["batch"], device=device)
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
        if seen := set(member.about["sites"]) & set(held_out["site"].values.tolist()):
            raise ContractError(
                f"member {member.member} of fold {member.fold} was trained on towers it is to be scored at",
                found=sorted(seen)[:5],
                todo="train again: the split has changed since",
            )


def _check_split(members: list[Trained], splits: str) -> None:
    """In a split in time towers are known and steps are not: refuse a model that was trained with another split."""
    if others := [m.member for m in members if m.about["splits"] != sha256(splits)]:
        raise ContractError("members were trained with another split in time", where=splits, found=others, todo="train again")


def _later(rows: list[pd.DataFrame], since: dict[str, np.datetime64]) -> list[pd.DataFrame]:
    """Only the rows that a split in time holds out."""
    return [table[table["date"] >= table["site"].map(since)] for table in rows]


def _tower_rows(ds: xr.Dataset, members: list[Trained], *, batch: int, device: torch.device) -> list[pd.DataFrame]:
    """One table a member and flux, with the steps at which the flux was measured."""
    year = members[0].spec.year
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
                        "fold": member.fold,
                        "member": int(member.member),
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


def predict_tiles(
    *,
    cube: str,
    models: list[str],
    manifest: str,
    label: str,
    store: str,
    tile: int,
    min_land_fraction: float,
    inference: dict,
    threads: int,
) -> None:
    """Predict the globe with every member; an interrupted run continues.

    Parameters
    ----------
    cube : `drivers/cube.zarr`
    models : folders of the trained members
    manifest : output; written last, so its existence means that the map is complete
    label : a year, or `climatology`
    store : Zarr store of the members, dims (member, time, lat, lon)
    tile : cells per side
    min_land_fraction : cells with less land stay missing
    inference : `batch`, `spinup`, `device`
    threads : tiles at work at the same time
    """
    device = _prepare(inference["device"])
    members = _on(device, load_ensemble(models))
    ds = stores.open_cube(cube)
    spec = members[0].spec
    contracts.cube(ds, dynamic=spec.dynamic, static=spec.static, where=cube)
    chosen = plan(ds["time"].values, label=label, spinup=inference["spinup"], climatology="climatology" in ds.attrs)
    land = ds["land_fraction"].values >= min_land_fraction  # a missing fraction is no land
    drivers = ds[[*spec.dynamic, *spec.static]]

    def compute(one: Tile) -> tiled.Fluxes:
        return predict_tile(drivers, land, one, members, chosen, batch=inference["batch"], device=device)

    key = config_digest([stores.digest(cube), [m.digest for m in members], label, inference["spinup"], min_land_fraction, tile])
    where = Path(store)
    with tiled.locked(tiled.records_folder(where)):
        group = tiled.open_store(
            where,
            key=key,
            members=[m.member for m in members],
            time=chosen.time,
            lat=ds["lat"].values,
            lon=ds["lon"].values,
            tile=tile,
        )
        tiles = list(Grid(180.0 / ds.sizes["lat"]).tiles(tile))
        records = tiled.fill(group, tiles, compute, store=where, key=key, threads=threads)
        about = {"members": [m.digest for m in members], "model": members[0].name, "cube": stores.digest(cube)}
        tiled.finish(where, records, manifest=manifest, label=label, key=key, about=about)


def predict_tile(
    drivers: xr.Dataset, land: np.ndarray, tile: Tile, members: list[Trained], chosen: Plan, *, batch: int, device: torch.device
) -> tiled.Fluxes:
    """Fluxes of one tile.

    Parameters
    ----------
    drivers : lazy cube; only the tile is read, once for all members
    land : array (lat, lon) of bool

    Returns
    -------
    array (2, member, time, lat, lon) of gpp and reco, NaN off land and where drivers are missing; and the number of land cells.
    """
    row, column = np.nonzero(land[tile.rows, tile.columns])
    shape = (tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start)
    out = np.full((2, len(members), len(chosen.time), *shape), np.nan, dtype=np.float32)
    if row.size:
        cells = {"lat": xr.DataArray(row, dims="site"), "lon": xr.DataArray(column, dims="site")}
        ds = drivers.isel(tile.region).load().isel(cells).transpose("site", ...)
        found = predict(members, ds, steps=chosen.steps, skip=chosen.skip, batch=batch, device=device)  # (M, B, T, 3)
        out[:, :, :, row, column] = found[..., :2].transpose(3, 0, 2, 1)
    return out, int(row.size)


def _prepare(device: str) -> torch.device:
    torch.set_num_threads(1)  # tiles run side by side, and one thread gives the same bits everywhere
    return choose(device)


def _on(device: torch.device, members: list[Trained]) -> list[Trained]:
    for member in members:
        if isinstance(member.model, torch.nn.Module):
            member.model.to(device)
    return members
