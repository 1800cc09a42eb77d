"""The shuttle: a server on this machine gives archives in the real format, by links of the real snapshot's kind."""

import base64
import hashlib
import http.server
import io
import os
import threading
import zipfile

import pandas as pd
import pytest

from tamrl.errors import ConfigError, DownloadError, InputError
from tamrl.towers import gather, snapshot, stage
from tamrl.towers.networks import shuttle
from tests.server import send_range

SITES = {"DE-Aaa": ("ICOS", "DBF"), "DE-Bbb": ("TERN", "GRA"), "US-Ccc": ("AMF", "CRO"), "NO-Ddd": ("EUF", "ENF")}


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` by path, links with queries and a redirection as the hubs have them; `faults` break single requests."""

    def __init__(self):
        self.content: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = {}
        self.seen: list[tuple[str, str | None]] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name, _, query = self.path.lstrip("/").partition("?")
        if name == "licence_accept":  # as at ICOS: accepting the licence leads to the object
            self.send_response(303)
            self.send_header("Location", "/" + query.removeprefix("ids="))
            self.end_headers()
            return
        self.server.seen.append((name, self.headers.get("Range")))
        faults = self.server.faults.get(name, [])
        fault = faults.pop(0) if faults else None
        if fault and fault.isdigit():
            self.send_error(int(fault))
            return
        body = b"<html>sign in</html>" if fault == "page" else self.server.content[name]
        send_range(self, body, fault)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def _archive(sample, hub, site):
    name, years = f"{hub}_{site}_FLUXNET", "2010-2011_v1.3_r1"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}_FLUXMET_DD_{years}.csv", sample.rows().to_csv(index=False))
        bif = sample.bif("DE-Aaa", separator=",").replace(b"DE-Aaa", site.encode())
        archive.writestr("map.png", os.urandom(300_000))  # longer than a block of a transfer
        archive.writestr(f"{name}_BIF_{years}.csv", bif if site != "DE-Bbb" else b"")  # one without metadata
    return f"{name}_{years}.zip", buffer.getvalue()


@pytest.fixture
def listed(server, sample, tmp_path):
    """A snapshot of four towers, ready to be fetched."""
    rows = []
    for k, (site, (hub, igbp)) in enumerate(SITES.items()):
        name, content = _archive(sample, hub, site)
        server.content[name] = content
        icos = base64.urlsafe_b64encode(hashlib.sha256(content).digest()[:18]).decode()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        rows.append(
            {
                "data_hub": hub, "site_id": site, "site_name": f"Tower & {k}", "location_lat": "51.0", "location_long": "10.5",
                "igbp": igbp, "network": hub, "first_year": str(2000 + k), "last_year": str(2005 + k),
                "download_link": f"{base}/licence_accept?ids={name}" if hub == "ICOS" else f"{base}/{name}?=fluxnetshuttle",
                "fluxnet_product_name": name, "product_citation": f"A. Person_{k} & B. (2025), {site}, https://doi.org/10.1/{k}",
                "product_id": icos if hub == "ICOS" else f"10.17190/AMF/{k}", "oneflux_code_version": "v1.3",
                "product_source_network": hub,
            }
        )  # fmt: skip
    path = tmp_path / "fluxnet_shuttle_snapshot_20260624T095651.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def _fetch(listed, folder, **options):
    shuttle._chosen.cache_clear()
    shuttle.fetch(shuttle.Options(snapshot=str(listed), **{"attempts": 3} | options), folder, wait=0.01)
    return sorted(p.name for p in folder.glob("*.zip"))


def _gather(folder, **how):
    return gather.read(shuttle, [folder], shuttle.Options(snapshot="x"), gather.Wanted("day", **how))


def test_from_snapshot_to_towers(listed, tmp_path):
    assert len(_fetch(listed, tmp_path / "shuttle")) == 4
    table, places, aside = _gather(tmp_path / "shuttle")
    assert aside.empty and places["site"].tolist() == sorted(SITES) and len(table) == 1600
    assert set(places["network"]) == {"shuttle"} and places["doi"].iloc[-1] == "10.17190/AMF/2"
    assert places.set_index("site").loc["DE-Bbb", ["lat", "lon", "igbp"]].tolist() == [51.0, 10.5, "GRA"]  # from the snapshot


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"countries": ("DE",)}, ["DE-Aaa", "DE-Bbb"]),
        ({"countries": ("NO",)}, ["NO-Ddd"]),
        ({"classes": ("CRO", "GRA")}, ["DE-Bbb", "US-Ccc"]),
        ({"sites": ("US-Ccc",)}, ["US-Ccc"]),
        ({"years": (1990, 2001)}, ["DE-Aaa", "DE-Bbb"]),
        ({"countries": ("DE",), "years": (2006, 2030)}, ["DE-Bbb"]),
    ],
)
def test_towers_are_chosen(listed, options, kept):
    frame = snapshot.choose(snapshot.read(listed), **options, where="x")
    assert frame["site_id"].tolist() == kept


def test_a_wrong_choice_says_so(listed):
    frame = snapshot.read(listed)
    with pytest.raises(ConfigError, match="did you mean DE-Aaa"):
        snapshot.choose(frame, sites=("DE-Aab",), where="x")
    with pytest.raises(ConfigError, match="no tower of the snapshot is wanted"):
        snapshot.choose(frame, countries=("ZZ",), where="x")


def test_the_real_snapshot_by_country_class_and_year(shared_data):
    (path,) = (shared_data / "archives" / "metadata").glob("fluxnet_shuttle_snapshot_*.csv")
    frame = snapshot.read(path)
    assert len(frame) == 767 and len(snapshot.choose(frame, where=path)) == 767
    forests = snapshot.choose(frame, countries=("DE", "FR"), classes=("ENF", "DBF", "MF"), years=(2010, 2020), where=path)
    assert 10 < len(forests) < 40 and set(forests["site_id"].str[:2]) == {"DE", "FR"}


def test_only_what_is_new_is_fetched(listed, server, tmp_path):
    _fetch(listed, tmp_path / "shuttle", countries=("DE",))
    assert len(server.seen) == 2
    assert len(_fetch(listed, tmp_path / "shuttle")) == 4
    assert len(server.seen) == 4
    _fetch(listed, tmp_path / "shuttle", sites=("US-Ccc",))
    assert len(server.seen) == 4 and len(list((tmp_path / "shuttle").glob("*.zip"))) == 1


def test_a_dropped_transfer_goes_on(listed, server, tmp_path):
    name = next(n for n in server.content if "DE-Bbb" in n)
    server.faults[name] = ["drop", "503"]
    assert len(_fetch(listed, tmp_path / "shuttle", sites=("DE-Bbb",))) == 1
    first, *again = [r for _, r in server.seen]
    assert first is None and len(again) == 2 and again[0] == again[1]
    assert 0 < int(again[0].removeprefix("bytes=").rstrip("-")) <= 0.4 * len(server.content[name])
    assert (tmp_path / "shuttle" / name).read_bytes() == server.content[name]


@pytest.mark.parametrize(
    ("site", "fault", "reason"),
    [("DE-Bbb", "page", "no whole zip"), ("DE-Aaa", "page", "checksum"), ("US-Ccc", "404", "404")],
)
def test_what_cannot_be_had_is_set_aside(listed, server, tmp_path, site, fault, reason):
    name = next(n for n in server.content if site in n)
    server.faults[name] = [fault] * 9
    assert len(_fetch(listed, tmp_path / "shuttle")) == 3
    _, places, aside = _gather(tmp_path / "shuttle", strict=False)
    assert len(places) == 3 and aside["site"].tolist() == [site]
    assert "could not be downloaded" in aside["reason"][0] and reason in aside["reason"][0]
    assert not list(tmp_path.rglob("*.part"))
    server.faults.clear()
    assert len(_fetch(listed, tmp_path / "shuttle")) == 4  # the next run has it


def test_a_damaged_store_is_mended(listed, tmp_path):
    _fetch(listed, tmp_path / "shuttle", sites=("US-Ccc",))
    (kept,) = (tmp_path / ".shuttle.store").glob("*.zip")
    content = kept.read_bytes()
    kept.unlink()
    kept.write_bytes(content[: len(content) // 2])
    _fetch(listed, tmp_path / "shuttle", sites=("US-Ccc",))
    assert kept.read_bytes() == content


def test_nothing_at_all_is_an_error(listed, server, tmp_path):
    server.faults = {name: ["404"] for name in server.content}
    with pytest.raises(DownloadError, match="no archive could be had"):
        _fetch(listed, tmp_path / "shuttle")
    assert not (tmp_path / "shuttle").exists()


@pytest.mark.parametrize(
    ("column", "value"),
    [("fluxnet_product_name", "../../evil.zip"), ("fluxnet_product_name", "/etc/x.zip"), ("download_link", "file:///etc/passwd")],
)
def test_harmful_rows_are_refused(listed, column, value):
    frame = pd.read_csv(listed, dtype=str)
    frame.loc[1, column] = value
    frame.to_csv(listed, index=False)
    with pytest.raises(InputError, match="cannot be used"):
        snapshot.read(listed)


def test_a_new_snapshot_by_the_command(listed, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ConfigError, match="not installed"):
        snapshot.refresh(tmp_path / "snapshots")
    program = tmp_path / "bin" / snapshot.COMMAND
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n[ "$1" = listall ] && [ "$2" = -o ] && /bin/cp {listed} "$3"/\n')
    program.chmod(0o755)
    assert snapshot.refresh(tmp_path / "snapshots").read_bytes() == listed.read_bytes()
    program.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    for file in (tmp_path / "snapshots").iterdir():
        file.unlink()
    with pytest.raises(DownloadError, match="no network"):
        snapshot.refresh(tmp_path / "snapshots")


def test_without_a_snapshot_the_configuration_says_what_to_do():
    with pytest.raises(ConfigError, match=r"towers\.shuttle\.snapshot"):
        shuttle.inputs(shuttle.Options())


def test_the_stage_downloads_with_options(listed, tmp_path):
    options = {"snapshot": str(listed), "sites": ["DE-Bbb"]}
    stage.download_towers(sources="none", folder=str(tmp_path / "shuttle"), network="shuttle", options=options)
    assert len(list((tmp_path / "shuttle").glob("*.zip"))) == 1
