"""Ceilings from the towers' own fluxes, and the share of the way there: by hand, and what the stage writes."""

import numpy as np
import pandas as pd
import pytest

from tamrl import contracts
from tamrl.evaluation import ceilings, pairs
from tamrl.evaluation.bootstrap import TowerGroups
from tamrl.evaluation.ceiling_stage import measure_ceilings

MODELS = {"ours": "ours", "rivals": ("a", "b"), "ceilings": ("own",)}


def records(years, *, site="XX-A", freq="D"):
    """Fluxes of a season that grows by one each year."""
    date = pd.date_range(f"{years[0]}-01-01", f"{years[-1]}-12-31", freq=freq)
    season = np.sin(2 * np.pi * date.day_of_year / 365.25)
    return pd.DataFrame({"site": site, "flux": "gpp", "date": date, "observed": season + date.year - years[0]})


@pytest.mark.parametrize(("step", "freq"), [("day", "D"), ("month", "MS")])
def test_a_year_is_predicted_by_the_mean_of_the_others(step, freq):
    frame = records((2000, 2001, 2002), freq=freq)
    predicted = ceilings.predict_own_season(frame, step=step)
    season = frame["observed"] - (frame["date"].dt.year - 2000)
    expected = season + frame["date"].dt.year.map({2000: 1.5, 2001: 1.0, 2002: 0.5})
    np.testing.assert_allclose(predicted, expected, atol=0.06)
    changed = frame.assign(observed=frame["observed"].where(frame["date"].dt.year != 2001, 99.0))
    again = ceilings.predict_own_season(changed, step=step)
    own = frame["date"].dt.year == 2001
    pd.testing.assert_series_equal(again[own], predicted[own])
    assert (again[~own] > predicted[~own]).all()


def test_one_year_or_half_a_season_tell_nothing():
    assert ceilings.predict_own_season(records((2000,)), step="day").isna().all()
    frame = records((2000, 2001))
    frame.loc[(frame["date"].dt.year == 2000) & (frame["date"].dt.month > 6), "observed"] = np.nan
    predicted = ceilings.predict_own_season(frame, step="day")
    assert predicted[frame["date"].dt.year == 2001].isna().all() and predicted[frame["date"].dt.year == 2000].notna().all()


def test_short_gaps_are_bridged_round_the_year():
    frame = records((2000, 2001))
    frame.loc[(frame["date"] >= "2001-12-20") | frame["date"].between("2001-01-01", "2001-01-15"), "observed"] = np.nan
    predicted = ceilings.predict_own_season(frame, step="day")
    year = frame["date"].dt.year == 2000
    assert predicted[year].notna().all()
    np.testing.assert_allclose(predicted[year], frame.loc[year, "observed"] + 1, atol=0.15)


def errors(n=40, seed=0, ours=1.2):
    noise = np.random.default_rng(seed).lognormal(0, 0.4, n)[:, None] * np.random.default_rng(seed + 1).lognormal(0, 0.05, (n, 4))
    table = pd.DataFrame(noise * [ours, 1.6, 1.4, 1.0], columns=["ours", "a", "b", "own"])
    return table.set_axis([f"XX-{k}" for k in range(n)])


def alone(table):
    return TowerGroups(pd.Series(range(len(table)), table.index))


def test_the_share_is_of_geometric_means_and_from_the_best_rival():
    table = errors()
    found = ceilings.way_share(table, alone(table), **MODELS)
    ours, a, b, own = np.exp(np.log(table).mean())
    assert b < a and found.estimate == pytest.approx((b - ours) / (b - own))
    assert 0.3 < found.low < found.estimate < found.high < 0.7


def test_copies_of_towers_in_their_groups_do_not_narrow_the_share():
    table = errors()
    copies = pd.concat([table.set_axis(table.index + f"-{k}") for k in range(5)])
    groups = TowerGroups(pd.Series(np.tile(np.arange(len(table)), 5), copies.index))
    one, same, naive = (
        ceilings.way_share(t, g, **MODELS) for t, g in ((table, alone(table)), (copies, groups), (copies, alone(copies)))
    )
    assert (same.low, same.high) == pytest.approx((one.low, one.high)) and (same.n, same.groups) == (200, 40)
    assert naive.high - naive.low < 0.6 * (one.high - one.low)


def test_a_ceiling_that_is_no_better_than_the_rival_has_no_share():
    table = errors()
    worse = ceilings.way_share(table.assign(own=2.0 * table["a"]), alone(table), **MODELS)
    assert np.isnan(worse.estimate) and np.isnan(worse.low)
    doubtful = ceilings.way_share(
        table.assign(own=table["b"] * np.random.default_rng(3).lognormal(-0.01, 0.2, 40)), alone(table), **MODELS
    )
    assert np.isnan(doubtful.low), "nobody can tell how long the way is"


