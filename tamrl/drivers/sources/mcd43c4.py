"""Indices of nadir reflectance on the climate modelling grid, daily: MCD43C4 and its successor VNP43C4.

doi 10.5067/MODIS/MCD43C4.061, 10.5067/VIIRS/VNP43C4.002. Each day is the weighted fit of 16 days with the weight on the ninth, so
a file every `every` days tells nearly all. Weights come from BRDF_Quality (share and number of full inversions) and are
lowered where snow covers the pixel. The near infrared of NIRv and kNDVI and the 1.6 µm band of LSWI are those of this product.

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

NAME = "mcd43c4"
CAPABILITIES = SourceCapabilities(downloads=True)
FOLDER = SourceFolder(NAME)
inputs, open_static = FOLDER.inputs, FOLDER.open_static

COLLECTIONS = {"MCD43C4": "061", "VNP43C4": "002"}
"""Collection of each product that is fetched."""

FILES, FILE_BYTES = 365, 90e6
"""Files per year and bytes of each."""


class Options(Strict):
    """MODIS or VIIRS nadir reflectance."""

    path: str = "{results}/inputs/mcd43c4"
    """Folder of files, subfolders included."""
    download: bool = False
    """Fetch the files into `downloads/drivers/mcd43c4` instead of reading `path`; needs a login (docs/inputs.md)."""
    product: Literal["MCD43C4", "VNP43C4"] = "MCD43C4"
    """MODIS (Terra and Aqua) or VIIRS."""
    collection: str | None = Field(default=None, pattern=r"^\d{3}$")
    """Collection to read, such as "061"; without it, files of several are refused."""
    every: int = Field(default=8, ge=1, le=16)
    """Days of the year 1, 1 + every, ... are read."""
    good: float = Field(default=1.0, ge=0, le=1)
    """Weight of full inversions (BRDF_Quality 0 and 1)."""
    mixed: float = Field(default=0.5, ge=0, le=1)
    """Weight of partly magnitude inversions (2 and 3)."""
    poor: float = Field(default=0.1, ge=0, le=1)
    """Weight of the rest (4 and 5)."""
    snow: float = Field(default=0.1, ge=0, le=1)
    """Weight of pixels under snow, at most."""


def items(options: Options, names: tuple[str, ...]) -> list[str]:
    """What is fetched separately: the product, which holds all variables."""
    return [options.product]


def fetch(options: Options, *, item: str, year: int, folder: Path, months: int = 12) -> None:
    """Fetch the days of a year, or of its first `months`, that are read; raises `DownloadError`.

    Parameters
    ----------
    options : of the source
    item : product
    year, months : what is fetched
    folder : where the files go
    """
    from tamrl.drivers.remote import earthdata

    earthdata.fetch_granules(item, year, folder, collection=COLLECTIONS[item], every=options.every, months=months)


def version(options: Options) -> "Mapping[str, object]":
    """The product, its collections with the number of their files, and number, bytes and checksum of all files."""
    from tamrl.drivers.formats import cmg

    folder = FOLDER.path(options)
    collections = cmg.count_collections(folder, options.product, options.collection)
    return {"product": options.product, "collections": collections, **version_of(folder)}


def volume(options: Options, *, names: tuple[str, ...], years: int) -> SourceVolume:
    """The product's files of the days that are read, whatever the variables."""
    composites = max(FILES // options.every, 1)
    amount = years * FILES / options.every
    return SourceVolume(amount * FILE_BYTES, years * composites, requests=amount) if names else SourceVolume()


def open_dynamic(options: Options, *, names: tuple[str, ...], axis: "TimeAxis") -> "dict[str, xr.DataArray]":
    """The named variables, one value per day read with its `weight`."""
    from tamrl.drivers.formats import cmg, mcd43

    axis.need_years(NAME)
    folder = FOLDER.path(options)
    days = cmg.find_composites(folder, axis, options.product, options.collection)
    days = {day: path for day, path in days.items() if (day.timetuple().tm_yday - 1) % options.every == 0}
    read_weights = partial(mcd43.read_mcd43_weights, (options.good, options.mixed, options.poor), options.snow)
    product = cmg.CompositeProduct(NAME, folder, days, read_weights, mcd43.QUALITY, 0.5)
    return {
        name: product.driver(name, partial(mcd43.read_mcd43_index, variables.get(name).sources[NAME].name, options.product))
        for name in names
    }
