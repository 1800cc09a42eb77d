"""Download the archives of the FLUXNET shuttle by the links of a snapshot, and read them (see `networks.shuttle`)."""

import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from tamrl import escaping
from tamrl.errors import DownloadError, InputError, MachineError, OutageError
from tamrl.files import atomic
from tamrl.intake import border
from tamrl.log import progress
from tamrl.towers import sites
from tamrl.towers.networks.shuttle import Options
from tamrl.towers.product import Product
from tamrl.towers.reader import bif, oneflux, records, snapshot
from tamrl.towers.reader.download_report import Reporter, report_downloads
from tamrl.towers.sites import Site
from tamrl.web import download
from tamrl.web.addresses import redacted

_log = logging.getLogger(__name__)

CHOSEN = "chosen.csv"
LIST = "snapshot.csv"
"""The list that the archives were chosen from, to be pinned by its SHA-256."""
TRIES, ROUNDS = 3, 3
"""Times in a row that an archive is asked for which is denied, or arrives damaged; and how often, with other archives between."""
ROUND_PAUSE = 60.0
"""Pause before another round, in units of the first pause: a minute."""
ZIP = b"PK"
"""First bytes of an archive."""


def fetch_archives(options: Options, folder: Path, *, wait: float = 1.0) -> None:
    """Fill `folder` with the selected archives, `chosen.csv`, their list with citations and the reason of each failure, and
    `snapshot.csv`, the list they were chosen from.

    Raises `OutageError` if the network or a server failed for any archive; the next call fetches only the rest. Raises
    `DownloadError` if no archive can be downloaded.
    """
    store, reporter = folder.with_name(f".{folder.name}.store"), Reporter.of_environment()
    with border.reading("the archives cannot be kept", where=store, error=MachineError):
        store.mkdir(parents=True, exist_ok=True)
    table = Path(options.snapshot) if options.snapshot else None
    source = snapshot.refresh_snapshot(store / "snapshots", table) if options.refresh or table is None else table
    snapshot.require_pinned(source, options.sha256)
    rows, odd = _rows(source, options)
    _log.info("%d towers of %s", len(rows), source)
    hosts = _Hosts()
    get = partial(_bring, store=store, hosts=hosts, attempts=options.attempts, wait=wait)
    before = {path.name for path in store.glob("*.zip")}
    results = _fetch_rounds(rows, get, at_once=options.at_once, wait=wait)
    arrived = [isinstance(r, str) and n not in before for r, n in zip(results, rows["fluxnet_product_name"], strict=True)]
    report_downloads(reporter, rows[arrived], store, wait=wait)
    hosts.ask_doubtful(rows, results, before, wait=wait)
    results = hosts.judge(rows["download_link"].tolist(), results)
    _refuse_outage(rows, results, source)
    rows[["arrived_sha256", "reason"]] = [["", r] if isinstance(r, DownloadError) else [r, ""] for r in results]
    rows["reason"] = rows["reason"].map(lambda error: error and f"the archive could not be downloaded: {_reason(error)}")
    if (rows["arrived_sha256"] == "").all():
        first = f"{rows['reason'].iloc[0]} ({rows['download_link'].iloc[0]})"
        raise DownloadError("no archive could be had", where=source, found=first, todo="the log names the reason of each")
    with border.reading("the archives cannot be kept", where=folder, error=MachineError), atomic(folder) as part:
        part.mkdir()
        for name in rows.loc[rows["arrived_sha256"] != "", "fluxnet_product_name"]:
            _link(store / name, part / name)
        chosen = pd.concat([rows, odd], ignore_index=True)
        _tell_aside(chosen)
        chosen["download_link"] = chosen["download_link"].map(redacted)
        escaping.write_csv(chosen, part / CHOSEN)
        shutil.copyfile(source, part / LIST)


def _tell_aside(chosen: pd.DataFrame) -> None:
    """Name the archives that are set aside, as the last word of a download."""
    aside = chosen.loc[chosen["reason"] != "", ["site_id", "fluxnet_product_name", "reason"]]
    if len(aside):
        message = "%d of %d archives are set aside; the report lists them, and `towers.strict: true` refuses them:\n%s"
        _log.warning(message, len(aside), len(chosen), aside.to_string(index=False, header=False))


def _fetch_rounds(
    rows: pd.DataFrame, get: Callable[[pd.Series], str | DownloadError], *, at_once: int, wait: float
) -> list[str | DownloadError]:
    """Fetch all archives; those that were denied or came damaged are asked for again after all others, twice."""
    results: dict[int, str | DownloadError] = {}
    left = list(range(len(rows)))
    for number in range(ROUNDS):
        if number:
            _log.warning("%d archives that were denied or arrived damaged are asked for again", len(left))
            time.sleep(wait * ROUND_PAUSE)
        with ThreadPoolExecutor(at_once) as pool:
            brought = progress(pool.map(get, [rows.iloc[k] for k in left]), "archives", len(left))
            results |= dict(zip(left, brought, strict=True))
        left = [k for k in left if isinstance(results[k], _DoubtfulError)]
        if not left:
            break
    return [results[k] for k in range(len(rows))]


