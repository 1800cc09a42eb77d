"""Digits as dates: what has exactly the digits of a format is read, all else is refused with value, row and what is accepted."""

from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamrl.errors import InputError
from tamrl.intake import dates

DAYS = st.dates(date(1901, 1, 1), date(2099, 12, 31))
WRITTEN = {
    "YYYYMMDD": "%Y%m%d", "YYYY-MM-DD": "%Y-%m-%d", "YYYY/MM/DD": "%Y/%m/%d", "YYYYMM": "%Y%m", "YYYY-MM": "%Y-%m",
    "YYYYMMDDHHMM": "%Y%m%d%H%M", "YYYY": "%Y",
}  # fmt: skip


def _read(values, forms=dates.DAY, **dtype):
    return dates.parse_dates(pd.Series(values, **dtype), forms, where="t.csv, column date")


@given(st.lists(DAYS, min_size=1, max_size=5), st.sampled_from(sorted(WRITTEN)))
def test_every_format_gives_back_what_was_written(days, form):
    text = [d.strftime(WRITTEN[form]) for d in days]
    cut = [
        d.replace(day=1) if form in ("YYYYMM", "YYYY-MM") else d.replace(month=1, day=1) if form == "YYYY" else d for d in days
    ]
    expected = [pd.Timestamp(d) for d in cut]
    assert _read(text, (form,)).tolist() == expected
    if text[0].isdigit():
        assert _read([int(t) for t in text], (form,)).tolist() == expected


@given(
    DAYS,
    st.sampled_from(["%Y%j", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d/%m/%y", "%y%m%d", "%d%m%Y", "%m%d%Y", "%Y-%j", "%d-%b-%Y"]),
)
def test_other_orders_of_digits_are_refused_and_never_read(day, form):
    with pytest.raises(InputError, match=r"t\.csv, column date[\s\S]*row 1[\s\S]*YYYYMMDD or YYYY-MM-DD"):
        _read([day.strftime(form)])


@given(DAYS)
def test_a_date_that_has_lost_a_zero_is_refused(day):
    text = f"{day.year}{day.month}{day.day}"
    if len(text) < 8:
        with pytest.raises(InputError, match="row 1"):
            _read([text])
        with pytest.raises(InputError, match="row 1"):
            _read([int(text)])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2010111", "a day of the year"),
        (40179, "day numbers of a spreadsheet"),
        ("2.0101E+07", "saved again by a spreadsheet"),
        (20100101.0, "decimal point"),
        ("01/02/2010", "order that cannot be told"),
        ("1.2.10", "order that cannot be told"),
        ("2010-1-1", "other digits"),
        ("2010-01-01T00:00:00Z", "time zone"),
        ("20100230", "not an existing date"),
        ("20101301", "not an existing date"),
        ("99991231", "not an existing date"),
        ("", "nothing"),
        (None, "nothing"),
        ("yesterday", "not an existing date"),
    ],
)
def test_the_first_bad_value_is_named_with_its_row_and_what_it_looks_like(value, said):
    with pytest.raises(InputError, match=rf"{said}"):
        _read([value])
    if isinstance(value, str):
        with pytest.raises(InputError, match=rf"in row 3 [\s\S]*{said}[\s\S]*3 others are YYYYMMDD"):
            _read(["20100101", "20100102", value, "20100103"])


def test_two_formats_in_one_column_are_refused():
    with pytest.raises(InputError, match="'2010-01-02' in row 2"):
        _read(["20100101", "2010-01-02", "20100103"])
    with pytest.raises(InputError, match="'201002' in row 2"):
        _read(["20100101", "201002", "20100103"])


def test_time_stamps_and_dates_of_python_are_read():
    days = [datetime(2010, 1, 1), datetime(2010, 1, 2)]
    for values in (days, [d.date() for d in days], np.array(days, "datetime64[s]"), pd.Categorical(["2010-01-01", "2010-01-02"])):
        assert _read(values).tolist() == [pd.Timestamp(d) for d in days]
    with pytest.raises(InputError, match="time zone"):
        _read(pd.DatetimeIndex(days, tz="UTC"))
    with pytest.raises(InputError, match="row 2"):
        _read([days[0], pd.NaT])
