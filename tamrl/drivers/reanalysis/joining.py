"""Pieces of a variable from many files as one series: oriented, agreed in unit and spacing, versions merged."""

import logging
from collections.abc import Sequence

import numpy as np
import xarray as xr

from tamrl import units
from tamrl.drivers.extent import Every
from tamrl.drivers.formats import netcdf
from tamrl.errors import InputError, UnitError
from tamrl.intake import border, times

_log = logging.getLogger(__name__)

HOUR, DAY = np.timedelta64(1, "h"), np.timedelta64(1, "D")

MARKS = ("expver", "until", "statistic")
"""Coordinates of a raw series along `time`, beside its labels."""


Piece = tuple[xr.DataArray, object]
"""A variable of a file, and the file that errors name."""


def join_series(parts: list[xr.DataArray], *, where: object) -> xr.DataArray:
    """One array (time, lat, lon) from the pieces of all files, times rising, with the coordinates `MARKS` (`expver` int).

    Pieces that differ in the direction, convention or precision of their coordinates are oriented before they are joined. Where a
    time occurs with several `expver`, the lowest that has a value wins at each place. Raise `InputError` if there is no piece,
    grids, units or spacings differ, or a time occurs twice with the same `expver` and other values.
    """
    if not parts:
        raise InputError("no file holds the variable", where=where, todo="order it, or take it out of drivers.variables")
    named = [(piece, part.encoding.get("source", where)) for part in parts for piece in _pieces(part, where)]
    if not named:
        raise InputError("no file holds a time of the variable", where=where, todo="order it again, or remove these files")
    _agree(named)
    pieces = _one_grid(named)
    try:
        joined = xr.concat(pieces, "time", join="exact", coords="minimal", compat="override", combine_attrs="override")
    except ValueError as error:  # xarray's AlignmentError
        grids = {f"{p.sizes['lat']} x {p.sizes['lon']} from {p['lat'].values[0]:g}, {p['lon'].values[0]:g}" for p in pieces}
        raise InputError(
            "files of one variable lie on different grids", where=where, found=sorted(grids), todo="order one area"
        ) from error
    spacings = sorted({str(every(np.sort(piece["time"].values))) for piece, _ in named})
    return merge_versions(_growing(joined), where, named).assign_attrs(spacings=spacings)


def _pieces(part: xr.DataArray, where: object) -> list[xr.DataArray]:
    """A variable of a file as arrays (time, lat, lon) in the order of the file, one `expver` per time."""
    where = part.encoding.get("source", where)
    with border.reading("the axes of the file cannot be read", where=where, todo="compare the file with one that is read"):
        return _plain(times.decode_time_axis(part, where=where), where)


def _plain(part: xr.DataArray, where: object) -> list[xr.DataArray]:
    if "expver" in part.dims:
        return [p for k in range(part.sizes["expver"]) for p in _plain(part.isel(expver=k), where)]
    version = part["expver"].values if "expver" in part.coords else 1
    part = part.assign_coords(expver=("time", np.broadcast_to(version, part["time"].shape).astype(int)))
    part = part.squeeze([d for d in part.dims if d not in ("time", "lat", "lon") and part.sizes[d] == 1], drop=True)
    part = part.drop_vars([c for c in part.coords if c not in ("time", "lat", "lon", *MARKS)])
    if set(part.dims) != {"time", "lat", "lon"} or not {"lat", "lon"} <= set(part.coords):
        raise InputError("dimensions must be time, latitude, longitude", where=where, found=part.dims)
    netcdf.orient(part, where)  # refuses places that cannot be
    return [part.transpose("time", "lat", "lon")] if part.sizes["time"] else []


def _agree(named: list[Piece]) -> None:
    """Refuse pieces of which one states another unit than the first, or that hold months beside days or hours."""
    first: dict[str, tuple[object, object]] = {}
    for piece, file in named:
        stated, kind = piece.attrs.get("units"), every(np.sort(piece["time"].values))
        forms = {"unit": stated and comparable(str(stated)), "spacing": kind and ("month" if kind == "month" else "hour or day")}
        for form, value in ((k, v) for k, v in forms.items() if v):
            before, other = first.setdefault(form, (value, file))
            if before != value:
                both = f"{before} in {other}, {value} in {file}"
                todo = "read them in two runs, or convert the files of one form"
                raise InputError(f"files of one variable differ in their {form}", where=file, found=both, todo=todo)


