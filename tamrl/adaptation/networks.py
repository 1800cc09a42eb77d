"""Adapt networks: the code of a site alone, or lightly the weights, by gradients through the frozen or trained decoder."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from tamrl.models._network import Network
from tamrl.samples.dataset import Inputs
from tamrl.sections.results import Adaptation

CLIP = 1.0
"""Largest norm of the gradient of the weights."""

RIDGE = 0.1
"""Share of the mean variance added to the variances of the codes, so that directions no tower uses stay closed, not infinite."""


APART = 0.5
"""How much less the factors on GPP and RECO differ from each other than from one: sites that take up more respire more."""


@dataclass(frozen=True)
class Given:
    """What was measured at sites.

    Attributes
    ----------
    cells : Inputs (B, T, ...)
    season : (B, T, 3)
        One, and cosine and sine of the time of year, in northern time.
    y, weight : (B, T, 3)
        Fluxes in gC m-2 d-1; weight 0 where not measured or spin-up.
    """

    cells: Inputs
    season: Tensor
    y: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Adapted:
    """What was learnt of sites: codes z (B, Z); logarithms of factors on GPP and RECO, constant, cosine and sine (B, 2, 3)."""

    z: Tensor
    gain: Tensor


@dataclass(frozen=True)
class Prior:
    """Codes of the training towers: centre (Z), principal axes (Z, Z) in columns, and standard deviation along each (Z)."""

    axes: Tensor
    scale: Tensor


def prior(model: Network, support: Tensor, static: Tensor) -> Prior:
    """How codes differ among towers: support (B, C, D) and static (B, S) of the towers that the model was trained on."""
    with torch.no_grad():
        codes = model.encode(support, static)
    centred = (codes - codes.mean(0)).double()
    variance, axes = torch.linalg.eigh(centred.T @ centred / max(len(codes) - 1, 1))
    variance = variance.clamp(min=0)
    scale = (variance + RIDGE * variance.mean()).sqrt() + 1e-9
    return Prior(axes.to(codes.dtype), scale.to(codes.dtype))


def fit_codes(model: Network, given: Given, known: Prior, *, months: int, scale: Tensor, settings: Adaptation) -> Adapted:
    """Codes, and factors on GPP and RECO, that agree with the measured fluxes and stay likely; every site on its own.

    Parameters
    ----------
    model : Network
        Frozen.
    given : Given
        The window of each site with its spin-up.
    known : Prior
    months : int
        Length of the window.
    scale : (3,)
        gC m-2 d-1, of the loss.

    Returns
    -------
    Adapted. A site without a measured flux keeps the code of its drivers and factors of one.

    Notes
    -----
    The code moves along the principal axes of the towers' codes, in units of their standard deviation: minus the logarithm of
    a Gaussian prior there, weighted against the mean Huber loss of scaled residuals times the independent measurements. The
    factors, whose logarithms have a Gaussian prior too, take up what no code of the trained towers can express: a level, and a
    swing over the year that one summer leaves open, so that it is not carried into winter.
    """
    cells = given.cells
    with torch.no_grad():
        start = model.encode(cells.support, cells.static)  # (B, Z)
    move = torch.zeros_like(start, requires_grad=True)
    level = torch.zeros(len(start), 2, given.season.shape[-1], requires_grad=True)
    optimizer = torch.optim.Adam([move, level], lr=settings.code_rate)
    for step in range(settings.steps):
        optimizer.param_groups[0]["lr"] = settings.code_rate * (1 - step / settings.steps)
        fluxes, _ = model.decode(cells.x, start + (move * known.scale) @ known.axes.T)
        found = amplified(fluxes, factors(gains(level, settings), given.season))
        misfit = site_loss(found, given.y, given.weight, scale) * months * settings.per_month  # (B,)
        loss = (misfit + 0.5 * (move.square().sum(-1) + level.square().sum((1, 2)))).sum()
        move.grad, level.grad = torch.autograd.grad(loss, [move, level])
        optimizer.step()
    z = start + (move.detach() * known.scale) @ known.axes.T
    return Adapted(z, gains(level.detach(), settings))


def gains(level: Tensor, settings: Adaptation) -> Tensor:
    """Logarithms of factors on GPP and RECO (B, 2, 3) from what is common to the two and what sets them apart (B, 2, 3), in
    standard deviations; the second counts `APART` as much.
    """
    both, apart = level.unbind(1)
    return torch.stack([both + APART * apart, both - APART * apart], dim=1) * torch.tensor(
        [settings.gain, settings.gain_season, settings.gain_season]
    )


def factors(gain: Tensor, season: Tensor) -> Tensor:
    """Factors on GPP and RECO (B, T, 2) from their logarithms (B, 2, 3) and the time of year (B, T, 3)."""
    return torch.einsum("bfk,btk->btf", gain, season).exp()


def amplified(fluxes: Tensor, factor: Tensor) -> Tensor:
    """Fluxes (B, T, 3) with GPP and RECO times `factor` (B, T, 2); what the three miss to close stays what it is."""
    both = fluxes[..., :2] * factor
    imbalance = fluxes[..., 2] - (fluxes[..., 1] - fluxes[..., 0])
    return torch.cat([both, (both[..., 1] - both[..., 0] + imbalance)[..., None]], dim=-1)


def fit_weights(model: Network, given: Given, *, months: int, scale: Tensor, settings: Adaptation) -> Network:
    """A copy of the model whose weights were tuned at one site (B = 1), held to where they started (L2-SP, Li et al. 2018,
    arXiv 1802.01483); arguments as of `fit_codes`.
    """
    tuned = copy.deepcopy(model).requires_grad_(True)
    parameters = list(tuned.parameters())
    origin = [p.detach().clone() for p in parameters]
    optimizer = torch.optim.Adam(parameters, lr=settings.weight_rate)
    cells = given.cells
    if not (given.weight > 0).any():
        return tuned
    for step in range(settings.steps):
        optimizer.param_groups[0]["lr"] = settings.weight_rate * (1 - step / settings.steps)
        fluxes = tuned.decode(cells.x, tuned.encode(cells.support, cells.static))[0]
        far = sum((p - o).square().sum() for p, o in zip(parameters, origin, strict=True))
        loss = site_loss(fluxes, given.y, given.weight, scale).sum() + settings.anchor / months * far
        for p, gradient in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True):
            p.grad = gradient
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
    return tuned.eval()


def site_loss(fluxes: Tensor, y: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """Huber loss (doi 10.1214/aoms/1177703732) of scaled residuals, mean over each site's measured values: (B, T, 3) to (B,)."""
    known = y.where(weight > 0, fluxes.detach())
    each = huber_loss(fluxes / scale, known / scale, reduction="none") * weight
    return each.sum((1, 2)) / weight.sum((1, 2)).clamp(min=1e-6)


@torch.inference_mode()
def predict(model: Network, cells: Inputs, season: Tensor, known: Adapted, *, skip: int) -> np.ndarray:
    """Delivered fluxes (B, T - skip, 3), gC m-2 d-1, of sites of which that is known; NaN where a driver is missing.

    `season` (B, T - skip, 3) is the time of year of the steps after those skipped.
    """
    fluxes = model.deliver(amplified(model.decode(cells.x, known.z)[0][:, skip:], factors(known.gain, season)))
    return np.where(cells.valid[:, skip:, None].numpy(), fluxes.numpy(), np.float32(np.nan))


@torch.no_grad()
def unadapted(model: Network, cells: Inputs) -> Adapted:
    """Codes as they follow from the drivers, and factors of one."""
    z = model.encode(cells.support, cells.static)
    return Adapted(z, torch.zeros(len(z), 2, 3))
