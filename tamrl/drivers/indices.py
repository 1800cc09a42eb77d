"""Vegetation indices of surface reflectances (0 to 1); arrays of one shape in, float32 of that shape out, missing carried."""

import numpy as np


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Quotient, missing where `b` is not positive (dark or bad pixels)."""
    quotient: np.ndarray = np.divide(a, b, out=np.full(np.shape(a), np.nan, "float32"), where=b > 0)
    return quotient.astype("float32")


def _within(index: np.ndarray) -> np.ndarray:
    """An index within -0.2 and 1, the valid range of the products that come as indices."""
    return np.where((index >= -0.2) & (index <= 1), index, np.nan).astype("float32")


def ndvi(*, red: np.ndarray, nir: np.ndarray) -> np.ndarray:
    """Normalized difference vegetation index, missing below -0.2: water (Tucker 1979, doi 10.1016/0034-4257(79)90013-0)."""
    return _within(_ratio(nir - red, nir + red))


def evi(*, red: np.ndarray, nir: np.ndarray, blue: np.ndarray) -> np.ndarray:
    """Enhanced vegetation index, missing beyond -0.2 to 1 (Huete et al. 2002, doi 10.1016/S0034-4257(02)00096-2)."""
    return _within(2.5 * _ratio(nir - red, nir + 6 * red - 7.5 * blue + 1))  # beyond lie bright clouds, snow and ice


def nirv(*, ndvi: np.ndarray, nir: np.ndarray) -> np.ndarray:
    """Near-infrared reflectance of vegetation (Badgley et al. 2017, doi 10.1126/sciadv.1602244)."""
    index: np.ndarray = ndvi * nir
    return index.astype("float32")


def kndvi(*, ndvi: np.ndarray) -> np.ndarray:
    """Kernel NDVI with the kernel's width at half the sum of both bands (Camps-Valls et al. 2021, doi 10.1126/sciadv.abc7447)."""
    index: np.ndarray = np.tanh(ndvi**2)
    return index.astype("float32")


def lswi(*, nir: np.ndarray, swir: np.ndarray) -> np.ndarray:
    """Land surface water index, `swir` at 1.6 µm (Xiao et al. 2004, doi 10.1016/j.rse.2003.11.008)."""
    return _ratio(nir - swir, nir + swir)


NAMES = ("ndvi", "evi", "nirv", "kndvi", "lswi")


def indices_of_bands(*, red: np.ndarray, nir: np.ndarray, blue: np.ndarray, swir: np.ndarray) -> dict[str, np.ndarray]:
    """All of `NAMES` from the reflectances of four bands.

    Parameters
    ----------
    red, nir, blue, swir : reflectances (0 to 1) of one shape, NaN where missing
    """
    index = ndvi(red=red, nir=nir)
    others = {"nirv": nirv(ndvi=index, nir=nir), "kndvi": kndvi(ndvi=index), "lswi": lswi(nir=nir, swir=swir)}
    return {"ndvi": index, "evi": evi(red=red, nir=nir, blue=blue)} | others
