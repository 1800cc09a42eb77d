"""Sums: associative, missing adds nothing, totals finite."""

from functools import reduce
from operator import add

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamrl.errors import ContractError
from tamrl.maps.budgets import tables
from tamrl.maps.budgets.errors import TotalErrors
from tamrl.maps.budgets.regions import Regions
from tamrl.maps.budgets.totals import Block, MonthlyTotals


class NoErrors(TotalErrors):
    """Nothing but the members differs."""

    def parts(self, flux, region, month=None):
        return dict.fromkeys(("class_std", "place_std", "passing_std"), 0.0)


NO_ERRORS = NoErrors((), {})


def block(seed=0, members=3, shape=(10, 6, 8), missing=0.0):
    rng = np.random.default_rng(seed)
    gpp, reco = rng.gamma(3, 2, (2, members, *shape)).astype("float32")
    gpp[rng.random(gpp.shape) < missing] = np.nan
    area = rng.uniform(1e9, 1e10, shape[1:])
    weights = {
        "globe": (area, area * 0.8),
        "north": (area * (np.arange(6) < 3)[:, None], area * 0.8 * (np.arange(6) < 3)[:, None]),
    }
    return gpp, reco, rng.uniform(28, 31, shape[0]), weights


def sums(gpp, reco, days, weights, time=slice(None), rows=slice(None)):
    regions = Regions.of({name: (land[rows], carrying[rows]) for name, (land, carrying) in weights.items()})
    return Block(gpp[:, time, rows], reco[:, time, rows], days[time]).sum_over(regions)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 99))
def test_sums_of_any_blocks_are_the_sums_of_the_whole(step, row, seed):
    data = block(seed, missing=0.05)
    times, rows = [slice(0, step), slice(step, 10)], [slice(0, row), slice(row, 6)]
    parts = reduce(add, [sums(*data, time=t, rows=r) for t in times for r in rows])
    whole = sums(*data)
    for name in ("gpp", "reco"):
        np.testing.assert_allclose(getattr(parts, name).total, getattr(whole, name).total, rtol=1e-12)
        np.testing.assert_allclose(getattr(parts, name).weight, getattr(whole, name).weight, rtol=1e-12)
    for name in ("area", "wanted"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), unique=True).map(sorted))
def test_months_are_the_same_to_the_bit_however_steps_are_read(cuts):
    gpp, reco, days, weights = block(missing=0.05)
    month, regions = np.repeat([1, 2, 3, 4], [3, 2, 1, 4]), Regions.of(weights)
    slices = [slice(start, stop) for start, stop in zip([0, *cuts], [*cuts, 10], strict=True)]
    months = MonthlyTotals(month)
    told = {}
    read = list(months.add(((s, Block(gpp[:, s], reco[:, s], days[s])) for s in slices), regions, told.__setitem__))
    assert len(read) == len(slices) and sorted(months.totals) == [1, 2, 3, 4]
    for m, total in months.totals.items():
        expected = sums(gpp, reco, days, weights, time=month == m)
        np.testing.assert_array_equal(total.gpp.total, expected.gpp.total)
        np.testing.assert_array_equal(total.reco.total, expected.reco.total)
        np.testing.assert_array_equal(total.area, expected.area)
        np.testing.assert_array_equal(told[m].gpp, gpp[:, month == m])


def test_a_constant_flux_gives_flux_times_area_times_time():
    _, _, _, weights = block()
    flux = np.full((2, 12, 6, 8), 2.0)
    total = Block(flux, 0.5 * flux, np.full(12, 365 / 12)).sum_over(Regions.of(weights))
    table = tables.budget_table(total, NO_ERRORS, label="2001", days=365.0).set_index(["flux", "region"])
    area, carrying = weights["globe"]
    assert table.loc[("gpp", "globe"), "mean"] == pytest.approx(2 * carrying.sum() * 365 * 1e-15)
    assert table.loc[("nee", "north"), "mean"] == pytest.approx(-table.loc[("gpp", "north"), "mean"] / 2)
    assert table.loc[("gpp", "globe"), "area_m2"] == pytest.approx(area.sum())
    assert (table["std"] == 0).all() and (table["minimum"] == table["maximum"]).all()


def test_parts_of_the_error_of_a_total_add_up_and_make_its_interval():
    class Errors(NoErrors):
        def parts(self, flux, region, month=None):
            return {"class_std": 0.3, "place_std": 0.4, "passing_std": 0.0 if region == "north" else 1.2}

    gpp, reco, days, weights = block()
    total = Block(gpp, reco, days).sum_over(Regions.of(weights))
    for row in tables.budget_table(total, Errors((), {}), label="2001", days=365.0).itertuples():
        own = 0.5 if row.region == "north" else 1.3
        assert row.std == pytest.approx(np.hypot(row.member_std, own))
        assert (row.q05, row.q95) == pytest.approx((row.mean - 1.645 * row.std, row.mean + 1.645 * row.std), rel=1e-3)


