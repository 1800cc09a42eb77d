"""XGBoost on the drivers of the day and the attributes of the site: the recipe of FLUXCOM-X.

One model a flux (Chen & Guestrin 2016, doi 10.1145/2939672.2939785) without memory of earlier days, as the product X-BASE was
made (Nelson, Walther et al. 2024, doi 10.5194/bg-21-5079-2024); its settings are not taken over, those here are the
LightGBM rival's where both have them. The three are independent, so NEE does not close.
"""

from typing import Annotated

import numpy as np
import xgboost
from pydantic import Field

from tamrl.models._trees import Boosters
from tamrl.options import Boosting
from tamrl.plugins import Dims

CLOSES = False


class Options(Boosting):
    """Options of the trees."""

    windows: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = ()
    """Days over which running means of the drivers join the features: none in FLUXCOM-X."""
    trees: Annotated[int, Field(ge=1, le=100_000)] = 300
    depth: Annotated[int, Field(ge=1, le=16)] = 8
    """Largest depth of a tree."""
    min_leaf: Annotated[float, Field(ge=0, le=1_000_000_000)] = 200
    """Least weight in a leaf; a row weighs one on average."""
    rows: Annotated[int, Field(ge=1, le=1_000_000_000)] = 300_000


class Trees(Boosters):
    """Three boosters of XGBoost."""

    def train(self, table: np.ndarray, y: np.ndarray, weight: np.ndarray, *, seed: int) -> xgboost.Booster:
        """A booster for features (N, F + S), fluxes and weights (N)."""
        own = self.options
        parameters = {
            "objective": "reg:squarederror",
            "tree_method": "hist",
            "max_bin": 127,
            "max_depth": own.depth,
            "learning_rate": own.learning_rate,
            "min_child_weight": own.min_leaf,
            "colsample_bytree": own.feature_share,
            "subsample": own.row_share,
            "seed": seed,
            "nthread": 1,
            "verbosity": 0,
        }
        data = xgboost.QuantileDMatrix(table, y, weight=weight, max_bin=127, nthread=1)
        return xgboost.train(parameters, data, num_boost_round=own.trees)

    def margin(self, booster: xgboost.Booster, table: np.ndarray) -> np.ndarray:
        """Fluxes (N) of features (N, F + S)."""
        return booster.inplace_predict(table)

    def dump(self, booster: xgboost.Booster) -> bytearray:
        """The booster as binary JSON."""
        return bytearray(booster.save_raw("ubj"))

    def restore(self, content: bytes) -> xgboost.Booster:
        """Back from binary JSON."""
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(content))
        return booster


def build(dims: Dims, options: Options) -> Trees:
    """Untrained trees."""
    return Trees(dims, options)
