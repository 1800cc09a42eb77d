"""The carbon balance, in one place: NEE = RECO - GPP, positive towards the atmosphere.

Works alike on floats, NumPy arrays, xarray objects and torch tensors, in any unit common to all three
(Chapin et al. 2006, doi 10.1007/s10021-005-0105-7, who write NEP = GPP - RECO = -NEE where lateral fluxes vanish).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch
    import xarray as xr

Quantity = TypeVar("Quantity", float, "npt.NDArray[np.floating[Any]]", "xr.DataArray", "torch.Tensor")
"""What carries numbers of one unit: arithmetic with it gives the same type."""

FLUXES = ("gpp", "reco", "nee")
"""Order of the fluxes wherever they become an axis."""

UNITS = "gC m-2 d-1"
"""The unit of every flux inside the package, as people write it."""

CF_UNITS = "g m-2 d-1"
"""The same for CF files, which do not know 'gC': the long name says that the mass is of carbon."""

GRAMS_PER_PETAGRAM = 1e15


def nee(*, gpp: Quantity, reco: Quantity) -> Quantity:
    """NEE from GPP and RECO (same shape and unit)."""
    return reco - gpp


def residual(*, gpp: Quantity, reco: Quantity, nee: Quantity) -> Quantity:
    """NEE - (RECO - GPP): zero where the balance closes."""
    return nee - (reco - gpp)


EQUAL = (1 / 3, -1 / 3)
"""Gain of `reconcile` for errors of equal variance that are not correlated."""


def reconcile(*, gpp: Quantity, reco: Quantity, nee: Quantity, gain: tuple[float, float] = EQUAL) -> tuple[Quantity, Quantity]:
    """GPP and RECO of the triple that closes and is nearest to three estimates in terms of their errors.

    Minimum-trace reconciliation (Wickramasuriya et al. 2019, doi 10.1080/01621459.2018.1448825). The NEE of that triple is
    `nee(gpp, reco)` of what is returned. Same shape and unit as the inputs.

    Parameters
    ----------
    gain : shares of the imbalance that are subtracted from GPP and RECO, from `gain`; equal by default
    """
    imbalance = residual(gpp=gpp, reco=reco, nee=nee)
    return gpp - gain[0] * imbalance, reco - gain[1] * imbalance


def gain(covariance: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Gain of `reconcile` for the covariance (3 x 3, gpp, reco, nee) of the estimates' errors.

    With the balance a·y = 0, a = (1, -1, 1), the projection along W subtracts W a (a·W a)⁻¹ a·y.
    """
    balance = (1.0, -1.0, 1.0)
    along = [sum(w * a for w, a in zip(row, balance, strict=True)) for row in covariance]
    across = sum(a * w for a, w in zip(balance, along, strict=True))
    if not across > 0:
        return EQUAL  # the estimates already close
    return along[0] / across, along[1] / across
