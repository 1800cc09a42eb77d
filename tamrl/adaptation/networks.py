"""Adapt networks: the code of a site alone, or lightly the weights, by gradients through the frozen or trained decoder."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import huber_loss

from tamrl.models.parts.network import FluxNetwork
from tamrl.samples.dataset import Inputs
from tamrl.sections.results import Adaptation
from tamrl.shapes import Fluxes, Season, SiteCode, Static, Support

CLIP = 1.0
"""Largest norm of the gradient of the weights."""

RIDGE = 0.1
"""Share of the mean variance added to the variances of the codes, so that directions no tower uses stay closed, not infinite."""

CONTRAST = 0.5
"""How much less the factors on GPP and RECO differ from each other than from one: sites that take up more respire more."""

LogFactors = Float[Tensor, "site 2 term"]
"""Logarithms of factors on GPP and RECO: constant, cosine and sine of the time of year."""


@dataclass(frozen=True)
class Measured:
    """Fluxes measured at sites, with the inputs of the same steps.

    Attributes
    ----------
    cells : Inputs (site, time, ...)
    season : time of year of each step
    y, weight : (site, time, flux)
        Fluxes in gC m-2 d-1; weight 0 where not measured or spin-up.
    """

    cells: Inputs
    season: Season
    y: Fluxes
    weight: Fluxes

    def sites(self, which: slice) -> "Measured":
        """Some of the sites."""
        return Measured(self.cells.sites(which), self.season[which], self.y[which], self.weight[which])


@dataclass(frozen=True)
class Adjustment:
    """What was learnt of sites: their codes, and factors on GPP and RECO."""

    z: SiteCode
    log_factors: LogFactors


@dataclass(frozen=True)
class CodePrior:
    """Codes of the training towers: principal axes in columns, and standard deviation along each."""

    axes: Float[Tensor, "code axis"]
    scale: Float[Tensor, "axis"]  # noqa: F821 (a shape)


def code_prior(model: FluxNetwork, support: Support, static: Static) -> CodePrior:
    """How codes differ among the towers that the model was trained on."""
    with torch.no_grad():
        codes = model.encode(support, static)
    centred = (codes - codes.mean(0)).double()
    variance, axes = torch.linalg.eigh(centred.T @ centred / max(len(codes) - 1, 1))
    variance = variance.clamp(min=0)
    scale = (variance + RIDGE * variance.mean()).sqrt() + 1e-9
    return CodePrior(axes.to(codes.dtype), scale.to(codes.dtype))


def fit_codes(
    model: FluxNetwork, measured: Measured, prior: CodePrior, *, months: int, scale: Tensor, settings: Adaptation
) -> Adjustment:
    """Codes, and factors on GPP and RECO, that agree with the measured fluxes and stay likely; every site on its own.

    Parameters
    ----------
    model : FluxNetwork
        Frozen.
    measured : Measured
        The window of each site with its spin-up.
    prior : CodePrior
    months : int
        Length of the window.
    scale : (3,)
        gC m-2 d-1, of the loss.

    Returns
    -------
    Adjustment. A site without a measured flux keeps the code of its drivers and factors of one.

    Notes
    -----
    The code moves along the principal axes of the towers' codes, in units of their standard deviation: minus the logarithm of
    a Gaussian prior there, weighted against the mean Huber loss of scaled residuals times the independent measurements. The
    factors, whose logarithms have a Gaussian prior too, take up what no code of the trained towers can express: a level, and a
    swing over the year that one summer leaves open, so that it is not carried into winter.
    """
    cells = measured.cells
    with torch.no_grad():
        start = model.encode(cells.support, cells.static)
    move = torch.zeros_like(start, requires_grad=True)
    level = torch.zeros(len(start), 2, measured.season.shape[-1], requires_grad=True)
    optimizer = torch.optim.Adam([move, level], lr=settings.code_rate)
    for step in range(settings.steps):
        optimizer.param_groups[0]["lr"] = settings.code_rate * (1 - step / settings.steps)
        fluxes, _ = model.decode(cells.x, start + (move * prior.scale) @ prior.axes.T)
        adjusted = multiplied(fluxes, factors(log_factors(level, settings), measured.season))
        misfit = site_loss(adjusted, measured.y, measured.weight, scale) * months * settings.per_month  # (site,)
        loss = (misfit + 0.5 * (move.square().sum(-1) + level.square().sum((1, 2)))).sum()
        move.grad, level.grad = torch.autograd.grad(loss, [move, level])
        optimizer.step()
    z = start + (move.detach() * prior.scale) @ prior.axes.T
    return Adjustment(z, log_factors(level.detach(), settings))


def log_factors(level: Float[Tensor, "site 2 term"], settings: Adaptation) -> LogFactors:
    """Logarithms of factors from the sum and the contrast of GPP and RECO, in standard deviations.

    The contrast counts `CONTRAST` as much as the sum.
    """
    both, contrast = level.unbind(1)
    return torch.stack([both + CONTRAST * contrast, both - CONTRAST * contrast], dim=1) * torch.tensor(
        [settings.gain, settings.gain_season, settings.gain_season]
    )


def factors(logarithms: LogFactors, season: Season) -> Float[Tensor, "site time 2"]:
    """Factors on GPP and RECO at each step."""
    return torch.einsum("bfk,btk->btf", logarithms, season).exp()


def multiplied(fluxes: Fluxes, factor: Float[Tensor, "site time 2"]) -> Fluxes:
    """Fluxes with GPP and RECO times `factor`; the imbalance of the three stays as it is."""
    both = fluxes[..., :2] * factor
    imbalance = fluxes[..., 2] - (fluxes[..., 1] - fluxes[..., 0])
    return torch.cat([both, (both[..., 1] - both[..., 0] + imbalance)[..., None]], dim=-1)


def fit_weights(model: FluxNetwork, measured: Measured, *, months: int, scale: Tensor, settings: Adaptation) -> FluxNetwork:
    """A copy of the model whose weights are tuned at one site and drawn to where they started.

    L2-SP of Li et al. 2018 (arXiv 1802.01483).

    Parameters
    ----------
    model : stays as it is
    measured : inputs and fluxes of one site
    months : of fluxes; the more, the weaker the draw to where the weights started
    scale : (3,) scales of the fluxes, gC m-2 d-1
    settings : of the adaptation
    """
    tuned = copy.deepcopy(model).requires_grad_(True)
    parameters = list(tuned.parameters())
    origin = [p.detach().clone() for p in parameters]
    optimizer = torch.optim.Adam(parameters, lr=settings.weight_rate)
    cells = measured.cells
    if not (measured.weight > 0).any():
        return tuned
    for step in range(settings.steps):
        optimizer.param_groups[0]["lr"] = settings.weight_rate * (1 - step / settings.steps)
        fluxes = tuned.decode(cells.x, tuned.encode(cells.support, cells.static))[0]
        distance = sum((p - o).square().sum() for p, o in zip(parameters, origin, strict=True))
        loss = site_loss(fluxes, measured.y, measured.weight, scale).sum() + settings.anchor / months * distance
        for p, gradient in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True):
            p.grad = gradient
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
    return tuned.eval()


def site_loss(fluxes: Fluxes, y: Fluxes, weight: Fluxes, scale: Tensor) -> Float[Tensor, "site"]:  # noqa: F821 (a shape)
    """Huber loss (doi 10.1214/aoms/1177703732) of scaled residuals, mean over the measured values of each site.

    Parameters
    ----------
    fluxes, y : (site, time, 3), predicted and measured, gC m-2 d-1
    weight : (site, time, 3), 0 where nothing was measured
    scale : (3,) scales of the fluxes, gC m-2 d-1
    """
    known = y.where(weight > 0, fluxes.detach())
    each = huber_loss(fluxes / scale, known / scale, reduction="none") * weight
    return each.sum((1, 2)) / weight.sum((1, 2)).clamp(min=1e-6)


@torch.inference_mode()
def predict_adjusted(model: FluxNetwork, cells: Inputs, season: Season, adjustment: Adjustment, *, skip: int) -> np.ndarray:
    """Delivered fluxes (site, time - skip, 3), gC m-2 d-1, of adjusted sites; NaN where a driver is missing.

    Parameters
    ----------
    model : whose codes or weights were adapted
    cells : standardised inputs of the sites
    season : time of year of the steps after those skipped
    adjustment : of the fluxes of each site
    skip : first steps that are not returned
    """
    decoded = model.decode(cells.x, adjustment.z)[0][:, skip:]
    fluxes = model.deliver(multiplied(decoded, factors(adjustment.log_factors, season)))
    return np.where(cells.valid[:, skip:, None].numpy(), fluxes.numpy(), np.float32(np.nan))


@torch.no_grad()
def unadjusted(model: FluxNetwork, cells: Inputs) -> Adjustment:
    """Codes as they follow from the drivers, and factors of one."""
    z = model.encode(cells.support, cells.static)
    return Adjustment(z, torch.zeros(len(z), 2, 3))
