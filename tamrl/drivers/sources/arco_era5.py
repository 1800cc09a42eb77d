"""ERA5 as one public Zarr store of hours, no account needed: ARCO-ERA5 (Carver & Merose 2023, doi 10.24381/cds.adbb2d47).

Only the chunks of the variables and years of the run are fetched: one hour of one variable is a chunk of about 2 MB. An hourly
amount covers the hour that ends at its time, so the one of 00:00 belongs to the day before. Hours after the store's
`valid_time_stop` are preliminary and count as `expver` 5; hours after `valid_time_stop_era5t` hold nothing yet.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from tamrl import files, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import netcdf
from tamrl.drivers.reanalysis import joining, time_steps
from tamrl.drivers.remote import zarr_store
from tamrl.errors import ConfigError, InputError
from tamrl.intake import arrays, border, times, zarrs
from tamrl.options import Strict

HOUR = np.timedelta64(1, "h")
METADATA = (".zmetadata", "zarr.json")


class Options(Strict):
    """ERA5 from the public Zarr store."""

    path: str = "https://storage.googleapis.com/gcp-public-data-arco-era5/ar/full_37-1h-0p25deg-chunk-1.zarr-v3"
    """Address of the store, or a folder that is a copy of it or holds one."""
    nodes: Literal["all", "land"] = "land"
    """Nodes that stand for a cell: all four corners, or those on land."""


def inputs(options: Options) -> list[str]:
    """The folder; none where the store is on the web."""
    return [] if zarr_store.is_url(options.path) else [options.path]


def version(options: Options) -> dict[str, object]:
    """Address and extent of the store, and the checksum of its metadata (the store itself is too large)."""
    ds = _open(options.path)
    until = {k: str(ds.attrs[k]) for k in ("valid_time_stop", "valid_time_stop_era5t", "last_updated") if k in ds.attrs}
    return {"path": options.path, "sha256": _metadata(options.path), **until}


def _metadata(path: str) -> str:
    if zarr_store.is_url(path):
        return zarr_store.sha256_of(f"{path}/{METADATA[0]}")
    found = next((_copy(path) / name for name in METADATA if (_copy(path) / name).is_file()), None)
    if found is None:
        raise InputError("no metadata in the Zarr store", where=_copy(path), todo=f"copy {' or '.join(METADATA)} too")
    return files.checksum(found)


def _copy(path: str) -> Path:
    """The store on this machine: the folder itself, or the one `*.zarr` in it."""
    inside = sorted(Path(path).glob("*.zarr"))
    if any((Path(path) / name).is_file() for name in METADATA):
        return Path(path)
    if len(inside) != 1:
        raise InputError("no Zarr store, or several", where=path, found=[p.name for p in inside], todo="name the store itself")
    return inside[0]


def open_static(options: Options, *, names: tuple[str, ...]) -> dict[str, xr.DataArray]:
    """None so far."""
    if names:
        raise ConfigError(f"arco_era5 has no static variables, asked for {', '.join(names)}", where=variables.FILE)
    return {}


def open_dynamic(options: Options, *, names: tuple[str, ...], axis: TimeAxis) -> dict[str, xr.DataArray]:
    """The named variables on the whole of `axis`, lazy; see the contract in `tamrl.drivers.sources`."""
    axis.need_years("arco_era5")
    ds = _open(options.path)
    return {name: _variable(name, ds, options, axis) for name in names}


def _open(path: str) -> xr.Dataset:
    store = zarr_store.Remote(path) if zarr_store.is_url(path) else zarrs.Copy(_copy(path))
    todo = f"check that it is a Zarr store with its consolidated metadata ({' or '.join(METADATA)})"
    with border.reading("the Zarr store cannot be read", where=path, todo=todo):
        ds = zarrs.dataset(store, where=path)
    return netcdf.named(ds, path)


def _variable(name: str, ds: xr.Dataset, options: Options, axis: TimeAxis) -> xr.DataArray:
    alias = variables.get(name).sources["arco_era5"]
    where = f"{options.path} ({alias.name})"
    if alias.name not in ds:
        raise InputError("the store does not hold the variable", where=where, found=sorted(map(str, ds))[:20])
    raw = times.axis(ds[alias.name], where=where)
    ends = alias.units.endswith("d-1") and np.isnat(raw["until"].values).all()
    shift = HOUR if ends else 0 * HOUR  # hours that end, or begin, with the first day
    start, end = (month.astype("datetime64[ns]") + shift for month in axis.span)
    time = raw["time"].values
    raw = raw.isel(time=(time >= start) & (time < end) & (time < _day_after(ds, "valid_time_stop_era5t")))
    if not raw.sizes["time"]:
        raise InputError(f"the store holds no hour from {start} to {end}", where=where, found=f"{time[:1]} to {time[-1:]}")
    raw = arrays.decoded(raw, where=options.path, chunks={"time": 24}, defaults_to_zero=True)
    raw = joining.series([_versioned(raw, ds)], where=where)
    found = time_steps.variable(name, raw, source="arco_era5", axis=axis, accumulation="hour", where=where)
    return found.assign_attrs(nodes=options.nodes)


def _versioned(raw: xr.DataArray, ds: xr.Dataset) -> xr.DataArray:
    final = raw["time"].values < _day_after(ds, "valid_time_stop")
    return raw.assign_coords(expver=("time", np.where(final, 1, 5)))


def _day_after(ds: xr.Dataset, key: str) -> np.datetime64:
    """The first midnight after the date of an attribute; far ahead where the store does not say."""
    with border.reading("an attribute of the store is no date", where=f"{ds.encoding.get('source', 'the store')} ({key})"):
        return np.datetime64(str(ds.attrs.get(key, "2200-01-01"))[:10], "D") + np.timedelta64(1, "D")
