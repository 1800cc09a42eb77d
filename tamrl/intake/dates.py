"""Parse dates written in digits: one format per column, with its exact number of digits; ambiguous dates are refused."""

import re
from collections.abc import Sequence
from typing import NoReturn

import pandas as pd

from tamrl.errors import InputError

_TIME = r"(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?"
FORMS = {
    "YYYY": ("[0-9]{4}", "%Y"),
    "YYYYMM": ("[0-9]{6}", "%Y%m"),
    "YYYYMMDD": ("[0-9]{8}", "%Y%m%d"),
    "YYYYMMDDHHMM": ("[0-9]{12}", "%Y%m%d%H%M"),
    "YYYY-MM": ("[0-9]{4}-[0-9]{2}", "%Y-%m"),
    "YYYY-MM-DD": ("[0-9]{4}-[0-9]{2}-[0-9]{2}" + _TIME, "ISO8601"),
    "YYYY/MM/DD": ("[0-9]{4}/[0-9]{2}/[0-9]{2}" + _TIME, "ISO8601"),
}
"""Formats by name: regular expression and format of pandas, which by itself would accept fewer digits."""

DAY = ("YYYYMMDD", "YYYY-MM-DD", "YYYY/MM/DD")
MONTH = ("YYYYMM", "YYYY-MM", "YYYY-MM-DD", "YYYY/MM/DD")
MINUTE = ("YYYYMMDDHHMM",)
YEAR = ("YYYY",)

YEARS = (1900, 2100)
"""Range of years that are accepted: other years come from digits in another order."""

_LOOKS = {
    r"": "nothing",
    r"[0-9]{5}": "five digits, as the day numbers of a spreadsheet have",
    r"[0-9]{7}": "seven digits: a year with a day of the year, or a lost zero",
    r"[0-9]*\.?[0-9]+[eE][+-]?[0-9]+": "a number with an exponent: saved again by a spreadsheet, its last digits are lost",
    r"[0-9]+\.[0-9]*": "a number with a decimal point",
    r".*:.*(?:Z|[+-][0-9]{2}:?[0-9]{2})": "a time zone",
    r"[0-9]{1,2}[-/. ][0-9]{1,2}[-/. ][0-9]{2,4}(?:\D.*)?": "day, month and year in an order that cannot be told",
    r"[0-9]{4}[-/.][0-9]{1,2}(?:[-/.][0-9]{1,2})?(?:\D.*)?": "other digits or signs than the format has",
}
"""Probable meaning of values that fit no format."""


def parse_dates(stamps: pd.Series, forms: Sequence[str], *, where: object, todo: str | None = None) -> pd.Series:
    """Parse a column of dates (text, whole numbers or time stamps) to datetime64[ns], same rows.

    Raise `InputError` with the first value that does not fit these formats, its row (from 1) and the accepted formats.

    Parameters
    ----------
    stamps : any index
    forms : names of the accepted `FORMS`; all values must have the same form
    where : file and column
    """
    todo = todo or f"write all dates of the column alike, as {' or '.join(forms)}"
    if isinstance(stamps.dtype, pd.DatetimeTZDtype):
        raise InputError("dates must have no time zone", where=where, found=stamps.dtype, todo=todo)
    if pd.api.types.is_datetime64_any_dtype(stamps):
        dates, form, text = stamps, "time stamps", stamps.astype(object)
    else:
        text = stamps.astype(str).mask(stamps.isna(), "").str.strip()
        each = {form: text.str.fullmatch(FORMS[form][0]) for form in forms}
        form = max(forms, key=lambda f: (int(each[f].sum()), bool(each[f].iloc[:1].any())))
        fits = each[form]
        if not fits.all():
            _refuse(text, ~fits, form if fits.any() else None, where, todo)
        dates = pd.to_datetime(text, format=FORMS[form][1], errors="coerce")
    wrong = ~dates.dt.year.between(*YEARS)  # missing ones too
    if wrong.any():
        _refuse(text, wrong, form, where, todo)
    return dates.astype("datetime64[ns]")


def _refuse(text: pd.Series, wrong: pd.Series, form: str | None, where: object, todo: str) -> NoReturn:
    """Raise the error of the first wrong value."""
    row = int(wrong.to_numpy().argmax())
    value = "" if pd.isna(text.iloc[row]) else str(text.iloc[row])
    looks = next((meaning for pattern, meaning in _LOOKS.items() if re.fullmatch(pattern, value)), "not an existing date")
    others = f"; {int((~wrong).sum())} others are {form}" if form else ""
    raise InputError("dates cannot be read", where=where, found=f"{value!r} in row {row + 1} ({looks}){others}", todo=todo)
