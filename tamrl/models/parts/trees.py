"""Gradient-boosted trees: one booster for each flux, on the features of a step and the attributes of its site."""

import copy
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from tamrl.carbon import FLUXES
from tamrl.shapes import Dynamic, Fluxes, Static, Support

Table = np.ndarray[tuple[int, int], np.dtype[np.float32]]
Column = np.ndarray[tuple[int], np.dtype[np.float32]]


class BoosterLibrary(Protocol):
    """A library of boosted trees, with the options of the model."""

    def train(self, table: Table, y: Column, weight: Column, *, seed: int) -> Any:
        """A booster for features (row, feature), fluxes and weights (row)."""

    def predict(self, booster: Any, table: Table) -> Column:
        """Fluxes (row) of features (row, feature)."""

    def dump(self, booster: Any) -> bytearray:
        """A booster as bytes that run nothing when they are read."""

    def restore(self, content: bytes) -> Any:
        """The booster that `dump` wrote."""


class GrowingLibrary(BoosterLibrary, Protocol):
    """A library that can continue a booster."""

    def grow(self, booster: Any, table: Table, y: Column, weight: Column, *, trees: int, rate: float) -> Any:
        """The booster with `trees` more trees, grown at the learning rate `rate`; itself where there are too few rows."""


class BoostedTrees:
    """Three independent boosters.

    Parameters
    ----------
    library : grows them
    rows : drawn at random where there are more
    """

    def __init__(self, library: BoosterLibrary, *, rows: int) -> None:
        self.library, self.rows = library, rows
        self.boosters: dict[str, Any] = {}

    def fit(self, x: Dynamic, support: Support, static: Static, y: Fluxes, weight: Fluxes, *, seed: int) -> None:
        """Train on all steps with a weight; the support set is not used."""
        for k, flux in enumerate(FLUXES):
            site, step = (weight[..., k] > 0).nonzero(as_tuple=True)
            rows = np.random.default_rng(seed).permutation(len(site))[: self.rows]
            site, step = site[rows], step[rows]
            table = torch.cat([x[site, step], static[site]], dim=1).numpy()
            target, row_weight = y[site, step, k].numpy(), weight[site, step, k].numpy()
            self.boosters[flux] = self.library.train(table, target, row_weight, seed=(seed + k) % 2**31)

    def predict(self, x: Dynamic, support: Support, static: Static, *, skip: int = 0) -> Fluxes:
        """Fluxes without the first `skip` steps; every step on its own."""
        used = x[:, skip:]
        sites, steps, _ = used.shape
        table = torch.cat([used, static[:, None].expand(-1, steps, -1)], dim=-1).reshape(sites * steps, -1).cpu().numpy()
        columns = [self.library.predict(self.boosters[flux], table).reshape(sites, steps) for flux in FLUXES]
        return torch.from_numpy(np.stack(columns, axis=-1)).to(x.dtype).to(x.device)

    def state_dict(self) -> dict[str, Tensor]:
        """The boosters as bytes."""
        return {flux: torch.frombuffer(self.library.dump(b), dtype=torch.uint8) for flux, b in self.boosters.items()}

    def load_state_dict(self, state_dict: dict[str, Tensor], /) -> None:
        """Restore what `state_dict` returned."""
        self.boosters = {flux: self.library.restore(bytes(t.numpy())) for flux, t in state_dict.items()}


class GrowingTrees(BoostedTrees):
    """Boosters that can be adapted to a site by further trees."""

    library: GrowingLibrary

    def adapted(self, x: Dynamic, static: Static, y: Fluxes, weight: Fluxes, *, trees: int, rate: float) -> "GrowingTrees":
        """A copy with `trees` more trees for each flux of one site; all arguments hold this site alone."""
        result = copy.copy(self)
        result.boosters = dict(self.boosters)
        table = torch.cat([x[0], static.expand(x.shape[1], -1)], dim=1).numpy()
        for k, flux in enumerate(FLUXES):
            rows = (weight[0, :, k] > 0).numpy()
            target, row_weight = y[0, rows, k].numpy(), weight[0, rows, k].numpy()
            result.boosters[flux] = self.library.grow(
                self.boosters[flux], table[rows], target, row_weight, trees=trees, rate=rate
            )
        return result
