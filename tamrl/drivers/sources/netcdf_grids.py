"""Global grids of yours in NetCDF: twelve mean months, or maps that do not change.

Each file holds variables (month, lat, lon) or (lat, lon) at the centres of cells, any size that divides 180°, with an attribute
`units`; `month` counts from 1 to 12. Which variable is which driver stands under `sources` in `tamrl/data/variables.yaml`.
Cells larger than those of the run are interpolated between their centres (`tamrl.drivers.regrid.centres_to_cells`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tamrl import files
from tamrl.drivers.sources._folders import need_mean_year, version_of
from tamrl.errors import ConfigError
from tamrl.options import Strict
from tamrl.plugins import SourceCapabilities, SourceVolume

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from tamrl.calendar import TimeAxis

CAPABILITIES = SourceCapabilities()


class Options(Strict):
    """Global grids of a folder."""

    path: str = "{data}/grids"
    """Folder of NetCDF files. A variable is looked for in all of them, and must be in one alone."""
    sha256: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(default_factory=dict)
    """Name of a file: its checksum. Another file of that name is refused."""


def inputs(options: Options) -> list[str]:
    """The folder."""
    return [options.path]


def version(options: Options) -> "Mapping[str, object]":
    """Number, bytes and checksum of the files."""
    return version_of(options.path)


class _MeanYear:
    """What `tamrl.plugins.DriverSource` asks of a source, for a folder of grids."""

    def volume(self, options: Options, *, names: tuple[str, ...], years: int) -> SourceVolume:
        """Nothing: mean years are small."""
        return SourceVolume()

    def open_dynamic(self, options: Options, *, names: tuple[str, ...], axis: "TimeAxis") -> "dict[str, xr.DataArray]":
        """The named variables for twelve mean months, lazy."""
        if names:
            need_mean_year("netcdf_grids", axis)
        return self.open_static(options, names=names)

    def open_static(self, options: Options, *, names: tuple[str, ...]) -> "dict[str, xr.DataArray]":
        """The named maps, lazy."""
        from tamrl.drivers.formats import mean_grids

        return mean_grids.open_grids(_folder(options), names)


_GRIDS = _MeanYear()
volume, open_dynamic, open_static = _GRIDS.volume, _GRIDS.open_dynamic, _GRIDS.open_static


def _folder(options: Options) -> Path:
    """The folder, its pinned files checked."""
    folder = Path(options.path)
    for name, expected in options.sha256.items():
        digest = files.checksum(folder / name) if (folder / name).is_file() else "no file"
        if digest != expected:
            todo = "get the file that the checksum is of, or take it out of drivers.netcdf_grids.sha256"
            raise ConfigError(f"{name} is not the file that the configuration names", where=folder, found=digest, todo=todo)
    return folder
