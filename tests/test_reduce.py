"""Weighted sums: what is missing adds to neither sum, blocks add up, and every kind of bin holds what lies in it."""

import numpy as np
import pytest

from tamrl import reduce

DAYS = np.array([31.0, 28.0, 31.0, 30.0])


@pytest.fixture
def members():
    values = np.random.default_rng(0).gamma(3, 2, (2, 4, 3, 5)).astype("f4")
    values[0, 1, 2, 3] = np.nan
    return values


def test_sums_over_time_are_those_of_single_steps(members):
    known = np.isfinite(members).all(0)
    sums = reduce.over_time(members, DAYS, known=known)
    for member, total in zip(members, sums.total, strict=True):
        steps = reduce.weigh(member, DAYS[:, None, None], known=known).over_steps()
        np.testing.assert_allclose(total, steps.total, rtol=1e-12)
        np.testing.assert_array_equal(sums.weight, steps.weight)
    assert sums.weight[2, 3] == DAYS.sum() - DAYS[1]


def test_blocks_of_steps_add_up(members):
    known = np.isfinite(members).all(0)
    whole = reduce.over_time(members, DAYS, known=known)
    parts = [reduce.over_time(members[:, part], DAYS[part], known=known[part]) for part in (slice(0, 3), slice(3, 4))]
    np.testing.assert_allclose((parts[0] + parts[1]).mean(), whole.mean(), rtol=1e-12)


def test_regions_hold_their_share_of_each_cell(members):
    cells = reduce.over_time(members, DAYS, known=np.isfinite(members).all(0))
    area = np.stack([np.ones((3, 5)), np.eye(3, 5)])
    sums = reduce.over_regions(cells, area)
    assert sums.total.shape == (2, 2) and sums.weight.shape == (2,)
    np.testing.assert_allclose(sums.total[0], cells.total.sum((1, 2)))
    np.testing.assert_allclose(sums.weight[1], np.trace(cells.weight[:, :3]))


def test_steps_are_added_to_their_bins_in_place():
    sums = reduce.WeightedSum.zero(2, 3)
    sums.add_steps(
        np.array([0, 0, 1]), reduce.weigh(np.ones((3, 3)), np.array([[1.0], [2.0], [4.0]]), known=np.ones((3, 3), bool))
    )
    np.testing.assert_array_equal(sums.total, [[3, 3, 3], [4, 4, 4]])
    np.testing.assert_array_equal(sums.mean(), np.ones((2, 3)))


def test_rows_without_cells_hold_nothing():
    np.testing.assert_array_equal(reduce.over_rows(np.arange(4.0), np.array([1, 1, 3, 3]), rows=5), [0, 1, 0, 5, 0])
    np.testing.assert_array_equal(reduce.over_rows(np.zeros((2, 0)), np.array([], int), rows=2), np.zeros((2, 2)))


def test_classes_hold_the_weight_of_their_values():
    sums = reduce.over_classes([np.array([1.0, 2.0, 3.0])], np.array([1.0, 1.0, 2.0]), np.array([0, 2, 2]), classes=4)
    np.testing.assert_array_equal(sums.weight, [1, 0, 3, 0])
    np.testing.assert_array_equal(sums.total, [[1, 0, 8, 0]])
    assert np.isnan(sums.mean()[0, 1]) and sums.mean()[0, 2] == pytest.approx(8 / 3)
