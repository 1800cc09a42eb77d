"""Sums beside drivers: which steps a period is, which folds hold its place out, and that none leaks."""

import numpy as np
import pandas as pd
import pytest

from tamrl import contracts
from tamrl.calendar import TimeAxis
from tamrl.contracts import ALWAYS_TRAINS, NEAR_TEST
from tamrl.errors import ContractError
from tamrl.grid import great_circle_km
from tamrl.samples import sums as module
from tamrl.samples.places import split_places
from tamrl.samples.splits import split_towers, training_sites
from tamrl.sections.inputs import Features
from tamrl.sections.models import Splits


def _places(count: int, seed: int, prefix: str, spread: float = 8.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "site": [f"{prefix}-{k:03d}" for k in range(count)],
            "lat": random.uniform(40, 40 + spread, count),
            "lon": random.uniform(0, spread, count),
            "igbp": random.choice(["ENF", "GRA", "CRO"], count),
            "koppen": "Temperate",
        }
    )


def _split(towers: pd.DataFrame, **options) -> tuple[Splits, pd.DataFrame]:
    splits = Splits(**({"folds": 4} | options))
    return splits, split_towers(towers, splits=splits, test_sites=["TT-000"], seed=1)


def test_no_place_trains_a_fold_within_reach_of_its_held_out_towers():
    towers, places = _places(60, 1, "TT"), _places(150, 2, "PP")
    splits, split = _split(towers)
    result = split_places(places, towers, split, splits=splits, seed=1)
    both = pd.concat([places.assign(kind="place"), towers], ignore_index=True).merge(pd.concat([result, split]), on="site")
    for fold in splits.fold_names:
        trains = places[training_sites(result, fold).to_numpy()]
        held_out = both[both["fold"] == fold]  # towers, and places that are scored
        distance = great_circle_km(
            lat1=trains["lat"].to_numpy()[:, None],
            lon1=trains["lon"].to_numpy()[:, None],
            lat2=held_out["lat"].to_numpy(),
            lon2=held_out["lon"].to_numpy(),
        )
        assert len(trains) > 50 and distance.min() > splits.distance_km, fold
    assert {NEAR_TEST, *splits.fold_names} == set(result["fold"])  # some places link towers of two folds


def test_places_linked_with_towers_of_two_folds_train_neither():
    towers = pd.DataFrame({"site": ["TT-000", "TT-001", "TT-002"], "lat": 45.0, "lon": [0.0, 0.6, 20.0], "igbp": "GRA"})
    splits = Splits(folds=2)
    split = pd.DataFrame({"site": towers["site"], "group": [0, 1, 2], "fold": ["0", "1", "1"]})
    places = pd.DataFrame({"site": ["PP-000", "PP-001", "PP-002"], "lat": 45.0, "lon": [0.3, 20.1, 50.0], "igbp": "GRA"})
    result = split_places(places, towers, split, splits=splits, seed=1)
    assert result["fold"].tolist()[:2] == [NEAR_TEST, "1"] and result["fold"].iloc[2] in ("0", "1")
    assert result["group"].tolist() == [0, 2, 3]


def test_free_places_are_dealt_out_evenly_or_always_train():
    towers, places = _places(20, 1, "TT"), _places(80, 2, "PP").assign(lat=lambda t: t["lat"] - 60)
    splits, split = _split(towers)
    result = split_places(places, towers, split, splits=splits, seed=1)
    assert result["fold"].value_counts().min() >= 10 and result["group"].min() > split["group"].max()
    splits, split = _split(towers, scheme="sites", test_sites="list.txt")
    assert set(split_places(places, towers, split, splits=splits, seed=1)["fold"]) == {ALWAYS_TRAINS}


def _period(first, last, axis) -> tuple[int, int]:
    return module.period_steps(pd.Timestamp(first), pd.Timestamp(last), axis)


def test_periods_become_steps():
    months = TimeAxis.of_years("month", (2003, 2004, 2005))
    assert _period("2004-01-01", "2004-12-31", months) == (12, 12)
    assert _period("2004-06-01", "2004-08-31", months) == (17, 3)
    assert _period("2003-01-01", "2005-12-31", months) == (0, 36)
    assert _period(None, None, months) == (0, 36)
    for outside in (("2002-01-01", "2003-12-31"), ("2005-01-01", "2006-12-31"), ("2010-01-01", "2010-12-31")):
        assert _period(*outside, months) == (0, 0)
    days = TimeAxis.of_years("day", (2003, 2004), "2004-06")
    assert _period("2003-06-01", "2003-08-31", days) == (151, 92)
    assert _period(None, None, days) == (0, 365)  # 2004 is no whole year
    mean_year = TimeAxis.of_years("month")
    assert _period(None, None, mean_year) == _period("1999-01-01", "2003-12-31", mean_year) == (0, 12)
    assert _period("1999-12-01", "2000-02-29", mean_year) == (11, 3)


@pytest.fixture
def sums() -> pd.DataFrame:
    rows = {
        "site": ["DE-Aaa", "AU-Ccc", "DE-Aaa", "XX-Sea"],
        "first": pd.to_datetime(["2011-01-01", None, "1990-01-01", None]),
        "last": pd.to_datetime(["2011-12-31", None, "1990-12-31", None]),
        "gpp": [4.0, np.nan, 5.0, 1.0],
        "reco": [3.0, np.nan, 4.0, 1.0],
        "nee": [-1.0, 0.5, -1.0, 0.0],
        "gpp_years": [1.0, 0.0, 1.0, 1.0],
        "reco_years": [1.0, 0.0, 1.0, 1.0],
        "nee_years": [1.0, 3.0, 1.0, 1.0],
    }
    return contracts.check_table(pd.DataFrame(rows), contracts.SUMS, where="test")


def test_sums_stand_beside_the_drivers_of_their_places(sums, towers, drivers, features):
    chosen = Features(**features)
    ds = module.with_sums(sums, towers, drivers, chosen, step="day")
    contracts.check_sum_samples(ds, dynamic=chosen.dynamic, static=chosen.static, where="test")
    targets = module.sum_targets(ds)
    assert ds["site"].values[targets.site].tolist() == ["DE-Aaa", "AU-Ccc"]
    time = pd.DatetimeIndex(ds["time"].values)
    assert time[targets.start[0]] == pd.Timestamp("2011-01-01") and targets.count[0] == 365
    assert targets.y[0].tolist() == [4.0, 3.0, -1.0] and np.isnan(targets.y[1, :2]).all()
    np.testing.assert_allclose(targets.weight, [[0.5, 0.5, 0.5], [0, 0, 0.75]])


def test_sums_that_no_driver_covers_are_refused(sums, towers, drivers, features):
    with pytest.raises(ContractError, match="no sum lies within"):
        module.with_sums(sums.iloc[2:], towers, drivers, Features(**features), step="day")
