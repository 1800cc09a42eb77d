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


TREND = 3
"""Years from which on a trend is drawn."""


def by_member(totals: Totals, *, label: str) -> pd.DataFrame:
    """Rows of `contracts.BUDGET_MEMBERS`: PgC yr-1 of each member, from which any covariance can be had."""
    masses = {"gpp": totals.gpp, "reco": totals.reco, "nee": carbon.nee(gpp=totals.gpp, reco=totals.reco)}
    frames = []
    for flux, mass in masses.items():
        wide = pd.DataFrame(mass / PETAGRAM, index=pd.Index(totals.regions, name="region"))
        long = wide.rename_axis(columns="member").stack().rename("total").reset_index()
        frames.append(long.assign(flux=flux, year=label)[["flux", "year", "region", "member", "total"]])
    return pd.concat(frames, ignore_index=True)


def trends(members: pd.DataFrame) -> pd.DataFrame:
    """Rows of `contracts.BUDGET_TRENDS`: slopes over the years, PgC yr-2, by least squares.

    `std` is the spread of the members' own slopes, `error` the standard error of the slope of their mean, which is what the
    years' scatter leaves open (von Storch & Zwiers 1999, doi 10.1017/CBO9780511612336, chapter 8).

    Parameters
    ----------
    members : rows of `by_member` of all years; fewer than `TREND` years give no rows
    """
    years = sorted(members["year"].unique())
    rows = []
    if len(years) >= TREND and all(y.isdigit() for y in years):
        for (flux, region), own in members.groupby(["flux", "region"], sort=False):
            series = own.pivot(index="year", columns="member", values="total").sort_index().to_numpy()  # (year, member)
            slopes, error = _slopes(np.array(years, dtype=float), series)
            std = slopes.std(ddof=1) if len(slopes) > 1 else np.nan
            rows.append((flux, region, f"{years[0]}-{years[-1]}", len(years), slopes.mean(), std, error))
    return pd.DataFrame(rows, columns=["flux", "region", "years", "n", "slope", "std", "error"]).astype(
        dict.fromkeys(("flux", "region", "years"), str)  # also where there are no rows
    )


def _slopes(years: np.ndarray, series: np.ndarray) -> tuple[np.ndarray, float]:
    """Slope of each column of `series` (year, member), and the standard error of that of their mean."""
    x = years - years.mean()
    slopes = x @ series / (x @ x)
    mean = series.mean(1)
    left = mean - mean.mean() - slopes.mean() * x
    return slopes, float(np.sqrt(left @ left / (len(x) - 2) / (x @ x)))


def line(rows: pd.DataFrame, members: pd.DataFrame) -> str:
    """The globe in one line: totals, how far they close, and what independent errors would have made of the spread of NEE."""
    own = rows[rows["region"] == "globe"].set_index("flux")
    wide = members[members["region"] == "globe"].pivot(index="member", columns="flux", values="total")
    off = carbon.residual(**{flux: wide[flux] for flux in FLUXES}).abs().max()
    text = ", ".join(f"{flux.upper()} {own.loc[flux, 'mean']:.3f} ± {own.loc[flux, 'std']:.3f}" for flux in FLUXES)
    apart = np.hypot(own.loc["gpp", "std"], own.loc["reco", "std"])
    return f"{text} PgC yr-1; NEE - (RECO - GPP) is {off:.1e} at most; were the errors independent, NEE would be ± {apart:.3f}"


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
