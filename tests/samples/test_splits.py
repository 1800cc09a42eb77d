"""Splits: neighbours stay together, classes are dealt out evenly, listed towers leave their neighbours out."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tamrl import contracts
from tamrl.errors import InputError
from tamrl.grid import great_circle_km
from tamrl.samples import splits
from tamrl.sections.models import Splits

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
    group = splits.link_groups(lat=lat, lon=lon, distance_km=km)
    distance = great_circle_km(lat1=lat[:, None], lon1=lon[:, None], lat2=lat[None], lon2=lon[None])
    assert (distance[group[:, None] != group[None]] > km).all()
    assert group[0] == 0 and set(group) == set(range(group.max() + 1))


def test_a_chain_of_neighbours_is_one_group():
    group = splits.link_groups(lat=np.zeros(4), lon=np.array([0.0, 0.2, 0.4, 9.0]), distance_km=30)
    assert group.tolist() == [0, 0, 0, 1]


def test_neighbours_across_the_date_line_are_one_group():
    assert splits.link_groups(lat=np.zeros(2), lon=np.array([179.95, -179.95]), distance_km=30).tolist() == [0, 0]


@given(st.integers(0, 50), st.integers(2, 5))
@settings(max_examples=20, deadline=None)
def test_kfold_keeps_groups_whole_and_folds_even(seed, folds):
    towers = _many(80, seed)
    group = splits.link_groups(lat=towers["lat"].to_numpy(), lon=towers["lon"].to_numpy(), distance_km=40)
    fold = splits.deal_folds(towers, group=group, folds=folds, seed=seed)
    assert pd.DataFrame({"g": group, "f": fold}).groupby("g")["f"].nunique().max() == 1
    per_class = pd.crosstab(towers["igbp"], fold)
    biggest = np.bincount(group).max()
    assert (per_class.max(axis=1) - per_class.min(axis=1) <= biggest + 1).all()


def test_kfold_repeats_with_its_seed_and_changes_with_another():
    towers, group = _many(60), np.arange(60)
    same = [splits.deal_folds(towers, group=group, folds=3, seed=s).tolist() for s in (1, 1, 2)]
    assert same[0] == same[1] != same[2]


def test_kfold_refuses_more_folds_than_groups():
    with pytest.raises(InputError, match="at least 5 groups"):
        splits.deal_folds(_many(4), group=np.arange(4), folds=5, seed=0)


def test_neighbours_of_listed_towers_neither_train_nor_score(towers, caplog):
    conf = {"scheme": "sites", "distance_km": 30.0, "test_sites": "sites.txt"}
    with caplog.at_level("INFO"):
        table = splits.split_towers(towers, splits=Splits(**conf), test_sites=["DE-Aaa", "XX-Not"], seed=1)
    contracts.check_table(table, contracts.SPLITS, where="test")
    assert table["fold"].tolist() == ["test", "near-test", "none", "none"]
    assert "NA-Bbb" in caplog.text and "XX-Not" in caplog.text
    assert splits.training_sites(table, "test").tolist() == [False, False, True, True]
    assert splits.training_sites(table, "all").all()


def test_a_list_without_known_towers_is_refused(towers):
    conf = {"scheme": "sites", "distance_km": 30.0, "test_sites": "sites.txt"}
    with pytest.raises(InputError, match="none of the listed"):
        splits.split_towers(towers, splits=Splits(**conf), test_sites=["DE-Aab"], seed=1)
    with pytest.raises(InputError, match="no tower to train on"):
        splits.split_towers(towers, splits=Splits(**conf), test_sites=towers["site"].tolist(), seed=1)


def _known(towers: pd.DataFrame, seed: int) -> dict:
    """Warmth and measured steps of towers, some of them unknown."""
    random = np.random.default_rng(seed)
    warmth = pd.Series(random.normal(285, 8, len(towers)), index=towers["site"]).where(random.random(len(towers)) < 0.9)
    firsts = random.integers(0, 3000, len(towers))
    days = [
        pd.date_range("2001-01-01", periods=int(n), freq="D") + pd.Timedelta(days=int(f))
        for n, f in zip(towers["n"], firsts, strict=True)
    ]
    records = pd.DataFrame({"site": np.repeat(towers["site"].to_numpy(), towers["n"]), "date": np.concatenate(days)})
    return {"warmth": warmth.dropna(), "records": records}


@pytest.mark.parametrize("scheme", ["kfold", "koppen", "warm", "temporal", "sites"])
@given(st.integers(0, 10_000), st.floats(0, 300), st.floats(0.1, 0.6))
@settings(max_examples=15, deadline=None)
def test_no_group_straddles_a_split_of_any_scheme(scheme, seed, km, share):
    towers = _many(40, seed).assign(koppen=np.random.default_rng(seed).choice(["Arid", "Temperate"], 40))
    towers["n"] = towers["n"] % 50 + 2
    conf = {"scheme": scheme, "folds": 2, "distance_km": km, "test_share": share, "test_sites": "sites.txt"}
    wanted = towers["site"].sample(5, random_state=seed).tolist()
    known = _known(towers, seed)
    try:
        table = splits.split_towers(towers, splits=Splits(**conf), test_sites=wanted, seed=seed, **known)
    except InputError:
        assume(False)  # one group of all towers cannot be split
    contracts.check_table(table, contracts.SPLITS, where="test")
    folds = table.groupby("group")["fold"]
    if scheme == "sites":  # a group is in training as a whole, or not at all
        assert all(set(g) == {"none"} or "none" not in set(g) for _, g in folds)
    else:
        assert folds.nunique().max() == 1
    trains = {f: set(table["group"][splits.training_sites(table, f)]) for f in set(table["fold"]) - {"none", "near-test"}}
    if scheme == "temporal":
        records = known["records"].merge(table, on="site")
        later = records["date"] >= records["since"]
        last = records[~later].groupby("group")["date"].max()
        first = records[later].groupby("group")["date"].min()
        both = pd.concat([last, first], axis=1, keys=["last", "first"]).dropna()
        assert len(both) and (both["last"] < both["first"]).all()
        assert first.index.isin(table["group"][table["fold"] == "test"]).all()
    else:
        assert all(groups.isdisjoint(table["group"][table["fold"] == fold]) for fold, groups in trains.items())


def test_the_coldest_towers_train_and_the_warmest_are_held_out():
    towers = _many(50, 3)
    warmth = pd.Series(np.linspace(270, 300, 50), index=towers["site"].sample(frac=1, random_state=1)).drop("XX-007")
    conf = {"scheme": "warm", "distance_km": 0.0, "test_share": 0.3}
    table = splits.split_towers(towers, splits=Splits(**conf), test_sites=[], seed=1, warmth=warmth).set_index("site")
    assert table.loc["XX-007", "fold"] == "near-test"
    own = warmth.groupby(table["fold"])
    assert own.max()["none"] < own.min()["test"]
    assert (table["fold"] == "test").sum() == pytest.approx(0.3 * 49, abs=1)


def test_a_warm_split_needs_temperatures():
    with pytest.raises(InputError, match="two groups of towers of known"):
        splits.split_towers(
            _many(4), splits=Splits(scheme="warm", distance_km=0.0, test_share=0.3), test_sites=[], seed=1, warmth=pd.Series()
        )


def test_a_split_in_time_holds_out_the_last_steps_of_a_group():
    towers = pd.DataFrame({"site": ["A-1", "A-2", "B-1", "C-1"], "lat": [0.0, 0.1, 50, 60], "lon": [0.0, 0, 0, 0]})
    days = {"A-1": range(0, 50), "A-2": range(50, 100), "B-1": range(20, 30), "C-1": [7]}
    records = pd.DataFrame([(s, pd.Timestamp("2005-01-01") + pd.Timedelta(days=d)) for s, ds in days.items() for d in ds])
    conf = {"scheme": "temporal", "distance_km": 30.0, "test_share": 0.2}
    table = splits.split_towers(
        towers, splits=Splits(**conf), test_sites=[], seed=1, records=records.set_axis(["site", "date"], axis=1)
    )
    cut = splits.first_held_out(table, table["site"].to_numpy())
    assert cut[0] == cut[1] == np.datetime64("2005-01-01") + np.timedelta64(80, "D")
    assert table["fold"].tolist() == ["test", "test", "test", "near-test"] and np.isnat(cut[3])
    assert splits.training_sites(table, "test").tolist() == [True, True, True, False]
