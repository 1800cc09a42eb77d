"""What gradient-boosted trees share: one booster a flux, on the features of a step and the attributes of its site."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tamrl.carbon import FLUXES
from tamrl.plugins import Dims


class Boosters:
    """Three independent boosters. A subclass gives `train`, `margin`, `dump` and `restore` of one of them.

    Attributes
    ----------
    options : with `rows`, the rows drawn at random where there are more
    boosters : by flux, once trained
    """

    def __init__(self, dims: Dims, options: Any) -> None:
        self.dims, self.options = dims, options
        self.boosters: dict[str, Any] = {}

    def train(self, table: np.ndarray, y: np.ndarray, weight: np.ndarray, *, seed: int) -> Any:
        """A booster for features (N, F + S), fluxes and weights (N)."""
        raise NotImplementedError

    def margin(self, booster: Any, table: np.ndarray) -> np.ndarray:
        """Fluxes (N) of features (N, F + S)."""
        raise NotImplementedError

    def dump(self, booster: Any) -> bytearray:
        """A booster as bytes that run nothing when they are read."""
        raise NotImplementedError

    def restore(self, content: bytes) -> Any:
        """Back from what `dump` gave."""
        raise NotImplementedError

    def fit(self, x: Tensor, support: Tensor, static: Tensor, y: Tensor, weight: Tensor, *, seed: int) -> None:
        """Train on all steps with a weight: x (B, T, F), static (B, S), y and weight (B, T, 3); `support` is not used."""
        for k, flux in enumerate(FLUXES):
            site, step = (weight[..., k] > 0).nonzero(as_tuple=True)
            rows = np.random.default_rng(seed).permutation(len(site))[: self.options.rows]
            site, step = site[rows], step[rows]
            table = torch.cat([x[site, step], static[site]], dim=1).numpy()
            target, share = y[site, step, k].numpy(), weight[site, step, k].numpy()
            self.boosters[flux] = self.train(table, target, share, seed=(seed + k) % 2**31)

    def predict(self, x: Tensor, support: Tensor, static: Tensor, *, skip: int = 0) -> Tensor:
        """Fluxes (B, T - skip, 3), gC m-2 d-1; every step on its own."""
        used = x[:, skip:]
        sites, steps, _ = used.shape
        table = torch.cat([used, static[:, None].expand(-1, steps, -1)], dim=-1).reshape(sites * steps, -1).cpu().numpy()
        columns = [self.margin(self.boosters[f], table).reshape(sites, steps) for f in FLUXES]
        return torch.from_numpy(np.stack(columns, axis=-1)).to(x.dtype).to(x.device)

    def state_dict(self) -> dict[str, Tensor]:
        """The boosters as bytes."""
        return {f: torch.frombuffer(self.dump(booster), dtype=torch.uint8) for f, booster in self.boosters.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what `state_dict` gave."""
        self.boosters = {f: self.restore(bytes(t.numpy())) for f, t in state.items()}
