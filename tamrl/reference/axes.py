"""Coordinates of foreign grids: north-up cells from 180° W, and days of their steps."""

from collections.abc import Mapping

import cftime
import numpy as np
import xarray as xr

from tamrl.errors import InputError
from tamrl.intake import border, times

LAT = ("lat", "latitude", "y")
LON = ("lon", "longitude", "x")
TIME = ("time", "date", "mtime")

NAMES: Mapping[str, tuple[str, ...]] = {"lat": LAT, "lon": LON}


def name_dimensions(field: xr.DataArray, *, where: object) -> xr.DataArray:
    """Return a field whose horizontal dimensions are `lat` and `lon`, with their coordinates (float64, degrees).

    Raises `InputError` if a dimension or its coordinate is missing, or coordinates are no regular global or regional axis.
    """
    names = {}
    for name, spellings in NAMES.items():
        mine = [str(d) for d in field.dims if str(d).lower() in spellings]
        if len(mine) != 1 or mine[0] not in field.coords:
            todo = f"name it {', '.join(spellings)}, with a coordinate of that name"
            raise InputError(f"the field has no {name}", where=where, found=list(field.dims), todo=todo)
        names[mine[0]] = name
    field = field.rename({old: new for old, new in names.items() if old != new})
    lat, lon = (field[name].values.astype("float64") for name in ("lat", "lon"))
    _check_axis(lat, limit=90.0, name="lat", where=where)
    _check_axis(lon, limit=360.0, name="lon", where=where)
    return field.assign_coords(lat=lat, lon=lon)


def _check_axis(values: np.ndarray, *, limit: float, name: str, where: object) -> None:
    steps = np.diff(values)
    regular = values.size > 1 and np.isfinite(values).all() and (np.sign(steps) == np.sign(steps[0])).all()
    if not regular or (np.abs(values) > limit + 1e-6).any() or np.abs(steps).max() > 1.6 * np.abs(steps).min() + 1e-6:
        raise InputError(
            f"{name} is no axis of cell centres in degrees", where=where, found=values[:4], todo="keep the product's grid"
        )


def face_north(field: xr.DataArray) -> xr.DataArray:
    """Return a field north to south, and west to east from -180; the coordinate decides, not the product's habit."""
    lon = (field["lon"].values + 180.0) % 360.0 - 180.0
    field = field.assign_coords(lon=lon)
    order = np.argsort(lon, kind="stable")
    if not np.array_equal(order, np.arange(lon.size)):
        field = field.isel(lon=order)
    return field if field["lat"].values[0] > field["lat"].values[-1] else field.isel(lat=slice(None, None, -1))


def step_days(ds: xr.Dataset, name: str | None, *, where: object) -> tuple[str, np.ndarray]:
    """Return the dimension of time and the day (datetime64[D]) of each of its steps, the first one where they have bounds.

    Stamps may lie at either end of a step or in its middle: some land models stamp a month with the first day of the next.
    Other calendars than the Gregorian keep year and month; a day that a month does not have becomes its 28th.

    Parameters
    ----------
    ds : not decoded
    name : the coordinate, or None for the usual names
    where : for errors
    """
    spellings = TIME if name is None else (name,)
    time = next((str(n) for n in ds.variables if str(n).lower() in spellings and ds[n].ndim == 1), None)
    if time is None:
        raise InputError("there is no time coordinate", where=where, found=list(ds.variables), todo=f"name it {spellings[0]}")
    variable = ds[time].variable
    calendar = str(variable.attrs.get("calendar", "")).lower()
    unit = str(variable.attrs.get("units", "")).lower()
    attrs, values = dict(variable.attrs), _first_ends(ds, variable)
    if calendar not in times.CALENDARS and unit.startswith(("month", "year")):
        attrs.pop("calendar")  # months are counted, whatever their days
        calendar = ""
    if calendar in times.CALENDARS:
        decoded = times.decode_times(values, attrs, where=f"{where}, coordinate {time}")
        return str(variable.dims[0]), decoded.astype("datetime64[D]")
    with border.reading("the time axis cannot be read", where=where, todo="write times as CF does"):
        dates = np.ravel(cftime.num2date(values, attrs["units"], calendar))
    days = [f"{date.year:04d}-{date.month:02d}-{min(date.day, 28):02d}" for date in dates]
    return str(variable.dims[0]), np.array(days, "datetime64[D]")


def _first_ends(ds: xr.Dataset, time: xr.Variable) -> np.ndarray:
    """Beginnings of the steps where the file states bounds, in the unit of the time axis; else its stamps."""
    name = time.attrs.get("bounds")
    if name in ds.variables and ds[name].shape == (*time.shape, 2):
        ends: np.ndarray = ds[name].values.astype("float64")
        if np.isfinite(ends).all():
            return np.asarray(ends.min(axis=1))
    return time.values
