"""Values of the reanalyses on the steps of the run: pieces joined, versions merged, hours and accumulations made days.

Daily statistics, hourly values and monthly means are told apart by the spacing of their times; what each may hold is said
in the modules of the sources.
"""

import logging
from collections import Counter
from dataclasses import replace

import numpy as np
import xarray as xr

from tamrl import variables
from tamrl.drivers.sources import _netcdf
from tamrl.drivers.steps import Steps
from tamrl.errors import InputError

log = logging.getLogger(__name__)

HOUR, DAY = np.timedelta64(1, "h"), np.timedelta64(1, "D")
ROUNDING = 0.05
"""Amounts (mm d-1, W m-2) below zero by less than this come from packing and count as zero; others are refused."""

MEANS = ("avgua", "avgad", "avgas", "avg", None)
"""GRIB step types that monthly means may have; `instant` and `accum` are single hours of a month."""


def variable(
    name: str, raw: xr.DataArray, *, source: str, steps: Steps, accumulation: str, where: str, some: bool = False
) -> xr.DataArray:
    """A raw series (time, lat, lon) with coordinate `expver` as the vocabulary's variable on every step asked for, lazy.

    Its attribute `extent` says what the files hold (`tamrl.drivers.sources`).

    Parameters
    ----------
    source : str
        Whose unit in `config/variables.yaml` the values have.
    accumulation : str
        `hour`, `day` or `auto`: what hourly amounts are summed over (`on_steps`).
    some : bool
        Only some files were opened: the steps of the others are missing, and nothing is said of that.
    """
    times, grid = raw["time"].values, [[v.size, *map(float, v.values[[0, -1]])] for v in (raw["lat"], raw["lon"])]
    extent = {"times": [str(times[0]), str(times[-1])], "every": every(times), "grid": [str(raw.dtype), *grid]}
    alias = variables.get(name).sources[source]
    raw = _netcdf.without_fill(_netcdf.orient(raw, where), name=name, where=where)
    total = alias.units.endswith("d-1")
    found = on_steps(raw, steps=steps, total=total, accumulation=accumulation, where=where, some=some)
    extent |= {"steps": found.attrs["reach"]}
    done = variables.canonical(found, name=name, source_units=alias.units, where=where)
    if total:
        done = done.where((done >= 0) | (done < -ROUNDING) | done.isnull(), np.float32(0))
    return done.assign_attrs(grid="nodes", expver=_count_expver(raw), extent=extent)


def series(parts: list[xr.DataArray], *, where: object) -> xr.DataArray:
    """One array (time, lat, lon) from the pieces of all files, times rising, with the coordinate `expver` (int).

    Where a time occurs with several `expver`, the lowest that has a value wins at each place.

    Raises
    ------
    InputError
        If there is no piece, grids differ, or a time occurs twice with the same `expver` and different values.
    """
    if not parts:
        raise InputError("no file holds the variable", where=where, todo="order it, or take it out of drivers.variables")
    pieces = [piece for part in parts for piece in _plain(part, where)]
    try:
        joined = xr.concat(pieces, "time", join="exact", coords="minimal", compat="override", combine_attrs="override")
    except ValueError as error:  # xarray's AlignmentError
        found = sorted(
            {f"{p.sizes['lat']} x {p.sizes['lon']} from {p['lat'].values[0]:g}, {p['lon'].values[0]:g}" for p in pieces}
        )
        raise InputError(
            "files of one variable lie on different grids", where=where, found=found, todo="order one area"
        ) from error
    order = np.lexsort((joined["expver"].values, joined["time"].values))
    joined = joined.isel(time=order) if (np.diff(order) != 1).any() else joined
    return _merge_times(joined, where)


