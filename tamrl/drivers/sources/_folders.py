"""What sources that read a folder of files have in common."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tamrl.errors import ConfigError
from tamrl.layout import DOWNLOADS

if TYPE_CHECKING:
    import xarray as xr


class FolderOptions(Protocol):
    """Options of a source whose files lie in a folder of the user's, or are downloaded."""

    @property
    def path(self) -> str:
        """Folder of files."""

    @property
    def download(self) -> bool:
        """Whether they are downloaded instead."""


def folder_of(source: str, options: FolderOptions) -> str:
    """The folder that is read."""
    return DOWNLOADS.source(source) if options.download else options.path


def nothing_offered(source: str, role: str, names: tuple[str, ...]) -> "dict[str, xr.DataArray]":
    """No variables; raises `ConfigError` if a source is asked for some of a role (static, dynamic) that it does not offer."""
    if names:
        raise ConfigError(f"{source} has no {role} variables, asked for {', '.join(names)}", where="drivers.sources")
    return {}


def version_of(folder: str | Path) -> dict[str, object]:
    """Number, bytes and checksum of the files of a folder."""
    from tamrl.drivers.formats import netcdf

    return netcdf.fingerprint_folder(folder)
