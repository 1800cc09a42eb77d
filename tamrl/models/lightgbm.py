"""Gradient-boosted trees: the rival without memory, given running means of the drivers instead.

One model a flux (Ke et al. 2017, NeurIPS 30, LightGBM). The three are independent, so NEE does not close.
"""

from typing import Annotated

import lightgbm
import numpy as np
from pydantic import Field

from tamrl.models._trees import Boosters
from tamrl.options import Boosting
from tamrl.plugins import Dims

CLOSES = False


class Options(Boosting):
    """Options of the trees."""

    windows: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = (7, 30, 120)
    """Days over which running means of the drivers join the features."""
    trees: Annotated[int, Field(ge=1, le=100_000)] = 250
    leaves: Annotated[int, Field(ge=2, le=131_072)] = 31
    min_leaf: Annotated[int, Field(ge=1, le=1_000_000_000)] = 200
    """Fewest rows in a leaf."""


class Trees(Boosters):
    """Three boosters of LightGBM."""

    def train(self, table: np.ndarray, y: np.ndarray, weight: np.ndarray, *, seed: int) -> lightgbm.Booster:
        """A booster for features (N, F + S), fluxes and weights (N)."""
        own = self.options
        parameters = {
            "objective": "regression",
            "num_leaves": own.leaves,
            "learning_rate": own.learning_rate,
            "min_data_in_leaf": own.min_leaf,
            "feature_fraction": own.feature_share,
            "bagging_fraction": own.row_share,
            "bagging_freq": 1,
            "max_bin": 127,
            "seed": seed,
            "num_threads": 1,
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
        }
        return lightgbm.train(parameters, lightgbm.Dataset(table, y, weight=weight), num_boost_round=own.trees)

    def margin(self, booster: lightgbm.Booster, table: np.ndarray) -> np.ndarray:
        """Fluxes (N) of features (N, F + S)."""
        return booster.predict(table, num_threads=1)

    def dump(self, booster: lightgbm.Booster) -> bytearray:
        """The booster's text."""
        return bytearray(booster.model_to_string().encode())

    def restore(self, content: bytes) -> lightgbm.Booster:
        """Back from its text."""
        return lightgbm.Booster(model_str=content.decode())


def build(dims: Dims, options: Options) -> Trees:
    """Untrained trees."""
    return Trees(dims, options)
