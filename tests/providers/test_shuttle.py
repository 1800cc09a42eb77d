"""Lists of the FLUXNET shuttle that lack a hub, and hubs that answer with pages, against doubles of both."""

import hashlib
import http.server
import json
import shutil
import threading

import pandas as pd
import pytest

from tamrl.errors import ConfigError, DownloadError, InputError, OutageError
from tamrl.towers.networks import shuttle
from tamrl.towers.reader import download_report, snapshot
from tamrl.towers.reader import shuttle as reader
from tests.towers.conftest import sample  # noqa: F401
from tests.towers.test_shuttle import _fetch, _gather, listed, server  # noqa: F401

TOWERS = {"AmeriFlux": 40, "ICOS": 40, "TERN": 20}


def rows(**hubs):
    """A list of so many towers of each hub."""
    each = [(hub, f"{hub[:2].upper()}-{k:03d}") for hub, count in hubs.items() for k in range(count)]
    more = {"location_lat": "51", "location_long": "10", "igbp": "GRA", "first_year": "2001", "last_year": "2010"}
    return pd.DataFrame(
        {
            "data_hub": hub, "site_id": site, "download_link": f"https://example.org/{site}.zip", "product_id": site,
            "fluxnet_product_name": f"{hub}_{site}_FLUXNET.zip", "product_citation": site, **more,
        }
        for hub, site in each
    )  # fmt: skip


@pytest.fixture
def command(tmp_path, monkeypatch):
    """The command `fluxnet-shuttle` of a day: writes a list of the towers that it is given."""
    program = tmp_path / "bin" / snapshot.COMMAND
    program.parent.mkdir()
    monkeypatch.setenv("PATH", str(program.parent))
    days = iter(range(20260101, 20260130))

    def lists(frame):
        name = f"fluxnet_shuttle_snapshot_{next(days)}T000000.csv"
        frame.to_csv(tmp_path / name, index=False)
        program.write_text(f'#!/bin/sh\n/bin/cp "{tmp_path / name}" "$3"/\n')
        program.chmod(0o755)
        return tmp_path / "snapshots" / name

    return lists


def refresh(tmp_path, reference=None):
    return snapshot.refresh_snapshot(tmp_path / "snapshots", reference)


def test_a_list_that_grows_or_loses_a_few_towers_is_taken(command, tmp_path, caplog):
    caplog.set_level("INFO")
    for towers in (TOWERS, TOWERS | {"ICOS": 60, "JPF": 3}, TOWERS | {"ICOS": 58, "AmeriFlux": 38, "JPF": 3}):
        path = command(rows(**towers))
        assert refresh(tmp_path) == path
    assert "38 towers of AmeriFlux, 58 towers of ICOS, 20 towers of TERN" in caplog.text


@pytest.mark.parametrize(
    ("towers", "found"),
    [
        ({"AmeriFlux": 0}, "AmeriFlux: none of 40 towers"),
        ({"ICOS": 37}, "ICOS: 37 of 40 towers"),
        ({"AmeriFlux": 10, "TERN": 0}, "AmeriFlux: 10 of 40 towers; TERN: none of 20 towers"),
    ],
)
def test_a_list_that_lost_a_hub_or_many_of_its_towers_is_refused(command, tmp_path, towers, found):
    first = command(rows(**TOWERS))
    refresh(tmp_path)
    lost = command(rows(**TOWERS | towers))
    for _ in range(2):  # the second is compared with the first, too, not with the one that was refused
        with pytest.raises(OutageError) as caught:
            refresh(tmp_path)
        assert caught.value.found == found and str(first) in str(caught.value)
    assert not lost.exists() and lost.with_name(f"refused_{lost.name}").is_file()
    whole = command(rows(**TOWERS))
    assert refresh(tmp_path) == whole


def test_a_first_list_without_a_hub_that_every_list_has_is_refused(command, tmp_path):
    command(rows(ICOS=40, TERN=20))
    with pytest.raises(OutageError, match="AmeriFlux: none of its towers"):
        refresh(tmp_path)


def test_a_first_list_is_compared_with_the_snapshot_that_is_configured(command, tmp_path):
    rows(**TOWERS, SAEON=2).to_csv(tmp_path / "mine.csv", index=False)
    command(rows(**TOWERS))
    with pytest.raises(OutageError, match="SAEON: none of 2 towers"):
        refresh(tmp_path, tmp_path / "mine.csv")


