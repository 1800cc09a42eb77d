"""Archives of the FLUXNET shuttle (AmeriFlux, ICOS, TERN and the hubs behind them; CC-BY-4.0), chosen and downloaded.

From a snapshot of the shuttle the towers wanted are fetched by their links into `downloads/shuttle`, whole or not at all; what
has come once is kept beside it and not fetched again, whatever is chosen next. An archive that cannot be had is set aside.
"""

import logging
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import Field

from tamrl import transfer
from tamrl.errors import ConfigError, DownloadError, InputError
from tamrl.files import atomic
from tamrl.log import progress
from tamrl.options import Strict
from tamrl.towers import bif, oneflux, records, sites, snapshot

_log = logging.getLogger(__name__)

FOLDER = "downloads/shuttle"
CHOSEN = "chosen.csv"
CITATION = oneflux.CITATION


class Options(Strict):
    """Which towers to fetch; empty conditions hold for all."""

    snapshot: str | None = None
    """Table written by `fluxnet-shuttle listall`; null needs `refresh`."""
    refresh: bool = False
    """Make a new snapshot with the command `fluxnet-shuttle`."""
    countries: tuple[str, ...] = ()
    """First parts of the site ids, such as DE."""
    classes: tuple[str, ...] = ()
    """IGBP classes."""
    sites: tuple[str, ...] = ()
    """Site ids."""
    years: tuple[int, int] | None = None
    """First and last year: towers that measured in one of these."""
    attempts: Annotated[int, Field(ge=1)] = 5
    """Tries per archive, with growing pauses."""
    at_once: Annotated[int, Field(ge=1, le=16)] = 4
    """Archives fetched at the same time."""


def inputs(options: Options) -> list[str]:
    """The folder that `fetch` fills."""
    if not (options.snapshot or options.refresh):
        raise ConfigError(
            "the network `shuttle` needs a snapshot",
            where="towers.shuttle.snapshot",
            found="null",
            todo="set it to a table of `fluxnet-shuttle listall`, or set towers.shuttle.refresh: true",
        )
    return [FOLDER]


def fetch(options: Options, folder: Path, *, wait: float = 1.0) -> None:
    """Fill `folder` with the archives chosen, `chosen.csv` (what was chosen and how it arrived) and their citations.

    Raises `DownloadError` if nothing can be had at all.
    """
    store = folder.with_name(f".{folder.name}.store")
    store.mkdir(parents=True, exist_ok=True)
    source = snapshot.refresh(store / "snapshots") if options.refresh else Path(options.snapshot or "")
    wanted = {name: getattr(options, name) for name in ("countries", "classes", "sites", "years")}
    rows = snapshot.choose(snapshot.read(source), **wanted, where=source)
    _log.info("%d towers of %s", len(rows), source)
    get = partial(_bring, store=store, attempts=options.attempts, wait=wait)
    with ThreadPoolExecutor(options.at_once) as pool:
        found = list(progress(pool.map(get, [row for _, row in rows.iterrows()]), "archives", len(rows)))
    rows[["arrived_sha256", "reason"]] = found
    if (rows["arrived_sha256"] == "").all():
        raise DownloadError("no archive could be had", where=source, found=rows["reason"].iloc[0], todo="check the network")
    with atomic(folder) as part:
        part.mkdir()
        for name in rows.loc[rows["arrived_sha256"] != "", "fluxnet_product_name"]:
            _link(store / name, part / name)
        rows.to_csv(part / CHOSEN, index=False)


def _bring(row: pd.Series, *, store: Path, attempts: int, wait: float) -> tuple[str, str]:
    """SHA-256 of the archive in the store, fetched if it is not there or not whole; or an empty text and why."""
    target = store / row["fluxnet_product_name"]
    arrived = target.with_name(f".arrived-{target.name}")
    try:
        if target.exists():
            try:
                return snapshot.check(target, row), ""
            except DownloadError as error:
                _log.warning("%s is fetched again: %s", target.name, error.asked)
        transfer.Client(attempts=attempts, wait=wait).download(row["download_link"], arrived)
        digest = snapshot.check(arrived, row)
        os.replace(arrived, target)
        return digest, ""
    except DownloadError as error:
        _log.warning("%s", error)
        return "", f"{error.asked}: {error.found}" if error.found else error.asked
    finally:
        arrived.unlink(missing_ok=True)


def _link(source: Path, target: Path) -> None:
    """The same file twice costs nothing; across file systems it is copied."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def archives(paths: list[Path], options: Options, *, step: records.Step) -> list[oneflux.Product]:
    """Every archive chosen, those that did not arrive too: they are set aside; see the contract in `networks`."""
    rows = _chosen(paths[0])
    return [oneflux.Product(site, paths[0] / name) for site, name in zip(rows.index, rows["fluxnet_product_name"], strict=True)]


@lru_cache(maxsize=2)
def _chosen(folder: Path) -> pd.DataFrame:
    if not (folder / CHOSEN).is_file():
        raise records.empty(folder, f"delete {folder} to have it downloaded again")
    return snapshot.read(folder / CHOSEN).set_index("site_id").sort_index()


def read_archive(
    product: oneflux.Product, *, paths: list[Path], options: Options, how: records.Reading
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Records and place of one tower; where its archive has no metadata, the snapshot's are taken. See `networks`."""
    row = _chosen(paths[0]).loc[product.site]
    if row["reason"]:
        raise InputError("the archive could not be downloaded", where=row["download_link"], found=row["reason"])
    table, by_site, metadata = oneflux.read(product, **vars(how))
    listed = {"site": product.site, "lat": row["location_lat"], "lon": row["location_long"], "igbp": sites.igbp(row["igbp"])}
    try:
        place = bif.place([metadata], product.site, where=product.path, todo="")
    except InputError:
        _log.info("%s: no coordinates in the archive, those of the snapshot are taken", product.site)
        place = listed
    about = {"network": "shuttle", "citation": row["product_citation"], "doi": row["product_id"]}
    return table, {**place, **about, **by_site.loc[product.site]}
