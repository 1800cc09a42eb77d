"""Vegetation indices on the climate modelling grid, 16-day composites: MOD13C1, MYD13C1 and their successor VNP13C1.

doi 10.5067/MODIS/MOD13C1.061, 10.5067/MODIS/MYD13C1.061, 10.5067/VIIRS/VNP13C1.002. Each composite comes as values and a quality
weight from its pixel reliability: good pixels count first, marginal and snowy ones only where little else was seen (snow
is what the winter looks like, so it is no gap), cloudy ones not at all. Aggregation, filling of gaps and interpolation to
steps happen on the grid of the maps (`tamrl.drivers.composites`).

Terra and Aqua end: `successor` goes on with VIIRS from a month on. Composites of the same days are taken, and both sensors are
compared in the months before (`drivers/sensors.csv`). Their values are not adjusted to each other.

Files are HDF4 (MODIS) or HDF5 (VIIRS) as NASA delivers them, or NetCDF-4 with the same layers.
"""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from tamrl import variables
from tamrl.drivers.sources._folders import SourceFolder, version_of
from tamrl.drivers.succession import SensorPair
from tamrl.errors import ConfigError, InputError
from tamrl.options import Strict
from tamrl.plugins import SourceCapabilities, SourceVolume

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import xarray as xr

    from tamrl.calendar import TimeAxis

NAME = "modis"
CAPABILITIES = SourceCapabilities(downloads=True, item_years=True, sensors=True)
FOLDER = SourceFolder(NAME)
inputs, open_static = FOLDER.inputs, FOLDER.open_static

COLLECTIONS = {"MOD13C1": "061", "MYD13C1": "061", "VNP13C1": "002"}
"""Collection of each product that is fetched."""

FILES = {"MOD13C1": (23, 45e6), "MYD13C1": (23, 45e6), "VNP13C1": (46, 60e6)}
"""Files per year and bytes of each."""

EVERY, FIRST_DAY = 16, {"MOD13C1": 1, "MYD13C1": 9}
"""Composites of a MODIS product begin at these days of the year; VIIRS has one every 8 days, of which those are taken."""


