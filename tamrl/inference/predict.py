"""From cells to fluxes with every member: inputs are made once for all, a cell is encoded once, steps are decoded in one pass."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from tamrl.inference.plan import Piece
from tamrl.samples import dataset
from tamrl.samples.dataset import Inputs
from tamrl.training.checkpoint import Trained

CELLS = 128
"""Cells decoded at once on a CPU: with a block of steps they fill its cache."""

ROWS = 16
"""Batches are filled up to a multiple of this: kernels for very few rows add in another order."""

Memory = tuple[Tensor, ...]
"""State of one member for all cells of a tile: tensors whose second dimension is the cell."""


@dataclass(frozen=True)
class Result:
    """What the members say of some cells.

    Attributes
    ----------
    fluxes : array (member, site, time, 3) of float32
        gpp, reco, nee in gC m-2 d-1, NaN where a driver is missing.
    memory : list of Memory, or None
        After the last step, one a member; None where it was not asked for.
    """

    fluxes: np.ndarray
    memory: list[Memory] | None


def predict(
    members: list[Trained], ds: xr.Dataset, *, steps: np.ndarray, skip: int, batch: int, device: torch.device, lead: int = 0
) -> np.ndarray:
    """Fluxes of all cells with all members, the memory beginning with the first step.

    Parameters
    ----------
    members : trained models, moved to `device`
    ds : drivers (site, time) as `samples.dataset.model_inputs` takes them
    steps : array of int
        Positions on `ds.time`: those that only enter running means, the spin-up, those to predict.
    skip, lead : int
        How many of them are spin-up, and how many come before it.
    batch : int
        Cells whose inputs are made at once.

    Returns
    -------
    array (member, site, len(steps) - lead - skip, 3) of float32, gpp, reco, nee in gC m-2 d-1, NaN where a driver is missing. A
    cell's numbers depend neither on `batch` nor on its neighbours.
    """
    out = np.empty((len(members), ds.sizes["site"], len(steps) - lead - skip, 3), dtype=np.float32)
    for cells in _batches(ds.sizes["site"], batch):
        for own, found in _inputs(members, ds.isel(site=cells), steps, device):
            for k in own:
                groups = _groups(found.x[:, lead:], found.support, found.static)
                parts = [members[k].model.predict(*some, skip=skip) for some in groups]
                out[k, cells] = _masked(torch.cat(parts), found, lead + skip)
    return out


def go_on(
    members: list[Trained],
    ds: xr.Dataset,
    *,
    pieces: tuple[Piece, ...],
    memory: list[Memory] | None,
    batch: int,
    device: torch.device,
) -> Result:
    """Fluxes of the last piece, and the memory after it; keywords as of `predict`.

    Parameters
    ----------
    members : with `encode` and `resume`
    memory : of each member, from where the first piece goes on; by default from nothing

    Returns
    -------
    Result, the same to the bit for any `batch`, and whether the pieces are decoded in one call or in several.
    """
    steps = len(pieces[-1].steps) - pieces[-1].lead - pieces[-1].skip
    out = np.empty((len(members), ds.sizes["site"], steps, 3), dtype=np.float32)
    after: list[list[Memory]] = [[] for _ in members]
    for cells in _batches(ds.sizes["site"], batch):
        state = {k: tuple(t[:, cells].to(device) for t in memory[k]) if memory else None for k in range(len(members))}
        for piece in pieces:
            for own, found in _inputs(members, ds.isel(site=cells), piece.steps, device):
                for k in own:
                    fluxes, state[k] = _resume(members[k], found, piece, state[k])
                    if piece is pieces[-1]:
                        out[k, cells] = _masked(fluxes, found, piece.lead + piece.skip)
        for k, parts in enumerate(after):
            parts.append(tuple(t.cpu() for t in state[k]))
    return Result(out, [_joined(parts) for parts in after])


def _resume(member: Trained, found: Inputs, piece: Piece, state: Memory | None) -> tuple[Tensor, Memory]:
    """Fluxes (B, T, 3) of a piece and the state after it, group by group of cells."""
    fluxes, states = [], []
    tensors = (found.x[:, piece.lead :], found.support, found.static, *(t.transpose(0, 1) for t in state or ()))
    with torch.inference_mode():
        for x, support, static, *before in _groups(*tensors):
            z = member.model.encode(support, static)
            own = tuple(t.transpose(0, 1).contiguous() for t in before) or None
            some, after = member.model.resume(x, z, own, skip=piece.skip)
            fluxes.append(some)
            states.append(after)
    count = len(found.x)
    return torch.cat(fluxes)[:count], tuple(t[:, :count] for t in _joined(states))


def _joined(parts: list[Memory]) -> Memory:
    return tuple(torch.cat(some, dim=1) for some in zip(*parts, strict=True))


def _batches(count: int, batch: int) -> Iterator[slice]:
    """Slices of `batch` cells."""
    for start in range(0, count, batch):
        yield slice(start, min(start + batch, count))


def _inputs(
    members: list[Trained], part: xr.Dataset, steps: np.ndarray, device: torch.device
) -> Iterator[tuple[list[int], Inputs]]:
    """Positions of the members that share their inputs, and these inputs on `device`."""
    for key in dict.fromkeys(m.spec.inputs_key for m in members):
        own = [k for k, m in enumerate(members) if m.spec.inputs_key == key]
        yield (
            own,
            dataset.model_inputs(part, members[own[0]].spec.inputs, members[own[0]].spec.standardisation, steps=steps).to(device),
        )


def _masked(fluxes: Tensor, found: Inputs, skip: int) -> np.ndarray:
    """Fluxes (B, T, 3), missing where a driver was; what the groups were filled up with is cut off."""
    invalid = ~found.valid[:, skip:, None].cpu().numpy()
    return np.where(invalid, np.float32(np.nan), fluxes[: len(found.x)].cpu().numpy())


def _groups(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Rows of the tensors, as many at once as fit a cache; the last row is repeated up to a multiple of `ROWS`."""
    count, device = len(tensors[0]), tensors[0].device
    size = CELLS if device.type == "cpu" else count
    for start in range(0, count, size):
        stop = min(start + size, count)
        index = torch.arange(start, start + -(-(stop - start) // ROWS) * ROWS, device=device).clamp(max=stop - 1)
        whole = start + len(index) == stop
        yield tuple(t[start:stop] if whole else t[index] for t in tensors)
