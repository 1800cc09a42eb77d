"""TAM-RL as published: its two stages, and a code from the window itself."""

import pytest
import torch

from tamrl.models import tamrl_published
from tamrl.models.parts.network import Stage
from tamrl.models.parts.published import PublishedTamRl
from tamrl.plugins import Dims

DIMS = Dims(features=5, support=3, static=2, bins=12, scale=(5.0, 4.0, 2.5))


def _model(**options) -> PublishedTamRl:
    torch.manual_seed(0)
    return tamrl_published.build(DIMS, tamrl_published.Options(**({"hidden": 16, "code": 6} | options))).eval()


def _arrays() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(2)
    return torch.randn(4, 30, 5, generator=g), torch.randn(4, 12, 3, generator=g), torch.randn(4, 2, generator=g)


def test_stage_one_reads_the_drivers_alone():
    model, (x, support, static) = _model(), _arrays()
    assert model.begin(0.1) == Stage(0.2, rate=0.1)
    assert torch.equal(model(x, support, static), model(x, support, static + 1))
    later = x.clone()
    later[:, 20:] += 1
    assert torch.equal(model(x, support, static)[:, :20], model(later, support, static)[:, :20])


def test_the_code_is_that_of_the_window_and_its_site():
    model, (x, support, static) = _model(), _arrays()
    fluxes = model(x, support, static)
    assert torch.equal(fluxes, model(x, support + 1, static)) and not torch.allclose(fluxes, model(x, support, static + 1))
    later = x.clone()
    later[:, 20:] += 1
    assert not torch.allclose(fluxes[:, :20], model(later, support, static)[:, :20])


def test_stage_two_keeps_the_lstm_alone_and_begins_once():
    model = _model()
    model.begin(0.0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert model.begin(0.5) == Stage(0.0, decay=0.0, fresh=True)
    after = model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"embed.weight", "embed.bias", "head.weight", "head.bias", "joined"}
    assert model.begin(0.75) == Stage(0.5, decay=0.0)
    assert all(torch.equal(after[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(("stored_at", "fresh"), [(0.49, True), (0.51, False)])
def test_a_stored_training_knows_whether_stage_two_has_begun(stored_at, fresh):
    stored, taken_up = _model(), _model()
    for progress in (0.0, stored_at):
        stored.begin(progress)
    taken_up.load_state_dict(stored.state_dict())
    assert taken_up.begin(0.6).fresh is fresh


def test_without_stage_one_nothing_is_drawn_anew():
    assert _model(pretrain=0.0).begin(0.0) == Stage(0.0, decay=0.0)


def test_the_code_shifts_and_scales_drivers_and_states():
    model, (x, _, _) = _model(), _arrays()
    z = torch.zeros(4, 6)
    for layer in (model.film_input, model.film_hidden):
        torch.nn.init.zeros_(layer.bias)
    h, _ = model.lstm(model.embed(x) + 1)
    torch.testing.assert_close(model.decode(x, z)[0], model.head(h) * model.scale)
    torch.nn.init.constant_(model.film_hidden.bias, 0.5)
    torch.testing.assert_close(model.decode(x, z)[0], model.head(1.5 * h + 0.5) * model.scale)


def test_it_trains_as_the_publication():
    options = tamrl_published.Options()
    assert (options.context, options.sequence, options.spinup, options.hidden, options.code) == (30, 15, 15, 128, 64)
    assert (options.schedule, options.loss, options.weighting, options.learning_rate) == ("step", "squared", "loss", 1e-3)
