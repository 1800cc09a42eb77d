"""Decode the time axis of any dataset: its times, and the interval that each value covers.

Which coordinate
    `valid_time`, or a coordinate of standard name `time`, wherever one is; else reference time plus step (forecast period,
    lead time), of two dimensions made one; else `time`, `date`, `T`, ... by name, standard name, `decode_time_axis`, or unit.

Which number
    `<unit> since <date>` from nanoseconds to weeks; months and years are those of the calendar, in whole numbers (a half is
    the middle). The absolute axes of CDO (`day as %Y%m%d.%f`, also month and year); dates of exactly eight digits without unit.
    A date with an offset is moved to UTC. A time within one second of a full minute is that minute; where the numbers
    themselves are coarser (float32), one within their resolution of a full minute or hour is that. Times are exact to 1 µs.

Which interval
    Bounds of the coordinate decide: the label is the start of the interval, wherever within it or at its end the stamp is.
    An accumulation of a step of 24 hours (`GRIB_stepType: accum`) has the bounds of that day.
    Without bounds, and for values that are said to be of one instant, the label is the stamp.

CF conventions 1.11, chapters 4.4, 7.1, 7.3 (https://cfconventions.org); UDUNITS-2 for the names of units.
"""

import re

import cftime
import numpy as np
import xarray as xr

from tamrl.errors import InputError
from tamrl.intake import border
from tamrl.intake.stored import Attributes

VALID = {"valid_time", "validtime", "validity_time"}
REFERENCE = {"forecast_reference_time", "reference_time", "reftime", "initial_time", "init_time"}
LEAD = {"step", "forecast_period", "leadtime", "lead_time", "lead"}
PLAIN = {"time", "times", "date", "dates", "datetime", "day", "t"}

CALENDARS = {"", "standard", "gregorian", "proleptic_gregorian"}
SECOND = 1_000_000
"""Microseconds."""

MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
UNITS = {
    **dict.fromkeys(("microsecond", "microsec", "us", "µs", "μs"), 1),
    **dict.fromkeys(("millisecond", "millisec", "msec", "ms"), 1000),
    **dict.fromkeys(("second", "sec", "s"), SECOND),
    **dict.fromkeys(("minute", "min"), MINUTE),
    **dict.fromkeys(("hour", "hr", "h"), HOUR),
    **dict.fromkeys(("day", "d"), DAY),
    "week": 7 * DAY,
}
"""Length of units in microseconds."""

_SINCE = re.compile(
    r"(?P<unit>[a-zµμ]+)\s+since\s+(?P<year>\d{1,4})-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?"
    r"(?:[t\s]\s*(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2}(?:\.\d*)?))?)?)?"
    r"\s*(?P<zone>z|utc|gmt|[+-]\d{1,2}(?::?\d{2})?|(?<=\s)\d{1,2}:\d{2})?"
)
_ABSOLUTE = re.compile(r"(day|month|year) as %y(%m)?(%d)?(\.%f)?")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?")
_METHOD = re.compile(r"((?:[\w.]+:\s+)+)([a-z_]+)")


def attach_times(ds: xr.Dataset) -> xr.Dataset:
    """Return a dataset whose time variables are coordinates, so that each variable carries them; nothing is decoded.

    Bounds of a coordinate `c` become the coordinates `c_start` and `c_end`.
    """
    ds = ds.set_coords([n for n in ds.data_vars if ds.variables[n].ndim < 3 and _role(str(n), ds.variables[n])])
    for name in [str(n) for n in ds.coords if _role(str(n), ds.variables[n])]:
        if name not in ds.coords:  # bounds of another one
            continue
        stamp, named = ds[name], [ds[name].attrs.get(k) for k in ("bounds", "climatology")]
        both = next((n for n in (*named, f"{name}_bnds", f"{name}_bounds") if isinstance(n, str) and n in ds.variables), None)
        side = [d for d in ds[both].dims if d not in stamp.dims] if both else []
        if len(side) == 1 and ds.sizes[side[0]] == 2:
            attrs = stamp.attrs | ds[both].attrs
            edges = [ds[both].isel({side[0]: k}).variable for k in (0, 1)]
            edges = [xr.Variable(e.dims, e.values, attrs) for e in edges]
            ds = ds.drop_vars(str(both)).assign_coords({f"{name}_start": edges[0], f"{name}_end": edges[1]})
    return ds


