"""The contract of every model plug-in present."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tamrl import carbon, registry
from tamrl.plugins import Dims, ModelCapabilities, SelfTraining
from tamrl.training.alignment import keep_states, network_alignment

DIMS = Dims(features=6, support=3, static=4, bins=12, scale=(5.0, 4.0, 2.5))
SITES, STEPS = 9, 80
NAMES = registry.names(registry.MODELS)


def _arrays(seed: int = 0) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    sizes = {"x": (SITES, STEPS, 6), "support": (SITES, 12, 3), "static": (SITES, 4)}
    return {name: torch.randn(*size, generator=g) for name, size in sizes.items()}


def _small(plugin):
    fields = plugin.Options.model_fields
    return plugin.Options(**{k: v for k, v in {"hidden": 16, "code": 8, "trees": 12, "min_leaf": 5}.items() if k in fields})


def _trained(name: str):
    """A model with weights worth testing: networks as they begin, others fitted to a simple function."""
    plugin = registry.load(registry.MODELS, name)
    torch.manual_seed(1)
    model = plugin.build(DIMS, _small(plugin))
    if isinstance(model, torch.nn.Module):
        model.eval()
    else:
        arrays = _arrays()
        gpp, reco = arrays["x"][..., 0] + 3, arrays["x"][..., 1] + arrays["static"][:, :1] + 2
        y = torch.stack([gpp, reco, reco - gpp], -1)
        model.fit(**arrays, y=y, weight=torch.ones_like(y), seed=3)
    return plugin, model


@pytest.fixture(params=NAMES, scope="module")
def case(request):
    plugin, model = _trained(request.param)
    return plugin, model, _arrays(1)


def test_options_are_read_without_loading_the_model():
    heavy = {"torch", "lightgbm", "xgboost", "pandas", "xarray"}
    code = f"import sys; from tamrl import registry; [registry.options(registry.MODELS, n)() for n in {NAMES}]"
    code += f"; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


def test_plugin_holds_its_contract(case):
    plugin, model, _ = case
    assert isinstance(plugin.capabilities(_small(plugin)), ModelCapabilities)
    assert all(isinstance(t, torch.Tensor) for t in model.state_dict().values()) and model.state_dict()
    assert isinstance(model, torch.nn.Module | SelfTraining)


def test_prediction_in_training_mode_is_refused(case):
    _, model, arrays = case
    if isinstance(model, torch.nn.Module):
        with pytest.raises(RuntimeError, match="eval"):
            model.train().predict(**arrays)
        model.eval()


def test_prediction_has_its_shape_and_repeats(case):
    _, model, arrays = case
    whole, late = model.predict(**arrays), model.predict(**arrays, skip=30)
    assert whole.shape == (SITES, STEPS, 3) and late.shape == (SITES, STEPS - 30, 3)
    assert whole.dtype == torch.float32 and whole.isfinite().all()
    assert torch.equal(whole[:, 30:], late) and torch.equal(whole, model.predict(**arrays))


def test_nee_closes_where_the_plugin_says_so(case):
    plugin, model, arrays = case
    gpp, reco, nee = model.predict(**arrays).unbind(-1)
    closes = torch.equal(nee, carbon.nee(gpp=gpp, reco=reco))
    assert closes == plugin.capabilities(_small(plugin)).closes


def test_a_site_depends_on_no_other_site(case):
    _, model, arrays = case
    before = model.predict(**arrays)
    arrays = {name: t.clone() for name, t in arrays.items()}
    for tensor in arrays.values():
        tensor[4] += 7
    after = model.predict(**arrays)
    others = [k for k in range(SITES) if k != 4]
    assert torch.equal(before[others], after[others]) and not torch.equal(before[4], after[4])


def test_a_step_depends_on_no_step_further_ahead_than_declared(case):
    plugin, model, arrays = case
    before = model.predict(**arrays)
    changed = arrays | {"x": arrays["x"].clone()}
    changed["x"][:, 50:] += 3
    after, unseen = model.predict(**changed), 50 - plugin.capabilities(_small(plugin)).ahead
    assert torch.equal(before[:, :unseen], after[:, :unseen]) and not torch.equal(before[:, 50:], after[:, 50:])


def test_state_survives(case):
    plugin, model, arrays = case
    again = plugin.build(DIMS, _small(plugin))
    again.load_state_dict({name: tensor.clone() for name, tensor in model.state_dict().items()})
    if isinstance(again, torch.nn.Module):
        again.eval()
    assert torch.equal(again.predict(**arrays), model.predict(**arrays))


def test_networks_train_all_their_weights(case):
    plugin, _, arrays = case
    torch.manual_seed(0)
    model = plugin.build(DIMS, _small(plugin))
    if not isinstance(model, torch.nn.Module):
        pytest.skip("trains itself")
    model.begin(1.0)
    model.train()
    keep_states(model, "coral")
    model(**arrays).square().sum().backward()
    assert network_alignment(model, "coral", spinup=10) > 0
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not idle
