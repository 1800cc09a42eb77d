"""Half hours of 204 FLUXNET2015 towers in one Zarr store (EXCITED-CO2/zarr-fluxnet2015 on GitHub, CC-BY-4.0).

What has to be known of that store: a time stamp is the *end* of its interval, moved to UTC by the offset that the tower's civil
clock had on 1 January 2010, which is summer time in the south; VPD is in kPa; there is no respiration, so RECO = NEE + GPP;
values are packed into 16 bits, quality flags too, and come back a little off.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tamrl.calendar import Step
from tamrl.options import Strict
from tamrl.plugins import NetworkCapabilities
from tamrl.towers.product import ONEFLUX_CITATION, Product

if TYPE_CHECKING:
    import pandas as pd

    from tamrl.towers.reader.records import RecordChoice
    from tamrl.towers.sites import Site

CITATION = ONEFLUX_CITATION
CAPABILITIES = NetworkCapabilities(archives=True)


class Options(Strict):
    """Where the store lies."""

    path: str = "{data}/towers/fluxnet.zarr"
    """The store `fluxnet.zarr` out of the repository."""
    bif: str | None = "{data}/archives/metadata/FLX_AA-Flx_BIF_LATEST.csv"
    """BIF table for classes, elevation and management; used only if the file exists."""


def inputs(options: Options) -> list[str]:
    """The store; the BIF table if it exists."""
    return [options.path, *([options.bif] if options.bif and Path(options.bif).is_file() else [])]


def archives(paths: list[Path], options: Options, *, step: Step) -> list[Product]:
    """Every tower of the store; see the contract in `networks`."""
    from tamrl.towers.reader import zarr_store

    return zarr_store.list_towers(paths[0])


def read_archive(product: Product, *, paths: list[Path], options: Options, how: "RecordChoice") -> "tuple[pd.DataFrame, Site]":
    """Records and site of one tower; see the contract in `networks`."""
    from tamrl.towers.reader import zarr_store

    return zarr_store.read_stored_tower(product, paths, how)
