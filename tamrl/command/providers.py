"""`tamrl doctor --providers`: one small real request to each provider, and a report that may be shown to others."""

import base64
import os
import platform
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tamrl import __version__, escaping, files
from tamrl.errors import DownloadError, InputError, MachineError, TamrlError
from tamrl.record_paths import portable
from tamrl.sections.run import Config

if TYPE_CHECKING:
    from ecmwf.datastores import Remote

PATIENCE = 60.0
"""Seconds after which a provider counts as silent."""

QUEUE = 30.0
"""Seconds for which an order at the Climate Data Store is awaited."""

DAY = "2011-01-01"
"""The day that is asked for: ERA5 and MODIS of it do not change any more."""

PRODUCT, COLLECTION = "MOD13C1", "061"

KINDS = {b"\x0e\x03\x13\x01": "HDF4", b"\x89HDF": "HDF5", b"PK\x03\x04": "zip", b"II*\x00": "TIFF", b"II+\x00": "BigTIFF"}
"""Formats by their first bytes."""

REPORT = "providers.md"

State = Literal["ok", "failed", "no account", "not asked", "silent"]
Facts = list[str]


class NoAccountError(Exception):
    """There is no login for a provider; the text says how to get one. `facts` is what was found without it."""

    def __init__(self, how: str, facts: Iterable[str] = ()):
        super().__init__(how)
        self.facts = list(facts)


class NotAskedError(Exception):
    """A provider needs something before it can be asked; the text says what."""


@dataclass(frozen=True)
class ProviderCheck:
    """What a provider answered."""

    provider: str
    state: State
    seconds: float
    facts: tuple[str, ...]
    """What was found, or what is wrong."""
    todo: str = ""

    @property
    def line(self) -> str:
        """As it is printed."""
        shown = [*self.facts, *([f"to do: {self.todo}"] if self.todo else [])]
        return f"{self.state:10} {self.provider:20} {self.seconds:5.1f} s  " + f"\n{'':41}".join(shown)


def check_providers(config: Config, *, only: bool) -> Iterator[ProviderCheck]:
    """Ask the providers, all at once, and yield what they answered in their order.

    Parameters
    ----------
    config : whose options of sources and networks count
    only : ask only those that the configuration reads from
    """
    wanted = {name: ask for name, (user, ask) in PROVIDERS.items() if not only or user in _users(config)}
    results: dict[str, ProviderCheck] = {}
    threads = {
        name: threading.Thread(target=lambda n=name, a=ask: results.update({n: _ask(n, a, config)}), daemon=True)
        for name, ask in wanted.items()
    }
    begun = time.monotonic()
    for thread in threads.values():
        thread.start()
    for name, thread in threads.items():
        thread.join(max(begun + PATIENCE - time.monotonic(), 0.0))
        silent = ProviderCheck(
            name, "silent", PATIENCE, (f"no answer within {PATIENCE:.0f} s",), "try again, or look at its status page"
        )
        yield results.get(name, silent)


def _users(config: Config) -> set[str]:
    """Plug-ins of sources and networks that the configuration reads from."""
    return {*config.drivers.sources, *config.towers.networks}


def _ask(name: str, ask: Callable[[Config], Facts], config: Config) -> ProviderCheck:
    begun, todo = time.monotonic(), ""
    state: State
    try:
        facts, state = ask(config), "ok"
    except NoAccountError as error:
        facts, state, todo = [*error.facts, "there is no login"], "no account", str(error)
    except NotAskedError as error:
        facts, state = [str(error)], "not asked"
    except TamrlError as error:
        parts = (("where", error.where), ("found", error.found))
        facts, state, todo = (
            [str(error.asked), *(f"{key}: {part}" for key, part in parts if part is not None)],
            "failed",
            error.todo or "",
        )
    except Exception as error:  # of a library; a report of the others is worth more than a trace
        facts, state = [f"{type(error).__name__}: {error}"], "failed"
    shown = tuple(without_secrets(line) for fact in facts for line in str(fact).splitlines())
    return ProviderCheck(name, state, time.monotonic() - begun, shown, without_secrets(todo))


