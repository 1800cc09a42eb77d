"""MODIS vegetation indices on the climate modelling grid, 16-day composites: MOD13C1 (doi 10.5067/MODIS/MOD13C1.061).

Each composite comes as values and a quality weight from its pixel reliability: good pixels speak first, marginal and snowy ones
only where little else was seen (snow is what the winter looks like, so it is no gap), cloudy ones not at all. Aggregation,
filling of gaps and interpolation to steps happen on the grid of the maps (`tamrl.drivers.composites`).

Files are NetCDF-4 (`MOD13C1.A2010001.061.nc`) with the variable names of the HDF4 original; `_layer` is where a reader of HDF4
(pyhdf) belongs.
"""

import re
from datetime import datetime, timedelta
from pathlib import Path

import dask.array as da
import numpy as np
import xarray as xr
from dask import delayed
from pydantic import Field

from tamrl import variables
from tamrl.drivers.sources import _netcdf
from tamrl.errors import ConfigError, InputError
from tamrl.options import Strict

FILE = re.compile(r"^M[OY]D13C1\.A(\d{4})(\d{3})\.\d{3}(\.\d+)?\.(nc|hdf)$")
LAYER = "CMG 0.05 Deg 16 days"
RELIABILITY = "pixel reliability"
LENGTH = 16
"""Days of a composite."""
AROUND = 64
"""Days before and after the run from which composites are used too."""


class Options(Strict):
    """MODIS vegetation indices."""

    path: str = "{results}/inputs/modis"
    """Folder of MOD13C1 files."""
    good: float = Field(default=1.0, ge=0, le=1)
    """Weight of good pixels (reliability 0)."""
    marginal: float = Field(default=0.5, ge=0, le=1)
    """Weight of marginal pixels (1)."""
    snow: float = Field(default=0.1, ge=0, le=1)
    """Weight of pixels with snow or ice (2)."""
    cloudy: float = Field(default=0.0, ge=0, le=1)
    """Weight of cloudy pixels (3)."""


def inputs(options: Options) -> list[str]:
    """The folder of files."""
    return [options.path]


def version(options: Options) -> dict[str, object]:
    """Number, bytes and checksum of the files."""
    return _netcdf.fingerprint(options.path)


def open_static(options: Options, *, names: tuple[str, ...]) -> dict[str, xr.DataArray]:
    """None so far."""
    if names:
        raise ConfigError(f"modis has no static variables, asked for {', '.join(names)}", where=variables.FILE)
    return {}


def open_dynamic(options: Options, *, names: tuple[str, ...], years: tuple[int, ...], step: str) -> dict[str, xr.DataArray]:
    """The named variables, one value per composite with its `weight`; see the contract in `tamrl.drivers.sources`."""
    if not years:
        raise ConfigError("modis has no climatology", where="time.years", todo="name the years")
    if not names:
        return {}
    found = composites(options.path, years)
    return {name: _variable(name, found, options) for name in names}


def composites(folder: str, years: tuple[int, ...]) -> dict[datetime, Path]:
    """First day and file of each composite of `years` and `AROUND` days on both sides; raises `InputError` if a year has none."""
    first, last = datetime(years[0], 1, 1) - timedelta(AROUND), datetime(years[-1], 12, 31) + timedelta(AROUND)
    found: dict[datetime, Path] = {}
    for path in sorted(Path(folder).glob("*")):
        match = FILE.match(path.name)
        start = datetime.strptime("".join(match.group(1, 2)), "%Y%j") if match else None
        if start and start in found:
            raise InputError(f"two files of the composite {start:%Y-%j}", where=path, found=found[start].name, todo="keep one")
        if start and first <= start <= last:
            found[start] = path
    for year in years:
        if not any(start.year == year for start in found):
            todo = "fetch MOD13C1 of that year, or change time.years"
            raise InputError(f"no composites of {year}", where=folder, todo=todo)
    return dict(sorted(found.items()))


