"""The carbon balance, in one place: NEE = RECO - GPP, positive towards the atmosphere.

Works alike on floats, NumPy arrays, xarray objects and torch tensors, in any unit common to all three
(Chapin et al. 2006, doi 10.1007/s10021-005-0105-7, who write NEP = GPP - RECO = -NEE where lateral fluxes vanish).
"""

from typing import TypeVar

A = TypeVar("A")

FLUXES = ("gpp", "reco", "nee")
"""Order of the fluxes wherever they become an axis."""

UNITS = "gC m-2 d-1"
"""The unit of every flux inside the package, as people write it."""

CF_UNITS = "g m-2 d-1"
"""The same for CF files, which do not know 'gC': the long name says that the mass is of carbon."""


def nee(*, gpp: A, reco: A) -> A:
    """NEE from GPP and RECO (same shape and unit)."""
    return reco - gpp


def residual(*, gpp: A, reco: A, nee: A) -> A:
    """NEE - (RECO - GPP): zero where the balance closes."""
    return nee - (reco - gpp)