def _plain(part: xr.DataArray, where: object) -> list[xr.DataArray]:
    """A piece as arrays (time, lat, lon) with a time axis in datetime64[ns] and one `expver` per time."""
    if "time" not in part.coords:
        raise InputError("no time coordinate", where=where, found=list(part.coords))
    part = part if "time" in part.dims else part.expand_dims("time")
    if "expver" in part.dims:
        return [p for k in range(part.sizes["expver"]) for p in _plain(part.isel(expver=k), where)]
    part = part.assign_coords(time=("time", _times(part["time"].values, where)))
    version = part["expver"].values if "expver" in part.coords else 1
    part = part.assign_coords(expver=("time", np.broadcast_to(version, part["time"].shape).astype(int)))
    part = part.squeeze([d for d in part.dims if d not in ("time", "lat", "lon") and part.sizes[d] == 1], drop=True)
    part = part.drop_vars([c for c in part.coords if c not in ("time", "lat", "lon", "expver")])
    if set(part.dims) != {"time", "lat", "lon"}:
        raise InputError("dimensions must be time, latitude, longitude", where=where, found=part.dims)
    return [part.transpose("time", "lat", "lon")]


def _times(values: np.ndarray, where: object) -> np.ndarray:
    """datetime64[ns] from datetime64 or from dates written as numbers (20010131)."""
    if np.issubdtype(values.dtype, np.datetime64):
        return values.astype("datetime64[ns]")
    if np.issubdtype(values.dtype, np.integer):
        text = [f"{v:08d}" for v in values]
        return np.array([f"{t[:4]}-{t[4:6]}-{t[6:]}" for t in text], "datetime64[ns]")
    raise InputError("times must be of the Gregorian calendar", where=where, found=values[:1], todo="convert the calendar first")


def _merge_times(da: xr.DataArray, where: object) -> xr.DataArray:
    time, version = da["time"].values, da["expver"].values
    again = np.concatenate([[False], time[1:] == time[:-1]])
    if not again.any():
        return da
    same = again & np.concatenate([[False], version[1:] == version[:-1]])
    for k in np.flatnonzero(same):
        if not np.array_equal(da.isel(time=k).values, da.isel(time=k - 1).values, equal_nan=True):
            raise InputError(f"{time[k]} occurs twice with different values", where=where, todo="remove the wrong file")
    rank = np.arange(time.size) - np.maximum.accumulate(np.where(again, 0, np.arange(time.size)))
    merged = da.isel(time=rank == 0)
    for place in range(1, int(rank.max()) + 1):
        later = da.isel(time=rank == place).drop_vars("expver").reindex(time=merged["time"])
        merged = merged.where(merged.notnull(), later)
    log.info("%s: %d times with several expver merged, the final version first", where, int((again & ~same).sum()))
    return merged


def _count_expver(da: xr.DataArray) -> str:
    versions, counts = np.unique(da["expver"].values, return_counts=True)
    return _told(dict(zip(versions.tolist(), counts.tolist(), strict=True)))


def _told(counts: dict[int, int]) -> str:
    return ", ".join(f"{v:04d}: {c} times" for v, c in sorted(counts.items()))


def add_expver(first: str, second: str) -> str:
    """What two attributes `expver` say together, of series that share no time."""
    counts: Counter[int] = Counter()
    for part in (p.split(": ") for text in (first, second) for p in text.split(", ")):
        counts[int(part[0])] += int(part[1].removesuffix(" times"))
    return _told(counts)


def every(time: np.ndarray) -> str | None:
    """`hour`, `day` or `month` where more than three quarters of the distances of rising times are that, else None.

    Series of which each is so are so together, and `spacing` says the same of them and of their parts.
    """
    between = np.diff(time)
    if between.size < 4:
        return None
    kinds = {"hour": between == HOUR, "day": between == DAY, "month": between >= 28 * DAY}
    return next((kind for kind, so in kinds.items() if so.mean() > 0.75), None)


