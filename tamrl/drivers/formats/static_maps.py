"""Static maps of a folder: GeoTIFFs, and land cover as NASA delivers it (MCD12C1)."""

import logging
from pathlib import Path

import dask.array as da
import numpy as np
import xarray as xr

from tamrl import variables
from tamrl.drivers.formats import cmg, geotiff
from tamrl.errors import InputError

_log = logging.getLogger(__name__)

PRODUCT = "MCD12C1"
LAYER = "Majority_Land_Cover_Type_1"
"""IGBP codes in the file of MCD12C1."""

SOURCE = "static"


def open_static_map(name: str, folder: Path) -> xr.DataArray:
    """The map of a static variable, lazy."""
    alias = variables.get(name).sources[SOURCE]
    path = folder / f"{alias.name}.tif"
    names = cmg.name_pattern(PRODUCT)
    delivered = sorted(p for p in folder.glob(f"{PRODUCT}*") if names.match(p.name)) if alias.name == "land_cover" else []
    if delivered and path.is_file():
        _log.warning("%s is read, not %s", path, ", ".join(p.name for p in delivered))
    elif delivered:
        return open_land_cover(delivered, name=name)
    if not path.is_file():
        present = sorted(p.name for p in folder.glob("*"))
        todo = "put the file there, or correct drivers.static.path"
        raise InputError(f"no map of {name}", where=path, found=present, todo=todo)
    return geotiff.open_variable(path, name=name, units=alias.units)


def open_land_cover(delivered: list[Path], *, name: str) -> xr.DataArray:
    """A variable made of the classes of the one file of MCD12C1, lazy; raises `InputError` if there are several."""
    return geotiff.class_map(_codes(delivered), name=name)


def on_land(elevation: xr.DataArray, land: xr.DataArray) -> xr.DataArray:
    """Elevation (lat, lon) without the floor of seas and lakes: missing where the map of land has no land, or below the range.

    Lazy. Raise `InputError` if the pixels of elevation are no whole fraction of those of the map of land.

    Parameters
    ----------
    land : `land_fraction` of pixels, 1 on land, as large as those of elevation or larger
    """
    factor, rest = divmod(elevation.sizes["lat"], land.sizes["lat"])
    if rest or not factor:
        sizes = f"{elevation.sizes['lat']} and {land.sizes['lat']} rows"
        todo = "take a finer map of elevation, of a whole number of pixels in each of land cover"
        raise InputError("pixels of elevation do not fit those of land cover", found=sizes, todo=todo)
    fine = da.repeat(da.repeat(land.data == 1, factor, axis=0), factor, axis=1).rechunk(elevation.data.chunks)
    lowest = variables.get("elevation").range[0]
    values = da.where(fine & (elevation.data >= lowest), elevation.data, np.float32(np.nan))
    return elevation.copy(data=values)


def _codes(files: list[Path]) -> xr.DataArray:
    """IGBP codes of the one file of MCD12C1, as `geotiff.open_map` gives those of a GeoTIFF."""
    if len(files) > 1:
        asked, names = "several years or collections of MCD12C1: land cover is one map", [p.name for p in files]
        raise InputError(asked, where=files[0].parent, found=names, todo="keep one")
    raw = cmg.cmg_layer(files[0], LAYER)
    attrs = {"grid": "pixels", "nodata": raw.attrs.get("_FillValue"), "source": files[0].name}
    return raw.chunk({"lat": geotiff.STRIP}).drop_attrs().assign_attrs(attrs)
