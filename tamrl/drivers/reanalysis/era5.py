"""Variables of ERA5 and ERA5-Land from folders of files, and from the public store of hours."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import xarray as xr

from tamrl import files, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import netcdf
from tamrl.drivers.reanalysis import joining, time_steps
from tamrl.drivers.reanalysis.time_steps import Accumulation
from tamrl.drivers.remote import zarr_store
from tamrl.errors import InputError
from tamrl.intake import arrays, border, times, zarrs

HOUR = np.timedelta64(1, "h")
METADATA = (".zmetadata", "zarr.json")
STORE = "arco_era5"


def open_files(
    source: str,
    folder: str,
    *,
    names: tuple[str, ...],
    axis: TimeAxis,
    accumulation: Accumulation,
    only: Collection[str] | None,
) -> dict[str, xr.DataArray]:
    """Variables from the NetCDF and GRIB files of a folder, lazy, on all steps of `axis`.

    Parameters
    ----------
    source : str
        Whose names and units in the vocabulary the files have.
    accumulation : str
        What hourly amounts are summed over (`time_steps.on_steps`).
    only : names of files, optional
        The files to read; what the others hold is missing.
    """
    axis.need_years(source)
    datasets = list(netcdf.open_all(folder, only))
    opened = {}
    for name in names:
        alias = variables.get(name).sources[source].name
        where = f"{netcdf.place_of(folder, datasets)} ({alias})"
        raw = joining.join_series([ds[alias] for _, ds in datasets if alias in ds], where=where)
        opened[name] = time_steps.driver_on_steps(
            name, raw, source=source, axis=axis, accumulation=accumulation, where=where, partial=only is not None
        )
    return opened


def open_store(path: str, *, names: tuple[str, ...], axis: TimeAxis) -> dict[str, xr.DataArray]:
    """Variables from a Zarr store of hours (ARCO-ERA5) at an address or in a folder, lazy, on all steps of `axis`.

    Raises
    ------
    InputError
        If the store lacks a variable, or hours of the years asked for.
    """
    axis.need_years(STORE)
    ds = _open_store(path)
    return {name: _from_store(name, ds, path, axis) for name in names}


def store_version(path: str) -> dict[str, object]:
    """Address and extent of a store, and the checksum of its metadata (the store itself is too large)."""
    ds = _open_store(path)
    until = {k: str(ds.attrs[k]) for k in ("valid_time_stop", "valid_time_stop_era5t", "last_updated") if k in ds.attrs}
    return {"path": path, "sha256": _metadata_digest(path), **until}


def _metadata_digest(path: str) -> str:
    if zarr_store.is_url(path):
        return zarr_store.sha256_of(f"{path}/{METADATA[0]}")
    copy = _local_store(path)
    file = next((copy / name for name in METADATA if (copy / name).is_file()), None)
    if file is None:
        raise InputError("no metadata in the Zarr store", where=copy, todo=f"copy {' or '.join(METADATA)} too")
    return files.checksum(file)


def _local_store(path: str) -> Path:
    """The store on this machine: the folder itself, or the one `*.zarr` in it."""
    inside = sorted(Path(path).glob("*.zarr"))
    if any((Path(path) / name).is_file() for name in METADATA):
        return Path(path)
    if len(inside) != 1:
        raise InputError("no Zarr store, or several", where=path, found=[p.name for p in inside], todo="name the store itself")
    return inside[0]


def _open_store(path: str) -> xr.Dataset:
    store = zarr_store.Remote(path) if zarr_store.is_url(path) else zarrs.CheckedStore(_local_store(path))
    todo = f"check that it is a Zarr store with its consolidated metadata ({' or '.join(METADATA)})"
    with border.reading("the Zarr store cannot be read", where=path, todo=todo):
        ds = zarrs.open_zarr(store, where=path)
    return netcdf.with_known_names(ds, path)


def _from_store(name: str, ds: xr.Dataset, path: str, axis: TimeAxis) -> xr.DataArray:
    alias = variables.get(name).sources[STORE]
    where = f"{path} ({alias.name})"
    if alias.name not in ds:
        raise InputError("the store does not hold the variable", where=where, found=sorted(map(str, ds))[:20])
    raw = times.decode_time_axis(ds[alias.name], where=where)
    ends = alias.is_amount and np.isnat(raw["until"].values).all()
    shift = HOUR if ends else 0 * HOUR  # hours that end, or begin, with the first day
    start, end = (month.astype("datetime64[ns]") + shift for month in axis.span)
    time = raw["time"].values
    raw = raw.isel(time=(time >= start) & (time < end) & (time < _day_after(ds, "valid_time_stop_era5t")))
    if not raw.sizes["time"]:
        raise InputError(f"the store holds no hour from {start} to {end}", where=where, found=f"{time[:1]} to {time[-1:]}")
    raw = arrays.decode_lazily(raw, where=path, chunks={"time": 24}, defaults_to_zero=True)
    final = raw["time"].values < _day_after(ds, "valid_time_stop")
    raw = raw.assign_coords(expver=("time", np.where(final, 1, 5)))
    raw = joining.join_series([raw], where=where)
    return time_steps.driver_on_steps(name, raw, source=STORE, axis=axis, accumulation="hour", where=where)


def _day_after(ds: xr.Dataset, key: str) -> np.datetime64:
    """The first midnight after the date of an attribute; far ahead where the store does not say."""
    with border.reading("an attribute of the store is no date", where=f"{ds.encoding.get('source', 'the store')} ({key})"):
        return np.datetime64(str(ds.attrs.get(key, "2200-01-01"))[:10], "D") + np.timedelta64(1, "D")
