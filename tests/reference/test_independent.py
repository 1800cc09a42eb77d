"""Yearly sums of towers that judge a map: which places may, where the nearest training tower is, and the scores."""

import numpy as np
import pandas as pd
import pytest

from tamrl import contracts
from tamrl.reference import independent, independent_stage
from tamrl.reference.independent import HELD_OUT, TRAINING, UNSEEN, TrainingPlaces


def places(**columns):
    return pd.DataFrame(columns)


TOWERS = places(site=["AA-001", "AA-002"], lat=[10.0, 50.0], lon=[0.0, 0.0])
SPLIT = places(site=["AA-001", "AA-002"], fold=["0", "1"])
SUMS = places(site=["BB-001", "BB-002"], lat=[11.0, 52.0], lon=[0.0, 0.0])
SUM_SPLIT = places(site=["BB-001", "BB-002"], fold=["0", contracts.ALWAYS_TRAINS])


@pytest.fixture
def trained():
    return TrainingPlaces.of((TOWERS, SPLIT), (SUMS, SUM_SPLIT))


def test_places_that_trained_never_judge_the_map(trained):
    asked = places(site=["AA-001", "BB-001", "BB-002", "CC-001"], lat=[10.0, 11.0, 52.0, 12.0], lon=[0.0] * 4)
    found = independent.assign_roles(asked, trained, {"BB-001": "0"}).set_index("site")
    assert found["role"].to_dict() == {"AA-001": TRAINING, "BB-001": HELD_OUT, "BB-002": TRAINING, "CC-001": UNSEEN}
    assert found.loc["BB-001", "fold"] == "0" and found["fold"].isna().sum() == 3


def test_a_tower_under_another_name_judges_nothing(trained, caplog):
    asked = places(site=["XX-001", "CC-001"], lat=[10.005, 12.0], lon=[0.0, 0.0])
    assert independent.assign_roles(asked, trained, {})["role"].tolist() == [TRAINING, UNSEEN]
    assert "within 1 km of one that trained" in caplog.text and "XX-001" in caplog.text


def test_the_distance_leads_to_what_trained_the_judged_models(trained):
    asked = places(site=["BB-001", "CC-001"], lat=[11.0, 12.0], lon=[0.0, 0.0])
    found = independent.assign_roles(asked, trained, {"BB-001": "0"}).set_index("site")["distance_km"]
    assert found["CC-001"] == pytest.approx(111.2, abs=0.3), "BB-001 trained the map"
    assert found["BB-001"] == pytest.approx(39 * 111.2, rel=0.01), "AA-001, one degree away, is of the same fold"


def _table(count=60, bias=100.0, half=300.0):
    random = np.random.default_rng(2)
    observed = random.normal(1000, 400, count)
    predicted = observed + bias + random.normal(0, 100, count)
    lat = np.where(np.arange(count) % 3 == 0, 5.0, 45.0) + np.arange(count) * 0.4
    return pd.DataFrame(
        {
            "site": [f"CC-{k:03d}" for k in range(count)],
            "lat": lat,
            "lon": np.linspace(-170, 170, count),
            "igbp": np.where(np.arange(count) < 57, "ENF", "GRA"),
            "koppen": "Temperate",
            "role": UNSEEN,
            "fold": None,
            "distance_km": np.where(np.arange(count) < 50, 500.0, 10.0),
            "first": "",
            "last": "",
            "flux": "gpp",
            "years": 3.0,
            "observed": observed,
            "predicted": predicted,
            "std": half / 1.64,
            "q05": predicted - half,
            "q95": predicted + half,
        }
    )


