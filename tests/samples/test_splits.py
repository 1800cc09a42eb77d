"""Splits: neighbours stay together, classes are dealt out evenly, listed towers leave their neighbours out."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamrl import contracts
from tamrl.errors import InputError
from tamrl.grid import great_circle_km
from tamrl.samples import splits

PLACES = st.lists(st.tuples(st.floats(-89, 89), st.floats(-180, 180)), min_size=1, max_size=25)


def _many(count: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "site": [f"XX-{k:03d}" for k in range(count)],
            "lat": random.uniform(30, 60, count),
            "lon": random.uniform(-10, 40, count),
            "igbp": random.choice(["ENF", "GRA", "CRO"], count, p=[0.6, 0.3, 0.1]),
            "n": random.integers(100, 3000, count),
        }
    )


@given(PLACES, st.floats(0, 5000))
@settings(max_examples=60, deadline=None)
def test_towers_of_two_groups_are_never_near(places, km):
    lat, lon = np.array(places).T
    group = splits.groups(lat=lat, lon=lon, distance_km=km)
    distance = great_circle_km(lat1=lat[:, None], lon1=lon[:, None], lat2=lat[None], lon2=lon[None])
    assert (distance[group[:, None] != group[None]] > km).all()
    assert group[0] == 0 and set(group) == set(range(group.max() + 1))


def test_a_chain_of_neighbours_is_one_group():
    group = splits.groups(lat=np.zeros(4), lon=np.array([0.0, 0.2, 0.4, 9.0]), distance_km=30)
    assert group.tolist() == [0, 0, 0, 1]


def test_neighbours_across_the_date_line_are_one_group():
    assert splits.groups(lat=np.zeros(2), lon=np.array([179.95, -179.95]), distance_km=30).tolist() == [0, 0]


@given(st.integers(0, 50), st.integers(2, 5))
@settings(max_examples=20, deadline=None)
def test_kfold_keeps_groups_whole_and_folds_even(seed, folds):
    towers = _many(80, seed)
    group = splits.groups(lat=towers["lat"].to_numpy(), lon=towers["lon"].to_numpy(), distance_km=40)
    fold = splits.kfold(towers, group=group, folds=folds, seed=seed)
    assert pd.DataFrame({"g": group, "f": fold}).groupby("g")["f"].nunique().max() == 1
    per_class = pd.crosstab(towers["igbp"], fold)
    biggest = np.bincount(group).max()
    assert (per_class.max(axis=1) - per_class.min(axis=1) <= biggest + 1).all()


def test_kfold_repeats_with_its_seed_and_changes_with_another():
    towers, group = _many(60), np.arange(60)
    same = [splits.kfold(towers, group=group, folds=3, seed=s).tolist() for s in (1, 1, 2)]
    assert same[0] == same[1] != same[2]


def test_kfold_refuses_more_folds_than_groups():
    with pytest.raises(InputError, match="at least 5 groups"):
        splits.kfold(_many(4), group=np.arange(4), folds=5, seed=0)


def test_neighbours_of_listed_towers_neither_train_nor_score(towers, caplog):
    conf = {"scheme": "sites", "distance_km": 30.0}
    with caplog.at_level("INFO"):
        table = splits.split(towers, splits=conf, test_sites=["DE-Aaa", "XX-Not"], seed=1)
    contracts.table(table, contracts.SPLITS, where="test")
    assert table["fold"].tolist() == ["test", "near-test", "none", "none"]
    assert "NA-Bbb" in caplog.text and "XX-Not" in caplog.text
    assert splits.training_sites(table, "test").tolist() == [False, False, True, True]
    assert splits.training_sites(table, "all").all()


def test_a_list_without_known_towers_is_refused(towers):
    conf = {"scheme": "sites", "distance_km": 30.0}
    with pytest.raises(InputError, match="none of the listed"):
        splits.split(towers, splits=conf, test_sites=["DE-Aab"], seed=1)
    with pytest.raises(InputError, match="no tower to train on"):
        splits.split(towers, splits=conf, test_sites=towers["site"].tolist(), seed=1)
