"""Days made of the hours of the public store of ERA5, one NetCDF file for each variable and month, written once.

The values are those of `hour_store.open_store` to the bit, before units are converted: means, or sums of amounts, of UTC days. A
file also holds the means of what the vocabulary makes of each hour (`value_functions`), so that the hours are fetched once.
"""

import calendar
import hashlib
import logging
import shutil
from pathlib import Path

import dask
import numpy as np
import xarray as xr

from tamrl import files, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import netcdf
from tamrl.drivers.reanalysis import joining, time_steps, value_functions
from tamrl.drivers.reanalysis.hour_store import FINAL, LAST, SOURCE, EmptyHours, HourStore
from tamrl.drivers.reanalysis.joining import DAY, HOUR
from tamrl.errors import InputError
from tamrl.intake import border
from tamrl.variables import Alias, Era5Entry
from tamrl.web.addresses import redacted

_log = logging.getLogger(__name__)

THREADS = 2
"""Days that are made at once; each holds the 24 hours of a global field, 0.3 GB in all, and its chunks arrive together."""
ORDERED = ".ordered"
"""Folder of files that were ordered to fill gaps, until their month is written."""
CHUNKS = ".chunks"
"""Folder of the hours of a month as they arrived, until the month is written: about 1.2 GB of a variable."""