def test_scores_of_all_places_and_of_their_parts():
    table = _table()
    found = independent.score_places(table, distance_km=30.0)
    contracts.check_table(found, independent.SCORES, where="test")
    of_all = found[found["kind"] == "all"].iloc[0]
    error = table["predicted"] - table["observed"]
    assert of_all["bias"] == pytest.approx(error.mean()) and of_all["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert of_all["r2"] == pytest.approx(np.corrcoef(table["observed"], table["predicted"])[0, 1] ** 2)
    assert of_all["nse"] == pytest.approx(1 - (error**2).sum() / ((table["observed"] - table["observed"].mean()) ** 2).sum())
    assert of_all["low"] < of_all["nse"] < of_all["high"] and of_all["width"] == pytest.approx(600)
    assert of_all["coverage"] == pytest.approx((error.abs() <= 300).mean()) and of_all["distance_km"] == 500
    names = dict(zip(found["name"], found["places"], strict=True))
    assert names["tropics"] + names["outside of the tropics"] == 60 and names["beyond 30 km"] == 50
    assert names["ENF"] == 57 and "GRA" not in names, "three places are too few for a row"


def test_places_in_training_score_nothing():
    table = _table()
    seen = pd.concat([table, table.assign(site=table["site"] + "t", role=TRAINING, predicted=np.nan)])
    pd.testing.assert_frame_equal(
        independent.score_places(seen, distance_km=30.0), independent.score_places(table, distance_km=30.0)
    )


def test_a_constant_scores_zero():
    table = _table()
    table["predicted"] = table["observed"].mean()
    row = independent.score_places(table, distance_km=30.0).iloc[0]
    assert row["nse"] == pytest.approx(0, abs=1e-12) and np.isnan(row["r2"])


def test_sums_of_parts_of_years_are_no_yearly_sums():
    first = pd.to_datetime(["2005-01-01", "2005-06-01", "2005-01-01", None])
    last = pd.to_datetime(["2005-12-31", "2006-05-31", "2006-12-31", None])
    means = pd.DataFrame({"first": first, "last": last})
    assert independent_stage._of_years(means).index.tolist() == [0, 2, 3]


def test_a_period_takes_its_years_and_a_mean_year_all():
    members = {"gpp": np.array([[[1.0]], [[3.0]]])}
    mapped = independent_stage.PlaceMeans(("CC-001",), ("2010", "2011"), members)
    day = pd.Timestamp
    assert mapped.over("CC-001", "gpp", day("2011-01-01"), day("2011-12-31")) == [3.0]
    assert mapped.over("CC-001", "gpp", pd.NaT, pd.NaT) == [2.0]
    assert mapped.over("CC-001", "gpp", day("2009-01-01"), day("2010-12-31")) is None
    assert mapped.over("CC-002", "gpp", pd.NaT, pd.NaT) is None


def test_folds_judge_their_held_out_places_in_place_of_the_map():
    rows = [
        {"model": "tamrl", "fold": "0", "member": m, "site": "BB-001", "group": 0, "sum": s, "flux": "gpp", "years": y}
        | {"observed": 9.0, "predicted": p}
        for m, s, y, p in ((0, 0, 1.0, 2.0), (0, 1, 3.0, 4.0), (1, 0, 1.0, 3.0), (1, 1, 3.0, 5.0))
    ]
    none = pd.Series([pd.NaT, pd.NaT])
    means = pd.DataFrame({"site": "BB-001", "first": none, "last": none, "gpp": [1.0, 5.0], "gpp_years": [1.0, 3.0]})
    means = means.assign(reco=np.nan, nee=np.nan, reco_years=0.0, nee_years=0.0)
    roles = pd.DataFrame({"site": ["BB-001"], "role": [HELD_OUT], "lat": [11.0]})
    found = independent_stage._held_out(pd.DataFrame(rows), means, roles)
    assert found["predicted"].tolist() == [4.0] and found["observed"].tolist() == [4.0] and found["years"].tolist() == [4.0]
    assert found["spread"].iloc[0] == pytest.approx(np.std([3.5, 4.5], ddof=1))


def test_daily_means_become_yearly_sums():
    assert independent.per_year(pd.Series([1.0])).iloc[0] == pytest.approx(365.2422, rel=1e-5)
