"""One member: its seed, its share of the towers, and that models learn what drivers betray of a site."""

import numpy as np
import pytest
import torch

from tamrl import registry
from tamrl.errors import ConfigError
from tamrl.models.parts import trees
from tamrl.samples import dataset, standardise
from tamrl.samples.dataset import InputSpec
from tamrl.sections.models import Optimisation
from tamrl.training import device
from tamrl.training import member as module


def _fit(samples, group, settings, name="tamrl", seed=5, **options):
    plugin = registry.load(registry.MODELS, name)
    chosen = plugin.Options(**options)
    spec = InputSpec.requested(chosen, dynamic=("air_temperature", "evi"), static=("igbp_fraction",), step="month")
    own = standardise.fit_standardisation(samples, dynamic=spec.dynamic, static=spec.static)
    fitted = module.fit_member(samples, group, plugin, chosen, spec, own, Optimisation(**settings), seed)
    return fitted, spec, own


def test_every_member_has_its_own_seed():
    seeds = {module.member_seed(s, m, f, k) for s in (1, 2) for m in ("tamrl", "x") for f in ("0", "all") for k in "01"}
    assert len(seeds) == 16 and module.member_seed(1, "tamrl", "all", "0") == module.member_seed(1, "tamrl", "all", "0")


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.01, 1), (0.3, 3), (1.0, 9)])
def test_whole_groups_are_held_back(share, expected):
    group = np.repeat(np.arange(10), 2)
    back = module.held_back(group, share, seed=3)
    assert len(set(group[back])) == expected and back.sum() == 2 * expected


def test_towers_of_a_group_are_resampled_together():
    weights = module.resampled(np.array([4, 4, 7, 9]), seed=1)
    assert weights[0] == weights[1] and len(set(weights)) == 3 and (weights > 0).all()


@pytest.mark.parametrize("name", registry.names(registry.MODELS))
def test_models_learn_and_repeat(samples, group, settings, name):
    small = {"hidden": 16, "trees": 30, "min_leaf": 5}
    small |= {"batch": 64, "learning_rate": 0.02, "patience": None} if name in ("tamrl_published", "transformer") else {}
    options = {k: v for k, v in small.items() if k in registry.options(registry.MODELS, name).model_fields}
    fitted, spec, own = _fit(samples, group, settings | {"steps": 80}, name, **options)
    again, _, _ = _fit(samples, group, settings | {"steps": 80}, name, **options)
    inputs = dataset.model_inputs(samples, spec, own)
    found = fitted.model.predict(inputs.x, inputs.support, inputs.static)
    assert torch.equal(found, again.model.predict(inputs.x, inputs.support, inputs.static))
    y, weight = dataset.targets(samples)
    back = np.isin(samples["site"].values, fitted.held_back)
    for k in range(2):
        seen = weight[..., k] > 0
        seen[~torch.from_numpy(back)] = False
        error = (found - y)[..., k][seen].square().mean()
        assert error < 0.5 * y[..., k][seen].var(), name
    assert len(fitted.held_back) == 4


def test_classes_may_count_in_the_loss_and_not_in_the_draw(samples, group, settings):
    weight = torch.ones(20, 48, 3)
    weight[0, 10:] = 0
    chosen = Optimisation(**(settings | {"weighting": "loss"}))
    towers = module._Towers.of(samples, weight, group, chosen)
    assert np.array_equal(towers.chance(1), [10, *[48] * 19]) and np.array_equal(towers.chance(1), towers.chance(2))
    first = np.flatnonzero(samples["igbp_class"].values == samples["igbp_class"].values[0])
    days = towers.chance(1)
    assert towers.cost[0] == pytest.approx(days.sum() / 3 / days[first].sum())  # three IGBP classes, one Köppen class
    drawn = module._Towers.of(samples, weight, group, Optimisation(**settings))
    assert (drawn.cost == 1).all() and not np.array_equal(drawn.chance(1), drawn.chance(2))


def test_every_bag_resamples_the_towers_anew(samples, group, settings, monkeypatch):
    weights = []
    train = trees.BoostedTrees.fit

    def recorded(model, *arrays, seed, bag):
        weights.append(arrays[-1])
        train(model, *arrays, seed=seed, bag=bag)

    monkeypatch.setattr(trees.BoostedTrees, "fit", recorded)
    for bags in (1, 2):
        _fit(samples, group, settings, "lightgbm", trees=2, min_leaf=5, bags=bags)
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[1], weights[2])
    share = weights[2][:, :, 0].amax(1) / weights[1][:, :, 0].amax(1)  # of each tower, in one bag over the other
    assert share.max() > 3 * share.min() and share.min() > 0


def test_another_seed_gives_another_member(samples, group, settings):
    a, b = (_fit(samples, group, settings | {"steps": 5}, seed=s, hidden=8)[0].model for s in (1, 2))
    assert not torch.equal(a.decoders[0].head.weight, b.decoders[0].head.weight)


def test_fast_changes_nothing_on_a_processor(samples, group, settings):
    exact, fast = (
        _fit(samples, group, settings | {"steps": 5, "precision": precision}, hidden=8)[0].model
        for precision in ("exact", "fast")
    )
    states = [model.state_dict() for model in (exact, fast)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_fast_compiles_and_returns_single_precision_on_a_gpu_alone(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network: compiled.append(network) or (lambda *inputs: inputs[0].bfloat16()))
    monkeypatch.setattr(torch, "autocast", lambda kind, dtype: torch.amp.autocast("cpu", dtype=dtype))
    network, cuda = torch.nn.Identity(), torch.device("cuda")
    assert (
        device.forward_pass(network, torch.device("cpu"), "fast") is device.forward_pass(network, cuda, "exact") is network
        and not compiled
    )
    found = device.forward_pass(network, cuda, "fast")(torch.ones(2, 3, 3), torch.ones(1), torch.ones(1))
    assert compiled == [network] and found.dtype == torch.float32


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.choose_device("auto").type == "cpu"
    with pytest.raises(ConfigError, match="no GPU"):
        device.choose_device("cuda")
