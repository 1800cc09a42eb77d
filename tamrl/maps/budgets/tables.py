"""Tables of budgets: mean and spread over the members, each member by itself, months of regions, and trends."""

from functools import reduce
from operator import add
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from tamrl import carbon, classes, contracts, files
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.maps.budgets.errors import TotalErrors
from tamrl.maps.budgets.regions import region_kind
from tamrl.maps.budgets.totals import Totals

TREND = 3
"""Fewest years for a trend."""


class YearTables(NamedTuple):
    """Tables of one label."""

    years: pd.DataFrame
    """Rows of `budget_table`."""
    members: pd.DataFrame
    """Rows of `member_table`."""
    months: pd.DataFrame
    """Rows of `region_table`."""

    def write(self, folder: str) -> None:
        """Write the tables with all digits."""
        with files.atomic(folder) as part:
            part.mkdir()
            for name, table in self._asdict().items():
                table.to_parquet(part / f"{name}.parquet", index=False)

    @classmethod
    def read(cls, folder: str) -> "YearTables":
        """Read the tables of `write`; raise `ContractError` if one is damaged."""
        return cls(*(pd.read_parquet(files.verified(Path(folder) / f"{name}.parquet")) for name in cls._fields))


def member_table(totals: Totals, *, label: str) -> pd.DataFrame:
    """Rows of `contracts.BUDGET_MEMBERS`: PgC yr-1 of each member, from which covariances follow."""
    frames = []
    for flux, mass in totals.petagrams.items():
        wide = pd.DataFrame(mass, index=pd.Index(totals.regions, name="region"))
        long = wide.rename_axis(columns="member").stack().rename("total").reset_index()
        frames.append(long.assign(flux=flux, year=label)[["flux", "year", "region", "member", "total"]])
    return pd.concat(frames, ignore_index=True)


def trend_table(members: pd.DataFrame, budgets: pd.DataFrame) -> pd.DataFrame:
    """Rows of `contracts.BUDGET_TRENDS`: slopes over the years, PgC yr-2, by least squares.

    What places and classes err by in every year does not tilt a slope; what passes does, and so do the members. The scatter of
    the years around the line is another error, of the slope as an estimate of a longer trend: it counts as many years as are
    independent by their autocorrelation (von Storch & Zwiers 1999, doi 10.1017/CBO9780511612336, chapters 6 and 8).

    Parameters
    ----------
    members : rows of `member_table` of all years; fewer than `TREND` years give no rows
    budgets : rows of `budget_table` of the same years, with `passing_std`
    """
    years = sorted(members["year"].unique())
    rows = []
    if len(years) >= TREND and all(y.isdigit() for y in years):
        x = np.array(years, dtype=float) - np.mean([float(y) for y in years])
        passing = budgets.set_index(["flux", "region", "year"])["passing_std"]
        for (flux, region), group in members.groupby(["flux", "region"], sort=False):
            series = group.pivot(index="year", columns="member", values="total").sort_index().to_numpy()  # (year, member)
            slopes, error = _slopes(x, series)
            spread = slopes.std(ddof=1) if len(slopes) > 1 else np.nan
            tilt = float(np.sqrt(np.sum((x / (x @ x) * passing.loc[flux, region].loc[years].to_numpy()) ** 2)))
            std = float(np.hypot(np.nan_to_num(spread), tilt))
            rows.append((flux, region, f"{years[0]}-{years[-1]}", len(years), slopes.mean(), std, spread, tilt, error))
    return pd.DataFrame(rows, columns=list(contracts.BUDGET_TRENDS.columns)).astype(
        dict.fromkeys(("flux", "region", "years"), str)  # also where there are no rows
    )


def _slopes(x: np.ndarray, series: np.ndarray) -> tuple[np.ndarray, float]:
    """Slope of each column of `series` (year, member) over centred years, and the standard error of that of their mean."""
    slopes = x @ series / (x @ x)
    mean = series.mean(1)
    left = mean - mean.mean() - slopes.mean() * x
    memory = float(left[1:] @ left[:-1] / (left @ left)) if left @ left > 0 else 0.0
    independent = len(x) * (1 - max(memory, 0.0)) / (1 + max(memory, 0.0))
    return slopes, float(np.sqrt(left @ left / max(independent - 2, 0.5) / (x @ x)))


def describe_all(rows: pd.DataFrame, members: pd.DataFrame) -> str:
    """Return the totals of all mapped land in one line, with their closure and the spread of NEE for independent errors."""
    name = classes.name_of_all(rows["region"])
    total = rows[rows["region"] == name].set_index("flux")
    wide = members[members["region"] == name].pivot(index="member", columns="flux", values="total")
    off = carbon.residual(**{flux: wide[flux] for flux in FLUXES}).abs().max()
    text = ", ".join(f"{flux.upper()} {total.loc[flux, 'mean']:.3f} ± {total.loc[flux, 'std']:.3f}" for flux in FLUXES)
    independent = np.hypot(total.loc["gpp", "std"], total.loc["reco", "std"])
    closure = f"NEE - (RECO - GPP) is {off:.1e} at most"
    return f"{text} PgC yr-1; {closure}; were the errors independent, NEE would be ± {independent:.3f}"


def budget_table(totals: Totals, errors: TotalErrors, *, label: str, days: float, month: int | None = None) -> pd.DataFrame:
    """Rows of `contracts.BUDGETS`: PgC of a year, or of a month of it.

    Parameters
    ----------
    totals, errors : of the same regions
    label, days : the year and the length of what is summed
    month : calendar month; None for all that `errors` hold

    Raises `ContractError` if any total is not finite.
    """
    frames = []
    for flux, members in totals.petagrams.items():
        if not np.isfinite(members).all():
            raise ContractError(f"the total of {flux} in {label} is not finite", found=members)
        parts = pd.DataFrame([errors.parts(flux, region, month) for region in totals.regions])
        spread = members.std(1, ddof=1) if members.shape[1] > 1 else np.full(len(members), np.nan)
        std = np.sqrt(np.nan_to_num(spread) ** 2 + (parts**2).sum(axis=1).to_numpy())
        mean, half = members.mean(1), errors.quantiles[flux] * std
        table = {
            "flux": flux,
            "year": label,
            "region": totals.regions,
            "area_m2": totals.area / days,
            "mean": mean,
            "std": std,
            "q05": mean - half,
            "q95": mean + half,
            "member_std": spread,
        }
        frames.append(pd.DataFrame(table).assign(**parts, minimum=members.min(1), maximum=members.max(1)))
    return pd.concat(frames, ignore_index=True)


def region_table(totals: dict[int, Totals], errors: TotalErrors, days: dict[int, float], *, label: str) -> pd.DataFrame:
    """Rows of `contracts.REGIONS`: PgC of each month, and of the year (month 0).

    Parameters
    ----------
    totals, days : sums and length of each calendar month
    errors : of the same regions
    label : the year
    """
    parts = totals | {0: reduce(add, totals.values())}
    length = days | {0: sum(days.values())}
    frames = []
    for month in sorted(parts):
        frame = budget_table(parts[month], errors, label=label, days=length[month], month=month or None)
        frames.append(frame.assign(month=month, kind=frame["region"].map(region_kind)))
    table = pd.concat(frames, ignore_index=True)
    first = ["flux", "year", "month", "region", "kind"]
    return table[[*first, *(column for column in table.columns if column not in first)]]
