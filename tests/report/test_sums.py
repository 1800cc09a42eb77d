import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamrl import calendar
from tamrl.errors import ContractError
from tamrl.grid import Grid
from tamrl.report.sums import FluxSums, LandCells

GRID = Grid(20.0)
TIME = pd.date_range("2012-01-01", "2012-12-31").to_numpy()


@pytest.fixture(scope="module")
def land():
    fraction = np.random.default_rng(0).uniform(0, 1, GRID.shape)
    fraction[fraction < 0.4] = 0
    return LandCells.of(lat=GRID.lat, land_fraction=fraction, cell_area=GRID.area())


def block(time, seed=0):
    rng = np.random.default_rng(seed)
    mean = rng.normal(3, 1, (len(time), *GRID.shape))
    mean[rng.random(mean.shape) < 0.02] = np.nan
    std = 0.5 + rng.random(mean.shape)
    truth = mean + std * rng.normal(size=mean.shape)
    return {"mean": mean, "std": std, "q05": mean - 1.645 * std, "q95": mean + 1.645 * std, "reference": truth}


def summed(land, cuts, whole):
    sums = FluxSums(land, step="day", members=2, reference=True)
    for start, stop in zip([0, *cuts], [*cuts, len(TIME)], strict=True):
        sums.add(sums.block(TIME[start:stop], **{k: v[start:stop] for k, v in whole.items()}))
        sums.add_members(TIME[start:stop], np.stack([whole["mean"][start:stop], whole["reference"][start:stop]], 1))
    return sums


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, 365), max_size=4, unique=True).map(sorted))
def test_no_block_size_changes_a_number(cuts):
    fraction = np.where(np.arange(GRID.shape[1]) % 3, 0.7, 0.0) * np.ones((GRID.shape[0], 1))
    land = LandCells.of(lat=GRID.lat, land_fraction=fraction, cell_area=GRID.area())
    whole = block(TIME)
    one, many = summed(land, [], whole), summed(land, cuts, whole)
    for part in ("mean", "std"):
        np.testing.assert_allclose(getattr(one, part).mean(), getattr(many, part).mean(), rtol=1e-6)
        np.testing.assert_allclose(getattr(one, part).hovmoeller(), getattr(many, part).hovmoeller(), rtol=1e-9)
    np.testing.assert_allclose(one.compared.spread.total, many.compared.spread.total, rtol=1e-9)
    np.testing.assert_allclose(one.compared.spread.weight, many.compared.spread.weight, rtol=1e-9)
    np.testing.assert_allclose(one.member_spread(), many.member_spread(), rtol=1e-5)


def test_means_are_those_of_numpy_and_missing_steps_are_counted(land):
    whole = block(TIME)
    sums = summed(land, [100], whole)
    expected = np.nanmean(whole["mean"][:, land.mask], axis=0)
    np.testing.assert_allclose(sums.mean.mean()[land.mask], expected, rtol=1e-5)
    assert np.isnan(sums.mean.mean()[~land.mask]).all()
    gone = np.isnan(whole["mean"][:, land.mask]).mean(0)
    assert sums.missing == pytest.approx((gone * land.area).sum() / land.area.sum())
    rows = (GRID.lat >= -23) & (GRID.lat < 0)
    weight = np.where(land.mask, 0.0, 0.0)
    weight[land.mask] = land.area
    first = np.isfinite(whole["mean"][:5]) * weight
    band = (
        np.nansum(np.where(np.isfinite(whole["mean"][:5]), whole["mean"][:5], 0) * weight, axis=0)[rows].sum()
        / first.sum(0)[rows].sum()
    )
    assert sums.mean.cycle(-23, 0)[0] == pytest.approx(band)


def test_months_weigh_by_their_days(land):
    time = pd.date_range("2001-01-01", periods=12, freq="MS").to_numpy()
    values = np.arange(12.0)[:, None, None] * np.ones((12, *GRID.shape))
    sums = FluxSums(land, step="month", members=0, reference=False)
    sums.add(sums.block(time, mean=values, std=values, q05=values, q95=values))
    days = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    overall = sums.mean.cells.map(lambda values: (values * sums.land.area).sum()).mean()
    assert overall == pytest.approx((days * np.arange(12)).sum() / 365)
    assert sums.days == 365
    assert sums.mean.hovmoeller().shape == (12, GRID.shape[0])


def test_coverage_and_reliability_of_a_right_forecast(land):
    sums = summed(land, [], block(TIME))
    below, inside, _ = sums.compared.shares()
    assert np.nanmean(sums.compared.row_coverage()) == pytest.approx(0.9, abs=0.01)
    assert inside == pytest.approx(0.9, abs=0.01)
    assert below == pytest.approx(0.05, abs=0.01)
    spread, error, share = sums.compared.reliability()
    good = share > 0.02
    np.testing.assert_allclose(error[good], spread[good], rtol=0.05)
    assert share.sum() == pytest.approx(1)