def _ask_hour_store(config: Config) -> Facts:
    """One hour of the 2 m temperature of the public store of ERA5."""
    import numpy as np

    from tamrl.drivers.formats import netcdf
    from tamrl.drivers.reanalysis.hour_store import HourStore
    from tamrl.drivers.remote import zarr_store
    from tamrl.intake import border, times, zarrs
    from tamrl.web import download

    path = str(config.drivers.plugin_options("arco_era5").model_dump()["path"])
    if not zarr_store.is_url(path):
        raise NotAskedError("drivers.arco_era5.path is a folder")
    client = download.Client(attempts=2, wait=1.0)
    with border.reading("the Zarr store cannot be read", where=path, error=DownloadError, todo="check the address"):
        ds = zarrs.open_zarr(zarr_store.Remote(path, client), where=path)
        store = HourStore(path, netcdf.with_known_names(ds, path))
        raw = times.decode_time_axis(store.dataset["2m_temperature"], where=path)
        values = raw.isel(time=int((raw["time"].values < np.datetime64(DAY)).sum())).load()
    low, high = float(values.min()), float(values.max())
    if not 150 < low <= high < 350:
        raise InputError("the temperatures are no temperatures in K", where=path, found=f"{low:g} to {high:g}")
    extent = [f"{key}: {value}" for key, value in store.extent.items()]
    return [f"2m_temperature of {DAY} 00:00: {dict(values.sizes)}, {low:.0f} to {high:.0f} K", *extent]


def _ask_climate_store(config: Config) -> Facts:
    """An order of one day of the 2 m temperature: key, licence, queue and, if it comes in time, the file."""
    from tamrl import variables
    from tamrl.drivers.remote import store_jobs
    from tamrl.drivers.remote.climate_store import era5_orders
    from tamrl.drivers.remote.store_login import HOW, read_store_login
    from tamrl.web import download

    try:
        login = read_store_login()
    except DownloadError as error:
        if error.found == "nothing":  # in any of the places of a key
            raise NoAccountError(HOW) from error
        raise
    patience = store_jobs.Patience(outage=15.0, order=QUEUE, pause=1.0, longest=5.0, look=3.0, attempts=2)
    month = era5_orders(variables.era5_entry("t2m"), int(DAY[:4]), 1)[0]
    order = store_jobs.Order(month.dataset, month.request | {"day": [DAY[8:]]}, "day.nc")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / order.file
        store = store_jobs.StoreJobs(login, patience)
        placed = store.place(order, target)
        facts, until = [f"{order.dataset}: key and licence are accepted, the order is placed"], time.monotonic() + QUEUE
        while (state := store.ask(order.file, lambda: placed.remote.status)) in ("accepted", "running"):
            if time.monotonic() > until:
                return [*facts, f"{state} after {QUEUE:.0f} s, which is no fault; {_take_back(placed.remote)}"]
            time.sleep(1.0)
        try:
            results = placed.results()
            download.Client(near=(login.url,), attempts=2, wait=1.0).download(
                results.location, target, size=results.content_length
            )
        except store_jobs.FailedOrder as error:
            todo = (
                "wait until fewer orders of yours are in the queue" if error.is_limit else "look at the request on the web site"
            )
            raise DownloadError("the store makes no file of the order", where=order.dataset, found=error, todo=todo) from error
        return [*facts, f"a file of {target.stat().st_size / 1e6:.1f} MB: {_described(target)}"]


def _take_back(order: "Remote") -> str:
    """Remove an order from the queue of the store, and return what became of it."""
    import requests

    try:
        order.delete()
    except requests.RequestException:
        return "the order stays in the queue of the store"
    return "the order was taken back"


