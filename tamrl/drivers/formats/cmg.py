"""Daily and 16-day products on NASA's climate modelling grid: files by their first day, layers by name, maps stacked lazily.

HDF-EOS 2 (HDF4) and HDF-EOS 5 files have no coordinates: the grid is global and north-up, which HDF4 files are asked to
confirm. NetCDF-4 files (as the virtual Earth writes them) bring their own.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import dask.array as dask_array
import numpy as np
import xarray as xr

from tamrl import variables
from tamrl.calendar import TimeAxis
from tamrl.drivers import granule_names
from tamrl.drivers.formats import hdf4, lazy, netcdf
from tamrl.errors import InputError
from tamrl.intake import border, stored

_log = logging.getLogger(__name__)

AROUND = 64
"""Days before and after the run from which files are used too."""

EVERY_DAY = range(1, 367)
"""Days of a year."""

SCALE = 1e-4
"""What one stored number counts in the products read here."""

PRODUCTS = ("MOD13C1", "MYD13C1", "VNP13C1", "MCD43C4", "VNP43C4", "MCD12C1")
"""Products that a source reads: their files may lie in one folder."""

Reader = Callable[[Path, tuple[int, int]], np.ndarray]
"""Reads one map (float32, rows and columns as in the file) of a file, whose shape must be the one given."""


def name_pattern(product: str) -> re.Pattern[str]:
    """Names of a product's files as delivered: groups are the year, the day of the year, and `collection`."""
    return re.compile(rf"^{product}\.A(\d{{4}})(\d{{3}})\.(?P<collection>\d{{3}})(\.\d+)?\.(nc|hdf|h5)$")


def count_collections(folder: str, product: str, collection: str | None = None) -> dict[str, int]:
    """Number of files of each collection of a product in a folder, or of the one asked for."""
    names = name_pattern(product)
    counts = Counter(match["collection"] for path in netcdf.folder_contents(folder) if (match := names.match(path.name)))
    return {key: count for key, count in sorted(counts.items()) if collection in (None, key)}


def find_composites(
    folder: str,
    axis: TimeAxis,
    product: str,
    collection: str | None = None,
    *,
    since: datetime = datetime.min,
    before: datetime = datetime.max,
    days_of_year: range = EVERY_DAY,
) -> dict[datetime, Path]:
    """First day and file of each map of the years asked for and `AROUND` days on both sides.

    Of files that NASA made at different dates for the same days the newest is taken. Raise `InputError` if a year has no map, two
    files hold the same one and do not say when they were made, or files are of several collections and none is asked for.

    Parameters
    ----------
    collection : the only collection to read, such as `061`
    since, before : between which the maps begin that are read; a year that they cut to less than `AROUND` days may have none
    days_of_year : on which the maps begin that are read
    """
    begin, end = (month.astype("datetime64[s]").item() for month in axis.span)
    first, last = begin - timedelta(AROUND), end + timedelta(AROUND - 1)
    days: dict[datetime, Path] = {}
    files, beside = _files_of(folder, product, collection)
    seen: Counter[str] = Counter()
    other_days = 0
    for start, version, path in files:
        if start in days:
            days[start] = _newer(days[start], path, start)
        elif first <= start <= last and since <= start < before:
            if start.timetuple().tm_yday not in days_of_year:
                other_days += 1
                continue
            days[start] = path
            seen[version] += 1
    if len(seen) > 1:
        text = _listed(Counter({f"collection {version}": count for version, count in seen.items()}))
        todo = "collections differ in calibration: keep one, or set the source's `collection` to the one to read"
        raise InputError(f"several collections of {product}", where=folder, found=text, todo=todo)
    for year in axis.years:
        opens, closes = max(begin, datetime(year, 1, 1)), min(end, datetime(year + 1, 1, 1))
        needed = min(closes, before) - max(opens, since) >= min(closes - opens, timedelta(AROUND))
        if needed and not any(start.year == year for start in days):
            wanted = f"{product}{f' of collection {collection}' if collection else ''}"
            odd = [f"{other_days} files that begin on other days of the year than are read"] if other_days else []
            todo = f"fetch {wanted} of that year, or change time.years"
            state = "; ".join(odd + ([_listed(beside)] if beside else [])) or None
            raise InputError(f"no composites of {year}", where=folder, found=state, todo=todo)
    return dict(sorted(days.items()))


