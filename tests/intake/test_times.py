"""Time axes of every form that tools write: the right times, or the true reason."""

import datetime

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tamrl.errors import InputError
from tamrl.intake import times

LENGTHS = {
    "seconds": 1e6, "second": 1e6, "s": 1e6, "milliseconds": 1e3, "msec": 1e3, "microseconds": 1.0, "minutes": 6e7, "min": 6e7,
    "hours": 3.6e9, "hour": 3.6e9, "h": 3.6e9, "hr": 3.6e9, "days": 8.64e10, "day": 8.64e10, "d": 8.64e10, "weeks": 6.048e11,
}  # fmt: skip
"""Units of UDUNITS-2 in microseconds, written here a second time."""

CALENDARS = [None, "standard", "gregorian", "Gregorian", "proleptic_gregorian"]
DAYS = pd.date_range("2011-01-01", periods=40, freq="D")


def decoded(values, where="a.nc", **attrs):
    return times.decode_times(np.asarray(values), {k: v for k, v in attrs.items() if v is not None}, where=where)


def days(text):
    return np.array(text, "datetime64[ns]")


stamps_of_minutes = st.lists(
    st.datetimes(datetime.datetime(1850, 1, 1), datetime.datetime(2150, 1, 1)).map(lambda t: t.replace(second=0, microsecond=0)),
    min_size=1,
    max_size=6,
)
references = st.dates(datetime.date(1583, 1, 1), datetime.date(2100, 1, 1))
zones = st.sampled_from(
    [("", 0), ("Z", 0), (" UTC", 0), (" +00:00", 0), ("+01:00", 60), (" -6:00", -360), (" +0530", 330), ("+2", 120)]
)


@given(
    truth=stamps_of_minutes,
    reference=references,
    clock=st.sampled_from(["", " 00:00:00", "T00:00:00", " 0:0:0.0", " 12:30"]),
    zone=zones,
    unit=st.sampled_from(sorted(LENGTHS)),
    calendar=st.sampled_from(CALENDARS),
    noise=st.floats(-0.9, 0.9),
)
def test_numbers_since_a_date(truth, reference, clock, zone, unit, calendar, noise):
    text, minutes = zone if clock else ("", 0)
    start = datetime.datetime(reference.year, reference.month, reference.day)
    start += datetime.timedelta(minutes=750 * (clock == " 12:30") - minutes)
    numbers = [((t - start) / datetime.timedelta(microseconds=1) + 1e6 * noise) / LENGTHS[unit] for t in truth]
    found = decoded(numbers, units=f"{unit} since {reference}{clock}{text}", calendar=calendar)
    np.testing.assert_array_equal(found, np.array(truth, "datetime64[ns]"))


@given(
    truth=stamps_of_minutes,
    unit=st.sampled_from(["seconds", "minutes", "milliseconds"]),
    kind=st.sampled_from(["int64", "float64"]),
)
def test_whole_numbers_are_exact(truth, unit, kind):
    truth = np.array(truth, "datetime64[ns]")
    numbers = (truth - days("1970-01-01")) // np.timedelta64(round(LENGTHS[unit]), "us")
    np.testing.assert_array_equal(decoded(numbers.astype(kind), units=f"{unit} since 1970-1-1"), truth)


@given(first=st.dates(datetime.date(1900, 1, 1), datetime.date(2050, 1, 1)), step=st.sampled_from([1, 3, 24]))
def test_numbers_of_float32_come_back_to_full_hours(first, step):
    truth = days(str(first)) + np.arange(0, 400, step) * np.timedelta64(1, "h")
    since = (truth - days("1900-01-01")) / np.timedelta64(1, "D")
    np.testing.assert_array_equal(decoded(since.astype("float32"), units="days since 1900-01-01"), truth)