def test_what_is_missing_adds_neither_mass_nor_area_and_is_counted():
    gpp, reco, days, weights = block()
    full = sums(gpp, reco, days, weights)
    gpp[1, :, 0] = np.nan  # one member lacks a row of cells
    part = sums(gpp, reco, days, weights)
    without = {name: (np.vstack([0 * a[:1], a[1:]]), np.vstack([0 * b[:1], b[1:]])) for name, (a, b) in weights.items()}
    expected = Block(np.nan_to_num(gpp), reco, days).sum_over(Regions.of(without))
    np.testing.assert_allclose(part.gpp.total, expected.gpp.total)
    np.testing.assert_allclose(part.reco.total, expected.reco.total)
    np.testing.assert_allclose(part.area, expected.area)
    assert full.missing == pytest.approx(0) and part.missing > 0.1


def test_cells_of_unknown_classes_are_missing_too():
    gpp, reco, days, weights = block()
    weights["globe"][1][2, 3] = np.nan
    total = sums(gpp, reco, days, weights)
    assert np.isfinite(total.gpp.total).all() and np.isfinite(total.missing)


def test_totals_must_be_finite_and_of_the_same_regions():
    gpp, reco, days, weights = block()
    total = sums(gpp, reco, days, weights)
    total.gpp.total[0, 0] = np.inf
    with pytest.raises(ContractError, match="not finite"):
        tables.budget_table(total, NO_ERRORS, label="2001", days=365.0)
    with pytest.raises(ContractError, match="different regions"):
        _ = total + sums(gpp, reco, days, {"globe": weights["globe"]})


def test_trends_are_those_of_the_members_and_spread_knows_what_they_share():
    rng, years = np.random.default_rng(3), np.arange(2001, 2009)
    slopes = np.array([0.1, 0.2, 0.3])
    rows = [
        {"flux": "gpp", "year": str(y), "region": "globe", "member": m, "total": 100 + slope * (y - 2001)}
        for y in years
        for m, slope in enumerate(slopes)
    ]
    budgets = pd.DataFrame([{"flux": "gpp", "year": str(y), "region": "globe", "passing_std": 0.0} for y in years])
    (found,) = tables.trend_table(pd.DataFrame(rows), budgets).itertuples()
    assert found.slope == pytest.approx(0.2) and found.std == pytest.approx(0.1) and found.error == pytest.approx(0, abs=1e-9)
    assert (found.years, found.n) == ("2001-2008", 8)
    noise = {str(y): e for y, e in zip(years, rng.normal(0, 1, 8), strict=True)}
    noisy = pd.DataFrame(rows).assign(total=lambda t: t["total"] + t["year"].map(noise))
    (found,) = tables.trend_table(noisy, budgets).itertuples()
    assert found.std == pytest.approx(0.1), "what all members share is no spread between them"
    assert 0.05 < found.error < 0.5
    assert tables.trend_table(pd.DataFrame(rows[:6]), budgets).empty


def test_errors_that_pass_tilt_a_trend_and_years_that_resemble_each_other_tell_less_of_it():
    years = np.arange(2001, 2021)
    budgets = pd.DataFrame([{"flux": "gpp", "year": str(y), "region": "globe", "passing_std": 0.5} for y in years])
    rng = np.random.default_rng(4)
    white, red = rng.normal(0, 1, 20), np.zeros(20)
    for k in range(1, 20):
        red[k] = 0.8 * red[k - 1] + 0.6 * rng.normal()
    errors = {}
    expected = 0.5 / np.sqrt(np.sum((years - years.mean()) ** 2))
    for name, scatter in (("white", white / white.std()), ("red", red / red.std())):
        row = {"flux": "gpp", "region": "globe"}
        each = [(str(y), 9.0 + value, m) for y, value in zip(years, scatter, strict=True) for m in (0, 1)]
        rows = pd.DataFrame([row | {"year": y, "member": m, "total": total} for y, total, m in each])
        (found,) = tables.trend_table(rows, budgets).itertuples()
        assert found.std == found.passing_std == pytest.approx(expected) and found.member_std == 0
        errors[name] = found.error
    assert errors["red"] > 1.3 * errors["white"]


def test_the_line_of_the_globe_tells_covariance_and_closure():
    gpp, _, days, weights = block()
    totals = Block(gpp, 0.9 * gpp, days).sum_over(Regions.of(weights))
    rows, members = tables.budget_table(totals, NO_ERRORS, label="2001", days=365.0), tables.member_table(totals, label="2001")
    text = tables.describe_all(rows, members)
    own = rows[rows["region"] == "globe"].set_index("flux")["std"]
    assert own["nee"] == pytest.approx(0.1 * own["gpp"], rel=1e-6), "errors that are shared cancel"
    assert float(text.split("(RECO - GPP) is ")[1].split()[0]) < 1e-12 and f"± {np.hypot(own['gpp'], own['reco']):.3f}" in text
