"""A map in the making: what each of its tiles needs, opened once in a process."""

import json
import threading
from collections.abc import Sequence
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
import zarr

from tamrl import calendar, contracts, stores
from tamrl.errors import ContractError
from tamrl.grid import Grid, Tile
from tamrl.inference import numerics, tiled
from tamrl.inference.layout import Layout
from tamrl.inference.numerics import to_device
from tamrl.inference.plan import Piece, Plan, carried, plan
from tamrl.inference.predict import Memory, go_on, predict
from tamrl.predictions import Manifest
from tamrl.provenance import code_digest, config_digest, libraries
from tamrl.registry import MODELS
from tamrl.sections.models import Engine
from tamrl.training.checkpoint import Trained, load_ensemble
from tamrl.training.device import choose_device


class Map:
    """A map to be made: its members, drivers, plan and store; arguments as of `predict_tiles`."""

    def __init__(
        self,
        *,
        cube: str,
        models: list[str],
        label: str,
        store: str,
        tile: int,
        min_land_fraction: float,
        engine: Engine,
        previous: str | None = None,
    ) -> None:
        self.device = prepare(engine.device)
        exact = to_device(load_ensemble(models), self.device)
        self.exact, self.batch = exact[0], engine.batch
        self.fast = engine.numerics == "fast"
        self.members = [numerics.rounded(m) for m in exact] if self.fast else exact
        self.remember = engine.memory == "carried" and label != calendar.CLIMATOLOGY
        self.store = Path(store)
        ds, spec = stores.open_cube(cube), exact[0].spec.inputs
        contracts.cube(ds, dynamic=spec.dynamic, static=spec.static, where=cube)
        self.land = ds["land_fraction"].values >= min_land_fraction  # a missing fraction is no land
        self.drivers = ds[[*spec.dynamic, *spec.static]]
        self.tiles = list(Grid.from_dataset(ds).tiles(tile))
        before = Manifest.read(previous) if previous and self.remember else None
        self.previous = before.store_path(previous) if before else None
        self.plan = self._plan(label, engine.spinup, before)
        self.label, self.spinup = label, engine.spinup
        shaped = [stores.digest(cube), label, engine.spinup, min_land_fraction, tile, self.fast]
        shaped += [self.remember, before.key if before else None, _made_by(self.exact)]
        self.layout = Layout(
            config_digest(shaped),
            tuple(m.spec.digest for m in exact),
            tuple(m.spec.member for m in exact),
            self.plan.time,
            ds["lat"].values,
            ds["lon"].values,
            tile,
        )

    def _plan(self, label: str, spinup: int, before: Manifest | None) -> Plan:
        axis, span = calendar.TimeAxis.of(self.drivers), max(self.members[0].spec.inputs.spans, default=0)
        if not self.remember:
            return plan(axis, label=label, spinup=spinup, span=span)
        if not self.members[0].spec.capabilities.memory:
            raise ContractError(
                f"the model {self.members[0].spec.name!r} carries no memory from step to step",
                where="inference.memory",
                todo="set inference.memory: spinup",
            )
        return carried(axis, label=label, since=before.label if before else None, spinup=spinup, span=span)

    @cached_property
    def _group(self) -> zarr.Group:
        return zarr.open_group(self.store, mode="r+")

    def fill(self, tile: Tile) -> dict:
        """The record of a tile of the store, which is computed unless it is there."""
        compute = partial(predict_tile, self)
        return tiled.one(tile, self._group, compute, store=self.store, layout=self.layout, remember=self.remember)

    def measured(self) -> dict:
        """How the numbers were made, and over some cells what that changes, gC m-2 d-1.

        With `numerics: fast` their `difference` from exact ones; with a memory from a spin-up, the `spinup_difference` of that
        from one of twice its length.
        """
        found: dict = {"numerics": "fast" if self.fast else "exact"}
        if self.remember and not self.fast:
            return found
        ds, piece = self._sample(), self.plan.pieces[-1]
        exact = self._sampled(self.exact, ds, piece)
        if self.fast:
            found["difference"] = numerics.difference(exact, self._sampled(self.members[0], ds, piece))
        if not self.remember:
            (longer,) = self._plan(self.label, 2 * self.spinup, None).pieces
            found["spinup_difference"] = numerics.difference(self._sampled(self.exact, ds, longer), exact)
        return found

    def _sample(self) -> xr.Dataset:
        """Drivers of some land cells: of few tiles, since whole chunks are read."""
        tiles = [tile for tile in self.tiles if self.land[tile.rows, tile.columns].any()]
        parts = []
        for tile in _some(tiles, numerics.TILES):
            row, column = (_some(at, numerics.SAMPLE // numerics.TILES) for at in np.nonzero(self.land[tile.rows, tile.columns]))
            parts.append(_cells(self.drivers.isel(tile.region), row, column))
        return xr.concat(parts, dim="site")

    def _sampled(self, member: Trained, ds: xr.Dataset, piece: Piece) -> np.ndarray:
        """Fluxes of a member over the cells of `ds`."""
        given = {"steps": piece.steps, "lead": piece.lead, "skip": piece.skip, "batch": self.batch, "device": self.device}
        return predict([member], ds, **given)


def _made_by(member: Trained) -> list[Any]:
    """What shapes the numbers besides drivers and weights: tiles that other code left are not taken over."""
    modules = ("tamrl.inference.plan", "tamrl.inference.predict", "tamrl.inference.numerics", f"{MODELS}.{member.spec.plugin}")
    return [code_digest(*modules), libraries(*modules)]


def predict_tile(job: Map, tile: Tile, positions: list[int]) -> tiled.Done:
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


def _decoded(job: Map, members: list[Trained], ds: xr.Dataset, tile: Tile) -> tuple[np.ndarray, list[Memory] | None]:
    """Fluxes of a tile's cells, from a spin-up or from the memory of the year before."""
    if not job.remember:
        (piece,) = job.plan.pieces
        given = {"steps": piece.steps, "lead": piece.lead, "skip": piece.skip, "batch": job.batch, "device": job.device}
        return predict(members, ds, **given), None
    before = tiled.recall(job.previous, tile.name, [m.spec.digest for m in members]) if job.previous else None
    result = go_on(members, ds, pieces=job.plan.pieces, memory=before, batch=job.batch, device=job.device)
    return result.fluxes, result.memory


def _some(there: Sequence, count: int) -> Sequence:
    """At most `count` of them, evenly."""
    return there[:: max(1, len(there) // count)][:count]


def _cells(drivers: xr.Dataset, row: np.ndarray, column: np.ndarray) -> xr.Dataset:
    """Drivers (site, time) of the cells at rows and columns."""
    at = {"lat": xr.DataArray(row, dims="site"), "lon": xr.DataArray(column, dims="site")}
    return drivers.isel(at).load().transpose("site", ...)


_opening = threading.Lock()


def fill(arguments: str, tile: Tile) -> dict:
    """The record of a tile of the map with these arguments, as JSON; the tiles of a process share the map."""
    with _opening:
        job = _opened(arguments)
    return job.fill(tile)


@lru_cache(maxsize=1)
def _opened(arguments: str) -> Map:
    given = json.loads(arguments)
    return Map(**given | {"engine": Engine(**given["engine"])})


def prepare(device: str) -> torch.device:
    """One thread an operation, because tiles run side by side and one thread gives the same bits everywhere; and the device."""
    torch.set_num_threads(1)
    return choose_device(device)
