"""Orders at the Copernicus Climate Data Store through its official client: one file per variable and month.

The key stands in the environment (`ECMWF_DATASTORES_KEY`) and nowhere else, and goes to the store alone. Jobs are
submitted and awaited by the client; the file is fetched by `tamrl.web.download`, so that it is resumed after a break and compared
with its announced size and checksum.
"""

import calendar
import itertools
import logging
import os
import re
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from ecmwf.datastores import Client, Results
from ecmwf.datastores.processing import ProcessingFailedError

from tamrl.errors import DownloadError, OutageError
from tamrl.intake import border
from tamrl.variables import Era5Entry
from tamrl.web import download
from tamrl.web.session import Credential, Session

_log = logging.getLogger(__name__)

URL, KEY = "ECMWF_DATASTORES_URL", "ECMWF_DATASTORES_KEY"
DEFAULT = "https://cds.climate.copernicus.eu/api"
HOW = f"get a free account at cds.climate.copernicus.eu, accept the licence of the data set, and set {KEY} in the environment"
ATTEMPTS, TIMEOUT = 3, (20.0, 60.0)
LONGEST = 3 * 24 * 3600.0
"""Seconds that an order may wait and run; on busy days the store's queue takes more than one day."""


@dataclass(frozen=True)
class Order:
    """One file."""

    dataset: str
    request: dict[str, Any]
    file: str


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


def fetch_orders(orders: list[Order], folder: Path, *, wait: float = 5.0) -> None:
    """Order and fetch all files into a folder; those that are in it already are not ordered again.

    Raises
    ------
    DownloadError
        If there is no key, the key or an order is refused, or a file does not arrive complete.
    """
    missing = [order for order in orders if not (folder / order.file).is_file()]
    if missing:
        _key()
    for order in missing:
        _fetch(order, folder / order.file, wait)


def _base() -> str:
    return os.environ.get(URL, DEFAULT)


def _key() -> Credential:
    return Credential.of_environment(KEY, "PRIVATE-TOKEN", (_base(),), none="no key for the Climate Data Store", how=HOW)


def _client(wait: float) -> Client:
    key = _key()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # messages of the day that cannot be read are no failure
        session = Session(key.hosts, near=key.hosts)
        return Client(
            url=_base(), key=key.value, progress=False, retry_after=wait, maximum_tries=5, timeout=TIMEOUT, session=session
        )


def _fetch(order: Order, target: Path, wait: float) -> None:
    asked, where = f"{order.file} cannot be ordered", f"{order.dataset} {order.request}"
    todo = "look at the request on the web site, or try again later"
    with border.reading(asked, where=where, error=DownloadError, todo=todo):
        asset = _awaited(order, wait)
        digest, address, size = asset.asset.get("file:checksum"), asset.location, asset.content_length
        known = ("md5", digest) if digest and re.fullmatch("[0-9a-fA-F]{32}", digest) else None
    download.Client(near=(_base(),), wait=wait).download(address, target, size=size, checksum=known)


def _awaited(order: Order, wait: float) -> Results:
    """The finished order, tried a few times."""
    asked, where = f"{order.file} could not be ordered", f"{order.dataset} {order.request}"
    for attempt in itertools.count(1):
        try:
            return _ready(order, wait)
        except (requests.RequestException, ProcessingFailedError) as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status in (401, 403):
                refused = "the Climate Data Store refuses the key"
                raise DownloadError(refused, where=order.dataset, found=error, todo=HOW) from error
            if attempt == ATTEMPTS or status in (400, 404, 422):
                todo = "look at the request on the web site, or try again later"
                raise _kind(error, status)(asked, where=where, found=error, todo=todo) from error
            _log.warning("%s: attempt %d failed (%s)", order.file, attempt, error)
            time.sleep(wait * attempt)
    raise AssertionError("attempts do not end")


def _kind(error: Exception, status: int | None) -> type[DownloadError]:
    """Whether the network or the store fails for now, or the order itself."""
    gone = isinstance(error, requests.ConnectionError | requests.Timeout) or status in download.BUSY
    return OutageError if gone else DownloadError


def _ready(order: Order, wait: float) -> Results:
    job, pause, until = _client(wait).submit(order.dataset, order.request), 1.0, time.monotonic() + LONGEST
    while not job.results_ready:
        if time.monotonic() > until:
            todo = "run again later; the order goes on at the store, which then has its file at once"
            raise OutageError("an order is not finished", where=job.url, found=f"waited for {LONGEST / 3600:g} h", todo=todo)
        time.sleep(pause)
        pause = min(1.5 * pause, 120.0)
    return job.get_results()
