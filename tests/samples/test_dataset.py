"""Tensors from named variables: shapes, calendars, support sets, and missing drivers that touch nothing else."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tamrl import classes
from tamrl.calendar import TimeAxis
from tamrl.models import tamrl
from tamrl.samples import build, dataset, standardise
from tamrl.samples.dataset import InputSpec

SPEC = InputSpec(("air_temperature", "shortwave_radiation"), ("igbp_fraction", "elevation"), "day", (30, 365))


@pytest.fixture
def samples(records, towers, drivers):
    ds = build.assemble(records, towers, drivers, dynamic=SPEC.dynamic, static=SPEC.static, step="day")
    noise = np.random.default_rng(1).normal(0, 3, ds["air_temperature"].shape).astype("f4")
    ds["air_temperature"] = ds["air_temperature"].copy(data=ds["air_temperature"].values + noise)
    return ds


@pytest.fixture
def scaled(samples):
    return standardise.fit_standardisation(samples, dynamic=SPEC.dynamic, static=SPEC.static)


def test_names_and_shapes_agree(samples, scaled):
    found = dataset.model_inputs(samples, SPEC, scaled)
    sites, steps = samples.sizes["site"], samples.sizes["time"]
    assert found.x.shape == (sites, steps, len(SPEC.features)) == (sites, steps, 6)
    assert found.static.shape == (sites, len(SPEC.attributes)) == (sites, 18)
    assert found.support.shape == (sites, 26, 2) and found.valid.shape == (sites, steps)
    assert SPEC.features[2] == "air_temperature_mean_30" and SPEC.attributes[0] == "igbp_fraction:ENF"
    assert all(t.is_contiguous() for t in vars(found).values()) and found.valid.all()


def test_spec_survives_json():
    assert TypeAdapter(InputSpec).validate_python(dataclasses.asdict(SPEC)) == SPEC


def test_windows_no_longer_than_a_step_are_left_out():
    assert InputSpec((), (), "month", (7, 30, 120, 365)).spans == (4, 12)


def test_class_fractions_are_taken_by_name(samples, scaled):
    samples["igbp_fraction"][:, 0] = 0.25
    shuffled = samples.isel(igbp=np.random.default_rng(0).permutation(len(classes.IGBP)))
    assert torch.equal(dataset.model_inputs(shuffled, SPEC, scaled).static, dataset.model_inputs(samples, SPEC, scaled).static)


def test_the_season_joins_as_the_last_two_features(samples, scaled):
    plain, found = (dataset.model_inputs(samples, spec, scaled).x for spec in (SPEC, dataclasses.replace(SPEC, calendar=True)))
    assert found.dtype == torch.float32 and torch.equal(found[..., :-2], plain) and found.shape[-1] == len(SPEC.features) + 2
    np.testing.assert_allclose(found[..., -2:].square().sum(-1), 1, rtol=1e-5)


YEARS = dataclasses.replace(SPEC, support="years")


def test_years_are_the_most_complete_ones_in_their_order(samples, scaled):
    assert dataset.model_inputs(samples, YEARS, scaled).support.shape == (samples.sizes["site"], 78, 2)
    time = pd.date_range("2001-01-01", "2005-12-31").values
    year = time.astype("M8[Y]").astype(int) - 31
    values = np.repeat((year + np.linspace(0, 0.5, len(time)))[None, :, None].astype("f4"), 2, axis=0)
    values[0, year == 0], values[0, np.flatnonzero(year == 2)[:40]] = np.nan, np.nan
    bins = TimeAxis(time, SPEC.step).support_bins
    found = dataset.yearly_cycles(values, TimeAxis(time, SPEC.step), dataset.seasonal_cycle(values, bins, 26))
    assert np.floor(found[..., 5, 0]).tolist() == [[1, 3, 4], [0, 1, 2]]  # the gap of the first site's third year is left out
    few = dataset.yearly_cycles(values[:, year < 2], TimeAxis(time[year < 2], SPEC.step), found[:, 0])
    assert np.floor(few[1, :, 5, 0]).tolist() == [0, 1, 0]
    assert (few[0, [0, 2], :, 0] == found[0, 0, :, 0]).all(), "a year without a value takes the mean cycle"


def test_years_of_the_south_are_turned_by_half_a_year(samples, scaled):
    south = samples.assign_coords(lat=-samples["lat"])
    north = dataset.model_inputs(samples, YEARS, scaled).support.unflatten(1, (3, 26))
    assert torch.equal(dataset.model_inputs(south, YEARS, scaled).support.unflatten(1, (3, 26)), north.roll(13, dims=2))


@pytest.mark.parametrize("support", ["climatology", "years", "window"])
def test_a_site_has_the_same_support_in_any_company(samples, scaled, support):
    spec = dataclasses.replace(SPEC, support=support)
    whole = dataset.model_inputs(samples, spec, scaled).support
    for k in range(samples.sizes["site"]):
        assert torch.equal(dataset.model_inputs(samples.isel(site=[k]), spec, scaled).support[0], whole[k])


def test_bins_of_the_calendar():
    days = pd.date_range("2012-01-01", "2012-12-31").values
    bins = TimeAxis(days, SPEC.step).support_bins
    assert bins[0] == 0 and bins[13] == 0 and bins[14] == 1 and bins[-1] == 25 and set(bins) == set(range(26))
    months = TimeAxis(pd.date_range("2010-01-01", periods=24, freq="MS").values, "month").support_bins
    assert months.tolist() == [*range(12)] * 2


def test_support_is_the_mean_seasonal_cycle_in_northern_time(samples, scaled):
    found = dataset.model_inputs(samples, SPEC, scaled)
    radiation = found.support[:, :, 1]
    assert samples["site"].values.tolist() == ["DE-Aaa", "NA-Bbb", "AU-Ccc"]
    assert radiation[0].argmax() in (13, 14)
    assert torch.equal(radiation[2], radiation[0].roll(13))  # the same drivers, but at 30° S
    own = scaled.apply(samples["shortwave_radiation"].values, name="shortwave_radiation", units="W m-2")
    bins = TimeAxis(samples["time"].values, SPEC.step).support_bins
    assert radiation[0, 5].item() == pytest.approx(own[0, bins == 5].mean(), abs=1e-6)


@pytest.mark.parametrize("encoder", ["periodic", "shifted"])
def test_the_equator_is_no_border_for_encoders_that_may_begin_anywhere(samples, scaled, encoder):
    spec = InputSpec.requested(tamrl.Options(encoder=encoder), dynamic=SPEC.dynamic, static=SPEC.static, step="day")
    south = samples.assign_coords(lat=-samples["lat"])
    ours, theirs = (dataset.model_inputs(ds, spec, scaled) for ds in (samples, south))
    assert all(torch.equal(getattr(ours, name), getattr(theirs, name)) for name in ("x", "static", "support", "valid"))


def test_bins_without_values_are_interpolated_around_the_year():
    scaled = np.zeros((1, 12, 2), "f4")
    scaled[0, :, 0] = np.arange(12)
    scaled[0, [0, 11], 0] = np.nan
    scaled[0, :, 1] = np.nan
    cycle = dataset.seasonal_cycle(scaled, np.arange(12), 12)
    assert cycle[0, 11, 0] == pytest.approx(10 - 9 / 3) and cycle[0, 0, 0] == pytest.approx(10 - 2 * 9 / 3)
    assert (cycle[0, :, 1] == 0).all()


@given(st.integers(1, 40), st.integers(2, 60), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_running_mean_is_the_mean_of_the_last_steps(steps, length, seed):
    x = np.random.default_rng(seed).normal(size=(2, length, 3)).astype("f4")
    found = dataset.running_means(x, (steps,))[0]
    for t in (0, length // 2, length - 1):
        np.testing.assert_allclose(found[:, t], x[:, max(0, t + 1 - steps) : t + 1].mean(1), atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_missing_driver_makes_its_own_day_invalid_and_touches_no_other_site(samples, scaled, bad):
    before = dataset.model_inputs(samples, SPEC, scaled)
    broken = samples.copy(deep=True)
    broken["air_temperature"][1, 100] = bad
    after = dataset.model_inputs(broken, SPEC, scaled)
    wrong = (~after.valid).nonzero().tolist()
    assert wrong == [[1, 100]]
    for name in ("x", "static", "support"):
        a, b = getattr(before, name), getattr(after, name)
        assert torch.equal(a[[0, 2]], b[[0, 2]]) and b.isfinite().all()


def test_a_filled_variable_leaves_its_day_valid_where_the_site_has_a_cycle(samples, scaled):
    spec = dataclasses.replace(SPEC, filled=("shortwave_radiation",))
    samples["shortwave_radiation"][1, 100] = np.nan
    samples["air_temperature"][1, 101] = np.nan
    samples["shortwave_radiation"][2] = np.nan
    found = dataset.model_inputs(samples, spec, scaled)
    assert (~found.valid[:2]).nonzero().tolist() == [[1, 101]] and not found.valid[2].any()
    bins = TimeAxis(samples["time"].values, spec.step).support_bins
    cycle = dataset.seasonal_cycle(found.x[1:2, :, :2].numpy(), bins, spec.bins)
    assert found.x[1, 100, 1] == pytest.approx(cycle[0, bins[100], 1], abs=1e-5)
    assert TypeAdapter(InputSpec).validate_python(dataclasses.asdict(spec)) == spec


def test_a_site_with_a_missing_attribute_is_never_valid(samples, scaled):
    samples["elevation"][2] = np.nan
    found = dataset.model_inputs(samples, SPEC, scaled)
    assert not found.valid[2].any() and found.valid[:2].all() and found.static.isfinite().all()


@given(st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True))
@settings(max_examples=7, deadline=None)
def test_a_site_has_the_same_bits_in_any_company(chosen):
    random = np.random.default_rng(7)
    raw = random.normal(size=(3, 400, 2)).astype("f4")
    raw[random.uniform(size=raw.shape) < 0.05] = np.nan
    bins = np.arange(400) % 26
    assert (dataset.seasonal_cycle(raw, bins, 26)[chosen] == dataset.seasonal_cycle(raw[chosen], bins, 26)).all()
    filled = np.nan_to_num(raw)
    assert (dataset.running_means(filled, (30,))[0][chosen] == dataset.running_means(filled[chosen], (30,))[0]).all()


def test_steps_choose_and_repeat_what_is_decoded_but_not_the_support(samples, scaled):
    order = np.array([3, 4, 5, 3])
    whole, part = dataset.model_inputs(samples, SPEC, scaled), dataset.model_inputs(samples, SPEC, scaled, steps=order)
    assert torch.equal(part.support, whole.support)
    assert torch.equal(part.x[..., :2], whole.x[:, order][..., :2])


def test_lead_in_repeats_the_first_year():
    assert dataset.lead_in(2, 4, 365).tolist() == [363, 364, 0, 1]
    assert dataset.lead_in(0, 24, 12).tolist() == [*range(12)] * 2
    assert dataset.lead_in(5, 3, 12).tolist() == [2, 3, 4]


def test_targets_carry_missing_fluxes_with_weight_zero(samples):
    samples["gpp"][0, 3] = np.nan
    samples["nee_qc"][1, 160] = np.nan
    y, weight = dataset.targets(samples)
    assert y[0, 3, 0].isnan() and weight[0, 3, 0] == 0
    first = int(np.isfinite(samples["nee"].values[1]).argmax())
    assert (weight[1, :first] == 0).all() and weight[1, 160, 2] == 1
    assert ((weight > 0) == y.isfinite()).all()
