"""Which months are used: summer in both hemispheres, measured months only."""

import numpy as np
import pytest

from tamrl import calendar
from tamrl.adaptation import window

TIME = np.arange("2005-03-10", "2008-01-01", dtype="datetime64[D]").astype("datetime64[ns]")


def _month(name: str) -> int:
    return int(np.datetime64(name, "M").astype(int))


@pytest.mark.parametrize(
    ("lat", "start", "expected"),
    [(50, "summer", "2005-06"), (-30, "summer", "2005-12"), (50, "record", "2005-03"), (-30, "record", "2005-03")],
)
def test_the_window_begins_where_it_says(lat, start, expected):
    measured = np.ones(len(TIME), bool)
    assert window.first_month(measured, TIME, lat=lat, start=start) == _month(expected)


def test_months_that_are_mostly_missing_do_not_begin_a_window():
    measured = np.ones(len(TIME), bool)
    measured[calendar.months_since_1970(TIME) == _month("2005-06")] = np.arange(30) < 10
    assert window.first_month(measured, TIME, lat=50, start="summer") == _month("2006-06")
    assert window.first_month(np.zeros(len(TIME), bool), TIME, lat=50, start="record") is None


def test_a_window_holds_whole_months():
    inside = window.in_window(TIME, _month("2005-12"), 3)
    assert TIME[inside][0] == np.datetime64("2005-12-01") and TIME[inside][-1] == np.datetime64("2006-02-28")
    assert inside.sum() == 31 + 31 + 28
