"""ERA5 and ERA5-Land as the Copernicus Climate Data Store delivers them in NetCDF (doi 10.24381/cds.adbb2d47).

Daily statistics, hourly values and monthly means are told apart by the spacing of their times. Handled: `valid_time`, `time`
and `date` axes; `expver` 1 (final) and 5 (preliminary) as coordinate or dimension, final first, never added; files split into
instantaneous and accumulated variables; zip archives under any name; both longitude conventions; either direction of latitude.

Accumulations (radiation, precipitation). An hourly value of ERA5 covers the hour that *ends* at its time, so the value of
00:00 belongs to the day before. ERA5-Land accumulates from 00:00 on, so a day's total is the value of 00:00 of the next day.
Daily statistics and monthly means hold amounts per day.
"""

import logging
from typing import Literal

import numpy as np
import xarray as xr

from tamrl import variables
from tamrl.drivers.sources import _netcdf
from tamrl.errors import ConfigError, InputError
from tamrl.options import Strict

log = logging.getLogger(__name__)

HOUR, DAY = np.timedelta64(1, "h"), np.timedelta64(1, "D")
ROUNDING = 0.05
"""Amounts (mm d-1, W m-2) below zero by less than this come from packing and count as zero; others are refused."""

MEANS = ("avgua", "avgad", "avgas", "avg", None)
"""GRIB step types that monthly means may have; `instant` and `accum` are single hours of a month."""


class Options(Strict):
    """ERA5 from the Climate Data Store."""

    path: str = "{results}/inputs/era5"
    """Folder of NetCDF files (or zip files with them)."""
    nodes: Literal["all", "land"] = "all"
    """Nodes that stand for a cell: all four corners, or those on land (for real ERA5)."""
    accumulation: Literal["auto", "hour", "day"] = "auto"
    """Hourly accumulations: over the hour (ERA5), since 00:00 (ERA5-Land), or told by the grid (0.1° is ERA5-Land)."""


def inputs(options: Options) -> list[str]:
    """The folder of files."""
    return [options.path]


def version(options: Options) -> dict[str, object]:
    """Number, bytes and checksum of the files."""
    return _netcdf.fingerprint(options.path)


def open_static(options: Options, *, names: tuple[str, ...]) -> dict[str, xr.DataArray]:
    """None so far."""
    if names:
        raise ConfigError(f"cds_era5 has no static variables, asked for {', '.join(names)}", where=variables.FILE)
    return {}


def open_dynamic(options: Options, *, names: tuple[str, ...], years: tuple[int, ...], step: str) -> dict[str, xr.DataArray]:
    """The named variables on the whole axis of `years`, lazy; see the contract in `tamrl.drivers.sources`."""
    if not years:
        raise ConfigError("cds_era5 has no climatology", where="time.years", todo="name the years")
    datasets = list(_netcdf.open_all(options.path))
    return {name: _variable(name, datasets, options, years, step) for name in names}


def _variable(name: str, datasets: list, options: Options, years: tuple[int, ...], step: str) -> xr.DataArray:
    alias = variables.get(name).sources["cds_era5"]
    where = f"{options.path} ({alias.name})"
    raw = series([ds[alias.name] for _, ds in datasets if alias.name in ds], where=where)
    raw = _netcdf.without_fill(_netcdf.orient(raw, where), name=name, where=where)
    total = alias.units.endswith("d-1")
    found = on_steps(raw, years=years, step=step, total=total, accumulation=options.accumulation, where=where)
    done = variables.canonical(found, name=name, source_units=alias.units, where=where)
    if total:
        done = done.where((done >= 0) | (done < -ROUNDING) | done.isnull(), np.float32(0))
    return done.assign_attrs(grid="nodes", nodes=options.nodes, expver=_count_expver(raw))


def series(parts: list[xr.DataArray], *, where: object) -> xr.DataArray:
    """One array (time, lat, lon) from the pieces of all files, times rising, with the coordinate `expver` (int).

    Where a time occurs with several `expver`, the lowest that has a value wins at each place.

    Raises
    ------
    InputError
        If there is no piece, or a time occurs twice with the same `expver` and different values.
    """
    if not parts:
        raise InputError("no file holds the variable", where=where, todo="order it, or take it out of drivers.variables")
    pieces = [piece for part in parts for piece in _plain(part, where)]
    joined = xr.concat(pieces, "time", join="exact", coords="minimal", compat="override", combine_attrs="override")
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
    return ", ".join(f"{v:04d}: {c} times" for v, c in zip(versions, counts, strict=True))


def spacing(time: np.ndarray, where: object) -> np.timedelta64:
    """The usual distance of rising times: an hour, a day or about a month; raises `InputError` for a single time."""
    if time.size < 2:
        raise InputError("one time alone does not tell whether it is an hour, a day or a month", where=where, found=time)
    return np.sort(np.diff(time))[(time.size - 1) // 2]


def on_steps(
    da: xr.DataArray, *, years: tuple[int, ...], step: str, total: bool, accumulation: str, where: object
) -> xr.DataArray:
    """Values of a raw series for every step of `years`: means, or amounts per day where `total`; missing where incomplete.

    Raises
    ------
    InputError
        If the spacing of the times does not allow it, or a year has no value at all.
    """
    between = spacing(da["time"].values, where)
    if between >= 28 * DAY:
        if step == "day":
            raise InputError("the files hold monthly values, days were asked for", where=where, todo="set time.step: month")
        return _whole(_monthly_means(da, where), years, "M", where)
    days = _daily_values(da, where) if between == DAY else _from_hours(da, between, total, accumulation, where)
    found = _whole(days, years, "D", where)
    return found.resample(time="MS").mean(skipna=False) if step == "month" else found


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
    found = days.sum("hour", skipna=False) if total else days.mean("hour", skipna=False)
    return found.assign_coords(time=hours[::24])


def _whole(da: xr.DataArray, years: tuple[int, ...], unit: str, where: object) -> xr.DataArray:
    """The series on every day (`D`) or month (`M`) of `years`, missing where the files have none."""
    start, end = np.datetime64(str(years[0]), unit), np.datetime64(str(years[-1] + 1), unit)
    steps = np.arange(start, end).astype("datetime64[ns]")
    have = np.isin(steps, da["time"].values)
    for year in years:
        inside = steps.astype("datetime64[Y]") == np.datetime64(str(year), "Y")
        if not have[inside].any():
            raise InputError(f"no values of {year}", where=where, found=_span(da), todo="fetch that year, or change time.years")
    if not have.all():
        log.warning("%s: %d of %d steps are in no file and stay missing", where, int((~have).sum()), steps.size)
    return da.drop_vars("expver", errors="ignore").reindex(time=steps)


def _span(da: xr.DataArray) -> str:
    time = da["time"].values.astype("datetime64[D]")
    return f"{time[0]} to {time[-1]}" if time.size else "nothing"
