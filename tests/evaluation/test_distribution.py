"""Normalised errors by hand, and quantiles over towers by class, climate and tropics."""

import numpy as np
import pandas as pd
import pytest

from tamrl import contracts
from tamrl.evaluation import metrics as scoring


def test_normalised_errors_by_hand():
    pairs = pd.DataFrame({"site": ["a"] * 4 + ["b"] * 2, "observed": [1.0, 2, 3, -2, 0, 0], "predicted": [1.5, 2, 2, -2, 1, 0]})
    found = scoring.normalised_errors(pairs, ["site"]).set_index("site")
    assert found.loc["a", "nmae"] == pytest.approx(1.5 / 8)
    assert found.loc["a", "rae"] == pytest.approx(1.5 / (0 + 1 + 2 + 3))
    assert found.loc["b"].isna().all(), "nothing was observed to compare with"


def test_predicting_the_mean_has_a_relative_absolute_error_of_one():
    observed = np.random.default_rng(1).gamma(2, 2, 50)
    pairs = pd.DataFrame({"site": "a", "observed": observed, "predicted": observed.mean()})
    assert scoring.normalised_errors(pairs, ["site"])["rae"].item() == pytest.approx(1)


def test_quantiles_over_towers_are_those_of_the_metrics(day_run):
    scores = contracts.read_csv(day_run.path("evaluation/scores.csv"), contracts.SCORES)
    metrics = contracts.read_csv(day_run.path("evaluation/site_metrics.csv"), contracts.METRICS)
    sites = contracts.read_csv(day_run.path("towers/towers.csv"), contracts.SITES)
    own = metrics.query("model == 'tamrl' and split == 'kfold' and flux == 'nee' and scale == 'day'")
    found = scores.query("model == 'tamrl' and split == 'kfold' and flux == 'nee' and scale == 'day'")
    rmse = found[found["score"] == "rmse"].set_index(["kind", "group"])
    assert rmse.loc[("all", "all"), "p90"] == pytest.approx(own["rmse"].quantile(0.9))
    one = own["igbp"].mode()[0]
    assert rmse.loc[("igbp", one), "median"] == pytest.approx(own.loc[own["igbp"] == one, "rmse"].median())
    tropical = set(sites["site"][sites["lat"].abs() < 23.5])
    assert rmse.loc[("latitude", "tropics"), "towers"] == own["site"].isin(tropical).sum() > 0
    assert {"nmae", "rae", "r2", "nse", "bias", "mae"} < set(found["score"])
