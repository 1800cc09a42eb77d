"""From drivers to fluxes with every member: inputs are made once for all members, and a cell is encoded once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from tamrl.inference.plan import DecodingPlan, Piece
from tamrl.models.parts.network import FluxNetwork
from tamrl.samples import dataset
from tamrl.samples.dataset import Inputs, lead_in
from tamrl.shapes import Memory
from tamrl.training.checkpoint import Trained

CELLS = 128
"""Cells decoded at once on a CPU: with a block of steps they fill its cache."""

ROWS = 16
"""Batches are padded to a multiple of this: kernels for very few rows add in another order."""


@dataclass(frozen=True, eq=False)
class DecodedFluxes:
    """Fluxes of some cells by every member."""

    values: np.ndarray
    """Array (member, site, time, 3) of float32: gpp, reco, nee in gC m-2 d-1, NaN where a driver is missing."""
    memory: list[Memory] | None = None
    """Memory of each member for these cells after the last step; None if memory is not carried."""


def decode(
    members: Sequence[Trained],
    drivers: xr.Dataset,
    plan: DecodingPlan,
    *,
    memory: Sequence[Memory] | None = None,
    batch: int,
    device: torch.device,
) -> DecodedFluxes:
    """Compute the fluxes of the mapped steps of a plan.

    Parameters
    ----------
    members : on `device`; with a carried memory they must be networks
    drivers : Dataset (site, time); as `samples.dataset.model_inputs` takes them
    memory : sequence of Memory; of each member for these cells, from which a carried plan continues
    batch : cells whose inputs are made at once

    Returns
    -------
    DecodedFluxes
        The same bits for any `batch` and any neighbours of a cell, and whether the pieces are decoded in one call or several.
    """
    if not plan.carried:
        (piece,) = plan.pieces
        return DecodedFluxes(predict(members, drivers, piece, batch=batch, device=device))
    count = drivers.sizes["site"]
    values = np.empty((len(members), count, len(plan.pieces[-1]), 3), dtype=np.float32)
    after: list[list[Memory]] = [[] for _ in members]
    for cells in _batches(count, batch):
        state = {k: tuple(t[:, cells].to(device) for t in tensors) for k, tensors in enumerate(memory or ())}
        for piece in plan.pieces:
            for positions, inputs in _inputs(members, drivers.isel(site=cells), piece, device):
                for k in positions:
                    fluxes, state[k] = _continue(members[k], inputs, piece, state.get(k))
                    if piece is plan.pieces[-1]:
                        values[k, cells] = _masked(fluxes, inputs, piece)
        for k, batches in enumerate(after):
            batches.append(tuple(t.cpu() for t in state[k]))
    return DecodedFluxes(values, [_joined(batches) for batches in after])


def predict(members: Sequence[Trained], drivers: xr.Dataset, piece: Piece, *, batch: int, device: torch.device) -> np.ndarray:
    """Predict the fluxes of a piece with an empty memory before it; parameters as for `decode`.

    Returns an array (member, site, len(piece), 3) of float32: gpp, reco, nee in gC m-2 d-1, NaN where a driver is missing.

    Parameters
    ----------
    members : of an ensemble, with the same inputs
    drivers : (site, time) or (lat, lon, time) that cover the piece and its spin-up
    piece : steps to predict
    batch : cells decoded at once
    device : that computes
    """
    values = np.empty((len(members), drivers.sizes["site"], len(piece), 3), dtype=np.float32)
    for cells in _batches(drivers.sizes["site"], batch):
        for positions, inputs in _inputs(members, drivers.isel(site=cells), piece, device):
            for k in positions:
                groups = _groups(inputs.x[:, piece.lead :], inputs.support, inputs.static)
                fluxes = [members[k].model.predict(x, support, static, skip=piece.skip) for x, support, static in groups]
                values[k, cells] = _masked(torch.cat(fluxes), inputs, piece)
    return values


def predict_series(members: Sequence[Trained], drivers: xr.Dataset, *, batch: int, device: torch.device) -> np.ndarray:
    """Predict every step of places after a lead-in of a year, as held-out towers are predicted.

    Parameters
    ----------
    members, drivers, batch : as for `decode`
    device : where the members are

    Returns an array (member, site, time, 3) as `predict` does.
    """
    year, count = members[0].spec.inputs.year, drivers.sizes["time"]
    steps = np.concatenate([lead_in(0, year, min(year, count)), np.arange(count)])
    return predict(members, drivers, Piece(steps, lead=0, skip=year), batch=batch, device=device)


def _continue(member: Trained, inputs: Inputs, piece: Piece, memory: Memory | None) -> tuple[Tensor, Memory]:
    """Fluxes (B, T, 3) of a piece and the memory after it, group by group of cells."""
    network = member.model
    if not isinstance(network, FluxNetwork):
        raise TypeError(f"{member.spec.name} has no memory")
    fluxes, memories = [], []
    tensors = (inputs.x[:, piece.lead :], inputs.support, inputs.static, *(t.transpose(0, 1) for t in memory or ()))
    with torch.inference_mode():
        for x, support, static, *before in _groups(*tensors):
            code = network.encode(support, static)
            state = tuple(t.transpose(0, 1).contiguous() for t in before) or None
            group, state = network.resume(x, code, state, skip=piece.skip)
            fluxes.append(group)
            memories.append(state or ())
    count = len(inputs.x)
    return torch.cat(fluxes)[:count], tuple(t[:, :count] for t in _joined(memories))


def _joined(parts: Sequence[Memory]) -> Memory:
    """Memory of all cells from those of parts of them."""
    return tuple(torch.cat(tensors, dim=1) for tensors in zip(*parts, strict=True))


def _batches(count: int, batch: int) -> Iterator[slice]:
    """Slices of `batch` cells."""
    for start in range(0, count, batch):
        yield slice(start, min(start + batch, count))


def _inputs(
    members: Sequence[Trained], drivers: xr.Dataset, piece: Piece, device: torch.device
) -> Iterator[tuple[list[int], Inputs]]:
    """Positions of the members that share their inputs, and these inputs on `device`."""
    positions: dict[str, list[int]] = {}
    for k, member in enumerate(members):
        positions.setdefault(member.spec.inputs_key, []).append(k)
    for shared in positions.values():
        spec = members[shared[0]].spec
        yield shared, dataset.model_inputs(drivers, spec.inputs, spec.standardisation, steps=piece.steps).to(device)


def _masked(fluxes: Tensor, inputs: Inputs, piece: Piece) -> np.ndarray:
    """Fluxes (B, T, 3) without the padding of the groups, missing where a driver is missing."""
    invalid = ~inputs.valid[:, piece.lead + piece.skip :, None].cpu().numpy()
    return np.where(invalid, np.float32(np.nan), fluxes[: len(inputs.x)].cpu().numpy())


def _groups(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Rows of the tensors, as many at once as fit the cache; the last row is repeated up to a multiple of `ROWS`."""
    count, device = len(tensors[0]), tensors[0].device
    size = CELLS if device.type == "cpu" else count
    for start in range(0, count, size):
        stop = min(start + size, count)
        index = torch.arange(start, start + -(-(stop - start) // ROWS) * ROWS, device=device).clamp(max=stop - 1)
        complete = start + len(index) == stop
        yield tuple(t[start:stop] if complete else t[index] for t in tensors)
