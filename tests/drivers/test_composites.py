"""Gaps are filled by rule and counted; what no rule fills stays missing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamrl.drivers import composites

TIME = np.arange(0, 46 * 16, 16, dtype=float)
SEASON = np.tile(np.arange(23), 2)


def filled(values):
    return composites.fill_gaps(np.asarray(values, float)[:, None], time=TIME, season=SEASON)


def test_nothing_missing_nothing_changed():
    values = np.random.default_rng(1).random((46, 5))
    found, was = composites.fill_gaps(values, time=TIME, season=SEASON)
    np.testing.assert_array_equal(found, values.astype("float32"))
    assert not was.any()


def test_short_gaps_are_interpolated():
    values = TIME / 100
    broken = values.copy()
    broken[5:8] = np.nan  # 64 days between the good ones
    found, was = filled(broken)
    np.testing.assert_allclose(found[:, 0], values, rtol=1e-6)
    assert was.sum() == 3


def test_long_gaps_take_the_same_season_of_another_year():
    values = np.where(np.arange(46) < 23, 1.0, 2.0) + SEASON / 100
    values[28:33] = np.nan  # 96 days between the good ones
    found, was = filled(values)
    np.testing.assert_allclose(found[28:33, 0], 1 + SEASON[28:33] / 100, rtol=1e-6)
    assert was.sum() == 5


def test_without_another_year_a_long_gap_stays_missing():
    values = np.ones(46)
    values[[5, 6, 7, 8, 28, 29, 30, 31]] = np.nan
    found, was = filled(values)
    assert np.isnan(found[5:9]).all() and np.isnan(found[28:32]).all() and not was.any()


def test_ends_are_held_for_a_month_only():
    values = np.ones(46)
    values[SEASON < 4] = np.nan
    values[23:27] = 5.0
    values[-3:] = np.nan
    values[20:23] = np.nan
    found, was = filled(values)
    assert (found[2:4, 0] == 1).all(), "held backwards for 32 days"
    assert (found[:2, 0] == 5).all(), "then the other year"
    assert (found[-3:-1, 0] == 1).all() and np.isnan(found[-1, 0])
    assert was.sum() == 4 + 3 + 2


def test_accept_wants_a_share_of_the_best_view():
    weight = np.array([[1.0, 0.0], [0.04, 0.0], [0.06, 0.0]])
    np.testing.assert_array_equal(composites.accept(weight, 0.05), [[True, False], [False, False], [True, False]])


def test_days_between_composites():
    time, values = np.array([8.0, 24.0]), np.array([[0.0], [1.6]], "float32")
    found = composites.to_steps(values, time=time, at=np.array([0.0, 8, 12, 24, 40]))
    np.testing.assert_allclose(found[:, 0], [0, 0, 0.4, 1.6, 1.6], rtol=1e-6)


def test_days_next_to_a_missing_composite_are_missing_and_no_others():
    time, values = np.array([0.0, 16, 32, 48]), np.array([1, np.nan, 2, 3], "float32")[:, None]
    found = composites.to_steps(values, time=time, at=np.arange(49.0))
    assert np.isnan(found[1:32]).all() and found[0] == 1 and np.isfinite(found[32:]).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.9))
def test_good_values_stay_and_fills_lie_within_what_was_seen(seed, share):
    rng = np.random.default_rng(seed)
    values = rng.random((46, 8)).astype("float32")
    values[rng.random(values.shape) < share] = np.nan
    found, was = composites.fill_gaps(values, time=TIME, season=SEASON)
    good = np.isfinite(values)
    np.testing.assert_array_equal(found[good], values[good])
    assert not (was & good).any() and np.isfinite(found[was]).all()
    for cell in range(8):
        if was[:, cell].any():
            seen = values[good[:, cell], cell]
            assert seen.min() - 1e-6 <= found[was[:, cell], cell].min() and found[was[:, cell], cell].max() <= seen.max() + 1e-6


def test_cells_do_not_depend_on_their_company():
    rng = np.random.default_rng(3)
    values = np.where(rng.random((46, 6)) < 0.4, np.nan, rng.random((46, 6)))
    together, _ = composites.fill_gaps(values, time=TIME, season=SEASON)
    for cell in range(6):
        alone, _ = composites.fill_gaps(values[:, [cell]], time=TIME, season=SEASON)
        np.testing.assert_array_equal(alone[:, 0], together[:, cell])


def test_a_single_composite_is_held(recwarn):
    found = composites.to_steps(np.array([[3.0]], "float32"), time=np.array([8.0]), at=np.array([0.0, 30.0]))
    assert found[:, 0].tolist() == [3, 3] and not recwarn.list


@pytest.mark.parametrize("at", [-5.0, 100.0])
def test_beyond_the_ends_the_value_is_constant(at):
    values = np.array([[1.0], [2.0]], "float32")
    found = composites.to_steps(values, time=np.array([8.0, 24.0]), at=np.array([at]))
    assert found.item() == (1.0 if at < 8 else 2.0)
