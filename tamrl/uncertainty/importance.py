"""How much each predictor of the towers tells of their mean fluxes: the weights of the dissimilarity index.

Meyer & Pebesma (2021, doi 10.1111/2041-210X.13650) weigh predictors by their importance in the model. Networks give none, so a
random forest (Breiman 2001, doi 10.1023/A:1010933404324) learns the mean fluxes from the predictors: a family of them is as
important as the error at held-out groups grows when its values change places.
"""

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GroupKFold

TREES = 100
FOLDS = 5
REPEATS = 3

FEWEST = 20
"""Fewest groups of towers that tell importances; with fewer all families weigh the same."""

LEAST = 0.05
"""Least weight of a family, as a share of the largest: what tells nothing among the towers may still mark a place unlike them."""


def family_weights(predictors: np.ndarray, fluxes: np.ndarray, *, families: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Weights of the predictors, alike within a family and 1 for the most important one.

    Parameters
    ----------
    predictors : array (tower, predictor), finite
    fluxes : array (tower, flux)
        Mean fluxes; towers that lack one are left out.
    families : array of str (predictor)
    groups : array (tower), groups of neighbouring towers
    """
    known = np.isfinite(fluxes).all(1)
    if len(set(groups[known])) < FEWEST:
        return np.ones(predictors.shape[1])
    x, y = predictors[known], fluxes[known]
    y = (y - y.mean(0)) / np.maximum(y.std(0), 1e-12)
    names, gain = list(dict.fromkeys(families)), np.zeros(len(set(families)))
    random = np.random.default_rng(0)
    for learns, tests in GroupKFold(FOLDS).split(x, groups=groups[known]):
        forest = RandomForestRegressor(TREES, min_samples_leaf=3, max_features=1 / 3, random_state=0).fit(x[learns], y[learns])
        gain -= np.mean((forest.predict(x[tests]) - y[tests]) ** 2)
        for k, name in enumerate(names):
            for _ in range(REPEATS):
                swapped, family = x[tests].copy(), families == name
                swapped[:, family] = swapped[random.permutation(len(tests))][:, family]
                gain[k] += np.mean((forest.predict(swapped) - y[tests]) ** 2) / REPEATS
    weight = np.maximum(gain / gain.max(), LEAST) if gain.max() > 0 else np.ones(len(names))
    return np.asarray(weight[[names.index(name) for name in families]])
