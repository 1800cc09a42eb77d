"""Layers of daily nadir reflectance on the climate modelling grid (MCD43C4, VNP43C4): indices and weights."""

from pathlib import Path

import numpy as np

from tamrl.drivers import indices
from tamrl.drivers.formats import cmg

BANDS = {
    "MCD43C4": {"red": "Band1", "nir": "Band2", "blue": "Band3", "swir": "Band6"},
    "VNP43C4": {"red": "M5", "nir": "M7", "blue": "M3", "swir": "M10"},
}
"""Bands of each instrument at 0.65, 0.86, 0.47 and 1.6 µm; layers are called `Nadir_Reflectance_<band>`."""

QUALITY, SNOW = "BRDF_Quality", "Percent_Snow"
FILL = 32767
"""Missing in the product's layers, where the file does not say so."""

LIMITS = (0.0, 3.2766)
"""Valid range of reflectance in the product."""

SNOWY = 50
"""Percent of snow from which a pixel counts as snowy."""


def read_mcd43_index(index: str, product: str, path: Path, shape: tuple[int, int]) -> np.ndarray:
    """An index of the nadir reflectances of a file (float32): NDVI, EVI, NIRv, kNDVI or LSWI.

    Parameters
    ----------
    index : name of the index
    product : name of the product, by which its bands are numbered
    path : of the file
    shape : (lat, lon) that the layers must have
    """

    def band(name: str) -> np.ndarray:
        layer = f"Nadir_Reflectance_{BANDS[product][name]}"
        return cmg.physical_layer(path, layer, shape, limits=LIMITS, fill=FILL)

    if index == "LSWI":
        return indices.lswi(nir=band("nir"), swir=band("swir"))
    red, nir = band("red"), band("nir")
    if index == "EVI":
        return indices.evi(red=red, nir=nir, blue=band("blue"))
    ndvi = indices.ndvi(red=red, nir=nir)
    if index == "NDVI":
        return ndvi
    return indices.kndvi(ndvi=ndvi) if index == "kNDVI" else indices.nirv(ndvi=ndvi, nir=nir)


def read_mcd43_weights(weights: tuple[float, float, float], snowy: float, path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Quality weights (float32) of the pixels of a file; see `inversion_weights`.

    Parameters
    ----------
    weights : of full inversions, partly magnitude inversions and the rest
    snowy : the most that a pixel under snow weighs
    path : of the file
    shape : (lat, lon) that the layers must have
    """
    quality, snow = (cmg.code_layer(path, layer, shape) for layer in (QUALITY, SNOW))
    return inversion_weights(quality, snow, weights, snowy)


def inversion_weights(quality: np.ndarray, snow: np.ndarray, weights: tuple[float, float, float], snowy: float) -> np.ndarray:
    """Quality weights (float32) of BRDF_Quality (0 best to 5, else fill) and Percent_Snow (0 to 100, else unknown).

    Parameters
    ----------
    weights : of full inversions (0 and 1), partly magnitude inversions (2 and 3) and the rest
    snowy : the most that a pixel under snow weighs
    """
    table = np.array([*np.repeat(weights, 2), 0.0], "float32")
    by_quality = table[np.where((quality >= 0) & (quality <= 5), quality, 6)]
    covered = (snow >= SNOWY) & (snow <= 100)
    return np.where(covered, np.minimum(by_quality, np.float32(snowy)), by_quality)
