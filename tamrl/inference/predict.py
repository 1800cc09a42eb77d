"""From cells to fluxes with every member: inputs are made once, each cell is encoded once, its steps are decoded in one pass."""

from collections.abc import Iterator

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from tamrl.samples import dataset
from tamrl.samples.dataset import Inputs
from tamrl.training.checkpoint import Trained

CELLS = 128
"""Cells decoded at once on a CPU: with a block of steps they fill its cache."""

ROWS = 16
"""Batches are filled up to a multiple of this: kernels for very few rows add in another order."""


def predict(
    members: list[Trained], ds: xr.Dataset, *, steps: np.ndarray, skip: int, batch: int, device: torch.device
) -> np.ndarray:
    """Fluxes of all cells with all members.

    Parameters
    ----------
    members : trained models, moved to `device`
    ds : drivers (site, time) as `samples.dataset.inputs` takes them
    steps : array of int
        Positions on `ds.time`, the spin-up first.
    skip : int
        How many of them are spin-up.
    batch : int
        Cells whose inputs are made at once.

    Returns
    -------
    array (member, site, len(steps) - skip, 3) of float32, gpp, reco, nee in gC m-2 d-1, NaN where a driver is missing. A cell's
    numbers depend neither on `batch` nor on its neighbours.
    """
    out = np.empty((len(members), ds.sizes["site"], len(steps) - skip, 3), dtype=np.float32)
    for start in range(0, ds.sizes["site"], batch):
        cells = slice(start, start + batch)
        part = ds.isel(site=cells)
        for key in dict.fromkeys(m.inputs_key for m in members):
            own = [k for k, m in enumerate(members) if m.inputs_key == key]
            found = dataset.inputs(part, members[own[0]].spec, members[own[0]].scaling, steps=steps)
            for k, fluxes in zip(own, _each(members, own, found, skip, device), strict=True):
                out[k, cells] = fluxes
    return out


def _each(members: list[Trained], own: list[int], found: Inputs, skip: int, device: torch.device) -> Iterator[np.ndarray]:
    """Fluxes (B, T - skip, 3) of member after member for the same inputs."""
    invalid = ~found.valid[:, skip:, None].numpy()
    moved = found.to(device)
    for k in own:
        fluxes = _in_batches(members[k], moved, skip).cpu().numpy()
        yield np.where(invalid, np.float32(np.nan), fluxes)


def _in_batches(member: Trained, cells: Inputs, skip: int) -> Tensor:
    count = len(cells.x)
    size = CELLS if cells.x.device.type == "cpu" else count
    parts = []
    for start in range(0, count, size):
        rows = slice(start, min(start + size, count))
        parts.append(member.model.predict(*_filled_up(cells, rows), skip=skip)[: rows.stop - start])
    return torch.cat(parts)


def _filled_up(cells: Inputs, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
    """x, support and static of the rows, the last one repeated up to a multiple of `ROWS`."""
    count = rows.stop - rows.start
    index = torch.arange(rows.start, rows.start + -(-count // ROWS) * ROWS, device=cells.x.device).clamp(max=rows.stop - 1)
    whole = len(index) == count
    return tuple(t[rows] if whole else t[index] for t in (cells.x, cells.support, cells.static))
