"""The calendar of time axes."""

from datetime import datetime

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tamrl import calendar
from tamrl.calendar import TimeAxis
from tamrl.errors import ConfigError, ContractError


def test_days_of_years_and_months_of_a_mean_year():
    days = TimeAxis.of_years("day", (2011, 2012)).start
    assert days.size == 365 + 366 and str(days[-1])[:10] == "2012-12-31"
    assert [str(m)[:10] for m in TimeAxis.of_years("month").start[[0, 11]]] == ["2001-01-01", "2001-12-01"]


@pytest.mark.parametrize(("step", "size", "last"), [("day", 365 + 60, "2012-02-29"), ("month", 14, "2012-02-01")])
def test_the_last_year_may_be_unfinished(step, size, last):
    found = TimeAxis.of_years(step, (2011, 2012), "2012-02").start
    assert found.size == size and str(found[-1])[:10] == last
    np.testing.assert_array_equal(
        TimeAxis.of_years(step, (2011, 2012), "2012-12").start, TimeAxis.of_years(step, (2011, 2012)).start
    )


def test_a_source_without_a_mean_year_refuses_it():
    with pytest.raises(ConfigError, match=r"modis has no climatology(.|\n)*time\.years"):
        TimeAxis.of_years("month").need_years("modis")
    TimeAxis.of_years("month", (2011,)).need_years("modis")


def _date(text):
    return np.array(text, "datetime64[ns]")


@given(st.integers(1950, 2100), st.sampled_from(["day", "month"]))
def test_steps_fill_their_years_without_gap(first, step):
    axis = TimeAxis.of_years(step, (first, first + 1))
    assert (axis.bounds[1:, 0] == axis.bounds[:-1, 1]).all()
    assert axis.days.sum() == calendar.days_of_year(_date([f"{first}-07-01", f"{first + 1}-07-01"])).sum()
    assert axis.years == (first, first + 1)
    assert axis.by("month").by("day").start.tobytes() == TimeAxis.of_years("day", (first, first + 1)).start.tobytes()
    assert np.concatenate([axis.of_year(first), axis.of_year(first + 1)]).tolist() == list(range(len(axis)))


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 12, 31)))
def test_months_days_and_years_are_those_of_the_standard_library(moment):
    time = _date([moment.isoformat()])
    told = [int(part(time)[0]) for part in (calendar.year, calendar.month, calendar.day_of_year)]
    assert told == [moment.year, moment.month, moment.timetuple().tm_yday - 1]


@pytest.mark.parametrize(("period", "first"), [("day", "06-12"), ("8 days", "06-10"), ("month", "06-01"), ("year", "01-01")])
def test_periods_hold_their_days(period, first):
    assert str(calendar.period_start(_date(["2011-06-12T13:00"]), period)[0]) == f"2011-{first}"


def test_the_last_eight_days_of_a_year_are_fewer():
    assert calendar.bounds(_date(["2011-12-27", "2012-12-26"]), "8 days").astype(str).tolist() == [
        ["2011-12-27", "2012-01-01"],
        ["2012-12-26", "2013-01-01"],
    ]


def test_seasons_are_half_a_year_apart_in_the_south():
    axis = TimeAxis.of_years("month", (2011,))
    north, south = axis.season(np.array([[40.0], [-40.0]]))
    assert [calendar.SEASONS[k] for k in north[[0, 3, 6, 9, 11]]] == ["winter", "spring", "summer", "autumn", "winter"]
    assert (np.roll(north, 6) == south).all()


def test_a_year_that_is_not_there_is_refused():
    with pytest.raises(ContractError, match=r"year 2014(.|\n)*2011 to 2012"):
        TimeAxis.of_years("day", (2011, 2012)).of_year(2014)


def test_bins_of_days_are_pentads_and_the_last_takes_the_day_of_leap_years():
    bins = TimeAxis.of_years("day", (2012,)).bins
    assert np.bincount(bins).tolist() == [5] * 72 + [6]
    assert TimeAxis.of_years("month", (2012,)).bins.tolist() == list(range(12))


@pytest.mark.parametrize("attrs", [{}, {"time_step": "hour"}])
def test_a_dataset_states_its_step(attrs):
    ds = xr.Dataset(coords={"time": TimeAxis.of_years("month").start}, attrs=attrs)
    with pytest.raises(ContractError, match="time_step"):
        TimeAxis.of(ds)
    axis = TimeAxis.of(ds.assign_attrs(time_step="month", climatology="2000-2025"))
    assert axis.climatology and axis.years == () and len(axis) == 12
