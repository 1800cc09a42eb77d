"""Half hours of 204 FLUXNET2015 towers in one Zarr store (EXCITED-CO2/zarr-fluxnet2015 on GitHub, CC-BY-4.0).

Peculiarities of the store: a time stamp is the *end* of its interval, moved to UTC by the offset of the tower's civil clock on
1 January 2010, which is summer time in the south; VPD is in kPa; there is no respiration, so RECO = NEE + GPP; values and
quality flags are packed into 16 bits, which rounds them.
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
    """Paths of the store and of the metadata."""

    path: str = "{data}/towers/fluxnet.zarr"
    """The store `fluxnet.zarr` of the repository."""
    bif: str | None = "{data}/archives/metadata/FLX_AA-Flx_BIF_LATEST.csv"
    """BIF table for classes, elevation and management; used only if the file exists."""


def inputs(options: Options) -> list[str]:
    """Return the store, and the BIF table if it exists."""
    return [options.path, *([options.bif] if options.bif and Path(options.bif).is_file() else [])]


def archives(paths: list[Path], options: Options, *, step: Step) -> list[Product]:
    """List the towers of the store; see the contract in `networks`."""
    from tamrl.towers.reader import zarr_store

    return zarr_store.list_towers(paths[0])


def read_archive(product: Product, *, paths: list[Path], options: Options, how: "RecordChoice") -> "tuple[pd.DataFrame, Site]":
    """Read the records and the site of one tower; see the contract in `networks`.

    Parameters
    ----------
    product : the tower's entry of `archives`
    paths : the result of `inputs`
    how : step, partitioning and u* threshold
    """
    from tamrl.towers.reader import zarr_store

    return zarr_store.read_stored_tower(product, paths, how)
