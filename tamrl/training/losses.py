"""The loss: one expression over whole batches, no loop over elements."""

from torch import Tensor
from torch.nn.functional import huber_loss

from tamrl import carbon

BALANCE_WEIGHT = 0.1
"""Weight of the imbalance in the loss, per gC m-2 d-1 squared (arXiv 2603.09974)."""


def flux_loss(predicted: Tensor, y: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """Weighted Huber loss of scaled fluxes plus the balance penalty in physical units.

    Parameters
    ----------
    predicted, y : (B, T, 3)
        gpp, reco, nee in gC m-2 d-1; y may be NaN where the weight is 0.
    weight : (B, T, 3)
        Quality, 0 where not measured or not scored.
    scale : (3,)
        gC m-2 d-1. The residual enters the Huber loss (doi 10.1214/aoms/1177703732, δ = 1) in units of it.

    Returns
    -------
    Scalar: the mean over all scored values of each flux, averaged over fluxes, plus `BALANCE_WEIGHT` x mean imbalance².
    """
    scored = weight > 0
    known = y.where(scored, predicted.detach())
    each = huber_loss(predicted / scale, known / scale, reduction="none") * weight  # (B, T, 3)
    fit = (each.sum((0, 1)) / weight.sum((0, 1)).clamp(min=1e-6)).mean()
    gpp, reco, nee = predicted.unbind(-1)
    return fit + BALANCE_WEIGHT * carbon.residual(gpp=gpp, reco=reco, nee=nee).square().mean()
