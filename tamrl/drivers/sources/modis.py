"""Vegetation indices on the climate modelling grid, 16-day composites: MOD13C1, MYD13C1 and their successor VNP13C1.

doi 10.5067/MODIS/MOD13C1.061, 10.5067/MODIS/MYD13C1.061, 10.5067/VIIRS/VNP13C1.002. Each composite comes as values and a quality
weight from its pixel reliability: good pixels speak first, marginal and snowy ones only where little else was seen (snow
is what the winter looks like, so it is no gap), cloudy ones not at all. Aggregation, filling of gaps and interpolation to
steps happen on the grid of the maps (`tamrl.drivers.composites`).

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

LAYER = "CMG 0.05 Deg 16 days"
RELIABILITY = "pixel reliability"
LENGTH = 16
"""Days of a composite."""

FILL = -3000
"""Missing in the product's layers, where the file does not say so."""

LIMITS = (-0.2, 1.0)
"""Valid range of the product's indices."""

RANKS = {"VNP13C1": {0: 0, 1: 0, 2: 0, 3: 1, 4: 1, 5: 1, 8: 2}}
"""MODIS rank of VIIRS reliability (0 excellent to 6 poor, 7 cloud shadow, 8 snow or ice, 9 cloud, 10 estimated)."""


class Options(Strict):
    """MODIS or VIIRS vegetation indices."""

    path: str = "{results}/inputs/modis"
    """Folder of files, subfolders included."""
    download: bool = False
    """Fetch the files into `downloads/drivers/modis` instead of reading `path`; EARTHDATA_TOKEN must be set."""
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


def inputs(options: Options) -> list[str]:
    """The folder of files."""
    return [_folder(options)]


def _folder(options: Options) -> str:
    return DOWNLOADS.source("modis") if options.download else options.path


def items(options: Options, names: tuple[str, ...]) -> list[str]:
    """What is fetched separately: the product holds all variables."""
    return [options.product]


def fetch(options: Options, *, item: str, year: int, folder: Path, months: int = 12) -> None:
    """The composites of a year that begin in its first `months`; raises `DownloadError`."""
    earthdata.fetch(item, year, folder, months=months)


def version(options: Options) -> dict[str, object]:
    """The product, its collections with the number of their files, and number, bytes and checksum of all files."""
    folder = _folder(options)
    known = cmg.collections(folder, options.product, options.collection)
    return {"product": options.product, "collections": known, **netcdf.fingerprint(folder)}


def open_static(options: Options, *, names: tuple[str, ...]) -> dict[str, xr.DataArray]:
    """None so far."""
    if names:
        raise ConfigError(f"modis has no static variables, asked for {', '.join(names)}", where=variables.FILE)
    return {}


def open_dynamic(options: Options, *, names: tuple[str, ...], axis: TimeAxis) -> dict[str, xr.DataArray]:
    """The named variables, one value per composite with its `weight`; see the contract in `tamrl.drivers.sources`."""
    axis.need_years("modis")
    product = options.product
    found = cmg.composites(_folder(options), axis, cmg.pattern(product), product, options.collection)
    return {
        name: cmg.variable(
            name,
            found,
            source="modis",
            values=partial(values, variables.get(name).sources["modis"].name),
            weights=partial(_weights, options),
            like=f"{LAYER} {RELIABILITY}",
            middle=LENGTH / 2,
            where=_folder(options),
        )
        for name in names
    }


def values(index: str, path: Path, shape: tuple[int, int]) -> np.ndarray:
    """NDVI or EVI as in the file, NIRv or kNDVI from its layers (float32)."""
    if index in ("NDVI", "EVI"):
        return _values(path, index, shape)
    ndvi = _values(path, "NDVI", shape)
    if index == "kNDVI":
        return indices.kndvi(ndvi=ndvi)
    return indices.nirv(ndvi=ndvi, nir=_values(path, "NIR reflectance", shape))


def _values(path: Path, layer: str, shape: tuple[int, int]) -> np.ndarray:
    return cmg.values(path, f"{LAYER} {layer}", shape, limits=LIMITS, fill=FILL)


def _weights(options: Options, path: Path, shape: tuple[int, int]) -> np.ndarray:
    return weights(cmg.codes(path, f"{LAYER} {RELIABILITY}", shape), options)


def weights(reliability: np.ndarray, options: Options) -> np.ndarray:
    """Quality weights (float32) of pixel reliability: 0 good, 1 marginal, 2 snow or ice, 3 cloudy; others weigh nothing."""
    table = np.zeros(257, "float32")  # the last entry is what has no rank
    kinds = [options.good, options.marginal, options.snow, options.cloudy]
    for rank, kind in RANKS.get(options.product, {k: k for k in range(4)}).items():
        table[rank] = kinds[kind]
    codes = reliability.astype("int32")
    return table[np.where((codes >= 0) & (codes <= 255), codes, 256)]
