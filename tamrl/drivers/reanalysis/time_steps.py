"""Values of the reanalyses on the steps of the run: hours, days and months told apart, hours and accumulations made days.

Daily statistics, hourly values and monthly means are told apart by the spacing of their times; what each may hold is said
in the modules of the sources. Where files state bounds of their times (`tamrl.intake.times`), these say which day, month or
hour a value is of. Values that are said to be means or sums over time, at one hour of each day, are of the day they lie in.
"""

import logging
from collections import Counter
from typing import Literal

import numpy as np
import xarray as xr

from tamrl import variables
from tamrl.calendar import Step, TimeAxis
from tamrl.drivers.extent import Axis, Extent
from tamrl.drivers.formats import netcdf
from tamrl.drivers.reanalysis.joining import DAY, HOUR, MARKS, comparable, every, merge_versions
from tamrl.errors import InputError

_log = logging.getLogger(__name__)

Accumulation = Literal["auto", "hour", "day"]
"""What hourly amounts are summed over: the hour, the time since 00:00, or what the grid says (0.1° is ERA5-Land)."""

ROUNDING = 0.05
"""Amounts (mm d-1, W m-2) below zero by less than this come from packing and count as zero; others are refused."""

MEANS = ("avgua", "avgad", "avgas", "avg", "mean", "")
"""Statistics that monthly means may have; `instant` and `accum` are single hours of a month, unless bounds say a month."""

STATISTICS = {*MEANS, "instant", "accum", "sum", "point"}
"""Statistics over time that can be read; others are extremes or spreads."""

LEAST = {"D": np.timedelta64(18, "h"), "M": np.timedelta64(27, "D")}
"""Shortest interval that counts as a complete day or month: from its first to its last sample, six hours or a day apart."""

SLACK = {"D": np.timedelta64(1, "m"), "M": np.timedelta64(12, "h")}
"""What an interval may reach beyond its day or month; forecasts of a month begin at 18:00 or 06:00."""


def driver_on_steps(
    name: str, raw: xr.DataArray, *, source: str, axis: TimeAxis, accumulation: Accumulation, where: str, partial: bool = False
) -> xr.DataArray:
    """A raw series (time, lat, lon) with coordinate `expver` as the vocabulary's variable on every step asked for, lazy.

    Its attribute `extent` says what the files hold (`tamrl.drivers.sources`).

    Parameters
    ----------
    source : whose unit in `tamrl/data/variables.yaml` the values have
    accumulation : `hour`, `day` or `auto`: what hourly amounts are summed over (`on_steps`)
    partial : not all files were opened: the steps of the others are missing without a warning
    """
    raw = netcdf.orient(raw, where)
    time, dtype = raw["time"].values, str(raw.dtype)
    lat, lon = (Axis(v.size, *map(float, v.values[[0, -1]])) for v in (raw["lat"], raw["lon"]))
    alias = variables.get(name).sources[source]
    raw = netcdf.mask_fill_values(raw, name=name, where=where)
    total = alias.is_amount
    values = on_steps(raw, axis=axis, total=total, accumulation=accumulation, where=where, partial=partial)
    extent = Extent((str(time[0]), str(time[-1])), values.attrs["reach"], every(time), dtype, lat, lon)
    driver = variables.canonical(values, name=name, source_units=alias.units, where=where)
    if total:
        driver = driver.where((driver >= 0) | (driver < -ROUNDING) | driver.isnull(), np.float32(0))
    expver = _counts_as_text(Counter(raw["expver"].values.tolist()))
    return driver.assign_attrs(grid="nodes", expver=expver, extent=extent)


def _counts_as_text(counts: Counter[int]) -> str:
    return ", ".join(f"{v:04d}: {c} times" for v, c in sorted(counts.items()))


def add_expver(first: str, second: str) -> str:
    """What two attributes `expver` say together, of series that share no time."""
    counts: Counter[int] = Counter()
    for part in (p.split(": ") for text in (first, second) for p in text.split(", ")):
        counts[int(part[0])] += int(part[1].removesuffix(" times"))
    return _counts_as_text(counts)


