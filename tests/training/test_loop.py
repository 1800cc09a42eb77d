"""The loop: it learns, keeps the best weights by value, and survives what is not finite."""

import numpy as np
import pytest
import torch
from torch import nn

from tamrl.errors import TrainingError
from tamrl.models.parts.network import FluxNetwork, Stage
from tamrl.samples.dataset import Inputs
from tamrl.sections.models import Optimisation
from tamrl.training import loop
from tamrl.training.history import History
from tamrl.training.sequences import Sampler, Sequences

SCALE = torch.ones(3)


class Line(FluxNetwork):
    """Fluxes linear in the drivers; its gradient can be poisoned at chosen steps."""

    def __init__(self, poisoned: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.layer, self.poisoned, self.calls, self.seen = nn.Linear(2, 3), poisoned, 0, []

    def begin(self, progress: float) -> Stage:
        self.seen.append(progress)
        return super().begin(progress)

    def forward(self, x, support, static):
        out = self.layer(x)
        if self.training:
            if self.calls in self.poisoned:
                out = out * torch.tensor(float("nan"))
            self.calls += 1
        return out


def _data(seed: int = 0) -> Sequences:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(6, 60, 2, generator=g)
    y = torch.stack([x[..., 0], x[..., 1], x[..., 1] - x[..., 0]], -1)
    inputs = Inputs(x, torch.zeros(6, 1), torch.zeros(6, 12, 1), torch.ones(6, 60, dtype=torch.bool))
    return Sequences(inputs, y, torch.ones_like(y), spinup=2, scored=20)


def _settings(**changes) -> Optimisation:
    return Optimisation(**({"batch": 8, "steps": 120, "learning_rate": 0.05, "weight_decay": 0.0, "input_noise": 0.0} | changes))


def _train(network, *, validation=True, **changes) -> History:
    sampler = Sampler(_data(), np.ones(6), seed=1)
    return loop.train_network(network, sampler, _data(1) if validation else None, _settings(**changes), scale=SCALE, seed=1)


def test_it_learns():
    network = Line()
    before = loop.validate(network, loop._batches(_data(1), 8), SCALE)
    history = _train(network)
    assert history.validation[-1][1] < 0.01 < before
    assert network.seen[0] == 0 and network.seen[-1] == 1 and not network.training


def test_the_learning_rate_rises_and_falls_once():
    rate = [loop.one_cycle(k / 100) for k in range(101)]
    assert max(rate) == rate[20] == 1 and rate[0] == pytest.approx(loop.LOWEST) == rate[-1]
    assert np.all(np.diff(rate[:21]) > 0) and np.all(np.diff(rate[20:]) < 0)


def test_steps_halve_the_learning_rate_in_every_stage():
    settings, layer = _settings(schedule="step", weight_decay=0.5), nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(layer.parameters())

    class Staged(Line):
        def begin(self, progress: float) -> Stage:
            return Stage(
                2 * progress % 1, rate=0.1 if progress < 0.5 else 1.0, decay=float(progress < 0.5), fresh=progress == 0.5
            )

    rates = []
    for progress in (0.0, 0.04, 0.05, 0.49, 0.5, 0.75):
        layer(torch.ones(1, 1)).sum().backward()
        optimizer.step()
        loop._enter(Staged(), optimizer, settings, progress=progress)
        rates.append(optimizer.param_groups[0]["lr"] / settings.learning_rate)
        assert len(optimizer.state) == (0 if progress == 0.5 else 2)
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.1 / 2**9, 1, 1 / 2**5])
    assert optimizer.param_groups[0]["weight_decay"] == 0


@pytest.mark.parametrize(("patience", "checks"), [(None, 12), (2, 3)])
def test_training_ends_when_validation_stalls(monkeypatch, patience, checks):
    scores = iter(range(100))
    monkeypatch.setattr(loop, "validate", lambda *arguments: float(next(scores)))
    history = _train(Line(), patience=patience)
    assert len(history.validation) == checks and history.best_step == history.validation[0][0]


def test_the_same_seed_gives_the_same_bits():
    weights = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        network = Line()
        _train(network, input_noise=0.1)
        weights.append(network.layer.weight)
    torch.set_num_threads(1)
    assert torch.equal(*weights)


def test_the_best_weights_are_restored_not_the_last(monkeypatch):
    kept = {}

    def worse_and_worse(network, batches, scale, kind):
        kept[len(kept)] = network.layer.weight.detach().clone()
        return float(len(kept))

    monkeypatch.setattr(loop, "validate", worse_and_worse)
    network = Line()
    history = _train(network)
    assert history.best_step == history.validation[0][0]
    assert torch.equal(network.layer.weight, kept[0]) and not torch.equal(kept[0], kept[max(kept)])


def test_without_validation_the_last_weights_are_kept():
    assert _train(Line(), validation=False).best_step == 119


def test_a_step_that_is_not_finite_is_not_applied_and_counted(caplog):
    network, clean = Line(poisoned=(3, 70)), Line()
    clean.load_state_dict(network.state_dict())
    history = _train(network)
    assert history.bad_steps == 2 and "not applied" in caplog.text
    assert all(p.isfinite().all() for p in network.parameters())
    assert _train(clean).bad_steps == 0


@pytest.mark.parametrize("bad", [float("inf"), float("-inf"), float("nan")])
def test_a_gradient_that_is_not_finite_is_not_applied_though_the_loss_is(bad):
    network, calls = Line(), []

    def poison(gradient):
        calls.append(1)
        return gradient * bad if len(calls) == 50 else gradient

    network.layer.weight.register_hook(poison)
    history = _train(network)
    assert history.bad_steps == 1 and len(calls) == 120 and all(p.isfinite().all() for p in network.parameters())


def test_training_ends_after_too_many_bad_steps_and_keeps_the_best():
    network = Line(poisoned=tuple(range(80, 120)))
    history = _train(network)
    assert history.bad_steps == loop.MOST_BAD_STEPS and 60 <= history.best_step < 90
    assert all(p.isfinite().all() for p in network.parameters())


def test_training_that_is_never_finite_is_refused():
    with pytest.raises(TrainingError, match="never reached finite weights"):
        _train(Line(poisoned=tuple(range(120))))
