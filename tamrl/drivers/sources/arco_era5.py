"""ERA5 as one public Zarr store of hours, no account needed: ARCO-ERA5 (Carver & Merose 2023, doi 10.24381/cds.adbb2d47).

Only the chunks of the variables and years of the run are fetched: one hour of one variable is a chunk of about 2 MB. An hourly
amount covers the hour that ends at its time, so the one of 00:00 belongs to the day before. Hours after the store's
`valid_time_stop` are preliminary and count as `expver` 5; hours after `valid_time_stop_era5t` hold nothing yet.
"""

from typing import TYPE_CHECKING, Literal

from tamrl.drivers.sources._folders import nothing_offered
from tamrl.options import Strict
from tamrl.plugins import SourceCapabilities, SourceVolume

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from tamrl.calendar import TimeAxis

CAPABILITIES = SourceCapabilities()


class Options(Strict):
    """ERA5 from the public Zarr store."""

    path: str = "https://storage.googleapis.com/gcp-public-data-arco-era5/ar/full_37-1h-0p25deg-chunk-1.zarr-v3"
    """Address of the store, or a folder that is a copy of it or holds one."""
    nodes: Literal["all", "land"] = "land"
    """Nodes that stand for a cell: all four corners, or those on land."""


def inputs(options: Options) -> list[str]:
    """The folder; none where the store is on the web."""
    return [] if options.path.startswith(("http://", "https://")) else [options.path]


def version(options: Options) -> "Mapping[str, object]":
    """Address and extent of the store, and the checksum of its metadata (the store itself is too large)."""
    from tamrl.drivers.reanalysis import era5

    return era5.store_version(options.path)


def volume(options: Options, *, variables: int, years: int) -> SourceVolume:
    """Half the bytes of 24 global fields per day in single precision."""
    return SourceVolume(variables * years * 365.25 * 24 * 721 * 1440 * 4 * 0.5)


def open_static(options: Options, *, names: tuple[str, ...]) -> "dict[str, xr.DataArray]":
    """None so far."""
    return nothing_offered("arco_era5", "static", names)


def open_dynamic(options: Options, *, names: tuple[str, ...], axis: "TimeAxis") -> "dict[str, xr.DataArray]":
    """The named variables on all of `axis`, lazy."""
    from tamrl.drivers.reanalysis import era5

    arrays = era5.open_store(options.path, names=names, axis=axis)
    return {name: da.assign_attrs(nodes=options.nodes) for name, da in arrays.items()}