def spacing(time: np.ndarray, where: object) -> np.timedelta64:
    """The usual distance of rising times: an hour, a day or about a month; raises `InputError` for a single time."""
    if time.size < 2:
        raise InputError("one time alone does not tell whether it is an hour, a day or a month", where=where, found=time)
    return np.sort(np.diff(time))[(time.size - 1) // 2]


def on_steps(
    da: xr.DataArray, *, steps: Steps, total: bool, accumulation: str, where: object, some: bool = False
) -> xr.DataArray:
    """Values of a raw series for every step asked for: means, or amounts per day where `total`; missing where incomplete.

    The attribute `reach` names the first and last day, or month, that the series tells something of.

    Raises
    ------
    InputError
        If the spacing of the times does not allow it, or a year has no value at all.
    """
    between = spacing(da["time"].values, where)
    if between >= 28 * DAY:
        if steps.step == "day":
            raise InputError("the files hold monthly values, days were asked for", where=where, todo="set time.step: month")
        return _whole(_monthly_means(da, where), steps, "M", where, some)
    if between == DAY:
        days = _daily_values(da, where)
        if total and accumulation == "day":  # only the hour 00:00 was kept: the total of the day before
            days = days.assign_coords(time=days["time"].values - DAY)
    else:
        days = _from_hours(da, between, total, accumulation, where)
    found = _whole(days, steps, "D", where, some)
    reach = {"reach": found.attrs["reach"]}
    return found.resample(time="MS").mean(skipna=False).assign_attrs(reach) if steps.step == "month" else found


def _monthly_means(da: xr.DataArray, where: object) -> xr.DataArray:
    if da.attrs.get("GRIB_stepType") not in MEANS:
        raise InputError("the files hold one hour of each month, not monthly means", where=where, todo="order monthly means")
    return da.assign_coords(time=da["time"].values.astype("datetime64[M]").astype("datetime64[ns]"))


def _daily_values(da: xr.DataArray, where: object) -> xr.DataArray:
    if (da["time"].values.astype("datetime64[D]") != da["time"].values).any():
        raise InputError("the files hold one hour of each day, not daily statistics", where=where, todo="order daily statistics")
    return da


def _from_hours(da: xr.DataArray, between: np.timedelta64, total: bool, accumulation: str, where: object) -> xr.DataArray:
    if between != HOUR:
        hours = between / HOUR
        raise InputError("times must be one hour, one day or one month apart", where=where, found=f"{hours:g} hours")
    if accumulation == "auto":
        accumulation = "day" if abs(np.diff(da["lat"].values[:2])[0]) < 0.2 else "hour"
    if total and accumulation == "day":
        midnight = da.isel(time=da["time"].dt.hour.values == 0)
        return midnight.assign_coords(time=midnight["time"].values - DAY)
    da = da.assign_coords(time=da["time"].values - HOUR) if total else da
    stamps = da["time"].values
    first, last = stamps[0].astype("datetime64[D]"), stamps[-1].astype("datetime64[D]")
    hours = np.arange(first, last + DAY, HOUR, dtype="datetime64[ns]")
    whole = da.drop_vars("expver").reindex(time=hours).drop_vars("time")
    days = whole.coarsen(time=24).construct(time=("time", "hour"))
    # in float64: the order and number of terms must not reach the float32 that is kept
    found = days.sum("hour", skipna=False, dtype="float64") if total else days.mean("hour", skipna=False, dtype="float64")
    return found.astype("float32").assign_coords(time=hours[::24])


def _whole(da: xr.DataArray, asked: Steps, unit: str, where: object, some: bool) -> xr.DataArray:
    """The series on every day (`D`) or month (`M`) of the years asked for, missing where the files have none."""
    time = replace(asked, step={"D": "day", "M": "month"}[unit]).axis
    have = np.isin(time, da["time"].values)
    for year in () if some else asked.years:
        inside = time.astype("datetime64[Y]") == np.datetime64(str(year), "Y")
        if not have[inside].any():
            raise InputError(f"no values of {year}", where=where, found=_span(da), todo="fetch that year, or change time.years")
    if not (have.all() or some):
        log.warning("%s: %d of %d steps are in no file and stay missing", where, int((~have).sum()), time.size)
    reach = [str(t.astype(f"datetime64[{unit}]")) for t in da["time"].values[[0, -1]]]
    return da.drop_vars("expver", errors="ignore").reindex(time=time).assign_attrs(reach=reach)


def _span(da: xr.DataArray) -> str:
    time = da["time"].values.astype("datetime64[D]")
    return f"{time[0]} to {time[-1]}" if time.size else "nothing"
