"""ERA5-Land as days in a Zarr store of the Earth Data Hub (DestinE): 0.1°, land without Antarctica, 1950 to the last full month.

Derived from ERA5-Land (doi 10.24381/cds.e2161bac). A free account gives a key and a monthly quota of requests. Values stand for
boxes of 0.1° around their nodes, as those of `cds_era5_land`. With `download: true` the chunks of the store stay on the disk.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tamrl import variables as vocabulary
from tamrl.drivers.sources._folders import SourceFolder
from tamrl.options import Strict
from tamrl.plugins import SourceCapabilities, SourceVolume

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from tamrl.calendar import TimeAxis

NAME = "earth_data_hub"
CAPABILITIES = SourceCapabilities(downloads=True)

SHAPE, CHUNK = (1472, 3600), (75, 150, 300)
"""Rows and columns of the store, and days, rows and columns of a chunk by its published recipe."""
METADATA = 8
"""Requests of a variable and year for metadata and coordinates."""
PACKED = 0.19
"""Bytes of a chunk on the wire over those of its values: two thirds are sea."""


class Options(Strict):
    """ERA5-Land from the Earth Data Hub."""

    path: str = "https://api.earthdatahub.destine.eu/era5/era5-land-daily-utc-v1.zarr"
    """Address of the store, or a folder that is a copy of it."""
    download: bool = False
    """Keep the chunks of `path` in `downloads/drivers/earth_data_hub`; needs a key (docs/inputs.md)."""
    totals: Literal["attributes", "same_day", "day_before"] = "attributes"
    """Day of amounts stamped 00:00: as the attributes of the store say (refused if not), or the day that begins or ends then."""
    quota: int = Field(default=500_000, ge=1, le=1_000_000_000)
    """Requests that the hub allows in a month; at that number the download ends until the next."""


@dataclass(frozen=True)
class HubFolder(SourceFolder):
    """The functions of the plug-in; see `tamrl.plugins.DriverSource`."""

    def inputs(self, options: Options) -> list[str]:  # type: ignore[override]
        """The folder; none where the store is on the web."""
        path = self.path(options)
        return [] if path.startswith(("http://", "https://")) else [path]

    def items(self, options: Options, names: tuple[str, ...]) -> list[str]:
        """What is fetched separately: variables by their short names."""
        return [vocabulary.get(name).sources[NAME].name for name in names]

    def fetch(self, options: Options, *, item: str, year: int, folder: Path, months: int = 12) -> None:
        """Fetch the chunks of a variable and year; raises `DownloadError`, `InputError`.

        Parameters
        ----------
        item : an element of `items`
        months : number of months, from January
        """
        from tamrl.drivers.reanalysis import hub_days

        hub_days.fetch_hub_days(options.path, item, year, folder, months=months, totals=options.totals, quota=options.quota)

    def version(self, options: Options) -> "Mapping[str, object]":  # type: ignore[override]
        """The files of chunks, or address and checksum of the metadata."""
        from tamrl.drivers.reanalysis import hub_days

        return super().version(options) if options.download else hub_days.hub_version(options.path)

    def volume(self, options: Options, *, names: tuple[str, ...], years: int) -> SourceVolume:
        """Chunks that hold some day of the years; those that two years share are fetched once."""
        days = years * 365.25
        size = len(names) * days * SHAPE[0] * SHAPE[1] * 4 * PACKED
        chunks = days / CHUNK[0] * math.ceil(SHAPE[0] / CHUNK[1]) * math.ceil(SHAPE[1] / CHUNK[2])
        requests = len(names) * (chunks + years * METADATA)
        return SourceVolume(size, condensed=size if options.download else 0.0, requests=requests, streamed=not options.download)

    def open_dynamic(self, options: Options, *, names: tuple[str, ...], axis: "TimeAxis") -> "dict[str, xr.DataArray]":
        """The named variables on all of `axis`, lazy."""
        from tamrl.drivers.reanalysis import hub_days

        chunks = Path(self.path(options)) if options.download else None
        return hub_days.open_hub_days(options.path, chunks, names=names, axis=axis, totals=options.totals)


FOLDER = HubFolder(NAME)
inputs, items, fetch, version = FOLDER.inputs, FOLDER.items, FOLDER.fetch, FOLDER.version
volume, open_dynamic, open_static = FOLDER.volume, FOLDER.open_dynamic, FOLDER.open_static