def _rows(source: Path, options: Options) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the selected usable rows, and the unusable rows that may belong to the selection, with their reasons."""
    wanted = {name: getattr(options, name) for name in ("countries", "classes", "sites", "years")}
    rows = snapshot.select_rows(snapshot.read_usable_rows(source), **wanted, where=source)
    frame = snapshot.read_snapshot(source).rename(columns={"odd": "reason"}).assign(arrived_sha256="")
    odd = frame[frame["reason"] != ""]
    unknown = odd["site_id"] == "unknown"
    for values, allowed in ((odd["site_id"].str.split("-").str[0], options.countries), (odd["site_id"], options.sites)):
        odd = odd[(values.isin(allowed) | unknown).loc[odd.index]] if allowed else odd
    return rows, odd


def _refuse_outage(rows: pd.DataFrame, results: list[str | DownloadError], source: Path) -> None:
    """Fail if the network or a server failed for any archive, so that none is left out for it."""
    gone = [isinstance(result, OutageError) for result in results]
    first = next((result for result in results if isinstance(result, OutageError)), None)
    if first is None:
        return
    here = sum(isinstance(result, str) for result in results)
    missing = rows.loc[gone, "site_id"].tolist()
    names = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
    raise OutageError(
        f"{len(missing)} archives are still wanted: the network or a server failed",
        where=f"{source}, {first.where}",
        found=f"{here} of {len(rows)} archives are here; missing: {names}; {_reason(first)}",
        todo="run the same command again: only what is missing is asked for. Is a server gone for good, leave its towers out by "
        "towers.shuttle.countries or sites",
    ) from first


def _reason(error: DownloadError) -> str:
    """An error in a line."""
    return "; ".join(" ".join(str(part).split()) for part in (error.asked, error.found) if part)


class _DoubtfulError(DownloadError):
    """What came is no archive, or access was denied: a fault of the archive, or of a server that answers so for a while."""


class _Hosts:
    """Servers that have failed: after a few failures in a row, a server is not asked again in this call.

    One that gave none of several archives, but pages in their place or 403, is taken for one that is out: no archive is to blame.
    Where others of its archives are here from earlier calls, one of them is asked for: the denied ones may be all that is left.
    """

    MOST = 3

    def __init__(self) -> None:
        self._failed: dict[str, int] = {}
        self._gave: set[str] = set()

    def is_gone(self, link: str) -> bool:
        """Return whether the last archives of this server all failed because of an outage."""
        return self._failed.get(urlsplit(link).netloc, 0) >= self.MOST

    def note(self, link: str, *, gone: bool) -> None:
        """Note whether an archive could not be fetched because its server is gone."""
        host = urlsplit(link).netloc
        self._failed[host] = self._failed.get(host, 0) + 1 if gone else 0

    def gave(self, link: str) -> None:
        """Note that a server gave an archive."""
        self._gave.add(urlsplit(link).netloc)

    def ask_doubtful(
        self, rows: pd.DataFrame, results: Sequence[str | DownloadError], here: Container[str], *, wait: float
    ) -> None:
        """Ask each server that gave nothing in this call for the first bytes of an archive that it gave before.

        Parameters
        ----------
        rows, results : the archives of the list, and what came of them
        here : names of the archives that were on the disk before
        wait : first pause between attempts, in seconds
        """
        links, names = rows["download_link"].tolist(), rows["fluxnet_product_name"].tolist()
        doubtful = {urlsplit(link).netloc for link, r in zip(links, results, strict=True) if isinstance(r, _DoubtfulError)}
        known = {urlsplit(link).netloc: link for link, name in zip(links, names, strict=True) if name in here}
        for server in sorted(doubtful - self._gave):
            for link in [known[server]] if server in known else []:
                client = download.Client(near=(), attempts=TRIES, wait=wait)
                try:
                    if (client.get(link, start=0, end=len(ZIP)) or b"") == ZIP:
                        self._gave.add(server)
                except DownloadError as error:
                    _log.warning("%s gives no archive that it gave before either: %s", server, error.asked)

    def judge(self, links: Sequence[str], results: Sequence[str | DownloadError]) -> list[str | DownloadError]:
        """Return the results of the archives of links, outages for those whose server seems to be out."""
        servers = [urlsplit(link).netloc for link in links]
        doubtful = [isinstance(result, _DoubtfulError) for result in results]
        counts = Counter(server for server, is_doubtful in zip(servers, doubtful, strict=True) if is_doubtful)
        out = {server for server, count in counts.items() if count >= self.MOST and server not in self._gave}
        return [
            OutageError("the server gives no archive", where=link, found=f"none of {counts[server]}: {_reason(result)}")
            if isinstance(result, _DoubtfulError) and server in out
            else result
            for link, server, result in zip(links, servers, results, strict=True)
        ]


def _bring(row: pd.Series, *, store: Path, hosts: _Hosts, attempts: int, wait: float) -> str | DownloadError:
    """Return the SHA-256 of the archive in the store, fetched if absent or damaged; or the error."""
    target, link = store / row["fluxnet_product_name"], row["download_link"]
    try:
        with border.reading("the archive cannot be kept", where=target, error=MachineError):
            if target.exists():
                try:
                    return snapshot.verify_archive(target, row)
                except DownloadError as error:
                    _log.warning("%s is fetched again: %s", target.name, error.asked)
            if hosts.is_gone(link):
                return OutageError("not asked for, as its server failed before", where=link)
            digest = _fetched(row, target, download.Client(near=(), attempts=attempts, wait=wait))
            hosts.note(link, gone=False)
            hosts.gave(link)
            return digest
    except DownloadError as error:
        hosts.note(link, gone=isinstance(error, OutageError))
        _log.warning("%s", error)
        return error


def _fetched(row: pd.Series, target: Path, client: download.Client) -> str:
    """Fetch an archive and return its SHA-256; one that is denied, or arrives damaged or as a page, is asked for again."""
    arrived = target.with_name(f".arrived-{target.name}")
    for attempt in range(1, TRIES + 1):
        try:
            client.download(row["download_link"], arrived)
            digest = snapshot.verify_archive(arrived, row)
            os.replace(arrived, target)
            return digest
        except OutageError:
            raise
        except DownloadError as error:
            if not arrived.exists() and getattr(error, "status", None) not in (401, 403):
                raise
            if attempt == TRIES:
                raise _DoubtfulError(error.asked, where=error.where, found=error.found, todo=error.todo) from error
            pause = client.wait * 4 ** (attempt - 1)
            _log.warning("%s is fetched again in %.1f s: %s", target.name, pause, error.asked)
        finally:
            arrived.unlink(missing_ok=True)
        time.sleep(pause)
    raise AssertionError("the last attempt ends in an error or an archive")


def _link(source: Path, target: Path) -> None:
    """Make a hard link; across file systems make a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def list_archives(folder: Path) -> list[Product]:
    """List the selected archives; those that did not arrive have a reason.

    Raises `OutageError` if an earlier version of `fetch` left archives out because the network had failed.
    """
    rows = _chosen(folder)
    if (gone := rows["reason"].str.contains(r"the download failed \d+ times")).any():
        todo = f"delete {folder} and run again: only what is missing is asked for; or delete these rows from {CHOSEN}"
        asked = f"{gone.sum()} archives were left out because the network had failed"
        raise OutageError(asked, where=folder / CHOSEN, found=", ".join(rows.loc[gone, "site_id"][:5]), todo=todo)
    reasons = rows["reason"].where(rows["reason"] != "", rows["odd"])
    listed = rows[["location_lat", "location_long", "igbp", "product_citation", "product_id"]].itertuples(index=False, name=None)
    each = zip(rows["site_id"], rows.index, listed, reasons, strict=True)
    return [Product(site, folder / name, cells, reason) for site, name, cells, reason in each]


