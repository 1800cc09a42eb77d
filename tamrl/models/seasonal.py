"""The mean seasonal cycle of the land-cover class: the rival without drivers, which every model must beat.

Season is northern time, half a year later in the south. A class that no training tower had takes the mean over all towers.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from tamrl import carbon
from tamrl.options import Strict
from tamrl.plugins import Dims

CLOSES = True


class Options(Strict):
    """Options of the mean seasonal cycle: which inputs it asks for."""

    static: tuple[Literal["igbp_fraction", "koppen_fraction"], ...] = ("igbp_fraction",)
    """Class fractions that tell the cycles apart, those that the run has; without any there is one cycle for all."""
    calendar: Literal[True] = True
    """The last two features are the season."""


class Seasonal:
    """Weighted means of each class in each bin of the year, and of all sites."""

    def __init__(self, dims: Dims, options: Options) -> None:
        self.cycle = torch.zeros(dims.static + 1, dims.bins, 3)  # the last one is of all sites
        self.seen = torch.zeros(dims.static)

    def fit(self, x: Tensor, support: Tensor, static: Tensor, y: Tensor, weight: Tensor, *, seed: int) -> None:
        """Means over all steps with a weight: x (B, T, F), static (B, S), y and weight (B, T, 3); nothing is random."""
        bins, count = self.cycle.shape[1], y.new_zeros(len(y), self.cycle.shape[1], 3, dtype=torch.float64)
        where = (_position(x, bins).floor().long() % bins)[..., None].expand(-1, -1, 3)  # (B, T, 3)
        known = torch.where(weight > 0, y * weight, 0.0).double()
        total = count.clone().scatter_add_(1, where, known)  # (B, C, 3)
        count = count.scatter_add_(1, where, weight.double())
        share = torch.cat([static.clamp(min=0), static.new_ones(len(static), 1)], dim=1).double()  # (B, S + 1)
        total, count = (torch.einsum("bs,bcf->scf", share, part) for part in (total, count))
        overall = total[-1].sum(0) / count[-1].sum(0)
        free = torch.where(count[-1] > 0, total[-1] / count[-1], overall)
        self.cycle = torch.where(count > 0, total / count, free).float()
        self.seen = (count[:-1].sum((1, 2)) > 0).float()

    def predict(self, x: Tensor, support: Tensor, static: Tensor, *, skip: int = 0) -> Tensor:
        """Fluxes (B, T - skip, 3), gC m-2 d-1: the mix of the site's classes, interpolated between the middles of the bins."""
        cycle, bins = self.cycle.to(x.device), self.cycle.shape[1]
        share = static.clamp(min=0) * self.seen.to(x.device)  # (B, S)
        share = share / share.sum(1, keepdim=True).clamp(min=1)
        share = torch.cat([share, 1 - share.sum(1, keepdim=True)], dim=1)
        own = (share[..., None, None] * cycle).sum(1)  # (B, C, 3)
        place = _position(x[:, skip:], bins) - 0.5
        before = place.floor()
        after, low = (place - before)[..., None], (before.long() % bins)[..., None].expand(-1, -1, 3)
        found = (1 - after) * own.gather(1, low) + after * own.gather(1, (low + 1) % bins)
        gpp, reco = carbon.reconcile(gpp=found[..., 0], reco=found[..., 1], nee=found[..., 2])
        return torch.stack([gpp, reco, carbon.nee(gpp=gpp, reco=reco)], dim=-1)

    def state_dict(self) -> dict[str, Tensor]:
        """The cycles, and which classes were seen."""
        return {"cycle": self.cycle, "seen": self.seen}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what `state_dict` gave."""
        self.cycle, self.seen = state["cycle"], state["seen"]


def _position(x: Tensor, bins: int) -> Tensor:
    """Position in the year in bins, (B, T), from the last two features: its cosine and sine."""
    return torch.atan2(x[..., -1], x[..., -2]) / (2 * math.pi) * bins


def build(dims: Dims, options: Options) -> Seasonal:
    """Cycles of zero."""
    return Seasonal(dims, options)
