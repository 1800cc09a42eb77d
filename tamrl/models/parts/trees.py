"""Gradient-boosted trees: one booster for each flux, on the features of a step and the attributes of its site."""

import copy
import math
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
        """A booster for features (row, feature), fluxes and weights (row).

        Parameters
        ----------
        table : features (row, feature)
        y, weight : flux and its weight (row,)
        seed : of rows and features drawn by each tree
        """

    def predict(self, booster: Any, table: Table) -> Column:
        """Fluxes (row) of features (row, feature)."""

    def dump(self, booster: Any) -> bytearray:
        """A booster as bytes that run nothing when they are read."""

    def restore(self, content: bytes) -> Any:
        """The booster that `dump` wrote."""


class GrowingLibrary(BoosterLibrary, Protocol):
    """A library that can continue a booster."""

    def grow(self, booster: Any, table: Table, y: Column, weight: Column, *, trees: int, rate: float) -> Any:
        """The booster with `trees` more trees, grown at the learning rate `rate`; itself where there are too few rows.

        Parameters
        ----------
        booster : stays as it is
        table, y, weight : as for `train`
        trees : number of new trees
        rate : their learning rate
        """


def cycle_statistics(support: Support) -> Static:
    """What a mean seasonal cycle (site, bin, driver) looks like, in its units: five numbers a driver, (site, 5 driver).

    Mean, range, standard deviation, and the cosine and sine of the annual harmonic, whose phase counts from the first bin.
    """
    angle = 2 * math.pi * (torch.arange(support.shape[1], device=support.device) + 0.5) / support.shape[1]
    harmonic = [2 * (support * wave[:, None]).mean(1) for wave in (angle.cos(), angle.sin())]
    spread = support.amax(1) - support.amin(1), support.std(1, correction=0)
    return torch.cat([support.mean(1), *spread, *harmonic], dim=1)


class BoostedTrees:
    """Three independent boosters, or several such bags, whose mean is taken.

    Parameters
    ----------
    library : grows them
    rows : drawn at random where there are more, others in every bag
    bags : how many; each is fitted on its own, see `plugins.SelfTraining`
    cycle : whether `cycle_statistics` of the support set join the attributes of a site
    """

    def __init__(self, library: BoosterLibrary, *, rows: int, bags: int = 1, cycle: bool = False) -> None:
        self.library, self.rows, self.bags, self.cycle = library, rows, bags, cycle
        self.boosters: dict[str, Any] = {}

    def fit(self, x: Dynamic, support: Support, static: Static, y: Fluxes, weight: Fluxes, *, seed: int, bag: int = 0) -> None:
        """Train a bag on all steps with a weight.

        Parameters
        ----------
        x, support, static : standardised inputs of the sites
        y : (site, time, 3) fluxes, gC m-2 d-1
        weight : (site, time, 3), 0 where there is no flux
        seed : of the rows drawn, and of the trees
        bag : number of the bag, which changes the seed
        """
        attributes = self._of_site(support, static)
        for k, flux in enumerate(FLUXES):
            site, step = (weight[..., k] > 0).nonzero(as_tuple=True)
            rows = np.random.default_rng(seed).permutation(len(site))[: self.rows]
            site, step = site[rows], step[rows]
            table = torch.cat([x[site, step], attributes[site]], dim=1).numpy()
            target, row_weight = y[site, step, k].numpy(), weight[site, step, k].numpy()
            self.boosters[f"{flux}/{bag}"] = self.library.train(table, target, row_weight, seed=(seed + k) % 2**31)

    def predict(self, x: Dynamic, support: Support, static: Static, *, skip: int = 0) -> Fluxes:
        """Fluxes without the first `skip` steps; every step on its own.

        Parameters
        ----------
        x, support, static : standardised inputs of the sites
        skip : first steps that are not returned
        """
        used, attributes = x[:, skip:], self._of_site(support, static)
        sites, steps, _ = used.shape
        table = torch.cat([used, attributes[:, None].expand(-1, steps, -1)], dim=-1).reshape(sites * steps, -1).cpu().numpy()
        total = [sum(self.library.predict(booster, table) for booster in self._bags(flux)) for flux in FLUXES]
        fluxes = np.stack(total, axis=-1).reshape(sites, steps, len(FLUXES)) / self.bags
        return torch.from_numpy(fluxes).to(x.dtype).to(x.device)

    def _bags(self, flux: str) -> list[Any]:
        """The boosters of a flux."""
        return [self.boosters[f"{flux}/{bag}"] for bag in range(self.bags)]

    def _of_site(self, support: Support, static: Static) -> Static:
        """Features that all steps of a site share."""
        return torch.cat([static, cycle_statistics(support)], dim=1) if self.cycle else static

    def state_dict(self) -> dict[str, Tensor]:
        """The boosters as bytes."""
        return {name: torch.frombuffer(self.library.dump(b), dtype=torch.uint8) for name, b in self.boosters.items()}

    def load_state_dict(self, state_dict: dict[str, Tensor], /) -> None:
        """Restore what `state_dict` returned."""
        self.boosters = {name: self.library.restore(bytes(t.numpy())) for name, t in state_dict.items()}


class GrowingTrees(BoostedTrees):
    """Boosters that can be adapted to a site by further trees."""

    library: GrowingLibrary

    def adapted(
        self, x: Dynamic, support: Support, static: Static, y: Fluxes, weight: Fluxes, *, trees: int, rate: float
    ) -> "GrowingTrees":
        """A copy with `trees` more trees for each flux of one site; all arguments hold this site alone.

        Parameters
        ----------
        x, support, static : standardised inputs of one site
        y : (1, time, 3) its fluxes, gC m-2 d-1
        weight : (1, time, 3), 0 where there is no flux
        trees : number of new trees for each flux
        rate : their learning rate
        """
        result = copy.copy(self)
        result.boosters = dict(self.boosters)
        table = torch.cat([x[0], self._of_site(support, static).expand(x.shape[1], -1)], dim=1).numpy()
        for k, flux in enumerate(FLUXES):
            rows = (weight[0, :, k] > 0).numpy()
            target, row_weight = y[0, rows, k].numpy(), weight[0, rows, k].numpy()
            for bag, booster in enumerate(self._bags(flux)):
                result.boosters[f"{flux}/{bag}"] = self.library.grow(
                    booster, table[rows], target, row_weight, trees=trees, rate=rate
                )
        return result
