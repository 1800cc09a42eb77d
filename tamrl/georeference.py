"""Georeference of a product: latitude, longitude, their bounds and the datum, by CF-1.11 and for GDAL."""

import numpy as np
import pyproj
import xarray as xr

from tamrl.errors import ContractError

MAPPING = "crs"
"""Name of the grid mapping variable; every field on the grid points to it by its attribute `grid_mapping`."""

WGS84 = {"semi_major_axis": 6378137.0, "inverse_flattening": 298.257223563, "longitude_of_prime_meridian": 0.0}


def horizontal(*, lat: np.ndarray, lon: np.ndarray) -> xr.Dataset:
    """Coordinates `lat` (lat) and `lon` (lon) in degrees, `lat_bnds`, `lon_bnds` and the scalar `crs` (WGS84).

    Centres must be equally spaced. Bounds carry neither attributes nor a fill value (CF 7.1).
    """
    crs = {"grid_mapping_name": "latitude_longitude", "long_name": "WGS84", **WGS84, "crs_wkt": pyproj.CRS(4326).to_wkt()}
    ds = xr.Dataset(
        {
            MAPPING: ((), np.int32(0), crs),
            "lat_bnds": (("lat", "bnds"), _bounds(lat, "lat")),
            "lon_bnds": (("lon", "bnds"), _bounds(lon, "lon")),
        },
        coords={
            "lat": ("lat", np.asarray(lat, float), _axis("latitude", "degrees_north", "Y")),
            "lon": ("lon", np.asarray(lon, float), _axis("longitude", "degrees_east", "X")),
        },
    )
    return without_fill(ds)


def bounding_box(ds: xr.Dataset) -> list[float]:
    """Return west, south, east and north of the cells of a file with `lat_bnds` and `lon_bnds`, degrees."""
    lat, lon = ds["lat_bnds"].values, ds["lon_bnds"].values
    return [float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())]


def without_fill(ds: xr.Dataset) -> xr.Dataset:
    """Keep xarray from giving coordinates and bounds a `_FillValue`, which CF forbids."""
    for name in ds.variables:
        ds[name].encoding["_FillValue"] = None
    return ds


def _axis(name: str, units: str, axis: str) -> dict[str, str]:
    return {"standard_name": name, "long_name": name, "units": units, "axis": axis, "bounds": f"{name[:3]}_bnds"}


def _bounds(centres: np.ndarray, name: str) -> np.ndarray:
    """Edges (n, 2) half a step to either side of the centres, in their order."""
    centres = np.asarray(centres, float)
    step = (centres[-1] - centres[0]) / max(len(centres) - 1, 1)
    if len(centres) < 2 or not np.allclose(np.diff(centres), step, rtol=0, atol=1e-6 * abs(step)):
        raise ContractError(f"{name} must be equally spaced", found=centres[:5])
    return np.stack([centres - step / 2, centres + step / 2], axis=1)
