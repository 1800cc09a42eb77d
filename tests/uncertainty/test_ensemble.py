import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamrl.uncertainty import ensemble


@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_moments_are_those_of_the_members_in_any_order(count, seed):
    rng = np.random.default_rng(seed)
    members = rng.normal(5, 3, (count, 4, 3)).astype("float32")
    mean, std = ensemble.moments(members)
    np.testing.assert_allclose(mean, members.astype(float).mean(0), rtol=1e-12)
    np.testing.assert_allclose(std, members.astype(float).std(0, ddof=1), rtol=1e-9)
    again = ensemble.moments(members[rng.permutation(count)])
    np.testing.assert_allclose(again[1], std, rtol=1e-9)


def test_what_one_member_lacks_the_ensemble_lacks():
    members = np.ones((3, 4), "float32")
    members[1, 2] = np.nan
    mean, std = ensemble.moments(members)
    assert np.isnan(mean).tolist() == np.isnan(std).tolist() == [False, False, True, False]


def test_equal_members_have_no_spread_and_a_single_one_an_unknown_spread():
    same = np.full((3, 2), 7.3, "float32")
    assert ensemble.moments(same)[1] == pytest.approx(0, abs=1e-12)
    assert ensemble.moments(same[:1])[1] is None
