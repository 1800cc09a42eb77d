"""Mean seasonal cycles of land-cover classes."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from tamrl import carbon
from tamrl.plugins import Dims
from tamrl.shapes import Dynamic, Fluxes, Static, Support


class ClassCycles:
    """Weighted mean fluxes of each class in each bin of the year, and of all sites (the last class)."""

    bags = 1

    def __init__(self, dims: Dims) -> None:
        self.cycle = torch.zeros(dims.static + 1, dims.bins, 3)
        self.seen = torch.zeros(dims.static)

    def fit(self, x: Dynamic, support: Support, static: Static, y: Fluxes, weight: Fluxes, *, seed: int, bag: int = 0) -> None:
        """Take means over all steps with a weight; nothing is random, and there is one bag.

        Parameters
        ----------
        x, support, static : standardised inputs of the sites
        y : (site, time, 3) fluxes, gC m-2 d-1
        weight : (site, time, 3), 0 where there is no flux
        seed, bag : unused
        """
        bins, count = self.cycle.shape[1], y.new_zeros(len(y), self.cycle.shape[1], 3, dtype=torch.float64)
        bin_of_step = (_position(x, bins).floor().long() % bins)[..., None].expand(-1, -1, 3)  # (site, time, flux)
        weighted = torch.where(weight > 0, y * weight, 0.0).double()
        total = count.clone().scatter_add_(1, bin_of_step, weighted)  # (site, bin, flux)
        count = count.scatter_add_(1, bin_of_step, weight.double())
        share = torch.cat([static.clamp(min=0), static.new_ones(len(static), 1)], dim=1).double()  # (site, class)
        total, count = (torch.einsum("bs,bcf->scf", share, part) for part in (total, count))
        overall = total[-1].sum(0) / count[-1].sum(0)
        all_sites = torch.where(count[-1] > 0, total[-1] / count[-1], overall)
        self.cycle = torch.where(count > 0, total / count, all_sites).float()
        self.seen = (count[:-1].sum((1, 2)) > 0).float()

    def predict(self, x: Dynamic, support: Support, static: Static, *, skip: int = 0) -> Fluxes:
        """Mix of the cycles of a site's classes, interpolated between the middles of the bins, without the first `skip` steps.

        Parameters
        ----------
        x, support, static : standardised inputs of the sites
        skip : first steps that are not returned
        """
        cycle, bins = self.cycle.to(x.device), self.cycle.shape[1]
        share = static.clamp(min=0) * self.seen.to(x.device)  # (site, class)
        share = share / share.sum(1, keepdim=True).clamp(min=1)
        share = torch.cat([share, 1 - share.sum(1, keepdim=True)], dim=1)
        site_cycle = (share[..., None, None] * cycle).sum(1)  # (site, bin, flux)
        position = _position(x[:, skip:], bins) - 0.5
        before = position.floor()
        after, low = (position - before)[..., None], (before.long() % bins)[..., None].expand(-1, -1, 3)
        fluxes = (1 - after) * site_cycle.gather(1, low) + after * site_cycle.gather(1, (low + 1) % bins)
        gpp, reco = carbon.reconcile(gpp=fluxes[..., 0], reco=fluxes[..., 1], nee=fluxes[..., 2])
        return torch.stack([gpp, reco, carbon.nee(gpp=gpp, reco=reco)], dim=-1)

    def state_dict(self) -> dict[str, Tensor]:
        """The cycles, and which classes were seen."""
        return {"cycle": self.cycle, "seen": self.seen}

    def load_state_dict(self, state_dict: Mapping[str, Tensor], /) -> None:
        """Restore what `state_dict` returned."""
        self.cycle, self.seen = state_dict["cycle"], state_dict["seen"]


def _position(x: Dynamic, bins: int) -> Float[Tensor, "site time"]:
    """Position in the year, in bins, from the last two features: its cosine and sine."""
    return torch.atan2(x[..., -1], x[..., -2]) / (2 * math.pi) * bins
