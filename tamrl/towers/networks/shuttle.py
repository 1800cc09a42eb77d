"""Archives of the FLUXNET shuttle (AmeriFlux, ICOS, TERN and the hubs behind them; CC-BY-4.0), chosen and downloaded.

The download follows the links of a snapshot of the shuttle into `downloads/shuttle`. An archive arrives completely or not at
all. Complete archives are stored next to that folder and never fetched again, even if the selection changes. An archive that
cannot be downloaded, or a row of the snapshot that cannot be used, is set aside with its reason. If the connection is lost, the
download fails, and the next one fetches the rest.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tamrl.calendar import Step
from tamrl.errors import ConfigError
from tamrl.layout import DOWNLOADS
from tamrl.options import Strict
from tamrl.plugins import NetworkCapabilities
from tamrl.towers.product import ONEFLUX_CITATION, Product

if TYPE_CHECKING:
    import pandas as pd

    from tamrl.towers.reader.records import RecordChoice
    from tamrl.towers.sites import Site

ARCHIVES, ARCHIVE_BYTES = 781, 74e6
"""Archives of a list of September 2026, and bytes of one on average."""
FOLDER = DOWNLOADS.network("shuttle")
CITATION = ONEFLUX_CITATION
CAPABILITIES = NetworkCapabilities(archives=True, fetches=True)


class Options(Strict):
    """Which towers to fetch; empty conditions hold for all."""

    snapshot: str | None = None
    """Table written by `fluxnet-shuttle listall`; null needs `refresh`."""
    refresh: bool = False
    """Make a new snapshot with the command `fluxnet-shuttle`; one that lacks a hub or a twentieth of its towers is refused."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    """SHA-256 of `snapshot`, so that no other list is read under its name; the log of each download tells it."""
    countries: tuple[str, ...] = ()
    """First parts of the site ids, such as DE."""
    classes: tuple[str, ...] = ()
    """IGBP classes."""
    sites: tuple[str, ...] = ()
    """Site ids."""
    years: tuple[Annotated[int, Field(ge=1850, le=2200)], Annotated[int, Field(ge=1850, le=2200)]] | None = None
    """First and last year: towers that measured in one of these."""
    attempts: Annotated[int, Field(ge=1, le=1000)] = 5
    """Tries per archive, with growing pauses."""
    at_once: Annotated[int, Field(ge=1, le=16)] = 4
    """Archives fetched at the same time."""


def inputs(options: Options) -> list[str]:
    """Return the folder that `fetch` fills."""
    if not (options.snapshot or options.refresh):
        raise ConfigError(
            "the network `shuttle` needs a snapshot",
            where="towers.shuttle.snapshot",
            found="null",
            todo="set it to a table of `fluxnet-shuttle listall`, or set towers.shuttle.refresh: true",
        )
    if options.sha256 and options.refresh:
        raise ConfigError(
            "a snapshot cannot be pinned and made anew",
            where="towers.shuttle.sha256",
            found="refresh: true",
            todo="set towers.shuttle.refresh: false, or leave sha256 out",
        )
    return [FOLDER]


def fetch(options: Options, folder: Path, *, wait: float = 1.0) -> None:
    """Download the selected archives into `folder`; see `reader.shuttle.fetch_archives`."""
    from tamrl.towers.reader import shuttle

    shuttle.fetch_archives(options, folder, wait=wait)


def archives(paths: list[Path], options: Options, *, step: Step) -> list[Product]:
    """List every selected archive, with the reason for each that did not arrive; see the contract in `networks`."""
    from tamrl.towers.reader import shuttle

    return shuttle.list_archives(paths[0])


def read_archive(product: Product, *, paths: list[Path], options: Options, how: "RecordChoice") -> "tuple[pd.DataFrame, Site]":
    """Read the records and the site of one tower; see the contract in `networks`.

    Parameters
    ----------
    product : the tower's entry of `archives`
    paths : the result of `inputs`
    how : step, partitioning and u* threshold
    """
    from tamrl.towers.reader import shuttle

    return shuttle.read_fetched(product, paths[0], how)