def test_the_stage_scores_the_ceiling_at_the_same_steps_and_says_which_targets_are_met(day_run):
    predictions = pd.read_parquet(day_run.path("evaluation/predictions.parquet"))
    metrics = contracts.read_csv(day_run.path("evaluation/ceilings.csv"), contracts.METRICS)
    shares = contracts.read_csv(day_run.path("evaluation/shares.csv"), contracts.SHARES)
    assert set(metrics["model"]) == {"own_season"} and set(metrics["split"]) == {"kfold", "kfold:tower"}
    scored = predictions[
        pairs.is_scored(predictions, qc=0.8) & (predictions["split"] == "kfold") & (predictions["flux"] == "gpp")
    ]
    one = scored[scored["model"] == "tamrl"]
    own = metrics[(metrics["split"] == "kfold") & (metrics["flux"] == "gpp") & (metrics["scale"] == "day")].set_index("site")
    assert own["n"].sum() == len(one), "three full years tell all days"
    row = shares[(shares["split"] == "kfold") & (shares["flux"] == "gpp") & (shares["against"] == "best")].squeeze()
    square = (scored["predicted"] - scored["observed"]) ** 2
    rmse = np.sqrt(square.groupby([scored["model"], scored["site"]]).mean())
    means = np.exp(np.log(rmse).groupby("model").mean())
    assert row["rival"] == "lightgbm" and (row["towers"], row["groups"]) == (24, 23)
    assert row["error"] == pytest.approx(means["tamrl"]) and row["rival_error"] == pytest.approx(means["lightgbm"])
    assert row["ceiling_error"] == pytest.approx(np.exp(np.log(own["rmse"]).mean()))
    assert row["share"] == pytest.approx(100 * (row["rival_error"] - row["error"]) / (row["rival_error"] - row["ceiling_error"]))
    assert row["met"] == ("yes" if row["share"] >= 1 and row["low"] > 0 else "no")
    poor = shares[(shares["flux"] == "nee") & (shares["against"] == "best")]
    assert (poor["met"] == "no").all() and poor["share"].isna().all(), "the season is no better than the rival there"
    assert shares["met"].isin(["yes", "no", "not evaluated"]).sum() == 2 * 3
    absent = shares[(shares["against"] == "ctlstm")]
    assert (absent["met"] == "not evaluated").all() and (absent["towers"] == 0).all()


def test_an_adapted_model_is_a_ceiling_outside_its_window(day_run, tmp_path):
    predictions = pd.read_parquet(day_run.path("evaluation/predictions.parquet"))
    one = predictions[(predictions["model"] == "tamrl") & (predictions["split"] == "kfold")]
    used = one["date"].dt.year == 2010
    frame = one[["site", "date", "flux", "observed", "qc"]].assign(used=used, start="record", predicted=one["observed"] + 0.1)
    better = frame.assign(method="weights", months=12)
    worse = frame.assign(method="code", months=12, predicted=one["observed"] + 0.3)
    pd.concat([better, worse, frame.assign(method="code", months=1)]).to_parquet(tmp_path / "tamrl.parquet")
    measure_ceilings(
        predictions=day_run.path("evaluation/predictions.parquet"),
        towers=day_run.path("towers/towers.csv"),
        splits=day_run.path("samples/splits.csv"),
        ceilings=str(tmp_path / "ceilings.csv"),
        shares=str(tmp_path / "shares.csv"),
        protocol=day_run.protocol,
        drivers="grid",
        adapted=[str(tmp_path / "tamrl.parquet")],
    )
    metrics = contracts.read_csv(str(tmp_path / "ceilings.csv"), contracts.METRICS)
    day = metrics[(metrics["scale"] == "day") & metrics["model"].str.startswith("adapted")]
    assert day.groupby("model")["rmse"].median().to_dict() == pytest.approx({"adapted: code": 0.3, "adapted: weights": 0.1})
    assert set(day["split"]) == {"kfold"} and day["n"].sum() == 2 * ((one["qc"] >= 0.8) & ~used).sum()
    shares = contracts.read_csv(str(tmp_path / "shares.csv"), contracts.SHARES)
    adapted = shares[(shares["ceiling"] == "adapted") & (shares["against"] == "best")]
    assert (adapted["months"] == 12).all() and adapted["ceiling_error"].to_numpy() == pytest.approx([0.1] * 3)


def test_towers_of_one_year_have_no_ceiling_and_the_tables_keep_their_contracts(day_run, tmp_path):
    predictions = pd.read_parquet(day_run.path("evaluation/predictions.parquet"))
    predictions[predictions["date"].dt.year == 2010].to_parquet(tmp_path / "predictions.parquet")
    measure_ceilings(
        predictions=str(tmp_path / "predictions.parquet"),
        towers=day_run.path("towers/towers.csv"),
        splits=day_run.path("samples/splits.csv"),
        ceilings=str(tmp_path / "ceilings.csv"),
        shares=str(tmp_path / "shares.csv"),
        protocol=day_run.protocol | {"targets": []},
        drivers="grid",
    )
    assert contracts.read_csv(str(tmp_path / "ceilings.csv"), contracts.METRICS).empty
    assert contracts.read_csv(str(tmp_path / "shares.csv"), contracts.SHARES).empty
