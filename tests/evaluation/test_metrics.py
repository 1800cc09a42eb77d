import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tamrl.errors import ContractError
from tamrl.evaluation import metrics

flux = st.floats(-40, 40, allow_nan=False, width=32)


def _score(observed, predicted):
    """Number and scores of one set of pairs."""
    sums = pd.DataFrame({k: [v.sum()] for k, v in metrics.pair_sums(observed, predicted).items()})
    return {"n": int(sums["n"].iloc[0])} | metrics.scores_from_sums(sums).iloc[0].to_dict()


def test_scores_of_a_known_set():
    found = _score([1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 2.0, 5.0])
    assert found["n"] == 4
    assert found["rmse"] == pytest.approx(np.sqrt((0.25 + 0 + 1 + 1) / 4))
    assert found["mae"] == pytest.approx(0.625)
    assert found["bias"] == pytest.approx(0.125)
    assert found["nse"] == pytest.approx(1 - 2.25 / 5)
    assert found["r2"] == pytest.approx(np.corrcoef([1, 2, 3, 4], [1.5, 2, 2, 5])[0, 1] ** 2)


@given(arrays("f8", st.integers(3, 60), elements=flux), st.integers(0, 2**31))
def test_scores_agree_with_their_definitions(observed, seed):
    rng = np.random.default_rng(seed)
    predicted = 0.5 * observed + rng.normal(size=observed.size)
    found = _score(observed, predicted)
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean((predicted - observed) ** 2)), rel=1e-6, abs=1e-6)
    if observed.std() > 1e-2:
        expected = 1 - ((predicted - observed) ** 2).sum() / ((observed - observed.mean()) ** 2).sum()
        assert found["nse"] == pytest.approx(expected, rel=1e-5, abs=1e-5)


@given(st.integers(1, 59))
def test_sums_of_parts_are_the_sums_of_the_whole(cut):
    rng = np.random.default_rng(0)
    o, p = rng.normal(size=(2, 60))
    whole = {k: v.sum() for k, v in metrics.pair_sums(o, p).items()}
    parts = [metrics.pair_sums(o[:cut], p[:cut]), metrics.pair_sums(o[cut:], p[cut:])]
    for name, value in whole.items():
        assert sum(part[name].sum() for part in parts) == pytest.approx(value, rel=1e-12, abs=1e-12)


def test_a_missing_value_is_refused_not_skipped():
    with pytest.raises(ContractError, match="1 of 3 pairs"):
        _score([1.0, np.nan, 2.0], [1.0, 1.0, 1.0])


def test_two_pairs_and_constant_observations_have_no_r2_and_no_nse():
    for observed, predicted in (([1.0, 2.0], [2.0, 3.0]), ([2.0, 2.0, 2.0], [1.0, 2.0, 4.0])):
        found = _score(observed, predicted)
        assert np.isnan(found["r2"]) and np.isnan(found["nse"])
        assert np.isfinite(found["rmse"])


def test_groups_do_not_mix():
    frame = pd.DataFrame({"site": list("aab"), "observed": [1.0, 2.0, 9.0], "predicted": [1.0, 2.0, 1.0]})
    sums = metrics.grouped_sums(frame, ["site"])
    assert metrics.scores_from_sums(sums)["rmse"].tolist() == [0.0, 8.0]
