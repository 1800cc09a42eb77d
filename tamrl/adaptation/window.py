"""Which months of a tower are used to adapt, and which steps remain to be scored; pure."""

import numpy as np

from tamrl import calendar

SUMMER = 6
"""First month of summer in the north; in the south it is half a year later."""

MIN_SHARE = 0.5
"""Share of a month's steps that must be measured for the month to begin a window."""


def first_month(measured: np.ndarray, time: np.ndarray, *, lat: float, start: str) -> int | None:
    """Month (since 1970) that the window of a tower begins with.

    Parameters
    ----------
    measured : array (T) of bool
        Steps with a flux good enough to use.
    time : array (T) of datetime64
    lat : float
        Degrees.
    start : {"summer", "record"}
        The first month of summer that was measured, as in a campaign, or the first month of the record, whatever its season.

    Returns
    -------
    int, or None where no such month is measured to `MIN_SHARE`.
    """
    month = calendar.months_since_1970(time)
    unique, position = np.unique(month, return_inverse=True)
    share = np.bincount(position, measured) / np.bincount(position)
    good = unique[share >= MIN_SHARE]
    if start == "summer":
        begin = (SUMMER - 1 + (6 if lat < 0 else 0)) % 12
        good = good[good % 12 == begin]
    return int(good[0]) if len(good) else None


def in_window(time: np.ndarray, first: int, months: int) -> np.ndarray:
    """Steps (T) of bool in `months` months from month `first` on."""
    month = calendar.months_since_1970(time)
    return (month >= first) & (month < first + months)