def _described(path: Path) -> str:
    """Variables and sizes of a NetCDF file of ERA5."""
    from tamrl.intake import border, isolated

    with border.reading("the file is no NetCDF", where=path.name), isolated.open_netcdf(path, where=path.name) as ds:
        if "t2m" not in ds:
            raise InputError("the file lacks t2m", where=path.name, found=sorted(map(str, ds.variables)))
        return f"t2m {dict(ds['t2m'].sizes)} in {ds['t2m'].attrs.get('units')}"


def _ask_earthdata(config: Config) -> Facts:
    """The list of a month, and the first bytes of one file, which need the login."""
    from tamrl.drivers.remote import earthdata

    granules = earthdata.search_granules(PRODUCT, COLLECTION, DAY, f"{DAY[:8]}31", wait=1.0)
    sizes = [granule.size for granule in granules if granule.size]
    size = f", {sizes[0] / 1e6:.0f} MB each" if sizes else ""
    facts = [f"the search lists {len(granules)} files of {PRODUCT}.{COLLECTION} of {DAY[:7]}{size}"]
    if not earthdata.has_login():
        raise NoAccountError(earthdata.HOW, facts)
    head = earthdata.read_head(granules[0], len(next(iter(KINDS))), wait=1.0)
    return [*facts, f"{granules[0].file}: {_kind(head, granules[0].url)}"]


def _ask_data_hub(config: Config) -> Facts:
    """The metadata of the 2 m temperature, which need the key: a request of the monthly quota."""
    import json

    from tamrl.drivers.remote import data_hub
    from tamrl.web import download

    url = str(config.drivers.plugin_options("earth_data_hub").model_dump()["path"]).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise NotAskedError("drivers.earth_data_hub.path is a folder")
    try:
        login = data_hub.read_hub_login(url)
    except DownloadError as error:
        if error.found == "nothing":
            raise NoAccountError(data_hub.HOW) from error
        raise
    where = f"{url}/t2m/{data_hub.METADATA}"
    text = download.Client(credential=login, attempts=2, wait=1.0).get(where) or b""
    metadata = data_hub.StoredArray.parse("t2m", text, where).metadata
    attributes = json.loads(text).get("attributes", {})
    return [f"t2m: {metadata.shape} in chunks of {metadata.chunk_grid.to_dict()['configuration']}, {attributes.get('units')}"]


def _ask_map_publishers(config: Config) -> Facts:
    """The first bytes of the files of climates and elevation."""
    from tamrl.drivers.remote import published_maps
    from tamrl.drivers.sources import static

    options = static.Options.model_validate(config.drivers.plugin_options("static").model_dump())
    heads = published_maps.read_heads(options, len(next(iter(KINDS))))
    return [f"{url.rsplit('/', 1)[-1]}: {_kind(head, url)}" for url, head in heads.items()]


def _ask_shuttle(config: Config) -> Facts:
    """The first bytes of one archive of each hub that the list of the FLUXNET shuttle names."""
    from tamrl.towers.reader import snapshot
    from tamrl.web import download

    listed = config.towers.plugin_options("shuttle").model_dump()["snapshot"]
    if listed is None or not Path(listed).is_file():
        raise NotAskedError("there is no list of archives: name one as towers.shuttle.snapshot")
    rows = snapshot.read_usable_rows(Path(listed))
    hubs = rows["data_hub"] if "data_hub" in rows else rows["site_id"].str[:0]
    facts = [f"the list has {len(rows)} towers"]
    for hub, row in rows.groupby(hubs).first().iterrows():
        head = download.Client(attempts=2, wait=1.0).get(row["download_link"], start=0, end=4)
        facts.append(f"{hub}: {row['site_id']}: {_kind(head or b'', row['download_link'])}")
    return facts


