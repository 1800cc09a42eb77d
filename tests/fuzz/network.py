"""Fuzz targets: what servers answer, and tables of links. A server in the same process gives them; nobody else is asked."""

import hashlib
import io
import json
import os
import socket
import socketserver
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from tamrl import variables
from tamrl.drivers.remote import climate_store, earthdata
from tamrl.drivers.remote.store_jobs import Patience
from tamrl.errors import DownloadError, TamrlError
from tamrl.towers.networks import shuttle
from tamrl.web import addresses, download
from tests.fuzz.base import Target

Answer = Callable[[str], bytes | None]
BODY = bytes(range(256)) * 8
GRANULE = "MOD13C1.A2011001.061.2021200000000.hdf"


class _Server(socketserver.ThreadingTCPServer):
    """Answers each path with what `answer` gives: raw bytes of HTTP where they begin as such, else a body."""

    daemon_threads, allow_reuse_address, answer = True, True, staticmethod(lambda path: None)


class _Handler(socketserver.StreamRequestHandler):
    timeout = 5

    def handle(self) -> None:
        try:
            path = self.rfile.readline(65536).split()[1].decode()
            length = 0
            while (line := self.rfile.readline(65536)).strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            found = self.server.answer(urlsplit(path).path)
            if isinstance(found, tuple):
                self.wfile.write(found[0])
                return
            status = b"404 Not Found" if found is None else b"200 OK"
            body = found or b""
            head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            self.wfile.write(head % (status, len(body)) + body)
        except (OSError, IndexError, ValueError):  # the client is gone, or asked for something that is no request
            self.close_connection = True


@cache
def _server() -> _Server:
    found = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    return found


def _url() -> str:
    return f"http://127.0.0.1:{_server().server_address[1]}"


@contextmanager
def _serving(answer: Answer, path: Path, **environment: str) -> Iterator[None]:
    """Answer so; an error that names an address or the order names the sample, which is what was found there."""
    real, old = socket.getaddrinfo, {name: os.environ.get(name) for name in (*environment, "NO_PROXY")}

    def alone(host: str, *rest: object, **more: object) -> list:
        """Addresses of this machine alone."""
        if addresses.network_of(str(host)) != "loopback":
            raise socket.gaierror(socket.EAI_NONAME, "nobody else is asked")
        return real(host, *rest, **more)

    _server().answer, socket.getaddrinfo = answer, alone
    os.environ.update(environment, NO_PROXY="*")
    try:
        yield
    except DownloadError as error:
        if "://" not in str(error) and path.name not in str(error):
            raise
        raise type(error)(error.asked, where=f"{path.name}, {error.where}", found=error.found, todo=error.todo) from error
    finally:
        socket.getaddrinfo = real
        for name, value in old.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _files(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


# A table of links


def _archive(site: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"{site}.csv"), "x\n")
    return buffer.getvalue()


def _make_links(folder: Path) -> Path:
    rows = [
        {
            "site_id": site, "location_lat": "51.0", "location_long": "10.5", "igbp": "DBF", "first_year": "2010",
            "last_year": "2012", "download_link": f"{_url()}/{site}.zip?=fluxnetshuttle",
            "fluxnet_product_name": f"AMF_{site}_FLUXNET_2010-2012_v1.zip",
            "product_citation": f"A. Person (2025), {site}", "product_id": f"10.17190/AMF/{k}",
        }
        for k, site in enumerate(("DE-Aaa", "US-Bbb", "NO-Ccc"))
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "snapshot.csv", index=False)
    return folder / "snapshot.csv"


def _read_links(path: Path) -> object:
    with _serving(lambda asked: _archive(asked[1:7]) if asked.endswith(".zip") else None, path, **{addresses.LOCAL: "127.0.0.1"}):
        shuttle.fetch(shuttle.Options(snapshot=str(path), attempts=1), path.parent / "out", wait=0.01)
    return _files(path.parent / "out")


# The answer of NASA's search


