"""Tables of budgets: mean and spread over the members, each member by itself, months of regions, and trends."""

from functools import reduce
from operator import add

import numpy as np
import pandas as pd

from tamrl import carbon
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.maps.budgets.regions import region_kind
from tamrl.maps.budgets.totals import Totals

TREND = 3
"""Fewest years for a trend."""


def member_table(totals: Totals, *, label: str) -> pd.DataFrame:
    """Rows of `contracts.BUDGET_MEMBERS`: PgC yr-1 of each member, from which covariances follow."""
    frames = []
    for flux, mass in totals.petagrams.items():
        wide = pd.DataFrame(mass, index=pd.Index(totals.regions, name="region"))
        long = wide.rename_axis(columns="member").stack().rename("total").reset_index()
        frames.append(long.assign(flux=flux, year=label)[["flux", "year", "region", "member", "total"]])
    return pd.concat(frames, ignore_index=True)


def trend_table(members: pd.DataFrame) -> pd.DataFrame:
    """Rows of `contracts.BUDGET_TRENDS`: slopes over the years, PgC yr-2, by least squares.

    `std` is the spread of the members' own slopes, `error` the standard error of the slope of their mean, from the
    scatter of the years (von Storch & Zwiers 1999, doi 10.1017/CBO9780511612336, chapter 8).

    Parameters
    ----------
    members : rows of `member_table` of all years; fewer than `TREND` years give no rows
    """
    years = sorted(members["year"].unique())
    rows = []
    if len(years) >= TREND and all(y.isdigit() for y in years):
        for (flux, region), group in members.groupby(["flux", "region"], sort=False):
            series = group.pivot(index="year", columns="member", values="total").sort_index().to_numpy()  # (year, member)
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


def describe_globe(rows: pd.DataFrame, members: pd.DataFrame) -> str:
    """Return the global totals in one line, with their closure and the spread of NEE for independent errors."""
    globe = rows[rows["region"] == "globe"].set_index("flux")
    wide = members[members["region"] == "globe"].pivot(index="member", columns="flux", values="total")
    off = carbon.residual(**{flux: wide[flux] for flux in FLUXES}).abs().max()
    text = ", ".join(f"{flux.upper()} {globe.loc[flux, 'mean']:.3f} ± {globe.loc[flux, 'std']:.3f}" for flux in FLUXES)
    independent = np.hypot(globe.loc["gpp", "std"], globe.loc["reco", "std"])
    closure = f"NEE - (RECO - GPP) is {off:.1e} at most"
    return f"{text} PgC yr-1; {closure}; were the errors independent, NEE would be ± {independent:.3f}"


def budget_table(totals: Totals, *, label: str, days: float) -> pd.DataFrame:
    """Rows of `contracts.BUDGETS`: PgC yr-1 over the `days` of the year `label`.

    Raises
    ------
    ContractError
        If any total is not finite.
    """
    frames = []
    for flux, members in totals.petagrams.items():
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


def region_table(totals: dict[int, Totals], days: dict[int, float], *, label: str) -> pd.DataFrame:
    """Rows of `contracts.REGIONS`: PgC of each month, and of the year (month 0).

    Parameters
    ----------
    totals, days : sums and length of each month that has steps
    """
    parts = totals | {0: reduce(add, totals.values())}
    length = days | {0: sum(days.values())}
    frames = []
    for month in sorted(parts):
        frame = budget_table(parts[month], label=label, days=length[month])
        frames.append(frame.assign(month=month, kind=frame["region"].map(region_kind)))
    table = pd.concat(frames, ignore_index=True)
    first = ["flux", "year", "month", "region", "kind"]
    return table[[*first, *(column for column in table.columns if column not in first)]]
