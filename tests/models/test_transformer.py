"""The transformer: causal, the same in windows and in one piece, blind to what lies before a window."""

import pytest
import torch
from pydantic import ValidationError

from tamrl.models import transformer
from tamrl.models.parts.attention import CausalTransformer, sinusoids
from tamrl.plugins import Dims

DIMS = Dims(features=5, support=3, static=2, bins=12, scale=(5.0, 4.0, 2.5))


def _model(**options) -> CausalTransformer:
    torch.manual_seed(0)
    return transformer.build(DIMS, transformer.Options(**({"hidden": 16} | options))).eval()


def _arrays() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(2)
    return torch.randn(4, 150, 5, generator=g), torch.randn(4, 12, 3, generator=g), torch.randn(4, 2, generator=g)


def _changed(x: torch.Tensor, steps: slice) -> torch.Tensor:
    changed = x.clone()
    changed[:, steps] += 1
    return changed


@pytest.mark.parametrize("day", [1, 44, 77, 149])
def test_no_step_sees_a_later_one(day):
    model, (x, support, static) = _model(), _arrays()
    whole, other = model.predict(x, support, static), model.predict(_changed(x, slice(day, None)), support, static)
    assert torch.equal(whole[:, :day], other[:, :day]) and not torch.equal(whole[:, day], other[:, day])


def test_within_a_window_every_step_before_counts():
    model, (x, support, static) = _model(), _arrays()
    window = x[:, :60]
    fluxes = model(window, support, static)
    later = model(_changed(window, slice(0, 1)), support, static)
    assert not torch.isclose(fluxes[:, 59], later[:, 59], atol=1e-7, rtol=0).all()
    middle = model(_changed(window, slice(30, 31)), support, static)
    assert torch.equal(fluxes[:, :30], middle[:, :30]) and not torch.equal(fluxes[:, 30:], middle[:, 30:])


def test_beyond_a_window_nothing_is_remembered():
    model, (x, support, static) = _model(), _arrays()
    whole, other = model.predict(x, support, static), model.predict(_changed(x, slice(0, 60)), support, static)
    assert torch.equal(whole[:, 90:], other[:, 90:]) and not torch.equal(whole[:, 60:90], other[:, 60:90])


@pytest.mark.parametrize("count", [61, 90, 150])
def test_a_long_sequence_is_decoded_window_by_window(count):
    model, (x, support, static) = _model(), _arrays()
    with torch.no_grad():
        fluxes, memory = model.decode(x[:, :count], model.encode(support, static))
    assert memory == ()
    torch.testing.assert_close(model.deliver(fluxes), model.predict(x[:, :count], support, static))


def test_the_order_of_steps_matters():
    model, (x, support, static) = _model(), _arrays()
    window = x[:, :60]
    turned = torch.cat([window[:, :59].flip(1), window[:, 59:]], dim=1)
    assert not torch.allclose(model(window, support, static)[:, 59], model(turned, support, static)[:, 59], atol=1e-4)


def test_attributes_are_read_and_the_support_set_is_not():
    model, (x, support, static) = _model(), _arrays()
    fluxes = model.predict(x, support, static)
    assert torch.equal(fluxes, model.predict(x, support + 1, static))
    assert not torch.allclose(fluxes, model.predict(x, support, static + 1))


def test_streams_are_averaged():
    model, arrays = _model(streams=2), _arrays()
    each = [network.predict(*arrays) for network in model.networks]
    torch.testing.assert_close(model.predict(*arrays), sum(each) / 2, atol=1e-5, rtol=0)


def test_positions_are_sines_and_cosines():
    position = sinusoids(7, 5)
    assert position.shape == (7, 5)
    torch.testing.assert_close(position[:, 0], torch.arange(7.0).sin())
    torch.testing.assert_close(position[:, 3], (torch.arange(7) * 1e4 ** (-2 / 5)).cos())


def test_heads_divide_the_width():
    with pytest.raises(ValidationError, match="multiple of heads"):
        transformer.Options(hidden=30, heads=4)
