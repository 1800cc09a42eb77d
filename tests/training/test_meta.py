"""A training step and a prediction with tensors on the `meta` device, where nothing is computed.

There an operation on tensors of two devices raises, and so does whatever needs a value on the host: the same code then mixes no
devices on a GPU, and its processor does not wait for the GPU but where a test says so.
"""

import numpy as np
import pytest
import torch
from torch import nn

from tamrl import registry
from tamrl.inference import decode
from tamrl.inference.plan import Piece
from tamrl.models.parts.network import FluxNetwork
from tamrl.samples import dataset
from tamrl.samples.standardise import fit_standardisation
from tamrl.sections.models import Optimisation
from tamrl.training import loop
from tamrl.training.model_spec import model_dims
from tamrl.training.sequences import Batch
from tests.modelling import trained

META = torch.device("meta")
NETWORKS = ("tamrl", "ctlstm", "lstm", "transformer")
OPTIONS = {"tamrl": {"windows": [90]}}
B, L, SKIP = 16, 16, 4


@pytest.fixture(params=NETWORKS)
def network(request, samples, spec) -> FluxNetwork:
    plugin = registry.load_model_plugin(request.param)
    scaling = fit_standardisation(samples, dynamic=spec.dynamic, static=spec.static)
    built = plugin.build(model_dims(spec, scaling), plugin.Options(**OPTIONS.get(request.param, {})))
    return built.to(META)


@pytest.fixture
def batch(samples, spec) -> Batch:
    scaling = fit_standardisation(samples, dynamic=spec.dynamic, static=spec.static)
    inputs = dataset.model_inputs(samples, spec, scaling).sites(slice(B)).to(META)
    y = torch.empty(B, L, 3, device=META)
    return Batch(inputs.x[:, :L], inputs.support, inputs.static, y, torch.empty_like(y))


def test_the_meta_device_tells_of_mixed_devices_and_of_waiting():
    there = torch.ones(3, device=META)
    with pytest.raises(RuntimeError):
        there + torch.ones(3)
    for wait in (lambda: there.sum().item(), lambda: bool(there.sum() > 0), lambda: there.cpu()):
        with pytest.raises((RuntimeError, NotImplementedError)):
            wait()


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_training_step_mixes_no_devices_and_waits_for_none(network, batch, settings, noise):
    options = Optimisation(**settings | {"input_noise": noise})
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    loop._enter(network, optimizer, options, progress=0.5)
    loss, norm = loop.gradient(network, network, batch, None, 0, options, torch.ones(3, device=META))
    optimizer.step()
    assert loss.device == norm.device == META and loss.ndim == norm.ndim == 0
    assert all(p.grad is None or p.grad.device == META for p in network.parameters())
    assert any(p.grad is not None for p in network.parameters())


def test_whether_a_step_is_applied_is_asked_once(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.Tensor, "__bool__", lambda tensor: asked.append(tensor) or tensor.item() != 0)
    finite, infinite = torch.tensor(1.0), torch.tensor(float("inf"))
    assert loop.is_finite(finite, finite) and len(asked) == 1
    assert not loop.is_finite(finite, infinite) and not loop.is_finite(infinite, finite)


def test_a_prediction_stays_on_its_device_until_it_is_taken_from_there(network, batch):
    network.eval()
    x, support, static = next(decode._groups(batch.x, batch.support, batch.static))
    assert network.predict(x, support, static, skip=SKIP).shape == (B, L - SKIP, 3)
    if not network.context:
        with torch.inference_mode():
            first, memory = network.resume(x, network.encode(support, static))
            again, memory = network.resume(x, network.encode(support, static), memory, skip=SKIP)
        assert {t.device for t in (first, again, *memory)} == {META} and again.shape == (B, L - SKIP, 3)


def test_fluxes_are_taken_from_the_device_once_a_piece(samples, spec, monkeypatch):
    """What comes to the host is the piece's fluxes and where drivers are missing, and nothing of a step or a group."""
    plugin = registry.load_model_plugin("tamrl")
    scaling = fit_standardisation(samples, dynamic=spec.dynamic, static=spec.static)
    built = plugin.build(model_dims(spec, scaling), plugin.Options(windows=(90,))).to(META).eval()
    taken = []

    def masked(fluxes, inputs, piece):
        taken.append((fluxes.device, tuple(fluxes.shape), inputs.valid.device))
        return np.zeros((len(inputs.x), *fluxes.shape[1:]), "f4")

    monkeypatch.setattr(decode, "_masked", masked)
    member, piece = trained(built, spec, scaling), Piece(np.arange(24), lead=0, skip=12)
    decode.predict([member, member], samples.isel(site=slice(B)), piece, batch=8, device=META)
    assert taken == 4 * [(META, (decode.ROWS, 12, 3), META)]  # two batches of two members, padded


def test_weights_are_on_the_device_of_the_network(network):
    assert {p.device for p in [*network.parameters(), *network.buffers()]} == {META}
    assert isinstance(network, nn.Module)
