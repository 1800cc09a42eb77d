"""Means over calendar months, years and eight days, per member, so that their spread counts what the members share; pure.

A mean is missing where one of its steps is: no value stands in for another. Steps weigh by their length in days, and sums are
added, so that no division into blocks of cells changes a number.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from tamrl import calendar, carbon
from tamrl.errors import ContractError
from tamrl.maps.products import Context
from tamrl.uncertainty import ensemble

PERIODS: dict[str, calendar.Period] = {"monthly": "month", "annual": "year", "8day": "8 days"}
"""What the calendar calls the periods of the configuration."""


@dataclass(frozen=True)
class Groups:
    """Which steps make which period.

    Attributes
    ----------
    first : array of int (period)
        Position of the first step of each.
    days : array (time)
        Length of each step.
    starts : array of datetime64 (period)
        First day of each.
    """

    first: np.ndarray
    days: np.ndarray
    starts: np.ndarray


def groups(time: np.ndarray, *, step: str, period: str) -> Groups:
    """Periods of the steps `time` (datetime64, starts of steps of length `step`: day or month), which must fill them whole.

    Raises
    ------
    ContractError
        If the steps do not cover a period, or leave one out.
    """
    bounds = calendar.bounds(time, step)
    starts, first = np.unique(calendar.period_start(bounds[:, 0], PERIODS[period]), return_index=True)
    days = (bounds[:, 1] - bounds[:, 0]).astype(float)
    whole = np.diff(calendar.bounds(starts, PERIODS[period]), axis=1)[:, 0].astype(float)
    if not np.array_equal(np.add.reduceat(days, first), whole):
        raise ContractError(f"the steps do not fill their {PERIODS[period]}s", found=f"{bounds[0, 0]} to {bounds[-1, 1]}")
    return Groups(first, days, starts.astype("datetime64[ns]"))


def means(values: np.ndarray, own: Groups) -> np.ndarray:
    """Means (period, lat, lon), float64, of one member (time, lat, lon) over each period."""
    sums = np.add.reduceat(values * own.days[:, None, None], own.first, axis=0)
    return sums / np.add.reduceat(own.days, own.first)[:, None, None]


def of_members(gpp: xr.DataArray, reco: xr.DataArray, own: Groups) -> dict[str, np.ndarray]:
    """Means (member, period, lat, lon), float64, of gpp and reco, members (member, time, lat, lon), and of nee."""
    found = {name: np.stack([means(m, own) for m in flux.values]) for name, flux in (("gpp", gpp), ("reco", reco))}
    return found | {"nee": carbon.nee(**found)}


def build(found: dict[str, np.ndarray], context: Context) -> dict[str, np.ndarray]:
    """Fields of a block.

    Parameters
    ----------
    found : means of each flux (member, period, lat, lon), gC m-2 d-1
    context : share of the cells' vegetated land, unit and rounding

    Returns
    -------
    dict
        For each flux `<flux>`, the mean over the members, and `<flux>_std`, their spread: arrays (period, lat, lon) of float32;
        the spread is missing for a single member.
    """
    fields: dict[str, np.ndarray] = {}
    for flux, members in found.items():
        mean, std = ensemble.moments(members)
        fields[flux] = carbon.nee(gpp=fields["gpp"], reco=fields["reco"]) if flux == "nee" else context.deliver(mean)
        fields[f"{flux}_std"] = context.deliver(np.full_like(mean, np.nan) if std is None else std)
    return fields


def seasonal(years: list[dict[str, np.ndarray]], context: Context) -> dict[str, np.ndarray]:
    """Fields of a block's mean seasonal cycle.

    Parameters
    ----------
    years : for each year what `of_members` gave of its months
    context : as of `build`

    Returns
    -------
    dict
        As of `build`, of the means over the years, and `<flux>_iav`, the standard deviation over the years of each calendar
        month's mean over the members, at which a year that is missing makes the month missing.
    """
    fields = build({flux: np.mean([year[flux] for year in years], axis=0) for flux in years[0]}, context)
    for flux in years[0]:
        fields[f"{flux}_iav"] = context.deliver(np.std([year[flux].mean(0) for year in years], axis=0, ddof=1))
    return fields
