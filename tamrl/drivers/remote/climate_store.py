"""Orders at the Copernicus Climate Data Store: one file per variable and month.

`tamrl.drivers.remote.store_jobs` makes orders, takes them up again after a stop, and awaits them. `tamrl.web.download` fetches
the files, and resumes them after a break. The size is compared, as the store's own client does. `file:checksum` is not: of a file
that was uploaded in parts (100 MiB and more) it is the MD5 of the MD5s of the parts.
"""

import calendar
import logging
import time
from pathlib import Path
from typing import Any

from tamrl.drivers.remote.store_jobs import FailedOrder, Order, Patience, PlacedOrder, StoreJobs
from tamrl.drivers.remote.store_login import read_store_login
from tamrl.errors import DownloadError, OutageError
from tamrl.intake import border
from tamrl.variables import Era5Entry
from tamrl.web import download

_log = logging.getLogger(__name__)

PATIENCE = Patience()
"""How long the store is waited for."""


def era5_orders(entry: Era5Entry, year: int, months: int = 12) -> list[Order]:
    """Daily statistics (UTC) of a variable of ERA5: one order for each of the first `months` of a year."""
    long, statistic = entry.name, entry.daily_statistic
    common = {"product_type": "reanalysis", "daily_statistic": statistic, "time_zone": "utc+00:00", "frequency": "1_hourly"}
    return [
        Order(
            "derived-era5-single-levels-daily-statistics",
            {"variable": [long], **_days(year, month), **common},
            f"era5_{long}_{statistic}_{year}_{month:02d}.nc",
        )
        for month in range(1, months + 1)
    ]


def era5_land_orders(entry: Era5Entry, year: int, months: int = 12) -> list[Order]:
    """ERA5-Land: daily means, or for amounts the values of 00:00, which hold the day before (so the day after the months too)."""
    long, statistic = entry.name, entry.daily_statistic
    common: dict[str, Any]
    tail: list[tuple[str, dict[str, Any]]] = []
    if statistic == "daily_mean":
        common = {"daily_statistic": statistic, "time_zone": "utc+00:00", "frequency": "1_hourly"}
        dataset = "derived-era5-land-daily-statistics"
    else:
        common = {"time": ["00:00"], "data_format": "netcdf", "download_format": "unarchived"}
        y, month = (year + 1, 1) if months == 12 else (year, months + 1)
        named = f"{y}_{month:02d}" + ("" if months == 12 else "_01")  # without the day it will be the name of the complete month
        dataset, tail = "reanalysis-era5-land", [(named, {**_days(y, month), "day": ["01"]})]
    every = [(f"{year}_{month:02d}", _days(year, month)) for month in range(1, months + 1)] + tail
    return [Order(dataset, {"variable": [long], **days, **common}, f"era5_land_{long}_{named}.nc") for named, days in every]


def _days(year: int, month: int) -> dict[str, Any]:
    days = [f"{d:02d}" for d in range(1, calendar.monthrange(year, month)[1] + 1)]
    return {"year": str(year), "month": [f"{month:02d}"], "day": days}


def fetch_orders(orders: list[Order], folder: Path) -> None:
    """Order and fetch all files into a folder; those that are in it already are not ordered again.

    What was ordered before a stop is taken up again, by its record beside the file (`.<name>.order`). Raise `OutageError` if the
    store or an order takes longer than `PATIENCE`, so that the next call goes on; `DownloadError` if there is no key, the key or
    an order is refused, or a file does not arrive complete.
    """
    missing = [order for order in orders if not (folder / order.file).is_file()]
    if not missing:
        return
    store = StoreJobs(read_store_login(), PATIENCE)
    for order in missing:
        todo = "look at the request on the web site, or try again later"
        where = f"{order.dataset} {order.request}"
        with border.reading(f"{order.file} cannot be ordered", where=where, error=DownloadError, todo=todo):
            _fetch(store, order, folder / order.file)


def _fetch(store: StoreJobs, order: Order, target: Path) -> None:
    """Order a file until it is here: the store may fail an order, or reject it as too many are in its queue."""
    failed, pauses = 0, PATIENCE.pauses()
    while True:
        placed = store.place(order, target)
        try:
            _bring(placed, target)
            return placed.record.forget()
        except OutageError:  # the order goes on at the store
            raise
        except FailedOrder as failure:
            cause = failure
            placed.record.forget()
        failed += not cause.is_limit
        pause = next(pauses, None)
        where = f"{order.dataset} {order.request}"
        if cause.is_final or failed == PATIENCE.attempts:
            todo = "look at the request on the web site, or try again later"
            raise DownloadError(f"{order.file} could not be ordered", where=where, found=cause, todo=todo) from cause
        if pause is None:
            raise OutageError(
                f"the store takes no order of {order.file}", where=where, found=cause, todo="run again later"
            ) from cause
        _log.warning("%s: %s; ordered again in %.0f s", order.file, cause, pause)
        time.sleep(pause)


def _bring(placed: PlacedOrder, target: Path) -> None:
    """Fetch the file of an order by a link that is renewed when it has expired, is denied, or the object store is out."""
    client = download.Client(near=(placed.jobs.url,), attempts=3, wait=min(5.0, PATIENCE.pause))
    denied, pauses = 0, PATIENCE.pauses()
    while True:
        results = placed.results()
        try:
            address, size = results.location, results.content_length
        except (KeyError, TypeError, ValueError) as error:
            raise FailedOrder(f"the answer names no file ({error!r})") from error
        try:
            return client.download(address, target, size=size)
        except OutageError as error:
            cause: DownloadError = error
            reason = cause.asked
        except download.StatusError as error:
            cause, denied = error, denied + 1
            reason = f"the object store answers {error.status}"  # which is no matter of the login
        except DownloadError:  # other bytes than announced: another call is to order anew
            placed.record.forget()
            raise
        if denied == PATIENCE.attempts:
            raise FailedOrder(f"the object store does not give its file: {reason}") from cause
        pause = next(pauses, None)
        if pause is None:
            raise cause
        _log.warning("%s: %s, asked for again in %.0f s by a new link", target.name, reason, pause)
        time.sleep(pause)
