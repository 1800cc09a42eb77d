"""Indices of nadir reflectance on the climate modelling grid, daily: MCD43C4 and its successor VNP43C4.

doi 10.5067/MODIS/MCD43C4.061, 10.5067/VIIRS/VNP43C4.002. Each day is the weighted fit of 16 days with the weight on the ninth, so
a file every `every` days tells nearly all. Weights come from BRDF_Quality (share and number of full inversions) and are
lowered where snow covers the pixel. The near infrared of NIRv and kNDVI and the 1.6 µm band of LSWI are those of this product.

Files are HDF4 (MODIS) or HDF5 (VIIRS) as NASA delivers them, or NetCDF-4 with the same layers.
"""

from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
from pydantic import Field

from tamrl import variables
from tamrl.calendar import TimeAxis
from tamrl.drivers import indices
from tamrl.drivers.formats import cmg, netcdf
from tamrl.drivers.remote import earthdata
from tamrl.errors import ConfigError
from tamrl.layout import DOWNLOADS
from tamrl.options import Strict

BANDS = {
    "MCD43C4": {"red": "Band1", "nir": "Band2", "blue": "Band3", "swir": "Band6"},
    "VNP43C4": {"red": "M5", "nir": "M7", "blue": "M3", "swir": "M10"},
}
"""Bands of each instrument at 0.65, 0.86, 0.47 and 1.6 µm; layers are called `Nadir_Reflectance_<band>`."""

NEEDS = {
    "NDVI": ("red", "nir"),
    "EVI": ("red", "nir", "blue"),
    "NIRv": ("red", "nir"),
    "kNDVI": ("red", "nir"),
    "LSWI": ("nir", "swir"),
}
FILL = 32767
"""Missing in the product's layers, where the file does not say so."""

LIMITS = (0.0, 3.2766)
"""Valid range of reflectance in the product."""

SNOWY = 50
"""Percent of snow from which a pixel counts as snowy."""


class Options(Strict):
    """MODIS or VIIRS nadir reflectance."""

    path: str = "{results}/inputs/mcd43c4"
    """Folder of files, subfolders included."""
    download: bool = False
    """Fetch the files into `downloads/drivers/mcd43c4` instead of reading `path`; EARTHDATA_TOKEN must be set."""
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


def inputs(options: Options) -> list[str]:
    """The folder of files."""
    return [_folder(options)]


def _folder(options: Options) -> str:
    return DOWNLOADS.source("mcd43c4") if options.download else options.path


def items(options: Options, names: tuple[str, ...]) -> list[str]:
    """What is fetched separately: the product holds all variables."""
    return [options.product]


def fetch(options: Options, *, item: str, year: int, folder: Path, months: int = 12) -> None:
    """The days of a year, or of its first `months`, that are read; raises `DownloadError`."""
    earthdata.fetch(item, year, folder, every=options.every, months=months)


def version(options: Options) -> dict[str, object]:
    """The product, its collections with the number of their files, and number, bytes and checksum of all files."""
    folder = _folder(options)
    known = cmg.collections(folder, options.product, options.collection)
    return {"product": options.product, "collections": known, **netcdf.fingerprint(folder)}


def open_static(options: Options, *, names: tuple[str, ...]) -> dict[str, xr.DataArray]:
    """None so far."""
    if names:
        raise ConfigError(f"mcd43c4 has no static variables, asked for {', '.join(names)}", where=variables.FILE)
    return {}


def open_dynamic(options: Options, *, names: tuple[str, ...], axis: TimeAxis) -> dict[str, xr.DataArray]:
    """The named variables, one value per day read with its `weight`; see the contract in `tamrl.drivers.sources`."""
    axis.need_years("mcd43c4")
    product = options.product
    found = cmg.composites(_folder(options), axis, cmg.pattern(product), product, options.collection)
    found = {day: path for day, path in found.items() if (day.timetuple().tm_yday - 1) % options.every == 0}
    return {
        name: cmg.variable(
            name,
            found,
            source="mcd43c4",
            values=partial(values, variables.get(name).sources["mcd43c4"].name, options.product),
            weights=partial(_weights, options),
            like="BRDF_Quality",
            middle=0.5,
            where=_folder(options),
        )
        for name in names
    }


def values(index: str, product: str, path: Path, shape: tuple[int, int]) -> np.ndarray:
    """An index of the nadir reflectances of a file (float32)."""
    bands = {}
    for band in NEEDS[index]:
        bands[band] = cmg.values(path, f"Nadir_Reflectance_{BANDS[product][band]}", shape, limits=LIMITS, fill=FILL)
    if index in ("NIRv", "kNDVI"):
        ndvi = indices.ndvi(**bands)
        return indices.kndvi(ndvi=ndvi) if index == "kNDVI" else indices.nirv(ndvi=ndvi, nir=bands["nir"])
    return {"NDVI": indices.ndvi, "EVI": indices.evi, "LSWI": indices.lswi}[index](**bands)


def _weights(options: Options, path: Path, shape: tuple[int, int]) -> np.ndarray:
    quality, snow = (cmg.codes(path, layer, shape) for layer in ("BRDF_Quality", "Percent_Snow"))
    return weights(quality, snow, options)


def weights(quality: np.ndarray, snow: np.ndarray, options: Options) -> np.ndarray:
    """Quality weights (float32) of BRDF_Quality (0 best to 5, else fill) and Percent_Snow (0 to 100, else unknown)."""
    table = np.array([options.good] * 2 + [options.mixed] * 2 + [options.poor] * 2 + [0.0], "float32")
    found = table[np.where((quality >= 0) & (quality <= 5), quality, 6)]
    snowy = (snow >= SNOWY) & (snow <= 100)
    return np.where(snowy, np.minimum(found, np.float32(options.snow)), found)
