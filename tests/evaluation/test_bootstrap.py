"""Intervals over groups of towers: by hand, against resampled copies, and that neighbours add no certainty."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from tamrl.errors import ContractError
from tamrl.evaluation import bootstrap, compare
from tamrl.evaluation.bootstrap import TowerGroups, rank_correlation

SITES = [f"XX-{k:02d}" for k in range(50)]


def alone(sites):
    return TowerGroups(pd.Series(range(len(sites)), sites))


def median(values, groups=None):
    return bootstrap.median_interval(values, np.arange(len(values)) if groups is None else groups)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=12), st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]), st.integers(0, 99))
def test_counted_statistics_are_those_of_repeated_values(values, level, seed):
    values = np.array(values, float)
    counts = np.random.default_rng(seed).integers(0, 4, size=(5, len(values)))
    counts[:, seed % len(values)] += 1
    samples = [np.repeat(values, count) for count in counts]
    quantiles = [np.quantile(sample, level) for sample in samples]
    np.testing.assert_allclose(bootstrap.counted_quantile(values, counts, level), quantiles, atol=1e-12)
    np.testing.assert_allclose(bootstrap.counted_mean(values, counts), [sample.mean() for sample in samples], atol=1e-12)


def test_towers_without_neighbours_are_resampled_as_towers():
    values = np.random.default_rng(0).lognormal(size=(30, 2))
    draws = np.random.default_rng(bootstrap.SEED).integers(0, 30, size=(bootstrap.REPEATS, 30))
    rows = values[draws]
    cases = (
        (bootstrap.quantile_change(0.9), 100 * (np.quantile(rows[..., 0], 0.9, 1) / np.quantile(rows[..., 1], 0.9, 1) - 1)),
        (bootstrap.paired_change, 100 * np.expm1(np.log(rows[..., 0] / rows[..., 1]).mean(1))),
    )
    for statistic, expected in cases:
        interval = bootstrap.resample_groups(values, np.arange(30), statistic)
        np.testing.assert_allclose([interval.low, interval.high], np.quantile(expected, [0.025, 0.975]))
        assert (interval.n, interval.groups) == (30, 30)


def test_copies_of_towers_in_their_groups_do_not_narrow_an_interval():
    values, names = np.random.default_rng(1).lognormal(size=(20, 2)), np.arange(20)
    copies, groups = np.tile(values, (6, 1)), np.tile(names, 6)
    for statistic in (bootstrap.paired_change, compare._efficiency):
        one = bootstrap.resample_groups(values, names, statistic)
        same = bootstrap.resample_groups(copies, groups, statistic)
        assert (same.low, same.high) == pytest.approx((one.low, one.high)) and (same.n, same.groups) == (120, 20)
        naive = bootstrap.resample_groups(copies, np.arange(120), statistic)
        assert naive.high - naive.low < 0.6 * (one.high - one.low)
    one, same = median(values[:, 0]), median(copies[:, 0], groups)
    assert same.high - same.low == pytest.approx(one.high - one.low, rel=0.2)


def test_all_towers_of_a_drawn_group_come_with_it():
    values, groups = np.array([0.0, 10.0, 0.0, 10.0, 0.0, 10.0, 0.0, 10.0, 0.0, 10.0]), np.repeat(np.arange(5), 2)
    interval = bootstrap.resample_groups(values, groups, lambda rows, counts: bootstrap.counted_mean(rows[:, 0], counts))
    assert interval.low == interval.high == interval.estimate == 5.0


def test_many_towers_of_few_groups_give_no_interval():
    interval = median(np.arange(40.0), np.arange(40) % 4)
    assert interval.n == 40 and interval.groups == 4 and np.isnan(interval.low)


def test_a_tower_that_is_in_no_group_is_named():
    with pytest.raises(ContractError, match="XX-no"):
        alone(["XX-a"]).of(["XX-a", "XX-no"])


def test_the_interval_covers_the_median_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = [median(rng.normal(size=40)) for _ in range(60)]
    assert 0.85 <= np.mean([h.low <= 0 <= h.high for h in hits]) <= 1.0


def test_the_same_values_give_the_same_interval():
    values = np.arange(20.0)
    assert median(values) == median(values)


def test_a_clear_difference_excludes_zero_and_none_does_not():
    sites = [f"XV-{i}" for i in range(30)]
    rng = np.random.default_rng(1)
    theirs = pd.Series(rng.uniform(1, 2, 30), sites)
    assert bootstrap.paired_median(theirs - 0.2, theirs, alone(sites)).excludes_zero
    assert not bootstrap.paired_median(theirs + rng.normal(scale=0.3, size=30), theirs, alone(sites)).excludes_zero


def test_pairing_takes_towers_that_both_have():
    a, b = pd.Series([1.0, 2.0], ["x", "y"]), pd.Series([5.0, 1.0], ["y", "z"])
    found = bootstrap.paired_median(a, b, alone(["x", "y", "z"]))
    assert found.n == 1 and found.estimate == -3.0 and np.isnan(found.low)


@pytest.mark.parametrize(("scale", "sign"), [(0.3, 1), (5.0, -1)])
def test_spatial_skill_is_demonstrated_only_where_the_interval_excludes_zero(scale, sign):
    rng = np.random.default_rng(2)
    observed = rng.normal(size=50)
    pairs = pd.DataFrame(
        {"site": SITES[: len(observed)], "observed": observed, "predicted": observed + rng.normal(scale=scale, size=50)}
    )
    text = compare.skill_sentence(compare.spatial_skill(pairs, alone(pairs["site"])))
    assert text.startswith("NSE of site means" if sign > 0 else "no demonstrated spatial skill (NSE of site means -")
    assert text.rstrip(")").endswith("at 50 held-out towers in 50 groups")


def test_a_correlated_but_biased_model_has_no_skill():
    observed = np.linspace(-1, 1, 30)
    pairs = pd.DataFrame({"site": SITES[: len(observed)], "observed": observed, "predicted": 0.1 * observed + 3})
    assert compare.spatial_skill(pairs, alone(pairs["site"])).high < 0


def test_few_towers_say_so():
    pairs = pd.DataFrame({"site": SITES[:2], "observed": [1.0, 2.0], "predicted": [1.0, 2.0]})
    assert "too few to tell" in compare.skill_sentence(compare.spatial_skill(pairs, alone(pairs["site"])))


def test_the_rank_correlation_is_spearmans():
    pairs = np.random.default_rng(1).normal(size=(40, 2)) @ np.array([[1, 0.7], [0, 1]])
    pairs[:5, 0] = 0.1  # ties
    assert rank_correlation(pairs, np.ones((1, 40), int))[0] == pytest.approx(spearmanr(*pairs.T).statistic)
    counts = np.random.default_rng(2).integers(0, 3, size=(3, 40))
    repeated = [spearmanr(*np.repeat(pairs, count, axis=0).T).statistic for count in counts]
    np.testing.assert_allclose(rank_correlation(pairs, counts), repeated)
