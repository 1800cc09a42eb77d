"""Relative changes and targets: by hand, and what the stage writes."""

import numpy as np
import pandas as pd
import pytest

from tamrl import contracts
from tamrl.evaluation import comparisons


def metrics(**models):
    """RMSE of towers by model, daily GPP."""
    rows = [
        {"model": name, "split": "kfold", "fold": "0", "site": f"XX-{k}", "flux": "gpp", "scale": "day", "rmse": value}
        for name, values in models.items()
        for k, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def targets(percent, tail=False):
    return [{"rival": "theirs", "gpp": percent, "reco": None, "nee": None, "tail": tail}]


def change(ours, theirs, *asked, **options):
    table = comparisons.changes(metrics(ours=ours, theirs=theirs), model="ours", targets=targets(*asked, **options), step="day")
    contracts.table(table, contracts.COMPARISONS, where="test")
    return table.iloc[0]


def test_a_change_is_that_of_the_medians_and_its_interval_is_over_towers():
    theirs = np.linspace(1, 3, 41)
    row = change(0.8 * theirs, theirs, 15)
    assert row["change"] == pytest.approx(-20) and row["low"] == pytest.approx(-20) and row["met"] == "yes"
    assert row["median"] == pytest.approx(1.6) and row["p90_change"] == pytest.approx(-20) and row["target"] == -15


def test_a_target_needs_the_change_the_interval_and_if_asked_the_tail():
    theirs, rng = np.linspace(1, 3, 41), np.random.default_rng(1)
    assert change(0.9 * theirs, theirs, 15)["met"] == "no"
    noisy = change(theirs * rng.lognormal(-0.1, 1.2, 41), theirs, 1)
    assert noisy["change"] < -1 and noisy["high"] > 0 and noisy["met"] == "no"
    worse_tail = np.where(theirs > 2.7, 2 * theirs, 0.8 * theirs)
    assert change(worse_tail, theirs, 15)["met"] == "yes"
    assert change(worse_tail, theirs, 15, tail=True)["met"] == "no"


def test_towers_that_one_model_lacks_are_left_out_of_both():
    row = change([1.0] * 10, [2.0] * 8, 15)
    assert row["towers"] == 8 and row["change"] == pytest.approx(-50)


def test_a_rival_that_was_not_evaluated_is_told():
    table = comparisons.changes(metrics(ours=[1.0] * 6), model="ours", targets=targets(10), step="day")
    assert table["met"].tolist() == ["not evaluated"] and table["towers"].tolist() == [0]


def test_the_stage_says_which_targets_are_met(day_run):
    table = contracts.read_csv(day_run.path("evaluation/comparisons.csv"), contracts.COMPARISONS)
    day = table[(table["scale"] == "day") & (table["split"] == "kfold")].set_index(["rival", "flux"])
    gpp = day.loc[("lightgbm", "gpp")]
    assert gpp["change"] < -5 and gpp["high"] > 0 and gpp["met"] == "no", "24 towers cannot tell so small a difference"
    assert day.loc[("lightgbm", "reco"), "met"] == "no"
    assert pd.isna(day.loc[("lightgbm", "nee"), "met"]) and day.loc[("ctlstm", "gpp"), "met"] == "not evaluated"
    assert table.loc[table["scale"] != "day", "target"].isna().all()
    own = contracts.read_csv(day_run.path("evaluation/site_metrics.csv"), contracts.METRICS)
    rows = own[(own["scale"] == "day") & (own["split"] == "kfold") & (own["flux"] == "gpp")]
    medians = rows.groupby("model")["rmse"].median()
    assert day.loc[("lightgbm", "gpp"), "change"] == pytest.approx(100 * (medians["tamrl"] / medians["lightgbm"] - 1))


def test_without_targets_or_rivals_the_table_still_keeps_its_contract(tmp_path):
    for models in ({"ours": [1.0] * 6, "theirs": [2.0] * 6}, {"ours": [1.0] * 6}):
        table = comparisons.changes(metrics(**models), model="ours", targets=[], step="day")
        contracts.table(table, contracts.COMPARISONS, where="test").to_csv(tmp_path / "c.csv", index=False)
        again = contracts.read_csv(str(tmp_path / "c.csv"), contracts.COMPARISONS)
        assert len(again) == len(models) - 1 and again["met"].isna().all()
