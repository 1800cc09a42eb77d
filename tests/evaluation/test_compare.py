"""Relative changes and targets: by hand, and what the stage writes."""

import numpy as np
import pandas as pd
import pytest

from tamrl import contracts
from tamrl.evaluation import compare, pairs
from tamrl.evaluation.bootstrap import TowerGroups
from tamrl.sections.results import Target


def metrics(**models):
    """RMSE of towers by model, daily GPP."""
    rows = [
        {"model": name, "split": "kfold", "fold": "0", "site": f"XX-{k}", "flux": "gpp", "scale": "day", "rmse": value}
        for name, values in models.items()
        for k, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def alone(table):
    """Towers without neighbours."""
    sites = table["site"].unique()
    return TowerGroups(pd.Series(range(len(sites)), sites))


def targets(percent, tail=False):
    return [Target(rival="theirs", gpp=percent, tail=tail)]


def change(ours, theirs, *asked, **options):
    scores = metrics(ours=ours, theirs=theirs)
    table = compare.compare_models(scores, alone(scores), model="ours", targets=targets(*asked, **options), step="day")
    contracts.check_table(table, contracts.COMPARISONS, where="test")
    return table.iloc[0]


def test_a_change_is_that_of_the_medians_and_its_interval_is_over_towers():
    theirs = np.linspace(1, 3, 41)
    row = change(0.8 * theirs, theirs, 15)
    assert row["change"] == pytest.approx(-20) and row["low"] == pytest.approx(-20) and row["met"] == "yes"
    assert row["median"] == pytest.approx(1.6) and row["p90_change"] == pytest.approx(-20) and row["target"] == -15


def test_pairing_at_towers_tells_what_the_medians_cannot():
    theirs = np.random.default_rng(0).lognormal(0.5, 0.8, 60)
    row = change(0.95 * theirs * np.random.default_rng(1).lognormal(0, 0.05, 60), theirs, 1)
    assert row["tower_change"] == pytest.approx(-5, abs=1.5) and row["tower_high"] < 0
    assert row["high"] - row["low"] > row["tower_high"] - row["tower_low"]
    assert change([2.0, 8.0] * 5, [4.0, 4.0] * 5, 1)["tower_change"] == pytest.approx(0)


def test_a_tower_without_error_has_no_ratio():
    assert np.isnan(change([0.0, *[1.0] * 9], [1.0] * 10, 1)["tower_change"])


def members(**predicted):
    """Three members at two towers of three steps; the last step is of too low quality."""
    rows = [
        {"model": "ours", "fold": "0", "drivers": "grid", "member": str(m), "site": site, "date": pd.Timestamp(2001, 1, day)}
        | {"flux": "gpp", "observed": 1.0, "qc": 0.5 if day == 3 else 1.0, "predicted": 9.0 if day == 3 else value}
        for m in range(3)
        for site, value in (("XX-A", predicted["a"][m]), ("XX-B", predicted["b"][m]))
        for day in (1, 2, 3)
    ]
    return pairs.check_members(pd.DataFrame(rows), where="test")


def test_smaller_ensembles_are_the_first_members():
    found = compare.score_smaller_ensembles(members(a=(2, 0, 4), b=(1, 2, 3)), qc=0.8).pivot(
        index="site", columns="model", values="rmse"
    )
    assert found.loc["XX-A"].to_dict() == {"ours, 1 of 3 members": 1.0, "ours, 2 of 3 members": 0.0, "ours": 1.0}
    assert found.loc["XX-B"].to_dict() == {"ours, 1 of 3 members": 0.0, "ours, 2 of 3 members": 0.5, "ours": 1.0}


def test_a_step_that_a_later_member_misses_is_scored_for_none():
    found = compare.score_smaller_ensembles(members(a=(2, 2, np.nan), b=(1, 2, 3)), qc=0.8)
    assert set(found["site"]) == {"XX-B"}


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
    scores = metrics(ours=[1.0] * 6)
    table = compare.compare_models(scores, alone(scores), model="ours", targets=targets(10), step="day")
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
        scores = metrics(**models)
        table = compare.compare_models(scores, alone(scores), model="ours", targets=[], step="day")
        contracts.check_table(table, contracts.COMPARISONS, where="test").to_csv(tmp_path / "c.csv", index=False)
        again = contracts.read_csv(str(tmp_path / "c.csv"), contracts.COMPARISONS)
        assert len(again) == len(models) - 1 and again["met"].isna().all()


def test_a_constant_has_no_skill_between_years():
    random = np.random.default_rng(3)
    sites = np.repeat([f"XX-{k:03d}" for k in range(20)], 6)
    anomaly = random.normal(0, 1, sites.size)
    groups = TowerGroups(pd.Series(range(20), index=np.unique(sites)))
    rows = pd.DataFrame({"site": sites, "observed": anomaly, "predicted": 0.0})
    assert compare.interannual_skill(rows, groups).estimate == 0
    assert compare.interannual_sentence(compare.interannual_skill(rows, groups)).startswith("no more than a constant")
    good = compare.interannual_skill(rows.assign(predicted=0.5 * anomaly), groups)
    assert good.estimate == pytest.approx(0.75) and good.low > 0
    assert compare.interannual_sentence(good).startswith("more than a constant (skill of anomalies 0.75")
