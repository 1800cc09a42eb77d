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


def reconcile(*, gpp: A, reco: A, nee: A) -> tuple[A, A]:
    """GPP and RECO of the nearest triple that closes: the imbalance is shared out equally among three estimates.

    Least squares with equal error variances (Wickramasuriya et al. 2019, doi 10.1080/01621459.2018.1448825); the NEE of that
    triple is `nee(gpp, reco)` of what is returned. Same shape and unit as the inputs.
    """
    share = residual(gpp=gpp, reco=reco, nee=nee) / 3
    return gpp - share, reco + share
