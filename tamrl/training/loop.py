"""The training loop of the networks; it reads in the order in which things happen."""

import logging
import math
from dataclasses import asdict

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from tamrl.errors import TrainingError
from tamrl.models.parts.network import FluxNetwork
from tamrl.sections.models import Optimisation
from tamrl.training.alignment import keep_states, network_alignment
from tamrl.training.device import Forward, forward_pass
from tamrl.training.history import HISTORY, History
from tamrl.training.losses import Kind, flux_loss, sums_loss
from tamrl.training.resume import Resume, State
from tamrl.training.sequences import Batch, Sampler, Sequences
from tamrl.training.sums import SumBatch, SumSampler

_log = logging.getLogger(__name__)

CLIP = 1.0
"""Largest norm of the gradient (Pascanu et al. 2013, arXiv 1211.5063)."""

RISE, LOWEST = 0.2, 1e-3
"""Share of the training in which the learning rate rises, and where it begins and ends, over its peak."""

STAIRS = 10
"""Equal parts of a stage with the schedule `step`: the learning rate is halved from one to the next."""

MOST_BAD_STEPS = 10
"""Training ends early after this many steps whose loss or gradient was not finite."""

CHECKS = 12
"""Validations in a training, in its second half, where the learning rate falls."""


def train_network(
    network: FluxNetwork,
    sampler: Sampler,
    validation: Sequences | None,
    settings: Optimisation,
    *,
    scale: Tensor,
    seed: int,
    sums: SumSampler | None = None,
    resume: Resume | None = None,
) -> History:
    """Train `network` in place; the weights left in it are those of the best validation, or the last ones without.

    Parameters
    ----------
    network : with `begin(progress)` and `forward(x, support, static) -> (B, T, 3)` in gC m-2 d-1
    sampler : draws the batches
    validation : sites that are in training for nothing else
    scale : (3,) scales of the fluxes, on the network's device
    seed : of dropout and input noise
    sums : draws mean fluxes over periods, which `settings.sums_weight` weighs
    resume : where the state of the training is stored, and restored from

    Raises
    ------
    TrainingError
        If no step gave finite weights to keep.
    """
    torch.manual_seed(seed)
    optimizer = AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    cover = _batches(validation, settings.batch) if validation else []
    history, best, best_weights, first = History(), math.inf, None, 0
    if resume and (state := resume.restore(network, optimizer, sampler.random)):
        history, best, best_weights, first = HISTORY.validate_python(state.history), state.best, state.best_weights, state.step
    keep_states(network, settings.align)
    forward = forward_pass(network, scale.device, settings.precision)
    for step in range(first, settings.steps):
        _enter(network, optimizer, settings, progress=step / settings.steps)
        loss, norm = gradient(forward, network, sampler.draw(settings.batch), sums, step, settings, scale)
        if is_finite(loss, norm):
            optimizer.step()
        elif _too_many(history, f"step {step} of {settings.steps}: loss {loss.item()}, gradient {norm.item()}"):
            break
        if _due(step, settings.steps):
            score = validate(network, cover, scale, settings.loss) if cover else -float(step)  # else the last weights win
            history.record(step, loss.item(), score if cover else None)
            if score < best:  # never true for NaN
                best, best_weights, history.best_step = score, _clone(network), step
        if resume:
            resume.save(State(step + 1, asdict(history), best, best_weights), network, optimizer, sampler.random)
        if history.stalls(settings.patience):
            break
    _finish(network, best_weights, history, settings)
    if cover and network.learns_gain:
        network.calibrate(residuals(network, cover))
    return history


def gradient(
    forward: Forward,
    network: FluxNetwork,
    batch: Batch,
    sums: SumSampler | None,
    step: int,
    settings: Optimisation,
    scale: Tensor,
) -> tuple[Tensor, Tensor]:
    """Loss of a step and norm of its clipped gradient, which the weights then have; the host waits for neither.

    Parameters
    ----------
    forward : of `network`, see `training.device.forward_pass`
    batch, sums, step : sequences of towers, and what draws sums for this step
    scale : (3,) scales of the fluxes, gC m-2 d-1
    """
    loss = _batch_loss(forward, network, batch, settings, scale)
    loss = loss + _loss_of_sums(forward, sums, step, settings, scale) if sums else loss
    network.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch has no types there
    return loss, nn.utils.clip_grad_norm_(network.parameters(), CLIP)


def is_finite(loss: Tensor, norm: Tensor) -> bool:
    """Whether a step can be applied: the one time in a step that the host waits for the device."""
    return bool(torch.isfinite(torch.stack([loss.detach(), norm])).all())


