"""Stages of the rules predict_towers, predict_tiles and predict_part."""

import logging
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from tamrl import contracts, stores
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.files import atomic, read_json, sha256, write_json
from tamrl.grid import Grid, Tile
from tamrl.inference import numerics, tiled
from tamrl.inference.layout import Layout, locked, open_store, records_folder
from tamrl.inference.numerics import to_device
from tamrl.inference.plan import Plan, carried, plan
from tamrl.inference.predict import Memory, go_on, predict
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
    device = prepare(inference["device"])
    members = to_device(load_ensemble(models), device)
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
    previous: str | None = None,
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
    inference : `batch`, `spinup`, `device`, and optionally `memory` and `numerics`
    threads : tiles at work at the same time
    previous : with `memory: carried`, the manifest of the mapped year before this one; without, the memory begins with the cube
    """
    job = _Map(cube, models, label, store, tile, min_land_fraction, inference, previous)
    with locked(records_folder(job.store)):
        records = job.fill(job.tiles, threads)
        about = {"model": job.members[0].name, "cube": stores.digest(cube)} | job.measured()
        tiled.finish(job.store, records, manifest=manifest, label=label, layout=job.layout, about=about)


def predict_part(
    *,
    cube: str,
    models: list[str],
    output: str,
    label: str,
    store: str,
    tile: int,
    min_land_fraction: float,
    inference: dict,
    threads: int,
    part: int,
    parts: int,
    previous: str | None = None,
) -> None:
    """Predict one of `parts` shares of the tiles into the common store; `predict_tiles` then finds them there.

    Keywords as of `predict_tiles`; `output` tells the tiles of this share.
    """
    job = _Map(cube, models, label, store, tile, min_land_fraction, inference, previous)
    with locked(records_folder(job.store), f"lock-{part}"):
        records = job.fill(job.tiles[part::parts], threads)
    write_json(output, {"key": job.layout.key, "tiles": sorted(records)})


class _Map:
    """A map to be made: its members, drivers, plan and store; keywords as of `predict_tiles`."""

    def __init__(
        self, cube: str, models: list[str], label: str, store: str, tile: int, least: float, options: dict, previous: str | None
    ) -> None:
        self.device = prepare(options["device"])
        exact = to_device(load_ensemble(models), self.device)
        self.exact, self.batch = exact[0], options["batch"]
        self.fast = options.get("numerics") == "fast"
        self.members = [numerics.rounded(m) for m in exact] if self.fast else exact
        self.remember = options.get("memory") == "carried" and label != "climatology"
        self.store = Path(store)
        ds, spec = stores.open_cube(cube), exact[0].spec
        contracts.cube(ds, dynamic=spec.dynamic, static=spec.static, where=cube)
        self.land = ds["land_fraction"].values >= least  # a missing fraction is no land
        self.drivers = ds[[*spec.dynamic, *spec.static]]
        self.tiles = list(Grid(180.0 / ds.sizes["lat"]).tiles(tile))
        before = read_json(previous) if previous and self.remember else None
        self.previous = Path(previous).with_suffix(".zarr") if before else None
        self.plan = self._plan(ds, label, options["spinup"], before)
        shaped = [stores.digest(cube), label, options["spinup"], least, tile, self.fast]
        shaped += [self.remember, before["key"] if before else None]
        self.layout = Layout(
            config_digest(shaped),
            tuple(m.digest for m in exact),
            tuple(m.member for m in exact),
            self.plan.time,
            ds["lat"].values,
            ds["lon"].values,
            tile,
        )

    def _plan(self, ds: xr.Dataset, label: str, spinup: int, before: dict | None) -> Plan:
        if not self.remember:
            return plan(ds["time"].values, label=label, spinup=spinup, climatology="climatology" in ds.attrs)
        if not hasattr(self.members[0].model, "resume") or getattr(self.members[0].model, "context", None):
            raise ContractError(
                f"the model {self.members[0].name!r} carries no memory from step to step",
                where="inference.memory",
                todo="set inference.memory: spinup",
            )
        span, since = max(self.members[0].spec.spans, default=0), before["label"] if before else None
        return carried(ds["time"].values, label=label, since=since, spinup=spinup, span=span)

    def fill(self, tiles: list[Tile], threads: int) -> dict[str, dict]:
        """Compute what of the tiles is not there yet; their records."""
        group = open_store(self.store, self.layout)
        compute = partial(predict_tile, self)
        return tiled.fill(group, tiles, compute, store=self.store, layout=self.layout, remember=self.remember, threads=threads)

    def measured(self) -> dict:
        """How the numbers were made; with `numerics: fast` their difference from exact ones over some cells, gC m-2 d-1."""
        if not self.fast:
            return {"numerics": "exact"}
        row, column = (some[:: max(1, len(some) // numerics.SAMPLE)][: numerics.SAMPLE] for some in np.nonzero(self.land))
        ds = _cells(self.drivers, row, column)
        last = self.plan.pieces[-1]
        given = {"steps": last.steps[last.lead :], "skip": last.skip, "batch": self.batch, "device": self.device}
        exact, fast = (predict([member], ds, **given) for member in (self.exact, self.members[0]))
        return {"numerics": "fast", "difference": numerics.difference(exact, fast)}


def predict_tile(job: _Map, tile: Tile, positions: list[int]) -> tiled.Done:
    """Fluxes of one tile with the members at `positions`; its drivers are read once for all of them."""
    row, column = np.nonzero(job.land[tile.rows, tile.columns])
    members, steps = [job.members[k] for k in positions], len(job.plan.time)
    shape = (tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start)
    out = np.full((2, len(members), steps, *shape), np.nan, dtype=np.float32)
    memory = None
    if row.size:
        ds = _cells(job.drivers.isel(tile.region).load(), row, column)
        found, memory = _decoded(job, members, ds, tile)  # (M, B, T, 3)
        out[:, :, :, row, column] = found[..., :2].transpose(3, 0, 2, 1)
    return tiled.Done(out, int(row.size), memory)


def _decoded(job: _Map, members: list[Trained], ds: xr.Dataset, tile: Tile) -> tuple[np.ndarray, list[Memory] | None]:
    """Fluxes of a tile's cells, from a spin-up or from the memory of the year before."""
    if not job.remember:
        (piece,) = job.plan.pieces
        return predict(members, ds, steps=piece.steps, skip=piece.skip, batch=job.batch, device=job.device), None
    before = tiled.recall(job.previous, tile.name, [m.digest for m in members]) if job.previous else None
    result = go_on(members, ds, pieces=job.plan.pieces, memory=before, batch=job.batch, device=job.device)
    return result.fluxes, result.memory


def _cells(drivers: xr.Dataset, row: np.ndarray, column: np.ndarray) -> xr.Dataset:
    """Drivers (site, time) of the cells at rows and columns."""
    at = {"lat": xr.DataArray(row, dims="site"), "lon": xr.DataArray(column, dims="site")}
    return drivers.isel(at).load().transpose("site", ...)


def prepare(device: str) -> torch.device:
    """One thread an operation, because tiles run side by side and one thread gives the same bits everywhere; and the device."""
    torch.set_num_threads(1)
    return choose(device)
