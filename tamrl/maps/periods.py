"""Means over calendar months and years, per member, so that their spread counts what the members share; pure.

A mean is missing where one of its steps is: no value stands in for another. Steps weigh by their length in days, and sums are
added, so that no division into blocks of cells changes a number.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from tamrl import carbon
from tamrl.errors import ContractError
from tamrl.maps import cf
from tamrl.maps.products import Context
from tamrl.uncertainty import ensemble

UNITS = {"monthly": "M", "annual": "Y"}
"""NumPy's name of the calendar unit of a period."""

STEPS = {"monthly": "month", "annual": "year"}
"""What `cf.time_axis` calls it."""


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
    bounds = cf.time_bounds(time, step)
    of = bounds[:, 0].astype(f"datetime64[{UNITS[period]}]")
    starts, first = np.unique(of, return_index=True)
    days = (bounds[:, 1] - bounds[:, 0]).astype(float)
    whole = ((starts + 1).astype("datetime64[D]") - starts.astype("datetime64[D]")).astype(float)
    if not np.array_equal(np.add.reduceat(days, first), whole):
        raise ContractError(f"the steps do not fill their {STEPS[period]}s", found=f"{bounds[0, 0]} to {bounds[-1, 1]}")
    return Groups(first, days, starts.astype("datetime64[ns]"))


def means(values: np.ndarray, own: Groups) -> np.ndarray:
    """Means (period, lat, lon), float64, of one member (time, lat, lon) over each period."""
    sums = np.add.reduceat(values * own.days[:, None, None], own.first, axis=0)
    return sums / np.add.reduceat(own.days, own.first)[:, None, None]


def build(gpp: xr.DataArray, reco: xr.DataArray, own: Groups, context: Context) -> dict[str, np.ndarray]:
    """Fields of a block.

    Parameters
    ----------
    gpp, reco : members (member, time, lat, lon), gC m-2 d-1
    own : the periods of their steps
    context : share of the cells' vegetated land, unit and rounding

    Returns
    -------
    dict
        For each flux `<flux>`, the mean over the members, and `<flux>_std`, their spread: arrays (period, lat, lon) of float32;
        the spread is missing for a single member.
    """
    found = {name: np.stack([means(m, own) for m in flux.values]) for name, flux in (("gpp", gpp), ("reco", reco))}
    found["nee"] = carbon.nee(**found)
    fields: dict[str, np.ndarray] = {}
    for flux, members in found.items():
        mean, std = ensemble.moments(members)
        fields[flux] = carbon.nee(gpp=fields["gpp"], reco=fields["reco"]) if flux == "nee" else context.deliver(mean)
        fields[f"{flux}_std"] = context.deliver(np.full_like(mean, np.nan) if std is None else std)
    return fields