def _batch_loss(forward: Forward, network: FluxNetwork, batch: Batch, settings: Optimisation, scale: Tensor) -> Tensor:
    """Loss of the fluxes of a batch, and of states that differ between its towers."""
    loss = flux_loss(_fluxes(forward, batch, settings), batch.y, batch.weight, scale, settings.forgiven, kind=settings.loss)
    return loss + settings.align_weight * network_alignment(network, settings.align, spinup=settings.spinup)


def _loss_of_sums(forward: Forward, sums: SumSampler, step: int, settings: Optimisation, scale: Tensor) -> Tensor:
    """Weighted loss of the mean fluxes of a batch of sums."""
    batch = sums.draw(step, settings.sums_batch)
    return settings.sums_weight * sums_loss(_fluxes(forward, batch, settings), batch.share, batch.y, batch.weight, scale)


def _fluxes(forward: Forward, batch: Batch | SumBatch, settings: Optimisation) -> Tensor:
    """Fluxes of a batch from noisy inputs."""
    return forward(_noisy(batch.x, settings), _noisy(batch.support, settings), _noisy(batch.static, settings))


def _enter(network: FluxNetwork, optimizer: Optimizer, settings: Optimisation, *, progress: float) -> None:
    """Prepare network and optimiser for a step."""
    network.train()
    stage = network.begin(progress)
    if stage.fresh:
        optimizer.state.clear()
    shape = one_cycle(stage.progress) if settings.schedule == "one_cycle" else 0.5 ** int(STAIRS * stage.progress)
    decay = settings.weight_decay * stage.decay
    optimizer.param_groups[0].update(lr=settings.learning_rate * stage.rate * shape, weight_decay=decay)


def _too_many(history: History, event: str) -> bool:
    """Count a step that is not applied; whether training must end."""
    history.bad_steps += 1
    _log.warning("%s: not applied", event)
    if history.bad_steps >= MOST_BAD_STEPS:
        _log.error("%d steps were not finite: training ends at %s", MOST_BAD_STEPS, event)
    return history.bad_steps >= MOST_BAD_STEPS


def _finish(network: FluxNetwork, best_weights: dict[str, Tensor] | None, history: History, settings: Optimisation) -> None:
    """Put the best weights into the network."""
    if best_weights is None:
        raise TrainingError(
            "training never reached finite weights",
            found=f"{history.bad_steps} of {settings.steps} steps were not applied",
            todo="lower training.learning_rate, or look for extreme values in the samples",
        )
    network.load_state_dict(best_weights)
    keep_states(network, "none")
    network.begin(1.0)
    network.eval()


@torch.no_grad()
def residuals(network: FluxNetwork, batches: list[Batch]) -> Tensor:
    """Predicted less measured fluxes (N, 3) at the scored steps of `batches` that have all three."""
    differences = [(network.estimate(b.x, b.support, b.static) - b.y)[(b.weight > 0).all(-1)] for b in batches]
    return torch.cat(differences)


@torch.no_grad()
def validate(network: nn.Module, batches: list[Batch], scale: Tensor, kind: Kind = "huber") -> float:
    """Mean loss over `batches`, each weighted by the number of its sequences.

    Parameters
    ----------
    network, batches : in evaluation mode afterwards
    scale : (3,), gC m-2 d-1
    kind : of the loss
    """
    network.eval()
    losses = [flux_loss(network(b.x, b.support, b.static), b.y, b.weight, scale, kind=kind) * len(b.x) for b in batches]
    return float(sum(losses) / sum(len(b.x) for b in batches))


def one_cycle(progress: float) -> float:
    """Learning rate over its peak at `progress` (0 to 1): up and down again along cosines (Smith & Topin 2019,
    doi 10.1117/12.2520589).
    """
    phase = progress / RISE if progress < RISE else 1 + (progress - RISE) / (1 - RISE)
    return LOWEST + (1 - LOWEST) * (1 - math.cos(math.pi * phase)) / 2


def _due(step: int, steps: int) -> bool:
    every = -(-steps // (2 * CHECKS))
    return step == steps - 1 or (2 * step >= steps and (steps - 1 - step) % every == 0)


def _batches(validation: Sequences, size: int) -> list[Batch]:
    site, start = validation.cover(most=3)
    return [validation.gather(site[i : i + size], start[i : i + size]) for i in range(0, len(site), size)]


def _noisy(values: Tensor, settings: Optimisation) -> Tensor:
    return values + settings.input_noise * torch.randn_like(values) if settings.input_noise else values


def _clone(network: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights: `state_dict` alone would follow the training on."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
