"""A worker makes tiles of a map: it reads their drivers, decodes them with the members, and writes them into the store."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
import xarray as xr

from tamrl import contracts, stores
from tamrl.errors import ContractError
from tamrl.grid import Tile
from tamrl.inference import numerics
from tamrl.inference.decode import DecodedFluxes, decode, predict
from tamrl.inference.job import MapJob, MapRequest, plan_decoding
from tamrl.inference.plan import Piece
from tamrl.inference.store import TileFluxes, recall_memories
from tamrl.predictions import TileRecord
from tamrl.training.checkpoint import Trained, load_ensemble
from tamrl.training.device import choose_device


@dataclass(frozen=True, eq=False)
class OpenedMap:
    """Models and drivers of a map, opened in this process."""

    device: torch.device
    """Where the members compute."""
    exact: list[Trained]
    members: list[Trained]
    """As they were trained, and as they decode the map: the same, or with rounded layers."""
    drivers: xr.Dataset
    """Variables of the cube (time, lat, lon) that the members need, lazy."""
    land: np.ndarray
    """Array of bool (lat, lon): cells to map."""


def open_map_inputs(request: MapRequest) -> OpenedMap:
    """Load the models of a map and open its drivers."""
    device = prepare_torch(request.engine.device)
    exact = numerics.to_device(load_ensemble(request.models), device)
    members = [numerics.round_layers(member) for member in exact] if request.engine.numerics == "fast" else exact
    cube, spec = stores.open_cube(request.cube), exact[0].spec.inputs
    contracts.check_cube(cube, dynamic=spec.dynamic, static=spec.static, where=request.cube)
    land = cube["land_fraction"].values >= request.min_land_fraction  # a missing fraction is no land
    if not land.any():
        todo = "check land_fraction, maps.min_land_fraction and grid.bounds"
        raise ContractError("no cell of the cube is land", where=request.cube, todo=todo)
    return OpenedMap(device, exact, members, cube[[*spec.dynamic, *spec.static]], land)


class Worker:
    """Makes tiles of a planned map whose store is prepared; tiles of one process share the opened models and drivers."""

    def __init__(self, job: MapJob, opened: OpenedMap) -> None:
        self.job, self.opened = job, opened
        self.store = job.tile_store()

    def fill(self, tile: Tile) -> TileRecord:
        """Compute what the store lacks of a tile; returns the record of the tile."""
        return self.store.complete(tile, partial(predict_tile, self, tile))

    def check_numerics(self) -> numerics.NumericsCheck:
        """Measure over a sample of cells what rounding and a spin-up of finite length change."""
        request, member = self.job.request, self.opened.exact[0]
        fast = request.engine.numerics == "fast"
        if request.carries and not fast:
            return numerics.NumericsCheck("exact")
        sample, piece = self._sample(), self.job.plan.pieces[-1]
        exact = self._predict(member, sample, piece)
        rounding = spinup = None
        if fast:
            rounding = numerics.compare_fluxes(exact, self._predict(self.opened.members[0], sample, piece))
        if not request.carries:
            (longer,) = plan_decoding(request, member, self.opened.drivers, since=None, spinup=2 * request.engine.spinup).pieces
            spinup = numerics.compare_fluxes(self._predict(member, sample, longer), exact)
        return numerics.NumericsCheck(request.engine.numerics, rounding, spinup)

    def _sample(self) -> xr.Dataset:
        """Drivers (site, time) of a sample of land cells; of few tiles, since whole chunks are read."""
        land = self.opened.land
        tiles = [tile for tile in self.job.tiles if land[tile.rows, tile.columns].any()]
        parts = []
        for k in _evenly(len(tiles), numerics.TILES):
            row, column = np.nonzero(land[tiles[k].rows, tiles[k].columns])
            chosen = _evenly(len(row), numerics.SAMPLE // numerics.TILES)
            parts.append(_cells(self.opened.drivers.isel(tiles[k].region), row[chosen], column[chosen]))
        return xr.concat(parts, dim="site")

    def _predict(self, member: Trained, sample: xr.Dataset, piece: Piece) -> np.ndarray:
        return predict([member], sample, piece, batch=self.job.request.engine.batch, device=self.opened.device)


def predict_tile(worker: Worker, tile: Tile, positions: Sequence[int]) -> TileFluxes:
    """Compute the fluxes of a tile with the members at `positions`; its drivers are read once for all of them."""
    opened, plan = worker.opened, worker.job.plan
    row, column = np.nonzero(opened.land[tile.rows, tile.columns])
    members = [opened.members[k] for k in positions]
    shape = (tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start)
    values = np.full((2, len(members), len(plan.time), *shape), np.nan, dtype=np.float32)
    if not row.size:
        return TileFluxes(values, 0)
    decoded = _decode(worker, members, _cells(opened.drivers.isel(tile.region).load(), row, column), tile)
    values[:, :, :, row, column] = decoded.values[..., :2].transpose(3, 0, 2, 1)  # from (member, cell, time, flux)
    return TileFluxes(values, int(row.size), decoded.memory)


def _decode(worker: Worker, members: list[Trained], cells: xr.Dataset, tile: Tile) -> DecodedFluxes:
    """Fluxes of the cells of a tile, from a spin-up or from the memory of the year before."""
    previous, memory = worker.job.previous_store, None
    if previous is not None:
        memory = recall_memories(previous, tile.name, [member.spec.digest for member in members])
    batch, device = worker.job.request.engine.batch, worker.opened.device
    return decode(members, cells, worker.job.plan, memory=memory, batch=batch, device=device)


def _cells(drivers: xr.Dataset, row: np.ndarray, column: np.ndarray) -> xr.Dataset:
    """Drivers (site, time) of the cells at rows and columns."""
    positions = {"lat": xr.DataArray(row, dims="site"), "lon": xr.DataArray(column, dims="site")}
    return drivers.isel(positions).load().transpose("site", ...)


def _evenly(count: int, most: int) -> np.ndarray:
    """At most `most` positions among `count`, at equal distances."""
    return np.arange(count)[:: max(1, count // most)][:most]


_opening = threading.Lock()


def fill_tile(job: MapJob, tile: Tile) -> TileRecord:
    """Fill a tile in this process, which opens the map at its first tile."""
    with _opening:
        worker = _open_worker(job)
    return worker.fill(tile)


@lru_cache(maxsize=1)
def _open_worker(job: MapJob) -> Worker:
    return Worker(job, open_map_inputs(job.request))


def prepare_torch(device: str) -> torch.device:
    """Choose the device, and let each operation use one thread: tiles run side by side, and one thread gives the same bits."""
    torch.set_num_threads(1)
    return choose_device(device)
