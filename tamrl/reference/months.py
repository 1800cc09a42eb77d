"""Steps of products become calendar months: the first days name them, and days and composites are averaged."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from tamrl import calendar
from tamrl.errors import InputError
from tamrl.reference.layouts import Steps

LENGTH = {"day": 1, "8 days": 8}
"""Days of a step; a composite ends earlier where the next one begins."""

LEAST = 0.5
"""Share of the days of a month that must have values; a pixel with fewer is missing in that month."""


def month_starts(time: np.ndarray) -> np.ndarray:
    """Return the first day of the month (datetime64[ns]) of each time."""
    return calendar.period_start(time, "month").astype("datetime64[ns]")


def to_months(field: xr.DataArray, steps: Steps, *, where: object) -> xr.DataArray:
    """Return the means of calendar months (time, lat, lon), lazily; `time` is the first day of each, datetime64[ns].

    Months at the ends that the record covers in part are left out.

    Parameters
    ----------
    field : (time, lat, lon), `time` holds the day of each step, in order
    steps : length of the steps
    where : for errors

    Raises `InputError` if a month occurs twice, or one within the record is covered in part.
    """
    days = field["time"].values.astype("datetime64[D]")
    if steps == "month":
        return _check_order(field.assign_coords(time=month_starts(days)), where)
    _check_order(field, where)
    shares = month_shares(days, LENGTH[steps])
    full = shares.complete
    if not full.any():
        raise InputError(
            "the product covers no full month", where=where, found=f"{days[0]} to {days[-1]}", todo="give more files"
        )
    inside = slice(int(full.argmax()), int(full.size - full[::-1].argmax()))
    if not full[inside].all():
        missing = shares.months[inside][~full[inside]]
        raise _gap(missing, where)
    return xr.concat([_mean(field, shares.weights[k]) for k in range(inside.start, inside.stop)], "time").assign_coords(
        time=shares.months[inside].astype("datetime64[ns]")
    )


@dataclass(frozen=True, eq=False)
class MonthShares:
    """How steps share in months."""

    months: np.ndarray
    """Array of datetime64[D] (month): first days."""
    weights: np.ndarray
    """Array (month, step): days of the step within the month."""

    @property
    def complete(self) -> np.ndarray:
        """Whether the steps cover each month (month)."""
        covered: np.ndarray = self.weights.sum(1) == np.diff(calendar.bounds(self.months, "month"), axis=1)[:, 0].astype(int)
        return covered


def month_shares(days: np.ndarray, length: int) -> MonthShares:
    """Return the shares of consecutive steps of at most `length` days, which begin on `days` (datetime64[D])."""
    ends = np.minimum(days + length, np.append(days[1:], days[-1] + length))
    first, last = days[0].astype("datetime64[M]"), (ends[-1] - 1).astype("datetime64[M]")
    months = np.arange(first, last + 1).astype("datetime64[D]")
    bounds = calendar.bounds(months, "month")
    from_, until = np.maximum(days, bounds[:, :1]), np.minimum(ends, bounds[:, 1:])
    return MonthShares(months, np.maximum((until - from_).astype(int), 0))


def _mean(field: xr.DataArray, weights: np.ndarray) -> xr.DataArray:
    """Mean of the steps with weight (lat, lon)."""
    used = np.flatnonzero(weights)
    part = field.isel(time=used)
    weight = xr.DataArray(weights[used].astype("float32"), dims="time")
    known = part.notnull()
    total = (known * weight).sum("time")
    enough = total >= LEAST * float(weights.sum())
    return ((part.fillna(0.0) * weight).sum("time") / total.where(enough)).astype("float32")


def _check_order(field: xr.DataArray, where: object) -> xr.DataArray:
    time = field["time"].values
    if (np.diff(time) <= np.timedelta64(0)).any():
        again = time[1:][np.diff(time) <= np.timedelta64(0)][0].astype("datetime64[D]")
        raise InputError("a step occurs twice", where=where, found=again, todo="give each file once")
    return field


def check_consecutive(field: xr.DataArray, *, where: object) -> None:
    """Raise `InputError` if a calendar month is missing between the first and the last."""
    months = calendar.months_since_1970(field["time"].values)
    gaps = np.setdiff1d(np.arange(months[0], months[-1] + 1), months)
    if gaps.size:
        raise _gap(gaps.astype("datetime64[M]"), where)


def _gap(months: np.ndarray, where: object) -> InputError:
    shown = ", ".join(str(m) for m in months[:6].astype("datetime64[M]")) + (" ..." if months.size > 6 else "")
    return InputError("months of the product are missing", where=where, found=shown, todo="give the files of all months")
