"""Gradient-boosted trees: the rival without memory, given running means of the drivers instead.

One model a flux (Ke et al. 2017, NeurIPS 30, LightGBM). The three are independent, so NEE does not close.
"""

from typing import Annotated

import lightgbm
import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from tamrl.carbon import FLUXES
from tamrl.models import Dims
from tamrl.options import Strict

CLOSES = False


class Options(Strict):
    """Options of the trees."""

    windows: tuple[Annotated[int, Field(ge=1)], ...] = (7, 30, 120)
    """Days over which running means of the drivers join the features."""
    trees: Annotated[int, Field(ge=1)] = 250
    leaves: Annotated[int, Field(ge=2)] = 31
    learning_rate: Annotated[float, Field(gt=0)] = 0.05
    min_leaf: Annotated[int, Field(ge=1)] = 200
    """Fewest rows in a leaf."""
    feature_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the features each tree may use."""
    row_share: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Share of the rows each tree sees."""
    rows: Annotated[int, Field(ge=1)] = 100_000
    """Rows drawn at random where there are more."""


class Trees:
    """Three boosters on the features of a step and the attributes of its site."""

    def __init__(self, dims: Dims, options: Options) -> None:
        self.dims, self.options = dims, options
        self.boosters: dict[str, lightgbm.Booster] = {}

    def fit(self, x: Tensor, support: Tensor, static: Tensor, y: Tensor, weight: Tensor, *, seed: int) -> None:
        """Train on all steps with a weight: x (B, T, F), static (B, S), y and weight (B, T, 3); `support` is not used."""
        for k, flux in enumerate(FLUXES):
            site, step = (weight[..., k] > 0).nonzero(as_tuple=True)
            rows = np.random.default_rng(seed).permutation(len(site))[: self.options.rows]
            site, step = site[rows], step[rows]
            table = torch.cat([x[site, step], static[site]], dim=1).numpy()
            data = lightgbm.Dataset(table, y[site, step, k].numpy(), weight=weight[site, step, k].numpy())
            self.boosters[flux] = lightgbm.train(self._parameters(seed + k), data, num_boost_round=self.options.trees)

    def _parameters(self, seed: int) -> dict:
        own = self.options
        return {
            "objective": "regression",
            "num_leaves": own.leaves,
            "learning_rate": own.learning_rate,
            "min_data_in_leaf": own.min_leaf,
            "feature_fraction": own.feature_share,
            "bagging_fraction": own.row_share,
            "bagging_freq": 1,
            "max_bin": 127,
            "seed": seed % 2**31,
            "num_threads": 1,
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
        }

    def predict(self, x: Tensor, support: Tensor, static: Tensor, *, skip: int = 0) -> Tensor:
        """Fluxes (B, T - skip, 3), gC m-2 d-1; every step on its own."""
        used = x[:, skip:]
        sites, steps, _ = used.shape
        table = torch.cat([used, static[:, None].expand(-1, steps, -1)], dim=-1).reshape(sites * steps, -1).cpu().numpy()
        columns = [self.boosters[f].predict(table, num_threads=1).reshape(sites, steps) for f in FLUXES]
        return torch.from_numpy(np.stack(columns, axis=-1)).to(x.dtype).to(x.device)

    def state_dict(self) -> dict[str, Tensor]:
        """The boosters' texts as bytes."""
        texts = {f: self.boosters[f].model_to_string() for f in self.boosters}
        return {f: torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8) for f, text in texts.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what `state_dict` gave."""
        self.boosters = {f: lightgbm.Booster(model_str=bytes(t.numpy()).decode()) for f, t in state.items()}


def build(dims: Dims, options: Options) -> Trees:
    """Untrained trees."""
    return Trees(dims, options)