def _files_of(folder: str, product: str, collection: str | None) -> tuple[list[tuple[datetime, str, Path]], Counter[str]]:
    """First day, collection and path of the files of a product, and how many are of other products that a source reads.

    The log names the rest.
    """
    names, of_others = name_pattern(product), name_pattern(f"(?:{'|'.join(PRODUCTS)})")
    files: list[tuple[datetime, str, Path]] = []
    beside: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for path in netcdf.folder_contents(folder):
        match = names.match(path.name)
        if match is None:
            (beside if of_others.match(path.name) else others)[f"{path.name.split('.')[0]} ({path.suffix})"] += 1
        elif collection and match["collection"] != collection:
            others[f"collection {match['collection']}"] += 1
        else:
            files.append((first_day(match[1], match[2], path), match["collection"], path))
    if others:
        _log.warning("%s: not read as %s: %s", folder, product, _listed(others))
    return files, beside


def _listed(files: Counter[str]) -> str:
    return ", ".join(f"{count} files of {kind}" for kind, count in sorted(files.items()))


def _newer(one: Path, other: Path, start: datetime) -> Path:
    """The one of two files of a composite that was made later."""
    latest = granule_names.newer(one.name, other.name)
    if latest is None:
        raise InputError(f"two files of the composite {start:%Y-%j}", where=other, found=one.name, todo="keep one")
    _log.warning("two files of the composite %s: %s is taken, the newer", f"{start:%Y-%j}", latest)
    return one if one.name == latest else other


def first_day(year: str, day: str, path: Path) -> datetime:
    """The day that a file's name gives as year and day of the year; raises `InputError` if there is none."""
    with border.reading("the name holds no day", where=path, todo="give the file the name that NASA gave it"):
        start = datetime(int(year), 1, 1) + timedelta(int(day) - 1)
    if start.year != int(year):
        state, todo = f"day {day} of {year}", "give it the name that NASA gave it"
        raise InputError("the name holds no day", where=path, found=state, todo=todo)
    return start


def composite_days(starts: list[datetime]) -> list[datetime]:
    """First days of all composites between the first and the last one: files that are missing become gaps to fill.

    Composites begin anew with each year, as far apart as the nearest two files.
    """
    days: Sequence[int] = sorted({s.timetuple().tm_yday for s in starts})
    spacing = min((b - a for a, b in pairwise(days)), default=366)
    if all((day - days[0]) % spacing == 0 for day in days):
        days = range((days[0] - 1) % spacing + 1, 367, spacing)
    every = [datetime(y, 1, 1) + timedelta(d - 1) for y in range(starts[0].year, starts[-1].year + 1) for d in days]
    return [s for s in sorted(set(every)) if starts[0] <= s <= starts[-1]]


@dataclass(frozen=True)
class CompositeProduct:
    """Composites of a product."""

    source: str
    """Source whose units in the vocabulary the values have."""
    folder: str
    files: dict[datetime, Path]
    """First day and file of each composite."""
    weights: Reader
    """Reads the quality weights (float32, 0 to 1) of a file."""
    like: str
    """A layer that says how large the maps are and where they lie."""
    middle: float
    """Days from a composite's first day to its middle."""

    def driver(self, name: str, values: Reader) -> xr.DataArray:
        """A variable of the vocabulary, one value per composite with its `weight`; `values` reads one file."""
        starts, example = composite_days(list(self.files)), cmg_layer(next(iter(self.files.values())), self.like)
        dims = [netcdf.NAMES.get(str(d), str(d)) for d in example.dims]
        days = np.array([np.datetime64(s + timedelta(self.middle), "ns") for s in starts])
        coords = {"time": days, **{d: example[old].values for d, old in zip(dims, example.dims, strict=True)}}

        def stacked(read: Reader) -> dask_array.Array:
            """Maps (composite, lat, lon) that `read` gives of each file, missing where there is none."""
            missing = dask_array.full(example.shape, np.nan, dtype="float32", chunks=-1)
            later = partial(lazy.read_later, read, shape=example.shape, dtype="float32")
            maps = [later(self.files[s], example.shape) if s in self.files else missing for s in starts]
            stack: dask_array.Array = dask_array.stack(maps)
            return stack

        maps, weights = stacked(values), stacked(self.weights)
        raw = xr.DataArray(maps, dims=("time", *dims), coords=coords)
        raw = raw.assign_coords(weight=(raw.dims, weights)).transpose("time", "lat", "lon")
        units = variables.get(name).sources[self.source].units
        oriented = netcdf.orient(raw, self.folder)
        driver = variables.canonical(oriented, name=name, source_units=units, where=self.folder)
        products, collections = (dict.fromkeys(path.name.split(".")[k] for path in self.files.values()) for k in (0, 2))
        driver = driver.assign_attrs(grid="pixels", cadence="composite")
        return driver.assign_attrs(product=", ".join(products), collection=", ".join(collections))