@lru_cache(maxsize=2)
def _chosen(folder: Path) -> pd.DataFrame:
    """Read the rows of `chosen.csv` by name of the product, sorted by site."""
    if not (folder / CHOSEN).is_file():
        raise records.no_files(folder, f"delete {folder} to have it downloaded again")
    frame = escaping.unescape_table(snapshot.read_snapshot(folder / CHOSEN))
    if "reason" not in frame:
        frame["reason"] = ""
    return frame.set_index("fluxnet_product_name").sort_values("site_id", kind="stable")


def read_fetched(product: Product, folder: Path, how: records.RecordChoice) -> tuple[pd.DataFrame, Site]:
    """Read the records and the site of one tower; if its archive has no metadata, take those of the snapshot."""
    row = _chosen(folder).loc[product.path.name]
    table, by_site, metadata = oneflux.read_oneflux(product, how)
    try:
        place = bif.locate_site([metadata], product.site, where=product.path, todo="")
    except InputError:
        _log.info("%s: no coordinates in the archive, those of the snapshot are taken", product.site)
        igbp = sites.igbp_class(row["igbp"])
        place = {"site": product.site, "lat": row["location_lat"], "lon": row["location_long"], "igbp": igbp}
    credit = {"network": "shuttle", "citation": row["product_citation"], "doi": row["product_id"]}
    return table, Site.from_row({**place, **credit, **by_site.loc[product.site]})
