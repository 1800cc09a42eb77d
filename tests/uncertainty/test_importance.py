"""Weights of predictors: what tells of the fluxes counts, families together, and few towers tell nothing."""

import numpy as np
import pytest

from tamrl.uncertainty import importance
from tamrl.uncertainty.importance import LEAST, family_weights

FAMILIES = np.array(["warmth", "igbp", "igbp", "noise"])


@pytest.fixture(scope="module")
def towers():
    random = np.random.default_rng(1)
    predictors = random.normal(0, 1, (90, 4))
    gpp = 3 * predictors[:, 0] + predictors[:, 1] + 0.3 * random.normal(0, 1, 90)
    return predictors, np.stack([gpp, 0.7 * gpp], axis=1), np.arange(90) // 2


def test_what_tells_of_the_fluxes_counts_and_families_count_together(towers):
    predictors, fluxes, groups = towers
    weights = family_weights(predictors, fluxes, families=FAMILIES, groups=groups)
    assert weights[0] == 1 and weights[1] == weights[2] < 0.5 and LEAST <= weights[3] <= weights[1]
    assert np.array_equal(weights, family_weights(predictors, fluxes, families=FAMILIES, groups=groups))


def test_towers_without_fluxes_are_left_out(towers):
    predictors, fluxes, groups = towers
    gaps = np.vstack([fluxes, [[np.nan, 1.0]]])
    more, far = np.vstack([predictors, np.full((1, 4), 99.0)]), np.append(groups, 99)
    weights = family_weights(more, gaps, families=FAMILIES, groups=far)
    assert np.array_equal(weights, family_weights(predictors, fluxes, families=FAMILIES, groups=groups))


def test_few_groups_and_fluxes_without_a_relation_make_all_alike(towers, monkeypatch):
    predictors, fluxes, groups = towers
    few = family_weights(predictors[:30], fluxes[:30], families=FAMILIES, groups=groups[:30])
    assert few.tolist() == [1, 1, 1, 1]
    monkeypatch.setattr(importance, "TREES", 10)
    same = family_weights(predictors, np.zeros_like(fluxes), families=FAMILIES, groups=groups)
    assert same.tolist() == [1, 1, 1, 1]
