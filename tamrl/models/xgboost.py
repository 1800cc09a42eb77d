"""XGBoost on the drivers of the day and the attributes of the site: the recipe of FLUXCOM-X.

One model for each flux (Chen & Guestrin 2016, doi 10.1145/2939672.2939785) without memory of earlier days, as the product X-BASE
was made (Nelson, Walther et al. 2024, doi 10.5194/bg-21-5079-2024); its settings are not taken over, those here are the
LightGBM rival's where both have them. The three are independent, so NEE does not close.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from tamrl.models.parts.options import Boosting, Days, Rows, Trees
from tamrl.plugins import Dims, ModelCapabilities, TrainingCost

if TYPE_CHECKING:
    from tamrl.models.parts.trees import BoostedTrees, Column, Table

BINS = 127
"""Bins of a feature, as many as LightGBM takes."""


class Options(Boosting):
    """Options of the trees."""

    windows: tuple[Days, ...] = ()
    """Days over which running means of the drivers join the features: none in FLUXCOM-X."""
    trees: Trees = 300
    depth: Annotated[int, Field(ge=1, le=16)] = 8
    """Largest depth of a tree."""
    min_leaf: Annotated[float, Field(ge=0, le=1_000_000_000)] = 200
    """Least weight in a leaf; a row weighs one on average."""
    rows: Rows = 300_000
    cycle: Literal["none", "statistics"] = "none"
    """As in `lightgbm`: what trees read of the site's mean seasonal cycle of drivers, nothing in FLUXCOM-X."""


class XgBoost:
    """XGBoost with the options of the model."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def train(self, table: "Table", y: "Column", weight: "Column", *, seed: int) -> Any:
        """A booster for features (row, feature), fluxes and weights (row).

        Parameters
        ----------
        table : features (row, feature)
        y, weight : flux and its weight (row,)
        seed : of rows and features drawn by each tree
        """
        import xgboost

        parameters = {
            "objective": "reg:squarederror",
            "tree_method": "hist",
            "max_bin": BINS,
            "max_depth": self.options.depth,
            "learning_rate": self.options.learning_rate,
            "min_child_weight": self.options.min_leaf,
            "colsample_bytree": self.options.feature_share,
            "subsample": self.options.row_share,
            "seed": seed,
            "nthread": 1,
            "verbosity": 0,
        }
        data = xgboost.QuantileDMatrix(table, y, weight=weight, max_bin=BINS, nthread=1)
        return xgboost.train(parameters, data, num_boost_round=self.options.trees)

    def predict(self, booster: Any, table: "Table") -> "Column":
        """Fluxes (row) of features (row, feature)."""
        fluxes: Column = booster.inplace_predict(table)
        return fluxes

    def dump(self, booster: Any) -> bytearray:
        """A booster as binary JSON."""
        return bytearray(booster.save_raw("ubj"))

    def restore(self, content: bytes) -> Any:
        """The booster that `dump` wrote."""
        import xgboost

        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(content))
        return booster


def capabilities(options: Options) -> ModelCapabilities:
    """Trees without memory."""
    return ModelCapabilities(
        closes=False, memory=False, adapts=(), cost=TrainingCost("trees", trees=options.trees * options.bags)
    )


def build(dims: Dims, options: Options) -> "BoostedTrees":
    """Untrained trees."""
    from tamrl.models.parts.trees import BoostedTrees

    return BoostedTrees(XgBoost(options), rows=options.rows, bags=options.bags, cycle=options.cycle == "statistics")
