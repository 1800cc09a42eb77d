"""Layers of the 16-day vegetation indices on the climate modelling grid (MOD13C1, MYD13C1, VNP13C1): indices and weights."""

import logging
from pathlib import Path

import numpy as np

from tamrl.drivers import indices
from tamrl.drivers.formats import cmg

LAYER = "CMG 0.05 Deg 16 days"
RELIABILITY = f"{LAYER} pixel reliability"
LENGTH = 16
"""Days of a composite."""

FILL = -3000
"""Missing in the product's layers, where the file does not say so."""

LIMITS = (-0.2, 1.0)
"""Valid range of the product's indices."""

RANKS = {"VNP13C1": {0: 0, 1: 0, 2: 0, 3: 1, 4: 1, 5: 1, 8: 2}}
"""MODIS rank of VIIRS reliability (0 excellent to 6 poor, 7 cloud shadow, 8 snow or ice, 9 cloud, 10 estimated)."""


CODES = {"VNP13C1": 11}
"""Number of reliability codes that are documented, from 0; four in the products of MODIS. -1 and 255 mark missing pixels."""

_log = logging.getLogger(__name__)


def read_mod13_index(index: str, path: Path, shape: tuple[int, int]) -> np.ndarray:
    """NDVI or EVI as in the file, NIRv or kNDVI from its layers (float32)."""
    if index in ("NDVI", "EVI"):
        return _read(path, index, shape)
    ndvi = _read(path, "NDVI", shape)
    if index == "kNDVI":
        return indices.kndvi(ndvi=ndvi)
    return indices.nirv(ndvi=ndvi, nir=_read(path, "NIR reflectance", shape))


def _read(path: Path, layer: str, shape: tuple[int, int]) -> np.ndarray:
    return cmg.physical_layer(path, f"{LAYER} {layer}", shape, limits=LIMITS, fill=FILL)


def read_mod13_weights(
    product: str, weights: tuple[float, float, float, float], path: Path, shape: tuple[int, int]
) -> np.ndarray:
    """Quality weights (float32) of the pixels of a file; `weights` are those of good, marginal, snowy and cloudy ones.

    Codes that are not documented weigh nothing, and a warning names them.

    Parameters
    ----------
    product : name of the product, by which its reliability codes are ranked
    weights : of good, marginal, snowy and cloudy pixels
    path : of the file
    shape : (lat, lon) that the layer must have
    """
    codes = cmg.code_layer(path, RELIABILITY, shape)
    unknown = codes[(codes != -1) & (codes != 255) & ((codes < 0) | (codes >= CODES.get(product, 4)))]
    if unknown.size:
        which = ", ".join(map(str, np.unique(unknown).tolist()[:10]))
        _log.warning("%s: %d pixels weigh nothing, as their reliability is no code of %s: %s", path, unknown.size, product, which)
    return reliability_weights(codes, product, weights)


def reliability_weights(reliability: np.ndarray, product: str, weights: tuple[float, float, float, float]) -> np.ndarray:
    """Quality weights (float32) of pixel reliability: 0 good, 1 marginal, 2 snow or ice, 3 cloudy; others weigh nothing."""
    table = np.zeros(257, "float32")  # the last entry is what has no rank
    for rank, kind in RANKS.get(product, {k: k for k in range(4)}).items():
        table[rank] = weights[kind]
    codes = reliability.astype("int32")
    return table[np.where((codes >= 0) & (codes <= 255), codes, 256)]
