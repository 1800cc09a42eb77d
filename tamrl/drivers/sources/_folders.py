"""What sources that read a folder of files have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tamrl.errors import ConfigError
from tamrl.layout import DOWNLOADS

if TYPE_CHECKING:
    import xarray as xr

    from tamrl.calendar import TimeAxis


class FolderOptions(Protocol):
    """Options of a source whose files lie in a folder of the user's, or are downloaded."""

    @property
    def path(self) -> str:
        """Folder of files."""

    @property
    def download(self) -> bool:
        """Whether they are downloaded instead."""


def nothing_offered(source: str, role: str, names: tuple[str, ...]) -> "dict[str, xr.DataArray]":
    """No variables; raises `ConfigError` if a source is asked for some of a role (static, dynamic) that it does not offer."""
    if names:
        raise ConfigError(f"{source} has no {role} variables, asked for {', '.join(names)}", where="drivers.sources")
    return {}


def need_mean_year(source: str, axis: "TimeAxis") -> None:
    """Refuse a run of years; raises `ConfigError` for a source of twelve mean months."""
    if axis.years or axis.step != "month":
        todo = "set step: month, years: [], map_years: []"
        raise ConfigError(f"{source} holds a climatology of months", where="time", todo=todo)


def version_of(folder: str | Path) -> dict[str, object]:
    """Number, bytes and checksum of the files of a folder."""
    from tamrl.drivers.formats import netcdf

    return netcdf.fingerprint_folder(folder)


@dataclass(frozen=True)
class SourceFolder:
    """The folder of a source of dynamic variables: parts of `tamrl.plugins.DriverSource` and `ListingSource`."""

    source: str

    def path(self, options: FolderOptions) -> str:
        """The folder that is read."""
        return DOWNLOADS.source(self.source) if options.download else options.path

    def inputs(self, options: FolderOptions) -> list[str]:
        """The folder of files."""
        return [self.path(options)]

    def listed(self, options: FolderOptions) -> Mapping[str, Path]:
        """The files by name."""
        from tamrl.drivers.formats import netcdf

        return netcdf.files_by_name(self.path(options))

    def version(self, options: FolderOptions) -> Mapping[str, object]:
        """Number, bytes and checksum of the files."""
        return version_of(self.path(options))

    def open_static(self, options: FolderOptions, *, names: tuple[str, ...]) -> "dict[str, xr.DataArray]":
        """None so far."""
        return nothing_offered(self.source, "static", names)
