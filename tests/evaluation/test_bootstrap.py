import numpy as np
import pandas as pd
import pytest

from tamrl.evaluation import compare


def test_the_interval_covers_the_median_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = [compare.median_interval(rng.normal(size=40)) for _ in range(60)]
    assert 0.85 <= np.mean([h.low <= 0 <= h.high for h in hits]) <= 1.0


def test_the_same_values_give_the_same_interval():
    values = np.arange(20.0)
    assert compare.median_interval(values) == compare.median_interval(values)


def test_a_clear_difference_excludes_zero_and_none_does_not():
    sites = [f"XV-{i}" for i in range(30)]
    rng = np.random.default_rng(1)
    theirs = pd.Series(rng.uniform(1, 2, 30), sites)
    assert compare.paired_median(theirs - 0.2, theirs).excludes_zero
    assert not compare.paired_median(theirs + rng.normal(scale=0.3, size=30), theirs).excludes_zero


def test_pairing_takes_towers_that_both_have():
    a, b = pd.Series([1.0, 2.0], ["x", "y"]), pd.Series([5.0, 1.0], ["y", "z"])
    found = compare.paired_median(a, b)
    assert found.n == 1 and found.estimate == -3.0 and np.isnan(found.low)


@pytest.mark.parametrize(("scale", "sign"), [(0.3, 1), (5.0, -1)])
def test_spatial_skill_is_demonstrated_only_where_the_interval_excludes_zero(scale, sign):
    rng = np.random.default_rng(2)
    observed = rng.normal(size=50)
    pairs = pd.DataFrame({"observed": observed, "predicted": observed + rng.normal(scale=scale, size=50)})
    text = compare.skill_sentence(compare.spatial_skill(pairs))
    assert text.startswith("R² of site means" if sign > 0 else "no demonstrated spatial skill (R² of site means -")
    assert text.rstrip(")").endswith("at 50 held-out towers")


def test_a_correlated_but_biased_model_has_no_skill():
    observed = np.linspace(-1, 1, 30)
    pairs = pd.DataFrame({"observed": observed, "predicted": 0.1 * observed + 3})
    assert compare.spatial_skill(pairs).high < 0


def test_few_towers_say_so():
    pairs = pd.DataFrame({"observed": [1.0, 2.0], "predicted": [1.0, 2.0]})
    assert "too few to tell" in compare.skill_sentence(compare.spatial_skill(pairs))