def decode_time_axis(da: xr.DataArray, *, where: object) -> xr.DataArray:
    """Return a variable of a dataset of `attach_times` with one dimension `time` of labels (datetime64[ns], UTC).

    Further coordinates are `until`, the end of the interval that starts at `time` (NaT without bounds), and `statistic`, the
    method over time (`time_statistic`; `point` if the bounds are equal). Raise `InputError` if there is no time coordinate, or if
    it cannot be decoded.
    """
    if "until" in da.coords:
        return da
    with border.reading("the time axis cannot be read", where=where, todo="write times as CF does"):
        name, stamped = _valid(da, where)
        start, until, method = _interval(da, name, stamped, time_statistic(da), where)
        marks = [n for n, c in da.coords.items() if _role(str(n), c.variable) or str(n).endswith(("_start", "_end"))]
        da = da.drop_vars(marks)
        da = da.squeeze([d for d in da.dims if d == "time" and d not in stamped.dims])
        if stamped.ndim == 0:
            da = da.expand_dims("time")
        elif stamped.ndim == 1:
            da = da.rename({stamped.dims[0]: "time"}) if stamped.dims[0] != "time" else da
        else:
            da = da.stack(_time=stamped.dims, create_index=False).rename(_time="time")
        methods = np.broadcast_to(method, start.shape)
        return da.assign_coords(time=start.ravel(), until=("time", until.ravel()), statistic=("time", methods.ravel()))


def time_statistic(da: xr.DataArray) -> str:
    """Return the method over time: the last of `cell_methods` (preferably an extreme or spread), or `GRIB_stepType`, or empty."""
    text = re.sub(r"\([^)]*\)", "", str(da.attrs.get("cell_methods", "")))
    mine = {"time"} | {str(n).lower() for n, c in da.coords.items() if _role(str(n), c.variable)}
    pairs = [({n.strip().lower() for n in names.split(":")}, method) for names, method in _METHOD.findall(text)]
    synonyms = {"average": "mean", "accumulation": "sum"}
    methods: list[str] = [synonyms.get(method, method) for names, method in pairs if names & mine]
    odd = [m for m in methods if m not in ("mean", "sum", "point")]
    declared = {"daily_mean": "mean", "daily_sum": "sum"}.get(str(da.attrs.get("daily_statistic")), "")
    return (odd or methods or [declared or str(da.attrs.get("GRIB_stepType", ""))])[-1]


def _role(name: str, of: xr.Variable) -> str | None:
    """Return the role of a coordinate for time: valid, reference, lead, time, or None."""
    standard, units, low = of.attrs.get("standard_name"), str(of.attrs.get("units", "")).lower(), name.lower()
    if low in VALID:
        return "valid"
    if low in LEAD or standard == "forecast_period":
        return "lead"
    if low in REFERENCE or standard == "forecast_reference_time":
        return "time" if low in PLAIN and standard != "forecast_reference_time" else "reference"
    if standard == "time":
        return "valid"
    dated = of.dtype.kind == "M" or " since " in units or _ABSOLUTE.fullmatch(units) is not None
    named = low in PLAIN and of.dims in ((), (name,))
    return "time" if of.attrs.get("axis") == "T" or named or dated else None


def _valid(da: xr.DataArray, where: object) -> tuple[str | None, xr.DataArray]:
    """Return the name of the coordinate of valid times (None if they are a sum) and the valid times."""
    roles = {str(n): _role(str(n), c.variable) for n, c in da.coords.items() if not str(n).endswith(("_start", "_end"))}
    along = {d for n in roles if roles[n] for d in da[n].dims if da.sizes[d] > 1}

    def of(kind: str) -> str | None:
        names = [n for n, role in roles.items() if role == kind]
        return max(names, key=lambda n: (da[n].size, n.lower() in VALID, n.lower() == "time"), default=None)

    valid, reference, lead, plain = (of(kind) for kind in ("valid", "reference", "lead", "time"))
    if valid and not along <= set(da[valid].dims):
        valid, plain = None, plain or valid
    name = valid or (plain if reference or not lead else None)
    start = reference or plain
    if name is None and lead and start:
        return None, _decoded(da, start, where) + _lead(da[lead], where)
    if name is None and reference:
        known = reference.lower() in PLAIN and da.attrs.get("GRIB_stepType") != "accum"
        if not known:
            raise InputError("there is a reference time only, neither step nor valid time", where=where, found=reference)
        name = reference
    if name is None:
        raise InputError("no time coordinate", where=where, found=list(da.coords))
    return name, _decoded(da, name, where)