def fetch_days(path: str, entry: Era5Entry, year: int, folder: Path, *, months: int = 12, fills: bool = False) -> None:
    """Write the files of the first `months` of a year that are not in the folder, or hold preliminary days that are final now.

    Hours of a month that is not finished stay in the folder as they arrived, so that the next call asks for the others alone.
    Days that were made of another store, or lack a variable of today's vocabulary, are made anew, with a line in the log. Raise
    `InputError` if the store does not hold a whole month, or hours of it have no value anywhere on the globe and `fills` is not
    set; `DownloadError` if the store cannot be reached.

    Parameters
    ----------
    path : address of the store, or folder of a copy
    fills : take days with such hours from the daily statistics of the Climate Data Store
    """
    wanted = {month: folder / f"arco_era5_{entry.name}_{year}_{month:02d}.nc" for month in range(1, months + 1)}
    aliases = variables.aliases_of(entry.name, SOURCE)
    _remove_other_days(list(wanted.values()), path)
    missing = {month: target for month, target in wanted.items() if not target.is_file() or _preliminary_days(target)}
    store = HourStore.open(path) if missing else None
    arrived = folder / CHUNKS / hashlib.sha256(path.rstrip("/").encode()).hexdigest()[:12]
    for month, target in missing.items():
        assert store
        final = _month(year, month).span[1] <= store.day_after(FINAL)
        if target.is_file() and not final:
            continue
        _refuse_unfinished(store, entry, year, month)
        store.chunks_stay_in(arrived if final else None)  # preliminary hours may be others next time
        days, empty = _read_days(store, aliases, year, month)
        store.forget(entry.name, empty.seen, arrived)
        if empty.seen and not fills:
            empty.refuse()
        if empty.seen:
            days = _filled(days, entry, empty, folder / ORDERED)
        if (lost := days[entry.name].isnull().all(("lat", "lon")).values).any():
            first = str(days["time"].values[lost.argmax()])[:10]
            raise InputError(
                "days cannot be made: hours are missing", where=empty.where, found=f"{lost.sum()} days from {first} on"
            )
        chunks = (1, days.sizes["lat"], days.sizes["lon"])
        encoding = {name: {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": chunks} for name in days.data_vars}
        with files.atomic(target) as part:
            _described(days, entry, store).to_netcdf(part, engine="netcdf4", encoding=encoding)
        shutil.rmtree(folder / ORDERED, ignore_errors=True)
        shutil.rmtree(folder / CHUNKS, ignore_errors=True)
        _log.info("%s: %d days written", target.name, days.sizes["time"])
    shutil.rmtree(folder / CHUNKS, ignore_errors=True)


def refuse_other_days(folder: str, path: str) -> None:
    """Raise `InputError` if a folder holds days of another store than that at `path`, or without a variable of the vocabulary."""
    files_of_days = netcdf.weather_files(folder)
    others = [(target, fault) for target in files_of_days if (fault := _fault(target, path))]
    if others:
        target, fault = others[0]
        asked = "days on the disk are not those that drivers.arco_era5 asks for"
        present = f"{len(others)} of {len(files_of_days)} files, such as {target.name}, which {fault}"
        todo = f"delete {folder} to have the days made anew of {path}, or set drivers.arco_era5.path to their store"
        raise InputError(asked, where=folder, found=present, todo=todo)


def _remove_other_days(targets: list[Path], path: str) -> None:
    """Remove the files that `refuse_other_days` would refuse, with a line in the log."""
    for target in (target for target in targets if target.is_file()):
        if fault := _fault(target, path):
            _log.warning("%s %s: made anew of %s", target.name, fault, redacted(path))
            target.unlink()


def _fault(target: Path, path: str) -> str | None:
    """Why the days of a file are not those of the store at `path`; None if they are."""
    with (
        border.reading("the days on the disk cannot be read", where=target, todo="delete the file to have it made anew"),
        xr.open_dataset(target, decode_cf=False) as ds,
    ):
        store, present = str(ds.attrs.get("store", "")), set(map(str, ds.data_vars))
    if store.rstrip("/") != path.rstrip("/"):
        return f"was made of {redacted(store) or 'a store without name'}"
    wanted = {alias.stored_name for name in present for alias in variables.aliases_of(name, SOURCE)}
    return f"lacks {', '.join(sorted(wanted - present))}" if wanted - present else None


def _preliminary_days(target: Path) -> int:
    """How many days of a file are preliminary."""
    with xr.open_dataset(target) as ds:
        return int(ds.attrs["preliminary_days"])


def _is_amount(entry: Era5Entry) -> bool:
    return entry.aliases[SOURCE].is_amount


def _month(year: int, month: int) -> TimeAxis:
    first = np.datetime64(f"{year}-{month:02d}", "D")
    days = first + np.arange(calendar.monthrange(year, month)[1])
    return TimeAxis(days.astype("datetime64[ns]"), "day")


def _refuse_unfinished(store: HourStore, entry: Era5Entry, year: int, month: int) -> None:
    end = _month(year, month).span[1].astype("datetime64[h]")
    if (end if _is_amount(entry) else end - 1) >= store.day_after(LAST):
        asked, todo = (
            f"the store does not hold all hours of {year}-{month:02d} yet",
            "set time.until to an earlier month, or try later",
        )
        raise InputError(asked, where=f"{store.path} ({entry.name})", found=store.extent.get(LAST), todo=todo)


def _read_days(store: HourStore, aliases: list[Alias], year: int, month: int) -> tuple[xr.Dataset, EmptyHours]:
    """The days of a month by the names in files, with the coordinate `expver`, and the hours that are empty."""
    axis, where = _month(year, month), f"{store.path} ({aliases[0].name})"
    empty = EmptyHours(where, refused=False)
    raw = netcdf.orient(store.hours(aliases[0], axis, empty), where)
    lazy = _on_days(netcdf.mask_fill_values(raw, name=aliases[0].name, where=where), aliases, axis, where)
    with dask.config.set(scheduler="threads", num_workers=THREADS):
        days = lazy.load()
    preliminary = days["time"].values + DAY > store.day_after(FINAL)
    if preliminary.any():
        first = str(days["time"].values[preliminary.argmax()])[:10]
        _log.warning("%s: %d days from %s on are preliminary (ERA5T)", where, preliminary.sum(), first)
    return days.assign_coords(expver=("time", np.where(preliminary, 5, 1))), empty


def _on_days(raw: xr.DataArray, aliases: list[Alias], axis: TimeAxis, where: str) -> xr.Dataset:
    """What the aliases make of a raw series, as means or sums of days, lazy."""
    made = {alias: value_functions.apply_function(raw, alias, where) for alias in aliases}
    return xr.Dataset(
        {
            alias.stored_name: time_steps.on_steps(values, axis=axis, total=alias.is_amount, accumulation="hour", where=where)
            for alias, values in made.items()
        }
    )


def _filled(days: xr.Dataset, entry: Era5Entry, empty: EmptyHours, folder: Path) -> xr.Dataset:
    """The days with those of empty hours from the Climate Data Store."""
    from tamrl.drivers.remote import climate_store

    stamps = np.array(sorted(empty.seen)) - (HOUR if _is_amount(entry) else 0 * HOUR)
    gaps = np.isin(days["time"].values, stamps.astype("datetime64[D]").astype("datetime64[ns]"))
    first = days["time"].values[0].astype("datetime64[M]").item()
    order = climate_store.era5_orders(entry, first.year, first.month)[-1]
    _log.warning("%s: %d days hold empty hours and are ordered: %s", empty.where, gaps.sum(), order.file)
    climate_store.fetch_orders([order], folder)
    place = str(folder / order.file)
    axis = TimeAxis(days["time"].values, "day")
    with border.reading("the days that were ordered cannot be used", where=place, todo="set `gaps: refuse`"):
        parts = [ds[entry.short_name] for _, ds in netcdf.open_all(folder, {order.file}) if entry.short_name in ds]
        raw = netcdf.orient(joining.join_series(parts, where=place), place)
        other = _on_days(raw, variables.aliases_of(entry.name, SOURCE), axis, place).load()
        xr.align(days, other, join="exact")
    taken = days.copy(data={n: np.where(gaps[:, None, None], other[n].values, days[n].values) for n in days.data_vars})
    return taken.assign_attrs(filled=", ".join(np.datetime_as_string(days["time"].values[gaps], unit="D")))


def _described(days: xr.Dataset, entry: Era5Entry, store: HourStore) -> xr.Dataset:
    """The dataset of a file."""
    filled = days.attrs.get("filled")
    unit = str(store.dataset[entry.name].attrs.get("units", ""))
    method = "sum" if _is_amount(entry) else "mean"
    ds = days.astype("float32").drop_attrs()
    for alias in variables.aliases_of(entry.name, SOURCE):
        stated = alias.units if alias.function else unit
        attrs = {"cell_methods": f"time: {method} (interval: 1 hour)"} | ({"units": stated} if stated else {})
        ds[alias.stored_name].attrs = attrs
    ds["expver"].attrs["long_name"] = "1: final, 5: preliminary (ERA5T)"
    preliminary = int((days["expver"].values == 5).sum())
    notes = {"title": "Days of ERA5 made of hours", "store": store.path, "preliminary_days": preliminary, **store.extent}
    return ds.assign_attrs(notes | ({"days_from_the_climate_data_store": filled} if filled else {}))
