"""Static maps of a folder: GeoTIFFs, and land cover as NASA delivers it (MCD12C1)."""

import logging
from pathlib import Path

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
        return geotiff.class_map(_codes(delivered), name=name)
    if not path.is_file():
        present = sorted(p.name for p in folder.glob("*"))
        todo = "put the file there, or correct drivers.static.path"
        raise InputError(f"no map of {name}", where=path, found=present, todo=todo)
    return geotiff.open_variable(path, name=name, units=alias.units)


def _codes(files: list[Path]) -> xr.DataArray:
    """IGBP codes of the one file of MCD12C1, as `geotiff.open_map` gives those of a GeoTIFF."""
    if len(files) > 1:
        asked, names = "several years or collections of MCD12C1: land cover is one map", [p.name for p in files]
        raise InputError(asked, where=files[0].parent, found=names, todo="keep one")
    raw = cmg.cmg_layer(files[0], LAYER)
    attrs = {"grid": "pixels", "nodata": raw.attrs.get("_FillValue"), "source": files[0].name}
    return raw.chunk({"lat": geotiff.STRIP}).drop_attrs().assign_attrs(attrs)
