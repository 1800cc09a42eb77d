"""The report of a run without grids: all models side by side, from the files of the evaluation alone."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import image

from tamrl.evaluation.bootstrap import TowerGroups
from tamrl.report import style
from tamrl.report.figures import models
from tamrl.report.stage import write_report

WANTED = ("model_errors", "tower_changes", "model_groups", "tower_scales", "tower_differences", "tower_calibration")
WANTED += ("class_coverage", "tower_dissimilarity", "tower_means", "tower_classes", "tower_rmse", "quality")


@pytest.fixture(scope="module")
def report(make_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    run = make_run(folder, maps=False, models=("tamrl", "lightgbm", "xgboost"), towers=30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "DPI", 70)
        write_report(**run.keywords(maps=False))
    return (folder / "report.html").read_text(), folder


def test_every_picture_is_there_and_shows_something(report):
    text, folder = report
    for name in WANTED:
        assert f'<figure id="figure-{name}"' in text, name
        assert image.imread(folder / f"figures/{name}.png")[..., :3].std() > 0.02, name
    assert '<section id="maps"' not in text and '<section id="budgets"' not in text


def test_headline_numbers_come_from_the_scores(report):
    text, folder = report
    metrics = pd.read_csv(folder / "evaluation/site_metrics.csv", keep_default_na=False, na_values=[""])
    rows = metrics[(metrics["model"] == "tamrl") & (metrics["flux"] == "nee") & (metrics["scale"] == "day")]
    tile = re.search(r'<li class="tile nee">.*?</li>', text, re.S).group()
    assert f">{rows['rmse'].median():.2f} <" in tile
    rival = metrics[(metrics["model"] != "tamrl") & (metrics["flux"] == "nee") & (metrics["scale"] == "day")]
    best = rival.groupby("model")["rmse"].median()
    assert f"Best rival {best.idxmin()}: {best.min():.2f}" in tile


def test_inputs_are_called_what_they_are(report):
    text, _ = report
    assert '<td class="text">tower</td>' in text and '<td class="text">grid</td>' not in text


def test_a_quantile_lies_within_its_interval_and_missing_towers_do_not_count():
    values = pd.Series(np.append(np.random.default_rng(1).gamma(2.0, size=60), np.nan), [f"XX-{k}" for k in range(61)])
    groups = TowerGroups(pd.Series(range(61), values.index))
    for level in (0.5, 0.9):
        found = models.tower_quantile(values, groups, level)
        assert found.n == 60 and found.low < found.estimate == np.quantile(values.iloc[:60], level) < found.high


def test_small_groups_are_left_out_and_the_tropics_are_a_group_of_their_own():
    towers = pd.DataFrame({"site": list("abcdef"), "lat": [1.0, -20, 10, 50, 50, 50]})
    metrics = towers.assign(
        igbp=["EBF", "EBF", "EBF", "ENF", "ENF", "GRA"], koppen=["Tropical", None, "Arid", "Polar", None, None]
    )
    found = models.tower_groups(metrics, towers)
    assert {name: list(sites) for name, sites in found.items()} == {"EBF": list("abc"), "tropics": list("abc")}