def _ask_public_files(config: Config) -> Facts:
    """One of the public files of `tamrl/data/sources.tsv`, compared with its SHA-256."""
    from tamrl.towers import public_files

    rows = public_files.read_sources(public_files.SOURCES, "metaflux").head(1)
    with tempfile.TemporaryDirectory() as folder:
        public_files.fetch_public_files(rows, Path(folder) / "files", attempts=2, wait=1.0)
    return [f"{rows['file'].iloc[0]}: the SHA-256 is that of the table"]


def _kind(head: bytes, url: str) -> str:
    """Format of a file by its first bytes; raises `DownloadError` if it is none of those that are read."""
    if kind := KINDS.get(head[:4]):
        return f"{kind}, as expected"
    todo = "log in at the provider's web site once: a page for the login or the terms came instead of the file"
    raise DownloadError("the file has another format", where=url, found=f"first bytes {head[:4]!r}", todo=todo)


PROVIDERS: dict[str, tuple[str, Callable[[Config], Facts]]] = {
    "ARCO-ERA5": ("arco_era5", _ask_hour_store),
    "Climate Data Store": ("cds_era5", _ask_climate_store),
    "Earth Data Hub": ("earth_data_hub", _ask_data_hub),
    "Earthdata": ("modis", _ask_earthdata),
    "Static maps": ("static", _ask_map_publishers),
    "FLUXNET shuttle": ("shuttle", _ask_shuttle),
    "Public tower files": ("metaflux", _ask_public_files),
}
"""Each with the source or network that it serves."""


def secrets() -> list[str]:
    """Keys, tokens and passwords of this user, the longest first, to be struck out."""
    from tamrl.drivers.remote import data_hub, earthdata, store_login
    from tamrl.web.session import Credential

    values = [os.environ.get(name, "") for name in (earthdata.TOKEN, store_login.KEY, data_hub.KEY, "CDSAPI_KEY")]
    with suppress(DownloadError, MachineError):
        values.append(store_login.read_store_login().key.value)
    if login := Credential.of_netrc(earthdata.DEFAULT_LOGIN):
        values += [login.value, *base64.b64decode(login.value.split()[-1]).decode().split(":", 1)]
    words = {word for value in values for word in (value, *value.split(" ")) if len(word) > 5}
    return sorted(words, key=len, reverse=True)


def without_secrets(text: str) -> str:
    """Return a text without logins, queries of addresses, paths of this machine and its user's name."""
    for word in secrets():
        text = text.replace(word, "***")
    text = str(portable(escaping.for_log(text)))
    user = os.environ.get("USER") or os.environ.get("LOGNAME") or ""
    return re.sub(rf"(?<!\w){re.escape(user)}(?!\w)", "***", text) if len(user) > 2 else text


def report_page(checks: list[ProviderCheck]) -> str:
    """The checks as a page of Markdown, without secrets."""
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    rows = [f"| {check.provider} | {check.state} | {check.seconds:.1f} |" for check in checks]
    lines = ["# Providers", "", f"tamrl {__version__}, Python {platform.python_version()}, {platform.system()}; {when}.", ""]
    lines += ["| provider | state | seconds |", "|---|---|--:|", *rows, ""]
    for check in checks:
        todo = [f"- to do: {escaping.escape_markdown(check.todo)}"] if check.todo else []
        lines += [
            f"## {check.provider}: {check.state}",
            "",
            *(f"- {escaping.escape_markdown(fact)}" for fact in check.facts),
            *todo,
            "",
        ]
    return "\n".join(lines)


def check_report(path: str) -> None:
    """Refuse a report of another format before anything is asked; raises `InputError`."""
    if not path.endswith(".md"):
        raise InputError("the report is written as Markdown", where=path, todo="let the name end in .md")


def write_provider_report(checks: list[ProviderCheck], path: str) -> None:
    """Write the page of `report_page`."""
    with files.atomic(path, sealed=False) as part:
        part.write_text(report_page(checks), encoding="utf-8")
