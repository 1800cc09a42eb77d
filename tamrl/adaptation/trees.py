"""Adapt gradient-boosted trees: further trees, grown on the tower's own months from where the trained ones end."""

import copy

import lightgbm
import numpy as np
import torch

from tamrl.adaptation.networks import Given
from tamrl.carbon import FLUXES
from tamrl.samples.dataset import Inputs

LEAVES = 4
MIN_LEAF = 10
"""Few leaves of ten steps or more: a month holds thirty. Their values are not penalised: a residual that is the same at all
steps would then give no split a gain, and no tree would grow."""


def refit(model: object, given: Given, *, trees: int, rate: float) -> object:
    """A copy of `models.lightgbm.Trees` with `trees` more trees for each flux of one site.

    Parameters
    ----------
    given : Given
        Of one site.
    trees, rate : number of further trees and their learning rate

    Returns
    -------
    The copy; a flux that was not measured keeps its trees.
    """
    found = copy.copy(model)
    found.boosters = dict(model.boosters)
    cells, y, weight = given.cells, given.y, given.weight
    table = torch.cat([cells.x[0], cells.static.expand(cells.x.shape[1], -1)], dim=1).numpy()
    for k, flux in enumerate(FLUXES):
        rows = (weight[0, :, k] > 0).numpy()
        if rows.sum() >= 2 * MIN_LEAF:
            data = lightgbm.Dataset(table[rows], y[0, rows, k].numpy(), weight=weight[0, rows, k].numpy(), free_raw_data=False)
            found.boosters[flux] = lightgbm.train(
                _parameters(rate), data, num_boost_round=trees, init_model=model.boosters[flux], keep_training_booster=False
            )
    return found


def predict(model: object, cells: Inputs, *, skip: int) -> np.ndarray:
    """Fluxes (B, T - skip, 3), gC m-2 d-1; NaN where a driver is missing."""
    fluxes = model.predict(cells.x, cells.support, cells.static, skip=skip).numpy()
    return np.where(cells.valid[:, skip:, None].numpy(), fluxes, np.float32(np.nan))


def _parameters(rate: float) -> dict:
    return {
        "objective": "regression",
        "num_leaves": LEAVES,
        "learning_rate": rate,
        "min_data_in_leaf": MIN_LEAF,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
        "seed": 1,
        "verbosity": -1,
    }
