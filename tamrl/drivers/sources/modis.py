"""MODIS vegetation indices on the climate modelling grid, 16-day composites: MOD13C1 (doi 10.5067/MODIS/MOD13C1.061).

Each composite comes as values and a quality weight from its pixel reliability: good pixels speak first, marginal and snowy ones
only where little else was seen (snow is what the winter looks like, so it is no gap), cloudy ones not at all. Aggregation,
filling of gaps and interpolation to steps happen on the grid of the maps (`tamrl.drivers.composites`).

Files are NetCDF-4 (`MOD13C1.A2010001.061.nc`) with the variable names of the HDF4 original; `_raw` is where a reader of HDF4
(pyhdf) belongs.
"""

import re
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import xarray as xr
from pydantic import Field

from tamrl import variables
from tamrl.drivers.sources import _netcdf
from tamrl.errors import ConfigError, InputError
from tamrl.options import Strict

FILE = re.compile(r"^M[OY]D13C1\.A(\d{4})(\d{3})\.\d{3}(\.\d+)?\.(nc|hdf)$")
LAYER = re.compile(r"^CMG 0\.05 Deg 16 days (.+)$")
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
    datasets = {start: _raw(path) for start, path in found.items()}
    return {name: _variable(name, datasets, options) for name in names}


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
            raise InputError(
                f"no composites of {year}", where=folder, todo="fetch that year's MOD13C1 files, or change time.years"
            )
    return dict(sorted(found.items()))


def _raw(path: Path) -> xr.Dataset:
    """The layers of a file by their short names (EVI, NDVI, pixel reliability), packed numbers as stored, lazy."""
    if _netcdf.kind(path) != "netcdf":
        raise InputError(
            "only NetCDF-4 files are read so far", where=path, found=_netcdf.kind(path), todo="convert it to NetCDF-4"
        )
    try:
        ds = xr.open_dataset(path, chunks={}, mask_and_scale=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError("the file cannot be read", where=path, found=error, todo="fetch it again") from error
    ds = ds.rename({n: m.group(1) for n in ds.data_vars if (m := LAYER.match(str(n)))})
    return ds.rename({old: new for old, new in _netcdf.NAMES.items() if old in ds.dims})


def _variable(name: str, datasets: dict[datetime, xr.Dataset], options: Options) -> xr.DataArray:
    alias = variables.get(name).sources["modis"]
    starts = _axis(list(datasets))
    some = next(iter(datasets.values()))
    empty = xr.full_like(some[RELIABILITY], np.nan, dtype="float32")
    parts, weights = [], []
    for start in starts:
        ds = datasets.get(start)
        parts.append(empty if ds is None else _scaled(ds, alias.name))
        weights.append(empty if ds is None else _weight(ds[RELIABILITY], options))
    middle = np.array([np.datetime64(s + timedelta(LENGTH / 2), "ns") for s in starts])
    values = xr.concat(parts, "time", join="exact", coords="minimal", compat="override", combine_attrs="drop")
    weight = xr.concat(weights, "time", join="exact", coords="minimal", compat="override", combine_attrs="drop")
    values = values.assign_coords(time=middle, weight=(("time", *values.dims[1:]), weight.data)).transpose("time", "lat", "lon")
    done = variables.canonical(_netcdf.orient(values, options.path), name=name, source_units=alias.units, where=options.path)
    return done.assign_attrs(grid="pixels", cadence="composite")


def _axis(starts: list[datetime]) -> list[datetime]:
    """First days of all composites between the first and the last one: files that are not there become gaps to fill."""
    days = {s.timetuple().tm_yday for s in starts}
    whole = [datetime(y, 1, 1) + timedelta(d - 1) for y in range(starts[0].year, starts[-1].year + 1) for d in sorted(days)]
    return [s for s in whole if starts[0] <= s <= starts[-1]]


def _scaled(ds: xr.Dataset, layer: str) -> xr.DataArray:
    """Values from stored numbers: missing outside the valid range. In the HDF4 original `scale_factor` 10000 means divide."""
    if layer not in ds:
        raise InputError(f"no layer {layer!r}", where=ds.encoding.get("source"), found=list(ds.data_vars))
    raw = ds[layer]
    scale = float(raw.attrs.get("scale_factor", 1.0))
    low, high = raw.attrs.get("valid_range", (-2000, 10000))
    number = raw.astype("float32") * np.float32(1 / scale if scale > 1 else scale)
    return number.where((raw != raw.attrs.get("_FillValue", -3000)) & (raw >= low) & (raw <= high))


def _weight(reliability: xr.DataArray, options: Options) -> xr.DataArray:
    found = xr.zeros_like(reliability, dtype="float32")
    for code, weight in enumerate((options.good, options.marginal, options.snow, options.cloudy)):
        found = found.where(reliability != code, np.float32(weight))
    return found
