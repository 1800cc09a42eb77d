"""Maps that do not change: land cover, climate groups and elevation as GeoTIFFs in one folder.

`land_cover.tif`: MCD12C1 IGBP codes 0 (water) to 16 (doi 10.5067/MODIS/MCD12C1.061); `koppen.tif`: main Köppen-Geiger groups
1 to 5, 0 sea (Beck et al. 2023, doi 10.1038/s41597-023-02549-6); `elevation.tif`: m.
"""

from pathlib import Path

import xarray as xr

from tamrl import variables
from tamrl.drivers.sources import _netcdf, _raster
from tamrl.errors import ConfigError, InputError
from tamrl.options import Strict

TABLES = {"igbp_fraction": _raster.igbp_table, "koppen_fraction": _raster.koppen_table, "land_fraction": _raster.land_table}


class Options(Strict):
    """Static maps."""

    path: str = "{results}/inputs/static"
    """Folder of GeoTIFFs, named as under `sources` in `config/variables.yaml`."""


def inputs(options: Options) -> list[str]:
    """The folder of maps."""
    return [options.path]


def version(options: Options) -> dict[str, object]:
    """Number, bytes and checksum of the files."""
    return _netcdf.fingerprint(options.path)


def koppen_map(options: Options) -> Path:
    """The map of climate groups."""
    return Path(options.path) / f"{variables.get('koppen_fraction').sources['static'].name}.tif"


def open_dynamic(options: Options, *, names: tuple[str, ...], years: tuple[int, ...], step: str) -> dict[str, xr.DataArray]:
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
    if not path.is_file():
        found = sorted(p.name for p in folder.glob("*"))
        raise InputError(f"no map of {name}", where=path, found=found, todo="put the file there, or correct drivers.static.path")
    raw = _raster.open_map(path)
    if name in TABLES:
        return _raster.looked_up(raw, TABLES[name](), name=name)
    return _raster.numbers(raw, name=name, units=alias.units)