def test_a_list_that_cannot_be_read_is_put_aside(command, tmp_path):
    first = command(rows(**TOWERS))
    refresh(tmp_path)
    command(pd.DataFrame({"a": [1]}))
    with pytest.raises(InputError, match="lacks site_id"):
        refresh(tmp_path)
    assert list((tmp_path / "snapshots").glob(snapshot.LISTS)) == [first]


def test_a_command_that_writes_nothing_is_no_new_list(command, tmp_path):
    command(rows(**TOWERS))
    refresh(tmp_path)
    (tmp_path / "bin" / snapshot.COMMAND).write_text("#!/bin/sh\necho AmeriFlux timed out >&2\n")
    with pytest.raises(DownloadError, match="timed out"):
        refresh(tmp_path)


# A pinned snapshot


def test_a_pinned_snapshot_is_read_and_another_under_its_name_is_not(listed, tmp_path, caplog):  # noqa: F811
    caplog.set_level("INFO")
    digest = hashlib.sha256(listed.read_bytes()).hexdigest()
    assert len(_fetch(listed, tmp_path / "shuttle", sha256=digest.upper())) == 4 and digest in caplog.text
    shutil.rmtree(tmp_path / "shuttle")
    listed.write_bytes(listed.read_bytes() + b"\n")
    with pytest.raises(ConfigError, match=r"not the one of towers\.shuttle\.sha256"):
        _fetch(listed, tmp_path / "shuttle", sha256=digest)
    with pytest.raises(ConfigError, match="pinned and made anew"):
        shuttle.inputs(shuttle.Options(snapshot="x", refresh=True, sha256=digest))


# Hubs that answer, but with no archive


@pytest.mark.parametrize("fault", ["page", "403"])
def test_a_hub_that_gives_pages_is_out_and_no_archive_is_bad(listed, server, tmp_path, fault):  # noqa: F811
    server.faults = {name: [fault] * 9 for name in server.content}
    with pytest.raises(OutageError, match="4 archives are still wanted"):
        _fetch(listed, tmp_path / "shuttle")
    assert not (tmp_path / "shuttle").exists()
    server.faults = {}
    assert len(_fetch(listed, tmp_path / "shuttle")) == 4


@pytest.mark.parametrize("fault", ["page", "403"])
def test_an_archive_that_is_denied_twice_arrives_at_last(listed, server, tmp_path, fault):  # noqa: F811
    server.faults = {name: [fault] * (reader.TRIES - 1) for name in server.content}
    assert len(_fetch(listed, tmp_path / "shuttle")) == 4
    assert _gather(tmp_path / "shuttle")[2].empty


@pytest.mark.parametrize("fault", ["page", "403"])
def test_an_archive_that_is_denied_for_a_while_is_no_bad_one(listed, server, tmp_path, fault):  # noqa: F811
    name = next(n for n in server.content if "US-Ccc" in n)
    server.faults[name] = [fault] * (reader.TRIES * reader.ROUNDS - 1)
    assert len(_fetch(listed, tmp_path / "shuttle")) == 4
    assert _gather(tmp_path / "shuttle")[2].empty


def test_an_archive_that_stays_denied_where_others_arrive_is_set_aside(listed, server, tmp_path):  # noqa: F811
    name = next(n for n in server.content if "US-Ccc" in n)
    server.faults[name] = ["403"] * 9
    assert len(_fetch(listed, tmp_path / "shuttle")) == 3
    assert [n for n, _ in server.seen].count(name) == reader.TRIES * reader.ROUNDS
    assert _gather(tmp_path / "shuttle", strict=False)[2]["site"].tolist() == ["US-Ccc"]


def test_archives_that_stay_denied_when_all_others_are_here_are_set_aside(listed, server, tmp_path, caplog):  # noqa: F811
    """The call after the one that was stopped asks for the denied ones alone: their server is not out for that."""
    denied = [name for name in server.content if "DE-Aaa" not in name]
    _fetch(listed, tmp_path / "shuttle", sites=["DE-Aaa"])
    shutil.rmtree(tmp_path / "shuttle")
    server.faults = {name: ["403"] * reader.TRIES * reader.ROUNDS for name in denied}
    assert len(_fetch(listed, tmp_path / "shuttle")) == 1
    last = [record.message for record in caplog.records if record.levelname == "WARNING"][-1]
    assert "3 of 4 archives are set aside" in last and all(name in last for name in denied) and "403" in last
    aside = _gather(tmp_path / "shuttle", strict=False)[2]
    assert sorted(aside["file"]) == sorted(denied) and aside["reason"].str.contains("403").all()
    with pytest.raises(InputError, match=r"could not be downloaded(.|\n)*403(.|\n)*strict: false"):
        _gather(tmp_path / "shuttle")


