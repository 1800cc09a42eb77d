"""Maps that do not change: land cover, climate groups and elevation in one folder.

Land cover: `MCD12C1.A*.hdf` as NASA delivers it (HDF4, majority class at 0.05°, doi 10.5067/MODIS/MCD12C1.061), or
`land_cover.tif` with its IGBP codes, 0 (water) to 16. Further GeoTIFFs: `koppen.tif` with main Köppen-Geiger groups
1 to 5, 0 sea, or the 30 classes of the published maps (Beck et al. 2023, doi 10.1038/s41597-023-02549-6); `elevation.tif` in m.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tamrl import variables
from tamrl.drivers.sources._folders import nothing_offered, version_of
from tamrl.options import Strict
from tamrl.plugins import SourceCapabilities, SourceVolume

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from tamrl.calendar import TimeAxis

CAPABILITIES = SourceCapabilities(koppen=True)


class Options(Strict):
    """Static maps."""

    path: str = "{results}/inputs/static"
    """Folder of GeoTIFFs, named as under `sources` in `tamrl/data/variables.yaml`; land cover may be a file of MCD12C1."""


def inputs(options: Options) -> list[str]:
    """The folder of maps."""
    return [options.path]


def version(options: Options) -> "Mapping[str, object]":
    """Number, bytes and checksum of the files, and the collection of land cover as delivered."""
    from tamrl.drivers.formats import cmg, static_maps

    return {"collections": cmg.count_collections(options.path, static_maps.PRODUCT), **version_of(options.path)}


def volume(options: Options, *, variables: int, years: int) -> SourceVolume:
    """Nothing: maps are small."""
    return SourceVolume()


def koppen_map(options: Options) -> Path:
    """The map of climate groups."""
    return Path(options.path) / f"{variables.get('koppen_fraction').sources['static'].name}.tif"


def open_dynamic(options: Options, *, names: tuple[str, ...], axis: "TimeAxis") -> "dict[str, xr.DataArray]":
    """None: nothing here changes with time."""
    return nothing_offered("static", "dynamic", names)


def open_static(options: Options, *, names: tuple[str, ...]) -> "dict[str, xr.DataArray]":
    """The named maps, lazy."""
    from tamrl.drivers.formats import static_maps

    return {name: static_maps.open_static_map(name, Path(options.path)) for name in names}
