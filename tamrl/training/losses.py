"""The loss: one expression over whole batches, no loop over elements."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from tamrl import carbon

BALANCE_WEIGHT = 0.1
"""Weight of the imbalance in the loss, per gC m-2 d-1 squared (arXiv 2603.09974)."""

LIKELIHOOD_WEIGHT = 0.3
"""Brings a likelihood to the size of the Huber loss, so that the balance weighs the same beside either."""

LEAST_WIDTH, MOST_WIDTH = -4.0, 3.0
"""Limits of the logarithm of an error's width: no step may be taken for certain, none for worthless."""

ROUNDING = 0.01
"""Square of the residual, in units of the scale, below which an absolute value is rounded off, so that its slope is smooth."""


Kind = Literal["huber", "laplace", "squared"]
"""What the residual of a scaled flux costs."""


def flux_loss(
    predicted: Tensor, y: Tensor, weight: Tensor, scale: Tensor, forgiven: float = 0.0, *, kind: Kind = "huber"
) -> Tensor:
    """Weighted loss of scaled fluxes plus the balance penalty in physical units.

    Parameters
    ----------
    predicted : (B, T, 3) or (B, T, 6)
        gpp, reco, nee in gC m-2 d-1, and, of networks that estimate it, the logarithm of each flux's expected error in units
        of `scale`. A dimension in front holds streams of one network, of which each learns on its own.
    y : (B, T, 3)
        Measured fluxes, gC m-2 d-1; may be NaN where the weight is 0.
    weight : (B, T, 3)
        Quality, 0 where not measured or not scored.
    scale : (3,)
        gC m-2 d-1.
    forgiven : float
        Share of each sequence's mean residual that costs nothing, see `_without_mean`.
    kind : "huber", "laplace" or "squared"
        Of networks that do not estimate an error; `laplace` is `huber` for these.

    Returns
    -------
    Scalar: the mean over all scored values of each flux, averaged over fluxes, plus `BALANCE_WEIGHT` x mean imbalance²,
    added up over streams.
    Each value costs the Huber loss (doi 10.1214/aoms/1177703732, δ = 1) of its residual in units of `scale`, or the
    square of that, or, with an estimated error, the negative logarithm of the Laplace likelihood (Kendall & Gal 2017, arXiv
    1703.04977): towers and seasons whose fluxes are large and noisy then weigh no more than the others.
    """
    scored = weight > 0
    fluxes, width = predicted[..., :3], predicted[..., 3:]
    residual = torch.where(scored, fluxes - y, 0) / scale
    if forgiven:
        residual = _without_mean(residual, weight, forgiven)
    if width.shape[-1]:
        each = LIKELIHOOD_WEIGHT * _laplace(residual, width.clamp(LEAST_WIDTH, MOST_WIDTH))
    elif kind == "squared":
        each = residual.square()
    else:
        each = huber_loss(residual, torch.zeros_like(residual), reduction="none")
    each = each * weight  # (..., B, T, 3)
    fit = (each.sum((-3, -2)) / weight.sum((0, 1)).clamp(min=1e-6)).mean(-1)
    gpp, reco, nee = fluxes.unbind(-1)
    imbalance = carbon.residual(gpp=gpp, reco=reco, nee=nee).square().mean((-2, -1))
    return (fit + BALANCE_WEIGHT * imbalance).sum()


def sums_loss(predicted: Tensor, share: Tensor, y: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """Weighted Huber loss of scaled mean fluxes over periods (doi 10.1214/aoms/1177703732, δ = 1), added up over streams.

    Parameters
    ----------
    predicted : (..., B, T, 3 or 6), as `flux_loss` takes it
    share : (B, T)
        Share of each step in the mean, 0 outside the period.
    y, weight : (B, 3)
        Known mean fluxes, gC m-2 d-1, NaN where the weight is 0.
    scale : (3,)
        gC m-2 d-1.
    """
    mean = (predicted[..., :3] * share[..., None]).sum(-2)  # (..., B, 3)
    residual = torch.where(weight > 0, mean - y, 0) / scale
    each = huber_loss(residual, torch.zeros_like(residual), reduction="none") * weight
    return (each.sum(-2) / weight.sum(0).clamp(min=1e-6)).mean(-1).sum()


def _without_mean(residual: Tensor, weight: Tensor, share: float) -> Tensor:
    """Residuals (..., B, T, 3) less `share` of the mean that the steps of a sequence have in common.

    Towers differ by more than any driver tells: the errors of a tower's steps are one draw of that difference and many of what
    varies within it. Where errors have such a common part, partly taking away the mean gives the efficient estimate (Fuller &
    Battese 1974, doi 10.1016/0304-4076(74)90030-X, for linear models); without, the few towers' levels drown what all their
    days say of the response to the drivers.
    """
    mean = (residual * weight).sum(-2, keepdim=True) / weight.sum(-2, keepdim=True).clamp(min=1e-6)  # (..., B, 1, 3)
    return residual - share * mean


def _laplace(residual: Tensor, width: Tensor) -> Tensor:
    """Negative logarithm of the Laplace likelihood but for its constant; `width` is the logarithm of the expected error."""
    return (residual.square() + ROUNDING).sqrt() * torch.exp(-width) + width
