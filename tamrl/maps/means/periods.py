"""Means over calendar months, years and eight days, per member, so that their spread includes errors that steps share.

A mean is missing if one of its steps is missing. Steps have the weight of their length in days. Sums are added, so that the
division into blocks of cells does not change a number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tamrl import calendar, carbon
from tamrl.errors import ContractError
from tamrl.maps.intervals import interval_fields
from tamrl.maps.products import Context
from tamrl.uncertainty import ensemble

PERIODS: dict[str, calendar.Period] = {"monthly": "month", "annual": "year", "8day": "8 days"}
"""Names of the periods of the configuration in the calendar."""

SUMMARY = (
    "Means over calendar months, years and eight days, with the predictive deviation and quantiles of these means themselves."
)
"""Summary of files of means."""


@dataclass(frozen=True, eq=False)
class Periods:
    """The steps of each period."""

    first: np.ndarray
    """Array of int (period): position of the first step of each."""
    days: np.ndarray
    """Array (time): length of each step."""
    starts: np.ndarray
    """Array of datetime64 (period): first day of each."""

    @classmethod
    def of(cls, axis: calendar.TimeAxis, period: str) -> "Periods":
        """Periods, a key of `PERIODS`, of an axis whose steps must fill them.

        Raises `ContractError` if the steps do not cover a period, or leave one out.
        """
        kind, bounds = PERIODS[period], axis.bounds
        starts, first = np.unique(calendar.period_start(bounds[:, 0], kind), return_index=True)
        length = np.diff(calendar.bounds(starts, kind), axis=1)[:, 0].astype(float)
        if not np.array_equal(np.add.reduceat(axis.days, first), length):
            raise ContractError(f"the steps do not fill their {kind}s", found=f"{bounds[0, 0]} to {bounds[-1, 1]}")
        return cls(first, axis.days, starts.astype("datetime64[ns]"))

    def average(self, gpp: np.ndarray, reco: np.ndarray) -> dict[str, np.ndarray]:
        """Means (member, period, lat, lon), float64, of gpp and reco, members (member, time, lat, lon), and of nee."""
        means = {name: np.stack([self._mean(member) for member in flux]) for name, flux in (("gpp", gpp), ("reco", reco))}
        return means | {"nee": carbon.nee(gpp=means["gpp"], reco=means["reco"])}

    def _mean(self, values: np.ndarray) -> np.ndarray:
        """Means (period, lat, lon) of one member (time, lat, lon)."""
        sums = np.add.reduceat(values * self.days[:, None, None], self.first, axis=0)
        return np.asarray(sums / np.add.reduceat(self.days, self.first)[:, None, None])


def period_fields(
    means: Mapping[str, np.ndarray], contexts: Mapping[str, Context], months: np.ndarray | None, lat: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the fields of a block from the means of each flux (member, period, lat, lon), gC m-2 d-1.

    They are `<flux>`, the mean over the members, its `interval_fields`, and `<flux>_member_std`, the spread of the members, each
    float32 (period, lat, lon); a single member has no spread.

    Parameters
    ----------
    contexts : of the block, of each flux, with the calibration of the scale of the means
    months, lat : as for `interval_fields`
    """
    fields: dict[str, np.ndarray] = {}
    for flux, members in means.items():
        context = contexts[flux]
        mean, spread = ensemble.moments(members)
        fields[flux] = carbon.nee(gpp=fields["gpp"], reco=fields["reco"]) if flux == "nee" else context.deliver(mean)
        fields |= interval_fields(members, context, months, lat)
        fields |= {} if spread is None else {f"{flux}_member_std": context.deliver(spread)}
    return fields


def seasonal_fields(
    years: Sequence[Mapping[str, np.ndarray]], contexts: Mapping[str, Context], months: np.ndarray | None, lat: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the fields of a block's mean seasonal cycle from the output of `Periods.average` for the months of each year.

    They are those of `period_fields` for the means over the years, and `<flux>_iav`, the standard deviation over the years of
    each calendar month's mean over the members; a missing year makes the month missing.

    Parameters
    ----------
    contexts, months, lat : as for `period_fields`
    """
    fields = period_fields({flux: np.mean([year[flux] for year in years], axis=0) for flux in years[0]}, contexts, months, lat)
    for flux, context in contexts.items():
        fields[f"{flux}_iav"] = context.deliver(np.std([year[flux].mean(0) for year in years], axis=0, ddof=1))
    return fields
