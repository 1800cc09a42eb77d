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
    """Years of which a product is fetched: those of the run up to the change, or from the overlap on."""
    follows = options.successor
    if follows is None:
        return years
    if item == follows.product:
        return tuple(year for year in years if year >= follows.overlap_begins.year)
    return tuple(year for year in years if datetime(year, 1, 1) < follows.begins)


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


def volume(options: Options, *, variables: int, years: int) -> SourceVolume:
    """The product's files, whatever the variables, and those of a later sensor in the overlap."""
    count, size = FILES[options.product]
    twice = options.successor.overlap / 12 * count if options.successor else 0.0
    total = years * count * size + twice * FILES["VNP13C1"][1]
    return SourceVolume(total, years * count, requests=years * count + twice) if variables else SourceVolume()


def open_dynamic(options: Options, *, names: tuple[str, ...], axis: "TimeAxis") -> "dict[str, xr.DataArray]":
    """The named variables, one value per composite with its `weight`, of a later sensor from its first month on."""
    import xarray as xr

    axis.need_years(NAME)
    follows = options.successor
    if follows is None:
        return _open(options, names, axis, options.product)
    parts = [
        _open(options, names, axis, options.product, before=follows.begins),
        _open(options, names, axis, follows.product, since=follows.begins),
    ]
    drivers = {}
    for name in names:
        each = [part[name] for part in parts if name in part]
        joined = xr.concat(each, dim="time", join="exact", combine_attrs="override") if len(each) > 1 else each[0]
        for key in ("product", "collection"):
            joined.attrs[key] = ", ".join(str(part.attrs[key]) for part in each)
        drivers[name] = joined.assign_attrs(successor_since=follows.since)
    return drivers


def open_overlap(options: Options, *, names: tuple[str, ...], axis: "TimeAxis") -> dict[str, SensorPair]:
    """The named variables by both sensors in the months of the overlap, at the composites that both have.

    Raise `ConfigError` if the run has no month of the overlap, `InputError` if there is no common composite.
    """
    follows = options.successor
    if follows is None:
        return {}
    first = axis.span[0].astype("datetime64[s]").item()
    within = {"since": max(first, follows.overlap_begins), "before": follows.begins}
    if within["since"] >= follows.begins:
        todo = "begin time.years a year before it, or set `product` to it alone"
        raise ConfigError("no month of the run is before the later sensor", where="drivers.modis.successor.since", todo=todo)
    earlier, later = (_open(options, names, axis, product, **within) for product in (options.product, follows.product))
    pairs = {}
    for name in names:
        both = [part[name]["time"].values for part in (earlier, later) if name in part]
        common = sorted(set(both[0]).intersection(*both[1:])) if len(both) > 1 else []
        if not common:
            state = f"{follows.overlap} months before {follows.since}"
            todo = "fetch files of both products of these months, or change `overlap`"
            raise InputError("no composite of both sensors to compare", where=FOLDER.path(options), found=state, todo=todo)
        pairs[name] = SensorPair(earlier[name].sel(time=common), later[name].sel(time=common), follows.bound)
    return pairs


def _open(
    options: Options,
    names: tuple[str, ...],
    axis: "TimeAxis",
    product: str,
    *,
    since: datetime = datetime.min,
    before: datetime = datetime.max,
) -> "dict[str, xr.DataArray]":
    """The named variables of one product, of the composites that begin within two dates; empty if there are none."""
    from tamrl.drivers.formats import cmg, mod13

    folder, follows = FOLDER.path(options), options.successor
    collection = follows.collection if follows and product == follows.product else options.collection
    composites = cmg.find_composites(folder, axis, product, collection, since=since, before=before)
    if product != options.product:
        phase = FIRST_DAY[options.product]
        composites = {day: path for day, path in composites.items() if (day.timetuple().tm_yday - phase) % EVERY == 0}
    if follows and not composites:
        return {}
    weights = (options.good, options.marginal, options.snow, options.cloudy)
    read_weights = partial(mod13.read_mod13_weights, product, weights)
    opened = cmg.CompositeProduct(NAME, folder, composites, read_weights, mod13.RELIABILITY, mod13.LENGTH / 2)
    return {name: opened.driver(name, partial(mod13.read_mod13_index, variables.get(name).sources[NAME].name)) for name in names}
