"""Gradient-boosted trees: the rival without memory, given running means of the drivers instead.

One model for each flux (Ke et al. 2017, NeurIPS 30, LightGBM). The three are independent, so NEE does not close. Like
TAM-RL it reads the mean seasonal cycle of a site's drivers, here as statistics (option `cycle`).
"""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from tamrl.models.parts.options import Boosting, Days, Trees
from tamrl.plugins import Dims, ModelCapabilities, TrainingCost

if TYPE_CHECKING:
    from tamrl.models.parts.trees import Column, GrowingTrees, Table

COMMON = {"objective": "regression", "num_threads": 1, "deterministic": True, "force_col_wise": True, "verbosity": -1}

LEAVES = 4
MIN_LEAF = 10
"""Trees that adapt a model to a site have few leaves of ten steps or more: a month holds thirty. Their values are not penalised:
a residual that is the same at all steps would then give no split a gain, and no tree would grow."""


class Options(Boosting):
    """Options of the trees."""

    windows: tuple[Days, ...] = (7, 30, 120)
    """Days over which running means of the drivers join the features."""
    trees: Trees = 250
    leaves: Annotated[int, Field(ge=2, le=131_072)] = 31
    min_leaf: Annotated[int, Field(ge=1, le=1_000_000_000)] = 200
    """Fewest rows in a leaf."""


class LightGbm:
    """LightGBM with the options of the model."""

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
        import lightgbm

        parameters = COMMON | {
            "num_leaves": self.options.leaves,
            "learning_rate": self.options.learning_rate,
            "min_data_in_leaf": self.options.min_leaf,
            "feature_fraction": self.options.feature_share,
            "bagging_fraction": self.options.row_share,
            "bagging_freq": 1,
            "max_bin": 127,
            "seed": seed,
        }
        return lightgbm.train(parameters, lightgbm.Dataset(table, y, weight=weight), num_boost_round=self.options.trees)

    def grow(self, booster: Any, table: "Table", y: "Column", weight: "Column", *, trees: int, rate: float) -> Any:
        """The booster with more trees; itself where the rows fill no two leaves.

        Parameters
        ----------
        booster : stays as it is
        table, y, weight : as for `train`
        trees : number of new trees
        rate : their learning rate
        """
        import lightgbm

        if len(y) < 2 * MIN_LEAF:
            return booster
        parameters = COMMON | {"num_leaves": LEAVES, "learning_rate": rate, "min_data_in_leaf": MIN_LEAF, "seed": 1}
        data = lightgbm.Dataset(table, y, weight=weight, free_raw_data=False)
        return lightgbm.train(parameters, data, num_boost_round=trees, init_model=booster, keep_training_booster=False)

    def predict(self, booster: Any, table: "Table") -> "Column":
        """Fluxes (row) of features (row, feature)."""
        fluxes: Column = booster.predict(table, num_threads=1)
        return fluxes

    def dump(self, booster: Any) -> bytearray:
        """The text of a booster."""
        return bytearray(booster.model_to_string().encode())

    def restore(self, content: bytes) -> Any:
        """The booster that `dump` wrote."""
        import lightgbm

        return lightgbm.Booster(model_str=content.decode())


def capabilities(options: Options) -> ModelCapabilities:
    """Trees without memory that can be continued at a tower."""
    return ModelCapabilities(
        closes=False, memory=False, adapts=("trees",), cost=TrainingCost("trees", trees=options.trees * options.bags)
    )


def build(dims: Dims, options: Options) -> "GrowingTrees":
    """Untrained trees."""
    from tamrl.models.parts.trees import GrowingTrees

    return GrowingTrees(LightGbm(options), rows=options.rows, bags=options.bags, cycle=options.cycle == "statistics")
