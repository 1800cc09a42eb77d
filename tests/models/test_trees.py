"""Boosted trees: what they are told of the site's mean seasonal cycle."""

import copy
import math

import pytest
import torch

from tamrl.models import lightgbm, xgboost
from tamrl.models.parts.trees import cycle_statistics
from tamrl.plugins import Dims

DIMS = Dims(features=2, support=2, static=1, bins=12, scale=(1.0, 1.0, 1.0))
SITES, STEPS = 24, 60


def _arrays() -> dict[str, torch.Tensor]:
    """Sites whose GPP is the range of the second driver's seasonal cycle, which no step and no attribute betrays."""
    g = torch.Generator().manual_seed(4)
    wave = torch.cos(2 * math.pi * torch.arange(12) / 12)
    height = torch.rand(SITES, 1, generator=g) * 4
    support = torch.stack([torch.randn(SITES, 12, generator=g), height * wave], -1)
    x, static = torch.randn(SITES, STEPS, 2, generator=g), torch.zeros(SITES, 1)
    gpp = 2 * height + 0.2 * torch.randn(SITES, STEPS, generator=g)
    return {"x": x, "support": support, "static": static, "y": torch.stack([gpp, 2 * gpp, gpp], -1)}


def _fitted(plugin, **options):
    arrays, small = _arrays(), {"trees": 60, "min_leaf": 5, "feature_share": 1.0}
    model = plugin.build(DIMS, plugin.Options(**(small | options)))
    for bag in range(model.bags):
        model.fit(**arrays, weight=torch.ones_like(arrays["y"]), seed=1 + bag, bag=bag)
    return model, arrays


def _whole(arrays) -> tuple[torch.Tensor, ...]:
    return arrays["x"], arrays["support"], arrays["static"]


def _error(model, arrays) -> float:
    found = model.predict(*_whole(arrays))
    return float((found - arrays["y"]).square().mean() / arrays["y"].var())


def test_statistics_of_a_cycle():
    angle = 2 * math.pi * (torch.arange(26) + 0.5) / 26
    support = torch.stack([3 + 2 * angle.cos() - angle.sin(), torch.full((26,), 7.0)], -1)[None]
    mean, spread, deviation, cosine, sine = cycle_statistics(support).reshape(5, 2)
    assert mean.tolist() == pytest.approx([3, 7], abs=1e-5) and deviation.tolist() == pytest.approx([(5 / 2) ** 0.5, 0], abs=1e-5)
    assert spread.tolist() == pytest.approx([float(support[0, :, 0].max() - support[0, :, 0].min()), 0], abs=1e-5)
    assert cosine.tolist() == pytest.approx([2, 0], abs=1e-5) and sine.tolist() == pytest.approx([-1, 0], abs=1e-5)


@pytest.mark.parametrize("plugin", [lightgbm, xgboost])
def test_the_seasonal_cycle_tells_sites_apart_where_it_is_given(plugin):
    assert _error(*_fitted(plugin, cycle="statistics")) < 0.1 < 0.5 < _error(*_fitted(plugin, cycle="none"))


def test_the_rival_reads_the_cycle_and_the_recipe_of_fluxcom_does_not():
    assert lightgbm.Options().cycle == "statistics" and xgboost.Options().cycle == "none"


def test_adapted_trees_read_the_cycle_too():
    model, arrays = _fitted(lightgbm)
    site = {name: tensor[:1] for name, tensor in arrays.items()}
    shifted = site["y"] + 3 * site["x"][..., :1].sign()
    grown = model.adapted(**(site | {"y": shifted}), weight=torch.ones_like(shifted), trees=40, rate=0.2)
    inputs = _whole(site)
    assert (grown.predict(*inputs) - shifted).abs().mean() < 1 < 2 < (model.predict(*inputs) - shifted).abs().mean()


@pytest.mark.parametrize("plugin", [lightgbm, xgboost])
def test_bags_are_averaged_and_differ(plugin):
    model, arrays = _fitted(plugin, bags=3, row_share=0.5)
    parts = []
    for bag in range(3):
        alone = copy.copy(model)
        alone.bags, alone.boosters = 1, _renamed(model, bag)
        parts.append(alone.predict(*_whole(arrays)))
    assert not torch.equal(parts[0], parts[1]) and not torch.equal(parts[1], parts[2])
    torch.testing.assert_close(model.predict(*_whole(arrays)), sum(parts) / 3)
    again = plugin.build(DIMS, plugin.Options(bags=3))
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.predict(*_whole(arrays)), model.predict(*_whole(arrays)))


def _renamed(model, bag: int) -> dict:
    return {name.replace(f"/{bag}", "/0"): booster for name, booster in model.boosters.items() if name.endswith(f"/{bag}")}


def test_bags_are_adapted_together():
    model, arrays = _fitted(lightgbm, bags=2)
    site = {name: tensor[:1] for name, tensor in arrays.items()}
    shifted = site["y"] + 3 * site["x"][..., :1].sign()
    grown = model.adapted(**(site | {"y": shifted}), weight=torch.ones_like(shifted), trees=40, rate=0.2)
    assert all(grown.boosters[name].num_trees() == 100 for name in model.boosters) and len(model.boosters) == 6


@pytest.mark.parametrize("plugin", [lightgbm, xgboost])
def test_bags_cost_as_many_trees(plugin):
    assert plugin.capabilities(plugin.Options(trees=50, bags=4)).cost.trees == 200
