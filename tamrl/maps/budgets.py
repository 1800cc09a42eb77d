"""Regional budgets in PgC per year: sums of flux times land area times time, per member, then mean and spread.

The sums of any blocks of cells and steps add up to the same totals. A missing cell-step adds neither mass nor area: no value
is invented, and the area that a total stands for is stated beside it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tamrl import carbon
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError

PETAGRAM = 1e15
"""Grams."""

NEVER_MISSING = 1e-3
"""A larger share of missing carrying land is worth a warning."""


@dataclass(frozen=True)
class Totals:
    """Sums over a block.

    Attributes
    ----------
    regions : tuple of str
    gpp, reco : arrays (region, member)
        Mass of carbon, g.
    area : array (region)
        Land with values, m2 d.
    present, wanted : arrays (region)
        Land that carries flux, with values and in all, m2 d.
    """

    regions: tuple[str, ...]
    gpp: np.ndarray
    reco: np.ndarray
    area: np.ndarray
    present: np.ndarray
    wanted: np.ndarray

    def __add__(self, other: "Totals") -> "Totals":
        """Totals of both blocks."""
        if self.regions != other.regions:
            raise ContractError("totals of different regions cannot be added", found=(self.regions, other.regions))
        names = ("gpp", "reco", "area", "present", "wanted")
        return Totals(self.regions, *(getattr(self, n) + getattr(other, n) for n in names))


def sums(*, gpp: np.ndarray, reco: np.ndarray, days: np.ndarray, regions: dict[str, tuple[np.ndarray, np.ndarray]]) -> Totals:
    """Totals of a block.

    Parameters
    ----------
    gpp, reco : arrays (member, time, lat, lon)
        gC m-2 d-1 of vegetated land. A step counts where all members have both.
    days : array (time)
        Length of each step in days.
    regions : dict
        What `land.regions` returns for the block's cells.
    """
    known = np.isfinite(gpp).all(0) & np.isfinite(reco).all(0)
    mass = {}
    for name, flux in (("gpp", gpp), ("reco", reco)):
        mass[name] = np.stack([np.einsum("tyx,t->yx", np.where(known, member, 0.0), days) for member in flux])
    present = np.einsum("tyx,t->yx", known, days)
    land, carrying = (np.stack(part) for part in zip(*regions.values(), strict=True))
    # A cell whose classes are unknown carries an unknown area (NaN): it counts as missing, like a missing value.
    certain = np.isfinite(carrying)
    carrying, land = np.where(certain, carrying, 0.0), np.where(certain, land, 0.0)
    return Totals(
        regions=tuple(regions),
        **{name: np.einsum("ryx,myx->rm", carrying, total) for name, total in mass.items()},
        area=np.einsum("ryx,yx->r", land, present),
        present=np.einsum("ryx,yx->r", carrying, present),
        wanted=carrying.sum((1, 2)) * days.sum(),
    )


def missing(totals: Totals) -> float:
    """Share of the globe's carrying land and time without values."""
    i = totals.regions.index("globe")
    lost = totals.wanted[i] - totals.present[i]
    return max(0.0, lost / totals.wanted[i]) if totals.wanted[i] else 0.0  # rounding may leave a little less than nothing


def table(totals: Totals, *, label: str, days: float) -> pd.DataFrame:
    """Rows of `contracts.BUDGETS`: PgC yr-1 over the `days` of the year `label`.

    Raises
    ------
    ContractError
        If any total is not finite.
    """
    masses = {"gpp": totals.gpp, "reco": totals.reco, "nee": carbon.nee(gpp=totals.gpp, reco=totals.reco)}
    frames = []
    for flux in FLUXES:
        members = masses[flux] / PETAGRAM
        if not np.isfinite(members).all():
            raise ContractError(f"the total of {flux} in {label} is not finite", found=members)
        frames.append(
            pd.DataFrame(
                {
                    "flux": flux,
                    "year": label,
                    "region": totals.regions,
                    "area_m2": totals.area / days,
                    "mean": members.mean(1),
                    "std": members.std(1, ddof=1) if members.shape[1] > 1 else np.nan,
                    "minimum": members.min(1),
                    "maximum": members.max(1),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