def test_bare_land_flatters_no_coverage_but_a_flux_that_was_not_expected_counts(land):
    sums = FluxSums(land, step="day", members=0, reference=True)
    none = np.zeros((1, *GRID.shape))
    truth = none.copy()
    truth[0, : GRID.shape[0] // 2] = 1.0
    sums.add(sums.block(TIME[:1], mean=none, std=none, q05=none, q95=none, reference=truth))
    coverage = sums.compared.coverage()
    assert (coverage[land.mask & (truth[0] > 0)] == 0).all()
    assert np.isnan(coverage[land.mask & (truth[0] == 0)]).all()


def test_totals_are_flux_times_area_times_days(land):
    sums = FluxSums(land, step="day", members=0, reference=False)
    for start in (0, 366):
        time = pd.date_range("2012-01-01", "2013-12-31").to_numpy()[start : start + 366]
        two, one = np.full((len(time), *GRID.shape), 2.0), np.ones((len(time), *GRID.shape))
        sums.add(sums.block(time, mean=two, std=one, q05=two, q95=two))
    found = sums.totals(sums.mean)
    assert found["globe"] == pytest.approx(2.0 * land.area.sum() * 365.5 / 1e15)
    assert sum(v for k, v in found.items() if k != "globe") == pytest.approx(found["globe"])


@pytest.fixture
def gappy(land):
    """A reference without its north, and without the first half of the year in the east."""
    whole = block(TIME)
    whole["reference"][:, GRID.lat > 30] = np.nan
    whole["reference"][:180, :, GRID.shape[1] // 2 :] = np.nan
    return whole, summed(land, [50, 200], whole)


def test_estimate_and_reference_are_compared_over_the_cells_and_days_with_both(land, gappy):
    whole, sums = gappy
    both = np.isfinite(whole["mean"]) & np.isfinite(whole["reference"])
    area = np.zeros(GRID.shape)
    area[land.mask] = land.area
    for part, name in ((sums.compared.mean, "reference"), (sums.compared.estimate, "mean")):
        expected = (np.where(both, whole[name], 0.0) * area).sum() / 1e15
        assert sums.common_totals(part)["globe"] == pytest.approx(expected, rel=1e-6)
    assert sums.covered()["globe"] == pytest.approx((both * area).sum() / (np.isfinite(whole["mean"]) * area).sum())
    with np.errstate(invalid="ignore"):
        error = np.where(both, whole["mean"] - whole["reference"], 0.0).sum(0) / both.sum(0)
    np.testing.assert_allclose(sums.compared.error()[land.mask], error[land.mask], rtol=1e-3, atol=1e-5)


def test_few_gaps_of_a_reference_are_filled_and_many_leave_it_out(land, gappy):
    whole, sums = gappy
    assert all(np.isnan(sums.filled_totals()[band]) for band in sums.covered() if sums.covered()[band] < 0.9)
    assert np.isnan(sums.filled_totals()["globe"]) and np.isnan(sums.filled_cycle(30, 90)).all()
    whole["reference"] = np.where(np.arange(len(TIME))[:, None, None] % 20 == 3, np.nan, whole["mean"] + 1.0)
    few = summed(land, [], whole)
    known, days = few.compared.mean.cells.weight, few.mean.cells.weight
    expected = few.totals(few.mean)["globe"] + (known * land.area).sum() / 1e15
    assert few.filled_totals()["globe"] == pytest.approx(expected, rel=1e-6) and known.sum() < days.sum()
    assert few.filled_cycle(-90, 91)[1] == pytest.approx(few.mean.cycle(-90, 91)[1] + 1.0)


def test_files_with_different_members_are_refused(land):
    sums = FluxSums(land, step="day", members=3, reference=False)
    with pytest.raises(ContractError, match="differ in their number"):
        sums.add_members(TIME[:2], np.zeros((2, 2, *GRID.shape)))


def test_the_last_pentad_takes_the_end_of_a_leap_year():
    found = calendar.TimeAxis(TIME, "day").bins
    assert found[0] == 0 and found[-1] == 72 and np.bincount(found).min() == 5


def test_sums_of_labels_written_apart_are_those_of_all(land):
    whole = block(TIME)
    one, apart = summed(land, [], whole), FluxSums(land, step="day", members=2, reference=True)
    apart.add_arrays(one.arrays())
    for name, values in one.arrays().items():
        np.testing.assert_array_equal(values, apart.arrays()[name])
    apart.add_arrays(one.arrays())
    assert apart.days == 2 * one.days
    np.testing.assert_array_equal(apart.mean.mean(), one.mean.mean())
    np.testing.assert_allclose(apart.member_spread(), one.member_spread(), rtol=1e-6)
    with pytest.raises(ContractError, match="differ in their members"):
        FluxSums(land, step="day", members=3, reference=True).add_arrays(one.arrays())
