"""The figure of the covered truth: a row a scale, a mark a kind of interval, and the interval of the share over worlds."""

import pandas as pd

from tamrl.carbon import FLUXES
from tamrl.report.figures.truth import LIMITS, plot_truth_coverage

SCALES = ["cell, day", "cell, year", "globe"]


def _table() -> pd.DataFrame:
    rows = [
        {"scale": scale, "flux": flux, "intervals": kind, "coverage": share + 0.01 * k}
        for k, scale in enumerate(SCALES)
        for flux in FLUXES
        for kind, share in (("spread alone", 0.4), ("calibrated", 0.9))
    ]
    return pd.DataFrame(rows)


def test_each_share_stands_in_the_row_of_its_scale():
    for axes in plot_truth_coverage(_table()).axes:
        marks = {line.get_label(): line for line in axes.lines}
        assert list(marks) == ["calibrated", "spread alone"]
        for kind, share in (("calibrated", 90), ("spread alone", 40)):
            assert marks[kind].get_xdata().round(6).tolist() == [share, share + 1, share + 2]
            assert list(marks[kind].get_ydata()) == [0, 1, 2]
    first = plot_truth_coverage(_table()).axes[0]
    assert [text.get_text() for text in first.get_yticklabels()] == SCALES
    assert first.yaxis_inverted() and first.patches[0].get_x() == 100 * LIMITS[0]


def test_the_interval_over_worlds_is_drawn():
    table = _table()
    axes = plot_truth_coverage(table.assign(low=table["coverage"] - 0.05, high=table["coverage"] + 0.05)).axes[0]
    ends = [segment[:, 0].round(6).tolist() for bars in axes.collections for segment in bars.get_segments()]
    assert len(ends) == 2 * len(SCALES) and [85.0, 95.0] in ends
