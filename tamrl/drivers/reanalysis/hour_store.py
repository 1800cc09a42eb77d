"""The public Zarr store of ERA5's hours (ARCO-ERA5), at an address or as a copy in a folder.

Hours after the store's `valid_time_stop` are preliminary (`expver` 5); hours after `valid_time_stop_era5t` hold nothing yet.
Before that, the store has at times had days without a value anywhere on the globe: such hours are not taken for missing weather.
"""

from dataclasses import dataclass, field
from pathlib import Path

import dask.array as dask_array
import numpy as np
import xarray as xr

from tamrl import files, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import netcdf
from tamrl.drivers.reanalysis import joining, time_steps, value_functions
from tamrl.drivers.reanalysis.joining import HOUR
from tamrl.drivers.remote import zarr_store
from tamrl.errors import InputError
from tamrl.intake import arrays, border, times, zarrs
from tamrl.variables import Alias

METADATA = (".zmetadata", "zarr.json")
SOURCE = "arco_era5"
FINAL, LAST = "valid_time_stop", "valid_time_stop_era5t"
"""Attributes of the store: last day that is final, and last day that there is."""


@dataclass
class EmptyHours:
    """Hours that hold no value anywhere on the globe although the store says that it has them."""

    where: str
    refused: bool = True
    """Whether reading them is an error."""
    seen: set[np.datetime64] = field(default_factory=set)

    def look(self, values: np.ndarray, stamps: np.ndarray) -> np.ndarray:
        """Look at hours (time, lat, lon) with their stamps (time, 1, 1), and return the values."""
        empty = np.isnan(values).all(axis=(1, 2)) if values.size else np.zeros(len(values), bool)
        self.seen |= set(stamps.ravel()[empty].astype("datetime64[ns]"))
        if self.refused and empty.any():
            self.refuse()
        return values

    def refuse(self) -> None:
        """Raise `InputError` that names the hours."""
        stamps = np.array(sorted(self.seen)).astype("datetime64[h]")
        named = f"{len(stamps)} hours: {', '.join(map(str, stamps[:6]))}{', ...' if len(stamps) > 6 else ''}"
        todo = (
            "the store's makers mend such days in time: try later, or with `download: true` and `gaps: cds_era5` order these days"
        )
        raise InputError("hours of the store hold no value anywhere on the globe", where=self.where, found=named, todo=todo)


@dataclass(frozen=True)
class HourStore:
    """An open store."""

    path: str
    dataset: xr.Dataset
    remote: zarr_store.Remote | None = None
    """The store where it is on the web."""

    @classmethod
    def open(cls, path: str) -> "HourStore":
        """Open a store; raise `InputError` if there is none, `DownloadError` if it cannot be reached."""
        remote = zarr_store.Remote(path) if zarr_store.is_url(path) else None
        store = remote or zarrs.CheckedStore(_local_store(path))
        todo = f"check that it is a Zarr store with its consolidated metadata ({' or '.join(METADATA)})"
        with border.reading("the Zarr store cannot be read", where=path, todo=todo):
            ds = zarrs.open_zarr(store, where=path)
        return cls(path, netcdf.with_known_names(ds, path), remote)

    @property
    def extent(self) -> dict[str, str]:
        """What the store says of its extent."""
        return {k: str(self.dataset.attrs[k]) for k in (FINAL, LAST, "last_updated") if k in self.dataset.attrs}

    def day_after(self, key: str) -> np.datetime64:
        """The first midnight after the date of an attribute; far ahead where the store does not say."""
        with border.reading("an attribute of the store is no date", where=f"{self.path} ({key})"):
            return np.datetime64(str(self.dataset.attrs.get(key, "2200-01-01"))[:10], "D") + np.timedelta64(1, "D")

    def chunks_stay_in(self, folder: Path | None) -> None:
        """Keep the chunks that arrive from now on in a folder, or no longer; a store on this machine needs none."""
        if self.remote:
            self.remote.chunks = folder

    def forget(self, name: str, stamps: set[np.datetime64], folder: Path) -> None:
        """Remove the chunks of hours from the folder in which they stay, so that they are asked for again."""
        raw = self.dataset[name]
        time = times.decode_time_axis(raw, where=self.path)["time"].values
        hours = np.flatnonzero(np.isin(time, np.array(sorted(stamps), "datetime64[ns]")))
        for index in np.unique(hours // raw.encoding.get("chunks", (1,))[0]):
            for place in (folder / name).glob(f"{index}.*"):
                place.unlink()

    def hours(self, alias: Alias, axis: TimeAxis, empty: EmptyHours) -> xr.DataArray:
        """The hours of a variable that make the steps of `axis`, lazy, as `joining.join_series` gives them.

        Raise `InputError` if the store lacks the variable, or has no hour of these.
        """
        if alias.name not in self.dataset:
            asked = "the store does not hold the variable"
            raise InputError(asked, where=empty.where, found=sorted(map(str, self.dataset))[:20])
        raw = times.decode_time_axis(self.dataset[alias.name], where=empty.where)
        ends = alias.is_amount and np.isnat(raw["until"].values).all()
        shift = HOUR if ends else 0 * HOUR  # hours that end, or begin, with the first day
        start, end = (month.astype("datetime64[ns]") + shift for month in axis.span)
        time = raw["time"].values
        raw = raw.isel(time=(time >= start) & (time < end) & (time < self.day_after(LAST)))
        if not raw.sizes["time"]:
            asked = f"the store holds no hour from {start} to {end}"
            raise InputError(asked, where=empty.where, found=f"{time[:1]} to {time[-1:]}")
        raw = arrays.decode_lazily(raw, where=self.path, chunks={"time": 24}, defaults_to_zero=True).transpose("time", ...)
        stamps = dask_array.from_array(raw["time"].values[:, None, None], chunks=(raw.data.chunks[0], 1, 1))
        raw = raw.copy(data=dask_array.map_blocks(empty.look, raw.data, stamps, dtype=raw.dtype, meta=raw.data._meta))
        final = raw["time"].values < self.day_after(FINAL)
        raw = raw.assign_coords(expver=("time", np.where(final, 1, 5)))
        return joining.join_series([raw], where=empty.where)


def open_store(path: str, *, names: tuple[str, ...], axis: TimeAxis) -> dict[str, xr.DataArray]:
    """Variables from a Zarr store of hours at an address or in a folder, lazy, on all steps of `axis`.

    Raise `InputError` if the store lacks a variable, or hours of the years asked for, and when values are read of which the store
    has none anywhere on the globe.
    """
    axis.need_years(SOURCE)
    store = HourStore.open(path)
    drivers = {}
    for name in names:
        alias = variables.get(name).sources[SOURCE]
        where = f"{path} ({alias.name})"
        raw = value_functions.apply_function(store.hours(alias, axis, EmptyHours(where)), alias, where)
        drivers[name] = time_steps.driver_on_steps(name, raw, source=SOURCE, axis=axis, accumulation="hour", where=where)
    return drivers


def store_version(path: str) -> dict[str, object]:
    """Address and extent of a store, and the checksum of its metadata (the store itself is too large)."""
    return {"path": path, "sha256": _metadata_digest(path), **HourStore.open(path).extent}


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