def _variable(name: str, found: dict[datetime, Path], options: Options) -> xr.DataArray:
    alias = variables.get(name).sources["modis"]
    layer = f"{LAYER} {alias.name}"
    starts, some = axis(list(found)), _layer(next(iter(found.values())), layer)
    shape, dims = some.shape, [_netcdf.NAMES.get(str(d), str(d)) for d in some.dims]
    values = _stack([delayed(_values)(found[s], layer, shape) if s in found else None for s in starts], shape)
    weight = _stack([delayed(_weights)(found[s], options, shape) if s in found else None for s in starts], shape)
    middle = np.array([np.datetime64(s + timedelta(LENGTH / 2), "ns") for s in starts])
    coords = {"time": middle, **{d: some[old].values for d, old in zip(dims, some.dims, strict=True)}}
    raw = xr.DataArray(values, dims=("time", *dims), coords=coords)
    raw = raw.assign_coords(weight=(raw.dims, weight)).transpose("time", "lat", "lon")
    done = variables.canonical(_netcdf.orient(raw, options.path), name=name, source_units=alias.units, where=options.path)
    return done.assign_attrs(grid="pixels", cadence="composite")


def axis(starts: list[datetime]) -> list[datetime]:
    """First days of all composites between the first and the last one: files that are not there become gaps to fill."""
    days = {s.timetuple().tm_yday for s in starts}
    whole = [datetime(y, 1, 1) + timedelta(d - 1) for y in range(starts[0].year, starts[-1].year + 1) for d in sorted(days)]
    return [s for s in whole if starts[0] <= s <= starts[-1]]


def _stack(parts: list, shape: tuple[int, int]) -> da.Array:
    """Lazy maps as one array (composite, ...); None is a map of missing values."""
    empty = da.full(shape, np.nan, dtype="float32", chunks=-1)
    return da.stack([empty if p is None else da.from_delayed(p, shape, dtype="float32") for p in parts])


def _layer(path: Path, name: str, shape: tuple[int, int] | None = None) -> xr.DataArray:
    """A layer of a file, numbers as stored; raises `InputError` if it is not there or not of that shape."""
    if (kind := _netcdf.kind(path)) != "netcdf":
        raise InputError("only NetCDF-4 files are read so far", where=path, found=kind, todo="convert it to NetCDF-4")
    try:
        layer = _netcdf.stored(path, name)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError("the file cannot be read", where=path, found=error, todo="fetch it again") from error
    if shape not in (None, layer.shape):
        raise InputError("the composites differ in shape", where=path, found=f"{layer.shape} instead of {shape}")
    return layer


def _values(path: Path, layer: str, shape: tuple[int, int]) -> np.ndarray:
    raw = _layer(path, layer, shape)
    return scaled(raw.values, raw.attrs)


def _weights(path: Path, options: Options, shape: tuple[int, int]) -> np.ndarray:
    return weights(_layer(path, f"{LAYER} {RELIABILITY}", shape).values, options)


def scaled(stored: np.ndarray, attrs: dict) -> np.ndarray:
    """Values (float32) of stored numbers: missing outside the valid range. A scale above 1 divides, as in the HDF4 original."""
    scale = float(attrs.get("scale_factor", 1.0))
    low, high = attrs.get("valid_range", (-2000, 10000))
    good = (stored != attrs.get("_FillValue", -3000)) & (stored >= low) & (stored <= high)
    return np.where(good, stored * np.float32(1 / scale if scale > 1 else scale), np.nan).astype("float32")


def weights(reliability: np.ndarray, options: Options) -> np.ndarray:
    """Quality weights (float32) of pixel reliability: 0 good, 1 marginal, 2 snow or ice, 3 cloudy; others weigh nothing."""
    table = np.array([options.good, options.marginal, options.snow, options.cloudy, 0.0], "float32")
    return table[np.where((reliability >= 0) & (reliability <= 3), reliability, 4)]