def cmg_layer(path: Path, name: str, shape: tuple[int, int] | None = None) -> xr.DataArray:
    """A layer of a file, numbers as stored; raises `InputError` if it is missing or has another shape."""
    kind = netcdf.file_kind(path)
    if kind not in ("netcdf", "hdf4"):
        raise InputError("only HDF4, HDF5 and NetCDF-4 files are read here", where=path, found=kind, todo="unpack or convert it")
    stored = hdf4.hdf4_layer(path, name) if kind == "hdf4" else netcdf.stored_layer(path, name)
    if shape not in (None, stored.shape):
        raise InputError("the composites differ in shape", where=path, found=f"{stored.shape} instead of {shape}")
    return stored if stored.coords else _placed(stored, path, kind)


def _placed(da: xr.DataArray, path: Path, kind: str) -> xr.DataArray:
    """A map without coordinates on the global grid, north-up; HDF4 files must say that they are so."""
    if da.ndim != 2 or da.shape[1] != 2 * da.shape[0]:
        raise InputError("the grid must cover the globe", where=path, found=f"{da.dims} {da.shape}")
    if kind == "hdf4":
        hdf4.require_global(path)
    size = 180.0 / da.shape[0]
    lat, lon = 90 - (np.arange(da.shape[0]) + 0.5) * size, -180 + (np.arange(da.shape[1]) + 0.5) * size
    return xr.DataArray(da.values, dims=("lat", "lon"), coords={"lat": lat, "lon": lon}, attrs=da.attrs, name=da.name)


def physical_layer(path: Path, name: str, shape: tuple[int, int], *, limits: tuple[float, float], fill: int) -> np.ndarray:
    """A layer of a file in physical values (float32), missing outside its valid range; see `scale_layer`.

    Parameters
    ----------
    path : of the file
    name : of the layer
    shape : (lat, lon) that the layer must have
    limits : lowest and highest valid value, stored units
    fill : stored value of a missing pixel
    """
    raw = cmg_layer(path, name, shape)
    return scale_layer(raw.values, raw.attrs, where=f"{path} ({name})", rule=_rule(path), limits=limits, fill=fill)


def code_layer(path: Path, name: str, shape: tuple[int, int]) -> np.ndarray:
    """A layer of classes or flags as whole numbers, -1 where missing; a zero is one of them."""
    raw = cmg_layer(path, name, shape)
    return stored.decode_codes(raw.values, raw.attrs, where=f"{path} ({name})", rule=_rule(path))


def _rule(path: Path) -> stored.ScaleRule:
    return "hdf4" if netcdf.file_kind(path) == "hdf4" else "modis"


def scale_layer(
    numbers: np.ndarray,
    attrs: Mapping[str, Any],
    *,
    where: object = None,
    rule: stored.ScaleRule = "hdf4",
    limits: tuple[float, float] = (-0.2, 1.0),
    fill: int = -3000,
) -> np.ndarray:
    """Values (float32) of stored numbers by their attributes; see `tamrl.intake.stored.make_decoder`.

    Parameters
    ----------
    limits, fill : valid range and fill value of the product, where the file declares none; its numbers count `SCALE` each
    """
    assumed = {"scale_factor": SCALE, "_FillValue": fill}
    how = stored.make_decoder(
        attrs, numbers.dtype, where=where, rule=rule, dtype=np.dtype("float32"), assumed=assumed, limits=limits
    )
    return how.values(numbers).astype("float32")