@given(first=st.integers(-1000, 1000), count=st.integers(1, 30), day=st.integers(1, 28), half=st.booleans())
def test_months_since_a_date_are_months_of_the_calendar(first, count, day, half):
    numbers = first + np.arange(count)
    start = np.datetime64("2000-03", "M") + numbers
    if half:
        found = decoded(numbers + 0.5, units="months since 2000-03-01")
        np.testing.assert_array_equal(found.astype("datetime64[M]"), start)
        middle = (start + 1).astype("datetime64[m]") - (start.astype("datetime64[m]"))
        np.testing.assert_array_equal(found, (start.astype("datetime64[m]") + middle // 2).astype("datetime64[ns]"))
    else:
        found = decoded(numbers, units=f"months since 2000-03-{day:02d} 06:00")
        expected = start.astype("datetime64[D]") + (day - 1)
        np.testing.assert_array_equal(found, expected.astype("datetime64[ns]") + np.timedelta64(6, "h"))


@given(truth=stamps_of_minutes)
def test_absolute_axes_of_cdo(truth):
    numbers = [int(t.strftime("%Y%m%d")) + (t.hour * 60 + t.minute) / 1440 for t in truth]
    np.testing.assert_array_equal(decoded(numbers, units="day as %Y%m%d.%f"), np.array(truth, "datetime64[ns]"))
    whole = [int(t.strftime("%Y%m%d")) for t in truth]
    expected = np.array([t.date() for t in truth], "datetime64[ns]")
    for attrs in ({"units": "1"}, {}, {"units": "YYYYMMDD"}):
        np.testing.assert_array_equal(decoded(whole, **attrs), expected)


@pytest.mark.parametrize(
    ("values", "attrs", "expected"),
    [
        ([201102.5, 201103.0], {"units": "month as %Y%m.%f"}, ["2011-02-15", "2011-03-01"]),
        ([201102, 201103], {"units": "yyyymm"}, ["2011-02-01", "2011-03-01"]),
        ([2011.0, 2012.0], {"units": "year as %Y.%f"}, ["2011-01-01", "2012-01-01"]),
        ([1, 2], {"units": "years since 2010-01-01"}, ["2011-01-01", "2012-01-01"]),
        ([17067072, 17628096], {"units": "hours since 1-1-1 00:00:0.0"}, ["1948-01-01", "2012-01-01"]),
        ([734502, 734503], {"units": "days since 0001-01-01", "calendar": "proleptic_gregorian"}, ["2012-01-01", "2012-01-02"]),
        (["2011-01-01", "2011-01-02T00:00:00Z"], {}, ["2011-01-01", "2011-01-02"]),
        (np.array([b"2011-01-01"]), {}, ["2011-01-01"]),
        (np.array([1293840000 * 10**9]), {"units": "nanoseconds since 1970-01-01"}, ["2011-01-01"]),
        (np.array([], "int64"), {"units": "days since 1970-01-01"}, []),
    ],
)
def test_other_forms(values, attrs, expected):
    np.testing.assert_array_equal(decoded(values, **attrs), days(expected))


def test_a_date_before_the_gregorian_calendar_is_as_cftime_has_it():
    import cftime

    for calendar in ("standard", "proleptic_gregorian"):
        units = "days since 1500-01-01"
        number = cftime.date2num(cftime.datetime(2011, 1, 1, calendar=calendar), units, calendar)
        assert decoded([number], units=units, calendar=calendar)[0] == days("2011-01-01")


@pytest.mark.parametrize(
    ("values", "attrs", "message"),
    [
        ([0.3], {"units": "months since 2011-01-01"}, "months since a date must be whole numbers"),
        ([1], {"units": "months since 2011-01-31"}, "are no dates"),
        ([1], {"units": "fortnights since 2011-01-01"}, "unknown unit of time 'fortnights'"),
        ([1], {"units": "days after 2011-01-01"}, "not understood"),
        ([1], {"units": "days since 2011-01-01 00:00 EST"}, "not understood"),
        ([1], {"units": "days since 2011-02-30"}, "the date of the time axis is invalid"),
        ([1, 2], {}, "exactly 8 digits"),
        ([201101], {}, "exactly 8 digits"),
        ([2011010100], {"units": "1"}, "exactly 8 digits"),
        ([20110230], {}, "a day of the time axis is invalid"),
        (np.array([20110101], "float32"), {"units": "day as %Y%m%d.%f"}, "float32"),
        ([2011.04], {"units": "year as %Y.%f"}, "fractions of years"),
        ([np.nan, 1.0], {"units": "days since 2011-01-01"}, "a time is missing"),
        (np.array([-2147483647, 1], "int32"), {"units": "hours since 1900-01-01"}, "a time is missing"),
        ([-999, 1], {"units": "days since 2011-01-01", "missing_value": -999}, "a time is missing"),
        ([9.96921e36], {"units": "days since 2011-01-01"}, "a time is missing"),
        (np.array(["2011-01-01", "NaT"], "datetime64[ns]"), {}, "a time is missing"),
        ([1e12], {"units": "days since 2011-01-01"}, "years 1678 to 2261"),
        (np.array([734502.04], "float32"), {"units": "days since 0001-01-01"}, "too coarse"),
        (["01/02/2011"], {}, "times written as text"),
        ([True], {}, "numbers or dates"),
        *(
            ([1], {"units": "days since 2011-01-01", "calendar": c}, "Gregorian")
            for c in ("noleap", "365_day", "360_day", "julian")
        ),
    ],
)
def test_refused_by_the_true_reason(values, attrs, message):
    with pytest.raises(InputError, match=message) as error:
        decoded(values, **attrs)
    assert "fetch it again" not in str(error.value) and "a.nc" in str(error.value)
    assert ("Gregorian" in str(error.value)) == (message == "Gregorian")


# Which coordinate tells the time, and which interval a value is of.


def variable(coords, dims=("time",), sizes=(40,), **attrs):
    return times.attach_times(xr.Dataset({"tp": (dims, np.zeros(sizes), attrs)}, coords))["tp"]


def hours(number):
    return np.timedelta64(number, "h")


REFERENCE, CF = {"standard_name": "forecast_reference_time"}, {"standard_name": "time"}
BEFORE = DAYS - pd.Timedelta("1D")


@pytest.mark.parametrize(
    "coords",
    [
        {"time": DAYS},
        {"time": ("time", BEFORE, REFERENCE), "step": hours(24), "valid_time": ("time", DAYS, CF)},
        {"time": ("time", BEFORE, REFERENCE), "step": hours(24)},
        {"time": BEFORE, "step": 24.0},
        {"time": ("time", BEFORE, REFERENCE), "leadtime": ((), 1, {"units": "days"})},
        {"time": ("time", DAYS, CF), "forecast_period": 24.0, "forecast_reference_time": ("time", BEFORE)},
        {"time": DAYS, "forecast_period": 24.0, "forecast_reference_time": ("time", BEFORE)},
        {"time": ("time", BEFORE, REFERENCE), "t_valid": ("time", DAYS, CF)},
        {"time": ("time", np.arange(40), {"units": "days since 2011-01-01"}), "date": ("time", np.full(40, 7))},
    ],
)
def test_valid_time_or_reference_and_step_or_time(coords):
    found = times.decode_time_axis(variable(coords), where="a.nc")
    np.testing.assert_array_equal(found["time"], DAYS.to_numpy())
    assert found["until"].isnull().all()


@pytest.mark.parametrize("name", ["valid_time", "time", "date", "T", "Time", "day", "forecast_reference_time", "odd"])
def test_names(name):
    number = (name, np.arange(40), {"units": "days since 2011-01-01"})
    coords = {name: number} | ({"forecast_period": 0} if name == "forecast_reference_time" else {})
    found = times.decode_time_axis(variable(coords, dims=(name,)), where="a.nc")
    assert found.dims == ("time",)
    np.testing.assert_array_equal(found["time"], DAYS.to_numpy())


@given(steps=st.lists(st.integers(1, 48), min_size=1, max_size=5, unique=True), units=st.sampled_from(["hours", "days", None]))
def test_times_and_steps_are_one_axis(steps, units):
    first, length = DAYS[:3].to_numpy(), {"hours": 1, None: 1, "days": 24}[units]
    step = ("step", np.array(steps), {"units": units} if units else {})
    values = np.arange(3.0 * len(steps)).reshape(3, -1)
    ds = xr.Dataset(
        {"tp": (("time", "step"), values)}, {"time": ("time", first, REFERENCE), "step": step, "expver": ("time", [1, 1, 5])}
    )
    found = times.decode_time_axis(times.attach_times(ds)["tp"], where="a.nc")
    expected = (first[:, None] + np.array(steps) * length * hours(1)).ravel()
    np.testing.assert_array_equal(found["time"], expected)
    np.testing.assert_array_equal(found, values.ravel())
    np.testing.assert_array_equal(found["expver"], np.repeat([1, 1, 5], len(steps)))
    both = ds.assign_coords(valid_time=(("time", "step"), expected.reshape(3, -1)))
    assert times.decode_time_axis(times.attach_times(both)["tp"], where="a.nc").identical(found)


@given(
    start=st.datetimes(datetime.datetime(1950, 1, 1), datetime.datetime(2050, 1, 1)).map(
        lambda t: t.replace(second=0, microsecond=0)
    ),
    length=st.integers(1, 744),
    place=st.floats(0, 1),
    kind=st.sampled_from(["bounds", "climatology", None]),
)
def test_bounds_say_the_interval_wherever_the_stamp_is(start, length, place, kind):
    edges = np.datetime64(start, "s") + np.arange(4) * length * np.timedelta64(3600, "s")
    begin, end = edges[:-1], edges[1:]
    seconds = (begin - np.datetime64("1970-01-01", "s")).astype(float)
    stamp = (
        "time",
        seconds + place * length * 3600,
        {"units": "seconds since 1970-01-01"} | ({kind: "time_bnds"} if kind else {}),
    )
    both = np.stack([begin, end], 1).astype("int64") / 86400
    ds = xr.Dataset(
        {
            "tp": ("time", np.zeros(3), {"cell_methods": "time: mean"}),
            "time_bnds": (("time", "bnds"), both, {"units": "days since 1970-01-01"}),
        },
        {"time": stamp},
    )
    found = times.decode_time_axis(times.attach_times(ds)["tp"], where="a.nc")
    np.testing.assert_array_equal(found["time"], begin.astype("datetime64[ns]"))
    np.testing.assert_array_equal(found["until"], end.astype("datetime64[ns]"))
    ds["tp"].attrs["cell_methods"] = "time: point"
    assert times.decode_time_axis(times.attach_times(ds)["tp"], where="a.nc")["until"].isnull().all(), "a value of one instant"


def test_a_time_outside_its_bounds_is_refused():
    ds = xr.Dataset({"tp": ("time", np.zeros(3))}, {"time": DAYS[:3]})
    ds["time_bnds"] = (("time", "bnds"), np.stack([DAYS[:3] + pd.Timedelta("2D"), DAYS[:3] + pd.Timedelta("3D")], 1))
    with pytest.raises(InputError, match="outside its bounds"):
        times.decode_time_axis(times.attach_times(ds)["tp"], where="a.nc")


@pytest.mark.parametrize(
    ("attrs", "expected"),
    [
        ({}, ""),
        ({"cell_methods": "time: mean"}, "mean"),
        ({"cell_methods": "area: time: mean (interval: 1 hour)"}, "mean"),
        ({"cell_methods": "lat: lon: mean time: sum"}, "sum"),
        ({"cell_methods": "time: sum (comment: of hours) time: mean"}, "mean"),
        ({"cell_methods": "time: maximum within days time: mean over days"}, "maximum"),
        ({"cell_methods": "area: mean", "GRIB_stepType": "avgua"}, "avgua"),
        ({"cell_methods": "time: mean", "GRIB_stepType": "instant"}, "mean"),
        ({"daily_statistic": "daily_sum", "GRIB_stepType": "accum"}, "sum"),
    ],
)
def test_statistic_over_time(attrs, expected):
    assert times.time_statistic(variable({"time": DAYS}, **attrs)) == expected


@pytest.mark.parametrize(
    ("coords", "dims", "message"),
    [
        ({}, ("time",), "no time coordinate"),
        ({"forecast_reference_time": DAYS}, ("forecast_reference_time",), "reference time only"),
        ({"time": DAYS, "step": ((), 1, {"units": "fortnights"})}, ("time",), "unknown unit of time"),
        ({"time": DAYS, "step": np.nan}, ("time",), "a time is missing"),
        ({"time": [0] * 39 + [None]}, ("time",), "times written as text"),
    ],
)
def test_axes_refused_by_name(coords, dims, message):
    with pytest.raises(InputError, match=message) as error:
        times.decode_time_axis(variable(coords, dims), where="a.nc")
    assert "a.nc" in str(error.value)


@pytest.mark.parametrize("months", [range(12), [1, 1, *range(3, 13)], [*range(1, 12)], list("abcdefghijkl")])
def test_a_mean_year_has_each_month_once(months):
    with pytest.raises(InputError, match="each once"):
        times.check_months(np.array(months), where="a.nc")
    assert times.check_months(np.arange(12, 0, -1.0), where="a.nc").tolist() == list(range(12, 0, -1))