def _decoded(da: xr.DataArray, name: str, where: object) -> xr.DataArray:
    of = da[name].variable
    return xr.DataArray(decode_times(of.values, of.attrs, where=f"{where}, coordinate {name}"), dims=of.dims)


def _lead(step: xr.DataArray, where: object) -> xr.DataArray:
    """Decode lead times as timedelta64[ns]; numbers without unit are hours."""
    values, unit = step.values, str(step.attrs.get("units", "")).strip().lower() or "hours"
    if values.dtype.kind != "m":
        length = 1 if unit.startswith("nanosec") else _length(unit, f"{where}, coordinate {step.name}")
        values = np.rint(values.astype("float64") * length / (1000 if unit.startswith("nanosec") else 1))
        _refuse_missing(values, step.attrs, where)
        values = values.astype("timedelta64[us]")
    return xr.DataArray(values.astype("timedelta64[ns]"), dims=step.dims)


def _interval(
    da: xr.DataArray, name: str | None, stamped: xr.DataArray, method: str, where: object
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels and ends of intervals (NaT without bounds) and methods, in the shape of `stamped`."""
    time, none = stamped.values.astype("datetime64[ns]"), np.full(stamped.shape, "NaT", "datetime64[ns]")
    if name is None or f"{name}_start" not in da.coords:
        steps = [_lead(c, where).values for n, c in da.coords.items() if _role(str(n), c.variable) == "lead"]
        if method == "accum" and steps and all((s == np.timedelta64(1, "D")).all() for s in steps):
            return time - np.timedelta64(1, "D"), time, np.array(method)  # a day since the reference time
        return time, none, np.array(method)
    start, end = (_decoded(da, f"{name}_{k}", where).values for k in ("start", "end"))
    slack, hours = np.timedelta64(1, "m"), (end - start) < np.timedelta64(1, "D")
    wrong = (end < start) | ((time < start - slack) | (time > end + slack))
    if wrong.any():
        k = np.unravel_index(wrong.argmax(), wrong.shape)
        raise InputError("a time lies outside its bounds", where=where, found=f"{time[k]}, bounds {start[k]} and {end[k]}")
    one = (end == start) | (method == "point") | ((method == "instant") & hours)
    return np.where(one, time, start), np.where(one, none, end), np.where(end == start, "point", method)


def decode_times(values: np.ndarray, attrs: Attributes, *, where: object) -> np.ndarray:
    """Decode times (datetime64[ns], UTC, same shape) from stored numbers, texts or dates and their attributes.

    Raise `InputError` for a missing time, another calendar, an unknown unit, or numbers that are not dates.
    """
    values, calendar = np.asarray(values), str(attrs.get("calendar", "")).lower()
    if values.dtype.kind == "O" and values.size and hasattr(values.flat[0], "calendar"):
        calendar = values.flat[0].calendar
    if calendar not in CALENDARS:
        asked = "times must be of the Gregorian calendar"
        raise InputError(asked, where=where, found=calendar, todo="convert the calendar first")
    if values.dtype.kind in "OSU":
        values = _from_text(values, where)
    if values.dtype.kind == "M":
        if np.isnat(values).any():
            raise InputError("a time is missing", where=where, found=f"{int(np.isnat(values).sum())} of {values.size}")
        return _settled(values.astype("datetime64[us]").astype("int64"), 0)
    if values.dtype.kind not in "iuf":
        raise InputError("times must be numbers or dates", where=where, found=values.dtype)
    _refuse_missing(values, attrs, where)
    units = " ".join(str(attrs.get("units", "")).lower().split())
    if _ABSOLUTE.fullmatch(units):
        return _absolute(values, units.split()[0], where)
    if units in ("", "1", "yyyymmdd", "%y%m%d"):
        return _absolute(values, "day", where, todo="state units, as in 'hours since 1900-01-01'")
    if units in ("yyyymm", "%y%m"):
        return _absolute(values, "month", where)
    return _since(values, units, calendar, where)


def _from_text(values: np.ndarray, where: object) -> np.ndarray:
    text = [v.decode("ascii", "replace") if isinstance(v, bytes) else str(v) for v in values.ravel()]
    text = [t.strip().removesuffix("Z").removesuffix("+00:00") for t in text]
    odd = next((t for t in text if not _ISO.fullmatch(t)), None)
    if odd is not None:
        raise InputError("times written as text must be yyyy-mm-dd or yyyy-mm-ddThh:mm:ss", where=where, found=odd)
    return np.array(text, "datetime64[us]").reshape(values.shape)


def _refuse_missing(values: np.ndarray, attrs: Attributes, where: object) -> None:
    stated = [np.ravel(attrs[k]) for k in ("_FillValue", "missing_value") if k in attrs]
    fills = [float(f) for fill in stated if fill.dtype.kind in "iuf" for f in fill]
    fills += [-(2.0**63), -(2.0**63) + 2] + ([-(2.0**31), -(2.0**31) + 1] if values.dtype == "int32" else [])
    numbers = values.astype("float64")
    gone = ~np.isfinite(numbers) | np.isin(numbers, fills) | (np.abs(numbers) > 1e19)
    if gone.any():
        counted = f"{int(gone.sum())} of {gone.size} missing, first at position {int(gone.argmax())}"
        raise InputError("a time is missing", where=where, found=counted, todo="remove these steps, or give them their times")


def _length(unit: str, where: object) -> int:
    for name in (unit, unit.removesuffix("s")):
        if name in UNITS:
            return UNITS[name]
    raise InputError(f"unknown unit of time {unit!r}", where=where, todo="use seconds, minutes, hours, days, months or years")


def _since(values: np.ndarray, units: str, calendar: str, where: object) -> np.ndarray:
    """Decode numbers with the unit `<unit> since <date>`."""
    match = _SINCE.fullmatch(units)
    if not match:
        todo = "state units as in 'hours since 1900-01-01 00:00:00'"
        raise InputError("the unit of the time axis is not understood", where=where, found=units, todo=todo)
    unit, origin = match["unit"], _origin(match, calendar, where)
    if unit.removesuffix("s") in ("month", "year"):
        return _months(values, 12 if unit.startswith("year") else 1, match, origin, where)
    if unit.startswith(("nanosec", "ns")):
        values, unit = values // 1000 if values.dtype.kind in "iu" else values / 1000, "us"
    length = _length(unit, where)
    _refuse_far(values.astype("float64") * length + origin, where)
    if values.dtype.kind in "iu":
        return _settled(values.astype("int64") * length + origin, 0)
    integer = np.floor(values.astype("float64"))
    exact = (integer == values).all() and np.abs(integer).max(initial=0) < 2**24
    blur = 0.0 if exact else float(np.spacing(np.abs(values).max(initial=0))) * length
    if blur > HOUR / 2:
        todo = "write times as float64 or as whole numbers"
        raise InputError("the numbers are too coarse to tell hours", where=where, found=f"{values.dtype}, {units}", todo=todo)
    rest = np.rint((values - integer) * length).astype("int64")
    return _settled(integer.astype("int64") * length + rest + origin, blur)


def _origin(match: re.Match[str], calendar: str, where: object) -> int:
    """Return the microseconds from 1970 to the date of a unit; the standard calendar is Julian before 15 October 1582."""
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"] or 1)
    with border.reading("the date of the time axis is invalid", where=where, todo="write it as yyyy-mm-dd hh:mm:ss"):
        if calendar != "proleptic_gregorian" and (year, month, day) < (1582, 10, 15):
            date = cftime.datetime(year, month, day, calendar="standard")
            days = int(cftime.date2num(date, "days since 1970-01-01", calendar="standard"))
        else:
            days = int(np.datetime64(f"{year:04d}-{month:02d}-{day:02d}", "D").astype("int64"))
    clock = [float(match[k] or 0) for k in ("hour", "minute", "second")]
    if clock[0] > 24 or max(clock[1:]) >= 60:
        raise InputError("the date of the time axis is invalid", where=where, found=match.group())
    zone, offset = match["zone"] or "", 0
    if zone[:1] in ("+", "-") or zone[:1].isdigit():
        digits = zone.lstrip("+-").replace(":", "")
        hours, minutes = (digits, "0") if len(digits) < 3 else (digits[:-2], digits[-2:])
        offset = (int(hours) * HOUR + int(minutes) * MINUTE) * (-1 if zone[0] == "-" else 1)
    return days * DAY + round(clock[0] * HOUR + clock[1] * MINUTE + clock[2] * SECOND) - offset


def _months(values: np.ndarray, months: int, match: re.Match[str], origin: int, where: object) -> np.ndarray:
    """Decode `months since` or `years since` a date: calendar months on the day of the date; a half is the middle."""
    number = np.rint(values.astype("float64") * 2e3) / 2e3  # without noise
    unit = "years" if months == 12 else "months"
    if (number * 2 % 1 != 0).any():
        odd = values.ravel()[(number * 2 % 1 != 0).ravel()][0]
        todo = "write whole numbers, or days since a date"
        raise InputError(f"{unit} since a date must be whole numbers, or halves", where=where, found=odd, todo=todo)
    day = int(match["day"] or 1)
    if day > 28 or ((number % 1 != 0).any() and day != 1):
        raise InputError(f"{unit} since this date are no dates", where=where, found=match.group(), todo="write days since a date")
    first = int(match["year"]) * 12 + int(match["month"]) - 1 - 1970 * 12
    _refuse_far(((number * months) + first) * 30.5 * DAY, where)
    start, end = ((np.floor(number) + k) * months + first for k in (0, 1))
    start, end = (_month_start(v.astype("int64")) for v in (start, end))
    middle = np.where(number % 1 != 0, (end - start) // 2, 0)
    first_day = _month_start(np.array(first))
    return _settled(start + middle + origin - int(first_day), 0)


def _month_start(months: np.ndarray) -> np.ndarray:
    """Return the microseconds from 1970 to the starts of months since 1970-01."""
    return months.astype("datetime64[M]").astype("datetime64[us]").astype("int64")


def _absolute(values: np.ndarray, unit: str, where: object, todo: str = "correct the dates") -> np.ndarray:
    """Decode dates written as numbers: yyyymmdd.f, yyyymm.f or yyyy.f with a fraction of the day, month or year."""
    digits, number = {"day": 8, "month": 6, "year": 4}[unit], values.astype("float64")
    integer = np.floor(number).astype("int64")
    coarse = values.dtype == "float32" and digits == 8
    odd = integer[(integer < 10 ** (digits - 1)) | (integer >= 10**digits)]
    if coarse or odd.size:
        asked = f"a {unit} written as a number must have exactly {digits} digits"
        raise InputError(asked, where=where, found="float32, which holds seven" if coarse else odd[0], todo=todo)
    text = [str(v) for v in integer.ravel()]
    dates = ["-".join(p for p in (t[:4], t[4:6], t[6:]) if p) for t in text]
    kind = {"day": "D", "month": "M", "year": "Y"}[unit]
    with border.reading(f"a {unit} of the time axis is invalid", where=where, todo=todo):
        start = np.array(dates, f"datetime64[{kind}]").reshape(values.shape)
    start, end = (t.astype("datetime64[us]").astype("int64") for t in (start, start + 1))
    share = number - integer
    if unit == "year" and not np.isin(share, (0, 0.5)).all():
        raise InputError("fractions of years do not tell days or months", where=where, found=number[share != 0][:1])
    _refuse_far(start, where)
    return _settled(start + np.rint(share * (end - start)).astype("int64"), float(np.spacing(number.max(initial=0))) * DAY)


def _refuse_far(micros: np.ndarray, where: object) -> None:
    years = 1970 + np.asarray(micros, "float64") / (365.2425 * DAY)
    if years.size and (years.min() < 1678 or years.max() > 2262):
        raise InputError("times must lie in the years 1678 to 2261", where=where, found=f"{years.min():.6g} to {years.max():.6g}")


def _settled(micros: np.ndarray, blur: float) -> np.ndarray:
    """Return microseconds as datetime64[ns], rounded to a full minute (or hour, by `blur` in µs) that is within the noise."""
    grain = MINUTE if blur <= MINUTE / 2 else HOUR
    full = (micros + grain // 2) // grain * grain
    near = np.abs(micros - full) <= max(SECOND, blur)
    return np.where(near, full, micros).astype("datetime64[us]").astype("datetime64[ns]")


def check_months(values: np.ndarray, *, where: object) -> np.ndarray:
    """Return the months 1 to 12 (any order) as integers; raise `InputError` unless each occurs once."""
    values = np.asarray(values)
    if values.dtype.kind not in "iuf" or sorted(values.ravel().tolist()) != list(range(1, 13)):
        raise InputError("a mean year must have the months 1 to 12, each once", where=where, found=values.ravel()[:12].tolist())
    return values.astype("int64")
