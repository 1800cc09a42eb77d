"""Codes and weights: they move towards a site's fluxes, alone, and stay where nothing was measured; trees go on growing."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from tamrl import registry
from tamrl.adaptation import cases, networks, window
from tamrl.samples import standardise
from tamrl.samples.dataset import InputSpec
from tamrl.sections.models import Optimisation
from tamrl.sections.results import Adaptation
from tamrl.training.member import fit_member
from tests.modelling import trained

SPEC = InputSpec(("air_temperature", "evi"), ("igbp_fraction",), "day")
TRAINING = {"sequence": 180, "spinup": 30, "batch": 12, "steps": 60, "learning_rate": 1e-2, "weight_decay": 1e-2}
TRAINING |= {"validation": 0.1, "class_weights": True, "input_noise": 0.05, "device": "cpu"}
SETTINGS = Adaptation(per_month=20.0)


@pytest.fixture(scope="module")
def case_of(samples):
    held_out, training = samples.isel(site=slice(0, 8)), samples.isel(site=slice(8, None))

    def build(name: str, **options) -> cases.Case:
        plugin = registry.load(registry.MODELS, name)
        scaled = standardise.fit_standardisation(training, dynamic=SPEC.dynamic, static=SPEC.static)
        torch.set_num_threads(1)
        chosen, group = plugin.Options(**options), np.arange(16)
        fitted = fit_member(training, group, plugin, chosen, SPEC, scaled, Optimisation(**TRAINING), 3)
        sites = tuple(training["site"].values.tolist())
        member = trained(fitted.model, SPEC, scaled, options, name=name, fold="0", sites=sites)
        return cases.build_case(member, held_out, training, qc=0.8, spinup=30)

    return build


@pytest.fixture(scope="module")
def tamrl(case_of):
    return case_of("tamrl", hidden=16, code=8, windows=())


@pytest.fixture(scope="module")
def month(samples):
    time = samples["time"].values
    return np.tile(window.in_window(time, int(np.datetime64("2005-06", "M").astype(int)), 1), (8, 1))


def _errors(case, method, inside, **changes):
    """RMSE of GPP outside the window of each site, before and after."""
    before = cases.predict_adapted(case, method, np.zeros_like(inside), months=1, adaptation=SETTINGS.model_copy(update=changes))
    after = cases.predict_adapted(case, method, inside, months=1, adaptation=SETTINGS.model_copy(update=changes))
    wrong = [np.where(inside, np.nan, p[..., 0] - case.y[..., 0].numpy()) for p in (before, after)]
    return before, after, *(np.sqrt(np.nanmean(e**2, axis=1)) for e in wrong)


def test_one_month_of_fluxes_tells_what_drivers_do_not(tamrl, month):
    _, after, zero, adapted = _errors(tamrl, "code", month)
    assert np.median(adapted) < 0.9 * np.median(zero)
    np.testing.assert_allclose(after[..., 2], after[..., 1] - after[..., 0], atol=1e-4)


def test_without_fluxes_nothing_changes_and_no_site_moves_another(tamrl, month):
    some = month.copy()
    some[3:] = False
    before, after, _, _ = _errors(tamrl, "code", some)
    np.testing.assert_allclose(after[3:], before[3:], atol=1e-5)
    whole = cases.predict_adapted(tamrl, "code", month, months=1, adaptation=SETTINGS)
    np.testing.assert_allclose(whole[:3], after[:3], atol=2e-3)


def test_the_decoder_stays_as_it_was(tamrl, month):
    state = copy.deepcopy(tamrl.member.model.state_dict())
    for method in ("code", "weights"):
        cases.predict_adapted(tamrl, method, month, months=1, adaptation=SETTINGS.model_copy(update={"steps": 3}))
    assert all(torch.equal(value, tamrl.member.model.state_dict()[name]) for name, value in state.items())


def test_what_lies_outside_the_window_is_not_seen(tamrl, month):
    other = replace(tamrl, y=torch.where(torch.from_numpy(month)[..., None], tamrl.y, tamrl.y + 5))
    found = [
        cases.predict_adapted(c, "code", month, months=1, adaptation=SETTINGS.model_copy(update={"steps": 5}))
        for c in (tamrl, other)
    ]
    np.testing.assert_array_equal(*found)


def test_a_strong_prior_keeps_the_code_of_the_drivers(tamrl, month):
    before, free, _, _ = _errors(tamrl, "code", month)
    _, held, _, _ = _errors(tamrl, "code", month, per_month=1e-6)
    assert np.abs(held - before).mean() < 0.05 * np.abs(free - before).mean()


def test_networks_without_a_code_are_tuned_lightly(case_of, month):
    case = case_of("ctlstm", hidden=16)
    assert cases.adapting_methods(case, light=False) == ("weights",)
    _, _, zero, tuned = _errors(case, "weights", month)
    assert np.median(tuned) < np.median(zero)
    before, held, _, _ = _errors(case, "weights", month, anchor=1e6, weight_rate=1e-4)
    assert np.abs(held - before).max() < np.abs(before).max() * 0.05


def test_the_way_of_adapting_follows_from_the_model(tamrl):
    assert cases.adapting_methods(tamrl, light=False) == ("code",)
    assert cases.adapting_methods(tamrl, light=True) == ("code", "weights")


def test_trees_go_on_growing(case_of, month):
    case = case_of("lightgbm", trees=40, min_leaf=20)
    assert cases.adapting_methods(case, light=True) == ("trees",)
    state = case.member.model.state_dict()
    before, after, zero, adapted = _errors(case, "trees", month)
    assert np.median(adapted) < np.median(zero) and not np.array_equal(before, after)
    assert all(torch.equal(value, case.member.model.state_dict()[name]) for name, value in state.items())


def test_factors_change_gpp_and_reco_and_keep_the_imbalance():
    fluxes = torch.tensor([[[4.0, 3.0, -0.5]]])
    found = networks.multiplied(fluxes, torch.tensor([[[2.0, 0.5]]]))
    assert found.tolist() == [[[8.0, 1.5, -6.0]]]


def test_factors_swing_over_the_year():
    settings = SETTINGS.model_copy(update={"gain": 0.5, "gain_season": 0.2})
    level = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])  # in common: level and cosine; apart: sine
    gain = networks.log_factors(level, settings)
    torch.testing.assert_close(gain[0, 0], torch.tensor([0.5, 0.2, 0.2 * networks.CONTRAST]))
    torch.testing.assert_close(gain[0, 1], torch.tensor([0.5, 0.2, -0.2 * networks.CONTRAST]))
    year = torch.tensor([[[1.0, 1.0, 0.0], [1.0, -1.0, 0.0]]])  # January, July
    torch.testing.assert_close(networks.factors(gain, year)[0, :, 0], torch.tensor([0.7, 0.3]).exp())


def test_a_year_of_fluxes_that_swing_otherwise_is_learnt(tamrl, samples):
    """Where summers are stronger and winters weaker than the model says, the swing of the factors takes it up."""
    season = tamrl.season[..., 1:2]
    other = replace(tamrl, y=tamrl.y * torch.cat([1 - 0.4 * season, 1 - 0.4 * season, 1 - 0.4 * season], dim=-1))
    year = np.tile(window.in_window(samples["time"].values, int(np.datetime64("2005-01", "M").astype(int)), 12), (8, 1))
    errors = []
    for swing in (0.0, 0.3):
        after = cases.predict_adapted(
            other, "code", year, months=12, adaptation=SETTINGS.model_copy(update={"gain_season": swing})
        )
        errors.append(np.sqrt(np.nanmean((after[..., 0] - other.y[..., 0].numpy())[~year] ** 2)))
    assert errors[1] < 0.9 * errors[0]


def test_the_time_of_year_is_northern_time(tamrl, samples):
    both = samples.isel(site=slice(0, 2)).assign_coords(lat=("site", [50.0, -30.0]))
    season = cases.build_case(tamrl.member, both, samples.isel(site=slice(8, None)), qc=0.8, spinup=30).season
    assert season.shape == (2, 730, 3) and (season[..., 0] == 1).all()
    assert season[0, 0, 1] > 0.99 and season[1, 0, 1] < -0.99  # January
