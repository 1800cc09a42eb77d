"""Maps that do not change: land cover, climate groups and elevation in one folder.

Land cover: `MCD12C1.A*.hdf` as NASA delivers it (HDF4, majority class at 0.05°, doi 10.5067/MODIS/MCD12C1.061), or
`land_cover.tif` with its IGBP codes, 0 (water) to 16. GeoTIFFs besides: `koppen.tif`: main Köppen-Geiger groups
1 to 5, 0 sea, or the 30 classes of the published maps (Beck et al. 2023, doi 10.1038/s41597-023-02549-6); `elevation.tif`: m.
"""

import logging
from pathlib import Path

import xarray as xr

from tamrl import variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import cmg, geotiff, netcdf
from tamrl.errors import ConfigError, InputError
from tamrl.options import Strict

log = logging.getLogger(__name__)

PRODUCT = "MCD12C1"
LAYER = "Majority_Land_Cover_Type_1"
"""IGBP codes in the file of MCD12C1."""


class Options(Strict):
    """Static maps."""

    path: str = "{results}/inputs/static"
    """Folder of GeoTIFFs, named as under `sources` in `tamrl/data/variables.yaml`; land cover may be a file of MCD12C1."""


def inputs(options: Options) -> list[str]:
    """The folder of maps."""
    return [options.path]


def version(options: Options) -> dict[str, object]:
    """Number, bytes and checksum of the files, and the collection of land cover as delivered."""
    return {"collections": cmg.collections(options.path, PRODUCT), **netcdf.fingerprint(options.path)}


def koppen_map(options: Options) -> Path:
    """The map of climate groups."""
    return Path(options.path) / f"{variables.get('koppen_fraction').sources['static'].name}.tif"


def open_dynamic(options: Options, *, names: tuple[str, ...], axis: TimeAxis) -> dict[str, xr.DataArray]:
    """None: nothing here changes with time."""
    if names:
        raise ConfigError(f"static has no dynamic variables, asked for {', '.join(names)}", where=variables.FILE)
    return {}


def open_static(options: Options, *, names: tuple[str, ...]) -> dict[str, xr.DataArray]:
    """The named maps, lazy; see the contract in `tamrl.drivers.sources`."""
    return {name: _map(name, Path(options.path)) for name in names}


def _map(name: str, folder: Path) -> xr.DataArray:
    alias = variables.get(name).sources["static"]
    path = folder / f"{alias.name}.tif"
    names = cmg.pattern(PRODUCT)
    delivered = sorted(p for p in folder.glob(f"{PRODUCT}*") if names.match(p.name)) if alias.name == "land_cover" else []
    if delivered and path.is_file():
        log.warning("%s is read, not %s", path, ", ".join(p.name for p in delivered))
    elif delivered:
        return geotiff.coded(_codes(delivered), name=name)
    if not path.is_file():
        found = sorted(p.name for p in folder.glob("*"))
        raise InputError(f"no map of {name}", where=path, found=found, todo="put the file there, or correct drivers.static.path")
    raw = geotiff.open_map(path)
    if name in geotiff.LEGENDS:
        return geotiff.coded(raw, name=name)
    return geotiff.numbers(raw, name=name, units=alias.units)


def _codes(files: list[Path]) -> xr.DataArray:
    """IGBP codes of the one file of MCD12C1, as `geotiff.open_map` gives those of a GeoTIFF."""
    if len(files) > 1:
        found = [p.name for p in files]
        raise InputError(
            "several years or collections of MCD12C1: land cover is one map", where=files[0].parent, found=found, todo="keep one"
        )
    raw = cmg.layer(files[0], LAYER)
    attrs = {"grid": "pixels", "nodata": raw.attrs.get("_FillValue"), "source": files[0].name}
    return raw.chunk({"lat": geotiff.STRIP}).drop_attrs().assign_attrs(attrs)
