"""Streams: several networks in a member, averaged, each with its own weights and memory."""

import pytest
import torch

from tamrl import registry
from tamrl.models.parts.streams import AveragedStreams
from tamrl.plugins import Dims

DIMS = Dims(features=5, support=3, static=2, bins=12, scale=(5.0, 4.0, 2.5))
SMALL = {"hidden": 16, "code": 6, "context": 30}
NAMES = ["ctlstm", "lstm", "tamlstm"]


def _model(name: str, **options) -> AveragedStreams:
    plugin = registry.load(registry.MODELS, name)
    small = {k: v for k, v in SMALL.items() if k in plugin.Options.model_fields and (k != "context" or plugin.Options().context)}
    torch.manual_seed(0)
    return plugin.build(DIMS, plugin.Options(**(small | {"streams": 3} | options))).eval()


def _arrays() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(2)
    return torch.randn(4, 150, 5, generator=g), torch.randn(4, 12, 3, generator=g), torch.randn(4, 2, generator=g)


@pytest.mark.parametrize("name", NAMES)
def test_fluxes_are_the_mean_of_the_networks(name):
    model, arrays = _model(name), _arrays()
    each = [network.predict(*arrays, skip=7) for network in model.networks]
    assert not torch.allclose(each[0], each[1]) and not torch.allclose(each[1], each[2])
    torch.testing.assert_close(model.predict(*arrays, skip=7), sum(each) / 3, atol=1e-5, rtol=0)
    gpp, reco, nee = model.predict(*arrays).unbind(-1)
    assert torch.equal(nee, reco - gpp)


@pytest.mark.parametrize("name", ["ctlstm", "tamlstm"])
def test_every_network_goes_on_from_its_own_memory(name):
    model, (x, support, static) = _model(name), _arrays()
    z = model.encode(support, static)
    first, memory = model.resume(x[:, :64], z)
    second, _ = model.resume(x[:, 64:], z, memory)
    assert all(part.shape[:2] == (3, 4) for part in memory)
    assert torch.equal(torch.cat([first, second], 1), model.predict(x, support, static))
    swapped = tuple(part.flip(0) for part in memory)
    assert not torch.equal(second, model.resume(x[:, 64:], z, swapped)[0])


def test_every_network_learns_on_its_own():
    model, arrays = _model("ctlstm").train(), _arrays()
    trained = model(*arrays)
    assert trained.shape == (3, 4, 150, 3)
    trained[1].square().sum().backward()
    learns = [any(p.grad.any() for p in network.parameters()) for network in model.networks]
    assert learns == [False, True, False]


def test_windows_are_decoded_by_every_network():
    model, arrays = _model("ctlstm", context=30), _arrays()
    each = [network.predict(*arrays) for network in model.networks]
    torch.testing.assert_close(model.predict(*arrays), sum(each) / 3, atol=1e-5, rtol=0)


def test_one_stream_is_the_network_itself():
    assert not isinstance(_model("ctlstm", streams=1), AveragedStreams)


@pytest.mark.parametrize("name", [*NAMES, "tamrl_paper"])
def test_streams_are_declared_in_the_cost(name):
    plugin = registry.load(registry.MODELS, name)
    assert plugin.capabilities(plugin.Options(streams=5)).cost.streams == 5