def _make_search(folder: Path) -> Path:
    checksum = {"Algorithm": "SHA-256", "Value": hashlib.sha256(BODY).hexdigest()}
    part = {"Name": GRANULE, "SizeInBytes": len(BODY), "Checksum": checksum}
    links = [{"Type": "GET DATA", "URL": f"{_url()}/{GRANULE}"}, {"Type": "GET DATA", "URL": f"s3://x/{GRANULE}"}]
    umm = {"GranuleUR": GRANULE, "RelatedUrls": links, "DataGranule": {"ArchiveAndDistributionInformation": [part]}}
    (folder / "search.json").write_text(json.dumps({"hits": 1, "items": [{"umm": umm}]}), encoding="utf-8")
    return folder / "search.json"


def _read_search(path: Path) -> object:
    answer = path.read_bytes()
    with _serving(
        lambda asked: answer if "/search/" in asked else BODY if asked.endswith(".hdf") else None,
        path,
        EARTHDATA_TOKEN="a-token",
        TAMRL_CMR_URL=_url(),
    ):
        earthdata.fetch_granules("MOD13C1", 2011, path.parent / "out", collection="061", wait=0.01, gap=0)
    return _files(path.parent / "out")


# Orders at the Climate Data Store


def _make_orders(folder: Path) -> Path:
    store = folder / "store"
    store.mkdir()
    links = [{"rel": "monitor", "href": f"{_url()}/retrieve/v1/jobs/7"}, {"rel": "results", "href": f"{_url()}/results.json"}]
    asset = {"href": f"{_url()}/a.nc", "type": "application/netcdf", "file:size": len(BODY)}
    answers = {
        "process": {"id": "x", "links": [{"rel": "execute", "href": f"{_url()}/execution"}]},
        "submitted": {"jobID": "7", "status": "accepted", "links": links},
        "job": {"jobID": "7", "status": "successful", "links": links},
        "results": {"asset": {"value": asset | {"file:checksum": hashlib.md5(BODY).hexdigest()}}},
    }
    for name, content in answers.items():
        (store / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return store


def _read_orders(store: Path) -> object:
    names = {"/retrieve/v1/jobs/7": "job", "/results.json": "results"}

    def answer(asked: str) -> bytes | None:
        """The file of the store's answer, or the ordered file."""
        if asked == "/a.nc":
            return BODY
        name = names.get(asked) or (
            "submitted" if asked.endswith("/execution") else "process" if "/processes/" in asked else None
        )
        return name and (store / f"{name}.json").read_bytes()

    climate_store.PATIENCE = Patience(outage=0.1, order=1.0, pause=0.01, longest=0.05, look=0.05, attempts=2)
    out = store.parent / "out"
    out.mkdir()
    try:
        with _serving(answer, store, ECMWF_DATASTORES_URL=_url(), ECMWF_DATASTORES_KEY="a-key"):
            climate_store.fetch_orders(climate_store.era5_orders(variables.era5_entry("t2m"), 2011, 1), out)
    except TamrlError as error:
        raise type(error)(error.asked, where=f"{store.name}, {error.where}", found=error.found, todo=error.todo) from error
    return _files(out)


# An answer as it comes over the line


def _make_answer(folder: Path) -> Path:
    head = {
        "ETag": '"1"',
        "Last-Modified": "Fri, 27 Nov 2026 00:00:00 GMT",
        "Content-Type": "application/zip",
        "Content-Length": len(BODY),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    (folder / "answer.http").write_bytes(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + BODY)
    return folder / "answer.http"


def _read_answer(path: Path) -> object:
    answer, summed = path.read_bytes(), ("sha256", hashlib.sha256(BODY).hexdigest())
    with _serving(lambda asked: (answer,), path):
        client = download.Client(attempts=2, wait=0.01, timeout=(1.0, 1.0), limits=download.Limits(seconds=5))
        client.download(f"{_url()}/{path.name}", path.parent / "out" / "a.zip", size=len(BODY), checksum=summed)
    return _files(path.parent / "out")


TARGETS: list[Target] = [
    Target("table of links (shuttle)", _make_links, _read_links),
    Target("answer of a search (JSON)", _make_search, _read_search),
    Target("answers of orders (JSON)", _make_orders, _read_orders),
    Target("answer over HTTP", _make_answer, _read_answer, guarded=True),
]
