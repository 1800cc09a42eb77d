"""The figure of shares of the way is drawn from the table of shares."""

import numpy as np
import pytest

from tamrl import contracts
from tamrl.report.figures import ways
from tamrl.report.pages import tables


@pytest.fixture
def shares(day_run):
    return contracts.read_csv(day_run.path("evaluation/shares.csv"), contracts.SHARES)


def test_shares_are_drawn_with_targets(shares):
    gpp = shares[(shares["flux"] == "gpp") & (shares["against"] == "best") & (shares["split"] == "kfold")].iloc[0]
    figure = ways.plot_way_shares(shares[shares["split"] == "kfold"])
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == "Gross primary production"
    assert [t.get_text() for t in axes.get_yticklabels()] == ["own season of other years"]
    points = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert points == [np.clip(gpp["share"], -ways.EDGE, ways.EDGE)]
    assert 1.0 in [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert ways.plot_way_shares(shares.assign(share=np.nan)) is None


def test_texts_name_the_rival_that_is_best_and_one_that_is_not_there(shares):
    rows = tables.way_texts(shares[shares["split"] == "kfold"])
    assert {row[3] for row in rows} == {"best (lightgbm)", "ctlstm"}
    absent = next(row for row in rows if row[3] == "ctlstm")
    assert absent[:6] == ["NEE", "grid", "own season of other years", "ctlstm", "0", "0"]
    assert absent[-3:] == ["–", "10", "not evaluated"] and set(absent[6:9]) == {"–"}
    assert tables.way_table(shares).rows == tables.way_texts(shares)