def spacing(time: np.ndarray, where: object) -> np.timedelta64:
    """The usual distance of rising times: an hour, a day or about a month; raises `InputError` for a single time."""
    if time.size < 2:
        raise InputError("one time alone does not tell whether it is an hour, a day or a month", where=where, found=time)
    middle: np.timedelta64 = np.sort(np.diff(time))[(time.size - 1) // 2]
    return middle


def on_steps(
    da: xr.DataArray, *, axis: TimeAxis, total: bool, accumulation: Accumulation, where: object, partial: bool = False
) -> xr.DataArray:
    """Values of a raw series for every step asked for: means, or amounts per day where `total`; missing where incomplete.

    The attribute `reach` names the first and last day, or month, that the series tells something of. Raise `InputError` if the
    spacing of the times does not allow it, or a year has no value at all.

    Parameters
    ----------
    da : raw series (time, ...)
    axis : steps of the result
    total : whether the variable is an amount
    accumulation : what hourly amounts are summed over
    where : file or source that errors name
    partial : whether years without any value are missing instead of an error
    """
    between = spacing(da["time"].values, where)
    _refuse_statistics(da, total, between, where)
    if between >= 28 * DAY:
        if axis.step == "day":
            raise InputError("the files hold monthly values, days were asked for", where=where, todo="set time.step: month")
        return _on_axis(_monthly_means(da, between, where), axis, "month", where, partial)
    if between == DAY:
        days = _daily_values(da, total and accumulation == "day", where)
    else:
        days = _from_hours(da, between, total, accumulation, where)
    daily = _on_axis(days, axis, "day", where, partial)
    reach = {"reach": daily.attrs["reach"]}
    return daily.resample(time="MS").mean(skipna=False).assign_attrs(reach) if axis.step == "month" else daily


def _refuse_statistics(da: xr.DataArray, total: bool, between: np.timedelta64, where: object) -> None:
    """Refuse what the files themselves say to be neither means nor amounts of the steps."""
    statistics = {str(s) for s in np.unique(da["statistic"].values)}
    odd = statistics - STATISTICS - {"growing"}
    if odd or ("sum" in statistics and not total):
        other = ", ".join(sorted(odd or {"sum"}))
        raise InputError("the files hold another statistic over time than the mean", where=where, found=other, todo="order means")
    if "sum" in statistics and between >= 28 * DAY:
        todo = "divide by the days of each month"
        raise InputError("the files hold sums of months, amounts per day are read", where=where, found="time: sum", todo=todo)
    unit, amounts = comparable(str(da.attrs.get("units"))), map(comparable, ("m", "mm", "kg m-2", "J m-2"))  # not per time
    if total and between == DAY and "mean" in statistics and unit in amounts:
        todo = "order daily sums"
        raise InputError("the files hold means of amounts, not their daily sums", where=where, found="time: mean", todo=todo)


def _within(da: xr.DataArray, unit: str, where: object) -> np.ndarray:
    """First moments of the days (`D`) or months (`M`) in which the intervals lie, NaT where the files state no bounds."""
    start, until = da["time"].values, da["until"].values
    step = (start + (until - start) // 2).astype(f"datetime64[{unit}]")
    first, last = (s.astype("datetime64[ns]") for s in (step, step + 1))
    wrong = (start < first - SLACK[unit]) | (until > last + SLACK[unit]) | (until - start < LEAST[unit])
    if wrong.any():
        k, period = int(wrong.argmax()), {"D": "day", "M": "month"}[unit]
        interval = f"{start[k].astype('datetime64[m]')} to {until[k].astype('datetime64[m]')}"
        asked, todo = f"a value must be of one {period} (UTC) by the bounds of its time", f"order values of each {period}"
        raise InputError(asked, where=where, found=interval, todo=f"{todo}, or correct the bounds")
    moments: np.ndarray = first
    return moments


def _labelled(da: xr.DataArray, labels: np.ndarray, where: object) -> xr.DataArray:
    """The series on new labels, which may bring values of several files to one time."""
    none = np.full(labels.shape, "NaT", "datetime64[ns]")
    return merge_versions(da.assign_coords(time=labels, until=("time", none)), where)


def _monthly_means(da: xr.DataArray, between: np.timedelta64, where: object) -> xr.DataArray:
    statistic, bounded = da["statistic"].values, ~np.isnat(da["until"].values)
    if not np.isin(statistic[~bounded], MEANS).all():
        raise InputError("the files hold one hour of each month, not monthly means", where=where, todo="order monthly means")
    if between > 31 * DAY and not np.char.startswith(statistic[~bounded], "avg").all():
        raise _no_step(between, where)
    months = da["time"].values.astype("datetime64[M]").astype("datetime64[ns]")
    return _labelled(da, np.where(bounded, _within(da, "M", where), months), where)


def _no_step(between: np.timedelta64, where: object) -> InputError:
    hours = between / HOUR
    return InputError("times must be one hour, one day or one month apart", where=where, found=f"{hours:g} hours")


def _daily_values(da: xr.DataArray, ends: bool, where: object) -> xr.DataArray:
    """Days from values a day apart; `ends`: those of 00:00 are the totals of the day before, unless bounds say another."""
    time, bounded = da["time"].values, ~np.isnat(da["until"].values)
    days = time.astype("datetime64[D]").astype("datetime64[ns]")
    inside = ~bounded & (time != days)
    single = inside & ~np.isin(da["statistic"].values, ("mean", "sum"))
    single |= ~bounded & (da["statistic"].values == "point") & (not ends)
    if single.any() or np.unique((time - days)[inside]).size > 1:
        raise InputError("the files hold one hour of each day, not daily statistics", where=where, todo="order daily statistics")
    if ends:
        days = np.where(inside, days, days - DAY)
    return _labelled(da, np.where(bounded, _within(da, "D", where), days), where)


def _hours(da: xr.DataArray, total: bool, where: object) -> xr.DataArray:
    """Values on the starts of their hours; without bounds an amount stands at the end of its hour."""
    start, until = da["time"].values, da["until"].values
    bounded = ~np.isnat(until)
    long = bounded & (np.abs(until - start - HOUR) > SLACK["D"])
    odd = long | (start.astype("datetime64[h]") != start)
    if odd.any():
        k = int(odd.argmax())
        hour = f"{start[k]} to {until[k]}" if bounded[k] else start[k]
        raise InputError("hourly values must be of full hours", where=where, found=hour, todo="give full hours, or their bounds")
    return _labelled(da, np.where(bounded | (not total), start, start - HOUR), where)


def _from_hours(
    da: xr.DataArray, between: np.timedelta64, total: bool, accumulation: Accumulation, where: object
) -> xr.DataArray:
    if between != HOUR:
        raise _no_step(between, where)
    if accumulation == "auto":
        accumulation = "day" if abs(np.diff(da["lat"].values[:2])[0]) < 0.2 else "hour"
    if "growing" in da["statistic"].values:
        accumulation = "day"
    bounded = ~np.isnat(da["until"].values)
    if total and accumulation == "day" and not bounded.all():
        if bounded.any():
            asked = "some files hold amounts of hours by their bounds, others amounts since 00:00"
            raise InputError(asked, where=where, todo="read them in two runs")
        midnight = da.isel(time=da["time"].dt.hour.values == 0)
        return _labelled(midnight, midnight["time"].values - DAY, where)
    if "day" in da.attrs.get("spacings", ()):
        raise InputError("some files hold hours and others days", where=where, todo="read them in two runs")
    da = _hours(da, total, where)
    stamps = da["time"].values
    first, last = stamps[0].astype("datetime64[D]"), stamps[-1].astype("datetime64[D]")
    hours = np.arange(first, last + DAY, HOUR, dtype="datetime64[ns]")
    complete = da.drop_vars(MARKS).reindex(time=hours).drop_vars("time")
    days = complete.coarsen(time=24).construct(time=("time", "hour"))
    # in float64: the order and number of terms must not reach the float32 that is kept
    values = days.sum("hour", skipna=False, dtype="float64") if total else days.mean("hour", skipna=False, dtype="float64")
    return values.astype("float32").assign_coords(time=hours[::24])


def _on_axis(da: xr.DataArray, asked: TimeAxis, step: Step, where: object, partial: bool) -> xr.DataArray:
    """The series on every day or month of the years asked for, missing where the files have none."""
    time, unit = asked.by(step).start, {"day": "D", "month": "M"}[step]
    have = np.isin(time, da["time"].values)
    for year in () if partial else asked.years:
        inside = time.astype("datetime64[Y]") == np.datetime64(str(year), "Y")
        if not have[inside].any():
            days = da["time"].values.astype("datetime64[D]")
            span = f"{days[0]} to {days[-1]}" if days.size else "nothing"
            raise InputError(f"no values of {year}", where=where, found=span, todo="fetch that year, or change time.years")
    if not (have.all() or partial):
        _log.warning("%s: %d of %d steps are in no file and stay missing", where, int((~have).sum()), time.size)
    first, last = (str(t.astype(f"datetime64[{unit}]")) for t in da["time"].values[[0, -1]])
    return da.drop_vars(MARKS, errors="ignore").reindex(time=time).assign_attrs(reach=(first, last))
