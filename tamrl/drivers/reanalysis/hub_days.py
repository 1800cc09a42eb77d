"""Days of ERA5-Land in a store of the Earth Data Hub: chunks on the disk, a copy of the store, or the store on the web.

What is accumulated over which day decides the totals, so it is never guessed. The hub's page calls its amounts totals of the UTC
day. Its published recipe takes the values of 00:00 of the hourly store, and these hold the day before (ECMWF, doi
10.24381/cds.e2161bac); a shift by one day stands there as a comment. Amounts are read where an attribute or the user says which.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
from zarr.abc.store import Store

from tamrl import files, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import netcdf
from tamrl.drivers.reanalysis import joining, time_steps
from tamrl.drivers.reanalysis.joining import DAY
from tamrl.drivers.remote import data_hub, zarr_store
from tamrl.errors import InputError
from tamrl.intake import arrays, border, times, zarrs
from tamrl.variables import Alias
from tamrl.web.download import Client

_log = logging.getLogger(__name__)

SOURCE = "earth_data_hub"
Totals = Literal["attributes", "same_day", "day_before"]
"""Which day an amount that is stamped 00:00 belongs to."""


def fetch_hub_days(url: str, item: str, year: int, folder: Path, *, months: int, totals: Totals, quota: int) -> None:
    """Bring the chunks of a variable with the first `months` of a year into a folder.

    Raise `InputError` if the store does not say what its amounts are totals of, states another unit, or lacks days; `OutageError`
    if it cannot be reached or the quota is used up.

    Parameters
    ----------
    url : address of the store
    item : name of the variable in the store
    folder : of the year; the chunks themselves stay beside the folder of the source
    totals : day of the amounts
    quota : requests that the user may make in a month
    """
    if not zarr_store.is_url(url):
        raise InputError("only a store on the web is downloaded", where=url, todo="set drivers.earth_data_hub.download: false")
    alias = variables.era5_entry(item).aliases[SOURCE]
    store = data_hub.HubStore(url, folder.parent.parent.with_name(f".{SOURCE}.store"), quota)
    field = store.array(item)
    store.copy_axes(field, folder)
    raw = _open(zarrs.CheckedStore(folder), item, url)
    span = _span(TimeAxis.of_years("day", (year,), f"{year}-{months:02d}"), raw, alias, totals, url)
    time = raw["time"].values
    inside = np.flatnonzero((time >= span[0]) & (time < span[1]))
    if inside.size != (span[1] - span[0]) // DAY:
        first, last = (stamp.astype("datetime64[D]") for stamp in (span[0], span[1] - DAY))
        asked, held = f"the store does not hold all days from {first} to {last}", time[[0, -1]]
        todo = "set time.until to an earlier month, or try later"
        raise InputError(asked, where=f"{url} ({item})", found=" to ".join(map(str, held.astype("datetime64[D]"))), todo=todo)
    store.fetch(field, slice(int(inside[0]), int(inside[-1]) + 1), folder)


def open_hub_days(
    path: str, chunks: Path | None, *, names: tuple[str, ...], axis: TimeAxis, totals: Totals
) -> dict[str, xr.DataArray]:
    """Variables on all steps of `axis`, lazy; raises `InputError` where `fetch_hub_days` does.

    Parameters
    ----------
    path : address of the store, or folder of a copy
    chunks : folder of the chunks that were downloaded, by item and year; None to read `path` itself
    names : names in the vocabulary
    totals : day of the amounts
    """
    axis.need_years(SOURCE)
    drivers = {}
    for name in names:
        alias = variables.get(name).sources[SOURCE]
        where = f"{path} ({alias.name})"
        pieces = [_prepared(raw, alias, axis, totals, where) for raw in _pieces(path, chunks, alias, axis)]
        ends = alias.is_amount and _day_of(pieces[0], totals, where) == "day_before"
        raw = joining.join_series([_plain(piece, alias) for piece in pieces], where=where)
        driver = time_steps.driver_on_steps(
            name, raw, source=SOURCE, axis=axis, accumulation="day" if ends else "hour", where=where
        )
        drivers[name] = driver.assign_attrs(grid="boxes")
    return drivers


def hub_version(path: str) -> dict[str, object]:
    """Address or folder of a store, and the SHA-256 of its metadata."""
    if zarr_store.is_url(path):
        return {"path": path, "sha256": zarr_store.sha256_of(f"{path}/{data_hub.METADATA}", _client(path))}
    return {"path": path, "sha256": files.checksum(Path(path) / data_hub.METADATA)}


def _client(url: str) -> Client:
    return Client(credential=data_hub.read_hub_login(url), attempts=zarr_store.ATTEMPTS)


def _pieces(path: str, chunks: Path | None, alias: Alias, axis: TimeAxis) -> Iterator[xr.DataArray]:
    """The variable from the folder of each year, or from the one store."""
    if chunks is None:
        store: Store = zarrs.CheckedStore(Path(path))
        if zarr_store.is_url(path):
            store = zarr_store.Remote(path, _client(path))
        yield _open(store, alias.name, path)
        return
    for year in axis.years:
        folder = chunks / alias.name / str(year)
        data_hub.check_chunks(folder, path)
        yield _open(zarrs.CheckedStore(folder), alias.name, str(folder))


def _open(store: Store, name: str, where: str) -> xr.DataArray:
    """A variable of a store with the dimension `time`, as stored."""
    with border.reading("the Zarr store cannot be read", where=where, todo="check that it is a Zarr store with its metadata"):
        ds = netcdf.with_known_names(zarrs.open_zarr(store, where=where), where)
    if name not in ds:
        raise InputError("the store does not hold the variable", where=where, found=sorted(map(str, ds))[:20])
    chunks = ds[name].encoding.get("chunks")
    raw = times.decode_time_axis(ds[name], where=where)
    raw.encoding["chunks"] = chunks
    return raw


def _prepared(raw: xr.DataArray, alias: Alias, axis: TimeAxis, totals: Totals, where: str) -> xr.DataArray:
    """The days of one piece that the steps need, lazy, once unit and day are known."""
    start, end = _span(axis, raw, alias, totals, where)
    chunks = dict(zip(raw.dims, raw.encoding["chunks"] or raw.shape, strict=True))
    time = raw["time"].values
    return arrays.decode_lazily(raw.isel(time=(time >= start) & (time < end)), where=where, chunks=chunks)


def _span(axis: TimeAxis, raw: xr.DataArray, alias: Alias, totals: Totals, where: str) -> tuple[np.datetime64, np.datetime64]:
    """First and last stamp (exclusive) of the days of `axis`; raises `InputError` for another unit, or amounts of no day."""
    stated = raw.attrs.get("units")
    expected = alias.units.removesuffix(" d-1")
    if stated is None or joining.comparable(str(stated)) != joining.comparable(expected):
        todo = f"report it: the values must be in {expected}"
        raise InputError(
            "the store states another unit than ERA5-Land has, or none", where=where, found=stated or "none", todo=todo
        )
    late = alias.is_amount and _day_of(raw, totals, where) == "day_before"
    start, end = (month.astype("datetime64[ns]") + (DAY if late else 0 * DAY) for month in axis.span)
    return start, end


def _day_of(amount: xr.DataArray, totals: Totals, where: str) -> Totals:
    """The day of an amount stamped 00:00, as the user or an attribute of the store says; raises `InputError` if none does."""
    methods = str(amount.attrs.get("cell_methods", ""))
    is_sum = "sum" in methods.replace(":", " ").split()
    if totals == "attributes" and not is_sum:
        stated = {key: amount.attrs[key] for key in ("cell_methods", "GRIB_stepType", "long_name") if key in amount.attrs}
        todo = (
            "compare some days of it with ERA5-Land of the Climate Data Store, and set drivers.earth_data_hub.totals to same_day "
            "(an amount is of the day that begins at its stamp) or day_before (that ends there)"
        )
        raise InputError("the store does not say of which day its amounts are totals", where=where, found=stated, todo=todo)
    if "mean" in methods.replace(":", " ").split():
        raise InputError("the store holds means of amounts, not totals of days", where=where, found=methods)
    return "same_day" if totals == "attributes" else totals


def _plain(piece: xr.DataArray, alias: Alias) -> xr.DataArray:
    """The piece with the statistic that it has after all."""
    method = "sum" if alias.is_amount else "mean"
    statistic = np.full(piece.sizes["time"], method)
    return piece.assign_coords(statistic=("time", statistic))
