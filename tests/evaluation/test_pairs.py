import numpy as np
import pandas as pd
import pytest

from tamrl.errors import ContractError
from tamrl.evaluation import pairs


@pytest.fixture
def members():
    date = pd.date_range("2010-01-01", periods=4)
    one = pd.DataFrame(
        {"site": "XV-Aaa", "date": date, "flux": "gpp", "observed": 1.0, "qc": [1, 1, 0.5, np.nan], "predicted": [1.0, 2, 3, 4]}
    )
    both = pd.concat([one.assign(member=0), one.assign(member=1, predicted=one["predicted"] + 2)])
    return both.assign(model="tamrl", fold="0", drivers="grid")


def test_members_become_mean_and_spread_whatever_their_order(members):
    found = pairs.combine_members(pairs.check_members(members.sample(frac=1, random_state=0), where="test"), where="test")
    assert found["predicted"].tolist() == [2, 3, 4, 5]
    assert found["spread"].to_numpy() == pytest.approx(np.sqrt(2))


def test_a_step_that_one_member_misses_is_missing(members):
    members.loc[(members["member"] == 1) & (members["date"] == "2010-01-02"), "predicted"] = np.nan
    found = pairs.combine_members(pairs.check_members(members, where="test"), where="test")
    assert found["predicted"].isna().tolist() == [False, True, False, False]


def test_one_member_has_no_spread(members):
    assert (
        pairs.combine_members(pairs.check_members(members[members["member"] == 0], where="test"), where="test")["spread"]
        .isna()
        .all()
    )


def test_members_with_different_steps_are_refused(members):
    with pytest.raises(ContractError, match="different steps"):
        pairs.combine_members(pairs.check_members(members.iloc[:-1], where="test"), where="test")
    members.loc[(members["member"] == 1) & (members["date"] == "2010-01-04"), "date"] = pd.Timestamp("2010-02-01")
    with pytest.raises(ContractError, match="different steps"):
        pairs.combine_members(pairs.check_members(members, where="test"), where="test")


def test_what_is_scored_needs_quality_and_every_model(members):
    one = pairs.combine_members(pairs.check_members(members, where="test"), where="test").assign(split="kfold")
    other = one.assign(model="lightgbm", predicted=[np.nan, 1.0, 1.0, 1.0])
    frame = pd.concat([one, other], ignore_index=True)
    assert pairs.is_scored(frame, qc=0.8).tolist() == [False, True, False, False] * 2
    assert pairs.is_scored(one, qc=0.8).tolist() == [True, True, False, False]


def test_the_split_says_where_the_inputs_came_from():
    assert pairs.split_name("kfold", "grid") == "kfold"
    assert pairs.split_name("kfold", "tower") == "kfold:tower"