@pytest.mark.parametrize("fault", ["403", "page"])
def test_a_server_that_denies_what_it_gave_before_is_out(listed, server, tmp_path, fault):  # noqa: F811
    _fetch(listed, tmp_path / "shuttle", sites=["DE-Aaa"])
    shutil.rmtree(tmp_path / "shuttle")
    server.faults = {name: [fault] * 99 for name in server.content}
    with pytest.raises(OutageError, match="3 archives are still wanted"):
        _fetch(listed, tmp_path / "shuttle")
    server.faults = {}
    assert len(_fetch(listed, tmp_path / "shuttle")) == 4


# AmeriFlux counts downloads


class Counter(http.server.ThreadingHTTPServer):
    """The hub's log of downloads; `out` requests to come find it out."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), CounterHandler)
        self.reports, self.out = [], 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}/api/v2/log_shuttle_data_request"


class CounterHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.out -= 1
        self.send_response(503 if self.server.out >= 0 else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
        if self.server.out < 0:
            self.server.reports.append((self.path, report))

    def log_message(self, *args):
        pass


@pytest.fixture
def counter(listed, monkeypatch):  # noqa: F811
    frame = pd.read_csv(listed, dtype=str)
    frame["data_hub"] = frame["data_hub"].replace("AMF", "AmeriFlux")
    frame.to_csv(listed, index=False)
    for variable in (download_report.CONSENT, download_report.NAME, download_report.EMAIL, download_report.USE):
        monkeypatch.delenv(variable, raising=False)
    with Counter() as running:
        monkeypatch.setenv(download_report.ADDRESS, running.url)
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def consent(monkeypatch):
    monkeypatch.setenv(download_report.CONSENT, "yes")
    monkeypatch.setenv(download_report.NAME, "A. Person")
    monkeypatch.setenv(download_report.EMAIL, "a@example.org")


@pytest.mark.parametrize("value", [None, "", "no"])
def test_nothing_is_reported_without_consent(listed, counter, tmp_path, monkeypatch, caplog, value):  # noqa: F811
    caplog.set_level("INFO")
    monkeypatch.setenv(download_report.NAME, "A. Person")
    monkeypatch.setenv(download_report.EMAIL, "a@example.org")
    if value is not None:
        monkeypatch.setenv(download_report.CONSENT, value)
    assert len(_fetch(listed, tmp_path / "shuttle")) == 4
    assert not counter.reports and "1 were not reported (TAMRL_REPORT_DOWNLOADS=yes" in caplog.text


def test_archives_of_ameriflux_are_reported_once_with_consent(listed, server, counter, tmp_path, monkeypatch):  # noqa: F811
    consent(monkeypatch)
    _fetch(listed, tmp_path / "shuttle")
    shutil.rmtree(tmp_path / "shuttle")
    _fetch(listed, tmp_path / "shuttle")
    name = next(n for n in server.content if "US-Ccc" in n)
    expected = {"user_id": "fluxnetshuttle", "zip_filenames": [name], "user_name": "A. Person", "user_email": "a@example.org"}
    assert counter.reports == [("/api/v2/log_shuttle_data_request", expected | {"intended_use": "model", "description": "tamrl"})]


def test_a_report_that_fails_stops_nothing_and_is_sent_next_time(listed, counter, tmp_path, monkeypatch):  # noqa: F811
    consent(monkeypatch)
    counter.out = download_report.TRIES
    assert len(_fetch(listed, tmp_path / "shuttle")) == 4 and not counter.reports
    shutil.rmtree(tmp_path / "shuttle")
    _fetch(listed, tmp_path / "shuttle")
    assert [len(report["zip_filenames"]) for _, report in counter.reports] == [1]
    assert not (tmp_path / ".shuttle.store" / download_report.PENDING).exists()


@pytest.mark.parametrize(("variable", "value"), [("EMAIL", ""), ("USE", "fun"), ("CONSENT", "perhaps")])
def test_consent_without_a_person_is_refused_before_anything(listed, server, counter, tmp_path, monkeypatch, variable, value):  # noqa: F811
    consent(monkeypatch)
    monkeypatch.setenv(getattr(download_report, variable), value)
    with pytest.raises(ConfigError, match=getattr(download_report, variable)):
        _fetch(listed, tmp_path / "shuttle")
    assert not server.seen and not counter.reports


def test_the_list_stays_with_the_archives(listed, tmp_path):  # noqa: F811
    _fetch(listed, tmp_path / "shuttle")
    assert (tmp_path / "shuttle" / reader.LIST).read_bytes() == listed.read_bytes()