class Successor(Strict):
    """The sensor that follows at the end of MODIS."""

    product: Literal["VNP13C1"] = "VNP13C1"
    """VIIRS of Suomi NPP, which has files from 2012 on."""
    since: str = Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")
    """First month whose composites are of this product (yyyy-mm)."""
    overlap: int = Field(default=12, ge=2, le=120)
    """Months before `since` for which both are read and compared."""
    bound: float = Field(default=0.1, gt=0, le=10)
    """Largest mean difference in the overlap that is no jump, in standard deviations of the earlier sensor."""
    collection: str | None = Field(default=None, pattern=r"^\d{3}$")
    """Collection to read, such as "002"; without it, files of several are refused."""

    @property
    def begins(self) -> datetime:
        """Start of the first month."""
        return datetime(int(self.since[:4]), int(self.since[5:]), 1)

    @property
    def overlap_begins(self) -> datetime:
        """Start of the first month that is compared."""
        months = int(self.since[:4]) * 12 + int(self.since[5:]) - 1 - self.overlap
        return datetime(months // 12, months % 12 + 1, 1)


class Options(Strict):
    """MODIS or VIIRS vegetation indices."""

    path: str = "{results}/inputs/modis"
    """Folder of files, subfolders included."""
    download: bool = False
    """Fetch the files into `downloads/drivers/modis` instead of reading `path`; needs a login (docs/inputs.md)."""
    product: Literal["MOD13C1", "MYD13C1", "VNP13C1"] = "MOD13C1"
    """Terra or Aqua MODIS, or VIIRS; a run uses one of them, and its `successor` where it has one."""
    successor: Successor | None = None
    """VIIRS from a month on, such as `{since: "2026-01"}`; null: none."""
    collection: str | None = Field(default=None, pattern=r"^\d{3}$")
    """Collection to read, such as "061"; without it, files of several are refused."""
    good: float = Field(default=1.0, ge=0, le=1)
    """Weight of good pixels (reliability 0)."""
    marginal: float = Field(default=0.5, ge=0, le=1)
    """Weight of marginal pixels (1)."""
    snow: float = Field(default=0.1, ge=0, le=1)
    """Weight of pixels with snow or ice (2)."""
    cloudy: float = Field(default=0.0, ge=0, le=1)
    """Weight of cloudy pixels (3)."""

    @model_validator(mode="after")
    def _follows_modis(self) -> "Options":
        if self.successor and self.product == self.successor.product:
            raise ValueError(f"{self.product} cannot follow itself: leave `successor` out, or set product: MOD13C1")
        return self


def items(options: Options, names: tuple[str, ...]) -> list[str]:
    """What is fetched separately: the product, which holds all variables, and the one that follows it."""
    return [options.product, *([options.successor.product] if options.successor else [])]


def item_years(options: Options, item: str, years: tuple[int, ...]) -> tuple[int, ...]:
    """Years of which a product is fetched: those of the run up to the change, or from the overlap on.

    Raise `ConfigError` if no year of the run is before the change.
    """
    follows = options.successor
    if follows is None:
        return years
    if item == follows.product:
        return tuple(year for year in years if year >= follows.overlap_begins.year)
    earlier = tuple(year for year in years if datetime(year, 1, 1) < follows.begins)
    if not earlier:
        raise _none_before()
    return earlier


def fetch(options: Options, *, item: str, year: int, folder: Path, months: int = 12) -> None:
    """Fetch the composites of a year that begin in its first `months`; raises `DownloadError`.

    Parameters
    ----------
    options : of the source
    item : product
    year, months : what is fetched
    folder : where the files go
    """
    from tamrl.drivers.remote import earthdata

    of_same_days = {"every": EVERY, "first_day": FIRST_DAY[options.product]} if item != options.product else {}
    earthdata.fetch_granules(item, year, folder, collection=COLLECTIONS[item], months=months, **of_same_days)


def version(options: Options) -> "Mapping[str, object]":
    """Products, their collections with the number of their files, and number, bytes and checksum of all files."""
    from tamrl.drivers.formats import cmg

    folder, follows = FOLDER.path(options), options.successor
    collections = cmg.count_collections(folder, options.product, options.collection)
    known: dict[str, object] = {"product": options.product, "collections": collections}
    if follows:
        later = cmg.count_collections(folder, follows.product, follows.collection)
        known["successor"] = {"product": follows.product, "since": follows.since, "collections": later}
    return {**known, **version_of(folder)}


def volume(options: Options, *, names: tuple[str, ...], years: int) -> SourceVolume:
    """The product's files, whatever the variables, and those of a later sensor in the overlap."""
    count, size = FILES[options.product]
    follows = options.successor
    twice = follows.overlap / 12 * count if follows else 0.0
    total = years * count * size + (twice * FILES[follows.product][1] if follows else 0.0)
    return SourceVolume(total, years * count, requests=years * count + twice) if names else SourceVolume()


def open_dynamic(options: Options, *, names: tuple[str, ...], axis: "TimeAxis") -> "dict[str, xr.DataArray]":
    """The named variables, one value per composite with its `weight`, of a later sensor from its first month on."""
    axis.need_years(NAME)
    follows = options.successor
    if follows is None:
        return _open(options, names, {options.product: _composites(options, axis, options.product)})
    parts: dict[str, dict[datetime, Path]] = {
        options.product: _composites(options, axis, options.product, before=follows.begins),
        follows.product: _composites(options, axis, follows.product, since=follows.begins),
    }
    return {name: da.assign_attrs(successor_since=follows.since) for name, da in _open(options, names, parts).items()}


def open_overlap(options: Options, *, names: tuple[str, ...], axis: "TimeAxis") -> dict[str, SensorPair]:
    """The named variables by both sensors in the months of the overlap, at the composites that both have.

    Raise `ConfigError` if the run has no month of the overlap, `InputError` if there is no common composite.
    """
    follows = options.successor
    if follows is None:
        return {}
    first = axis.span[0].astype("datetime64[s]").item()
    since = max(first, follows.overlap_begins)
    if since >= follows.begins:
        raise _none_before()
    products = (options.product, follows.product)
    earlier, later = (_composites(options, axis, product, since=since, before=follows.begins) for product in products)
    common = sorted(earlier.keys() & later.keys())
    if not common:
        state = f"{follows.overlap} months before {follows.since}"
        todo = "fetch files of both products of these months, or change `overlap`"
        raise InputError("no composite of both sensors to compare", where=FOLDER.path(options), found=state, todo=todo)
    before, after = (
        _open(options, names, {product: {day: files[day] for day in common}})
        for product, files in zip(products, (earlier, later), strict=True)
    )
    return {name: SensorPair(before[name], after[name], follows.bound) for name in names}


def _none_before() -> ConfigError:
    todo = "begin time.years a year before it, or set `product` to it alone"
    return ConfigError("no month of the run is before the later sensor", where="drivers.modis.successor.since", todo=todo)


def _composites(
    options: Options, axis: "TimeAxis", product: str, *, since: datetime = datetime.min, before: datetime = datetime.max
) -> dict[datetime, Path]:
    """First day and file of the composites of one product that begin within two dates; a later sensor's on the days of MODIS."""
    from tamrl.drivers.formats import cmg

    follows, days = options.successor, cmg.EVERY_DAY
    collection = options.collection
    if follows and product == follows.product:
        collection, days = follows.collection, range(FIRST_DAY[options.product], 367, EVERY)
    return cmg.find_composites(FOLDER.path(options), axis, product, collection, since=since, before=before, days_of_year=days)


def _open(options: Options, names: tuple[str, ...], parts: "Mapping[str, dict[datetime, Path]]") -> "dict[str, xr.DataArray]":
    """The named variables of one record made of the composites of each product."""
    from tamrl.drivers.formats import cmg, mod13

    products = {path: product for product, files in parts.items() for path in files.values()}
    record = dict(sorted((day, path) for files in parts.values() for day, path in files.items()))
    if not record:
        raise InputError("no composites of the run", where=FOLDER.path(options), todo="fetch those of its years")
    weights = (options.good, options.marginal, options.snow, options.cloudy)

    def read_weights(path: Path, shape: tuple[int, int]) -> "np.ndarray":
        return mod13.read_mod13_weights(products[path], weights, path, shape)

    opened = cmg.CompositeProduct(NAME, FOLDER.path(options), record, read_weights, mod13.RELIABILITY, mod13.LENGTH / 2)
    return {name: opened.driver(name, partial(mod13.read_mod13_index, variables.get(name).sources[NAME].name)) for name in names}
