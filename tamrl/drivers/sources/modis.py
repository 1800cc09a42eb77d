"""Vegetation indices on the climate modelling grid, 16-day composites: MOD13C1, MYD13C1 and their successor VNP13C1.

doi 10.5067/MODIS/MOD13C1.061, 10.5067/MODIS/MYD13C1.061, 10.5067/VIIRS/VNP13C1.002. Each composite comes as values and a quality
weight from its pixel reliability: good pixels count first, marginal and snowy ones only where little else was seen (snow
is what the winter looks like, so it is no gap), cloudy ones not at all. Aggregation, filling of gaps and interpolation to
steps happen on the grid of the maps (`tamrl.drivers.composites`).

Files are HDF4 (MODIS) or HDF5 (VIIRS) as NASA delivers them, or NetCDF-4 with the same layers.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tamrl import variables
from tamrl.drivers.sources._folders import SourceFolder, version_of
from tamrl.options import Strict
from tamrl.plugins import SourceCapabilities, SourceVolume

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from tamrl.calendar import TimeAxis

NAME = "modis"
CAPABILITIES = SourceCapabilities(downloads=True)
FOLDER = SourceFolder(NAME)
inputs, open_static = FOLDER.inputs, FOLDER.open_static

COLLECTIONS = {"MOD13C1": "061", "MYD13C1": "061", "VNP13C1": "002"}
"""Collection of each product that is fetched."""

FILES = {"MOD13C1": (23, 45e6), "MYD13C1": (23, 45e6), "VNP13C1": (46, 60e6)}
"""Files per year and bytes of each."""


class Options(Strict):
    """MODIS or VIIRS vegetation indices."""

    path: str = "{results}/inputs/modis"
    """Folder of files, subfolders included."""
    download: bool = False
    """Fetch the files into `downloads/drivers/modis` instead of reading `path`; needs a login (docs/inputs.md)."""
    product: Literal["MOD13C1", "MYD13C1", "VNP13C1"] = "MOD13C1"
    """Terra or Aqua MODIS, or VIIRS; a run uses one of them."""
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


def items(options: Options, names: tuple[str, ...]) -> list[str]:
    """What is fetched separately: the product, which holds all variables."""
    return [options.product]


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

    earthdata.fetch_granules(item, year, folder, collection=COLLECTIONS[item], months=months)


def version(options: Options) -> "Mapping[str, object]":
    """The product, its collections with the number of their files, and number, bytes and checksum of all files."""
    from tamrl.drivers.formats import cmg

    folder = FOLDER.path(options)
    collections = cmg.count_collections(folder, options.product, options.collection)
    return {"product": options.product, "collections": collections, **version_of(folder)}


def volume(options: Options, *, variables: int, years: int) -> SourceVolume:
    """The product's files, whatever the variables."""
    count, size = FILES[options.product]
    return SourceVolume(years * count * size, years * count, requests=years * count) if variables else SourceVolume()


def open_dynamic(options: Options, *, names: tuple[str, ...], axis: "TimeAxis") -> "dict[str, xr.DataArray]":
    """The named variables, one value per composite with its `weight`."""
    from tamrl.drivers.formats import cmg, mod13

    axis.need_years(NAME)
    folder = FOLDER.path(options)
    composites = cmg.find_composites(folder, axis, options.product, options.collection)
    weights = (options.good, options.marginal, options.snow, options.cloudy)
    read_weights = partial(mod13.read_mod13_weights, options.product, weights)
    product = cmg.CompositeProduct(NAME, folder, composites, read_weights, mod13.RELIABILITY, mod13.LENGTH / 2)
    return {name: product.driver(name, partial(mod13.read_mod13_index, variables.get(name).sources[NAME].name)) for name in names}