def comparable(text: str) -> object:
    """A unit to be compared with others: `J m**-2` is `J m-2`."""
    try:
        return units.unit(text.removesuffix(" of water equivalent"))
    except UnitError:
        return text


def _one_grid(named: list[Piece]) -> list[xr.DataArray]:
    """Pieces that differ in coordinates, all oriented; noise (a thousandth of the spacing) gives way to the most exact ones."""
    raw = [piece for piece, _ in named]
    if len({p["lat"].values.tobytes() + p["lon"].values.tobytes() for p in raw}) == 1:
        return raw
    pieces = [netcdf.orient(piece, file) for piece, file in named]
    for name in ("lat", "lon"):
        axes = [p[name].values for p in pieces]
        if len({a.size for a in axes}) > 1:
            continue
        best = min(zip(raw, axes, strict=True), key=lambda pair: _coarseness(pair[0][name].values, pair[1]))[1]
        noise = np.abs(np.diff(best)).min(initial=1.0) / 1000
        near = [np.abs(a - best).max(initial=0) < noise for a in axes]
        pieces = [p.assign_coords({name: best}) if n else p for p, n in zip(pieces, near, strict=True)]
    return pieces


def _coarseness(stored: np.ndarray, degrees: np.ndarray) -> tuple[bool, int, list[float]]:
    """Sorts coordinates: those that need float64 first, then the ones with the fewest digits."""
    digits = sum(len(repr(v)) for v in degrees.tolist())
    return bool((stored.astype("float32") == stored).all()), digits, degrees.tolist()


def _growing(da: xr.DataArray) -> xr.DataArray:
    """Amounts whose bounds grow from one start (since 00:00) are labelled by their end, as they are without bounds."""
    time, until = da["time"].values, da["until"].values
    bounded = ~np.isnat(until)
    if not bounded.any() or bounded.sum() < 3 * np.unique(time[bounded]).size:
        return da
    statistic = np.where(bounded, "growing", da["statistic"].values)
    none = np.full(time.size, "NaT", "datetime64[ns]")
    return da.assign_coords(time=np.where(bounded, until, time), until=("time", none), statistic=("time", statistic))


def merge_versions(da: xr.DataArray, where: object, named: Sequence[Piece] = ()) -> xr.DataArray:
    """A series with each time once, its times rising; the first `expver` that has a value wins at each place.

    A label with bounds and one without (the end of an amount, perhaps) are two times until both are on steps. Errors name the
    files of the pieces `named` that hold the time. Raise `InputError` if a time occurs twice with the same `expver` and different
    values.
    """
    order = np.lexsort((da["expver"].values, ~np.isnat(da["until"].values), da["time"].values))
    da = da.isel(time=order) if (np.diff(order) != 1).any() else da
    time, version, bounded = da["time"].values, da["expver"].values, ~np.isnat(da["until"].values)
    again = np.concatenate([[False], (time[1:] == time[:-1]) & (bounded[1:] == bounded[:-1])])
    if not again.any():
        return da
    same = again & np.concatenate([[False], version[1:] == version[:-1]])
    for k in np.flatnonzero(same):
        one, two = da.isel(time=k).values, da.isel(time=k - 1).values
        empty = np.isnan(one).all() or np.isnan(two).all()  # steps of a forecast that the file has not
        if not (empty or np.array_equal(one, two, equal_nan=True)):
            asked = f"{time[k]} occurs twice with different values"
            holding = sorted({str(file) for piece, file in named if time[k] in piece["time"].values})
            raise InputError(asked, where=where, found=", ".join(holding[:3]) or None, todo="remove the wrong file")
    rank = np.arange(time.size) - np.maximum.accumulate(np.where(again, 0, np.arange(time.size)))
    first = da.isel(time=rank == 0)
    for place in range(1, int(rank.max()) + 1):
        later = da.isel(time=rank == place).drop_vars(MARKS).reindex(time=first["time"])
        first = first.where(first.notnull(), later)
    _log.info("%s: %d times with several expver merged, the final version first", where, int((again & ~same).sum()))
    return first


def every(time: np.ndarray) -> Every | None:
    """`hour`, `day` or `month` where more than three quarters of the distances of rising times are that, else None.

    Series of which each is so are so together, and `spacing` says the same of them and of their parts.
    """
    between = np.diff(time)
    if between.size < 4:
        return None
    kinds: dict[Every, np.ndarray] = {"hour": between == HOUR, "day": between == DAY, "month": between >= 28 * DAY}
    return next((kind for kind, so in kinds.items() if so.mean() > 0.75), None)
