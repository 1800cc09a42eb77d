"""Figures that are drawn from what they are given."""

import numpy as np
import pandas as pd

from tamrl import contracts
from tamrl.evaluation.bootstrap import TowerGroups
from tamrl.report.figures import gains


def test_changes_are_drawn_with_targets(day_run):
    table = contracts.read_csv(day_run.path("evaluation/comparisons.csv"), contracts.COMPARISONS)
    figure = gains.plot_relative_changes(table, scale="day", map_model="tamrl")
    assert len(figure.axes) == 6 and [t.get_text() for t in figure.axes[0].get_yticklabels()] == [
        "lightgbm",
        "tamrl, 1 of 2 members",
    ]
    dashed = [line for line in figure.axes[0].lines if line.get_label() == "target"]
    assert [line.get_xdata()[0] for line in dashed] == [-5.0]
    assert gains.plot_relative_changes(table[table["towers"] == 0], scale="day", map_model="tamrl") is None


def test_error_is_drawn_against_dissimilarity(day_run):
    metrics = contracts.read_csv(day_run.path("evaluation/site_metrics.csv"), contracts.METRICS)
    unlike = contracts.read_csv(day_run.path("evaluation/dissimilarity.csv"), contracts.DISSIMILARITY)
    own = metrics.query("model == 'tamrl' and split == 'kfold'")
    groups = TowerGroups.read(day_run.path("samples/splits.csv"))
    unlike.loc[0, "dissimilarity"] = np.nan
    figure = gains.plot_error_by_dissimilarity(own, unlike, groups, scale="day", threshold=0.6)
    points = np.asarray(figure.axes[0].collections[0].get_offsets())
    assert len(points) == 23 and len(figure.axes) == 3
    by_site = own[(own["flux"] == "gpp") & (own["scale"] == "day")].set_index("site")["rmse"]
    known = unlike.dropna().set_index("site")["dissimilarity"]
    expected = pd.concat([known, by_site], axis=1, join="inner").sort_values("dissimilarity").to_numpy()
    np.testing.assert_allclose(points[np.argsort(points[:, 0])], expected)
