"""Downloads from a server on this machine that breaks off, lies, forgets and fails."""

import errno
import hashlib
import http.server
import os
import threading

import pandas as pd
import pytest

from tamrl.errors import ConfigError, DownloadError, InputError, MachineError, OutageError
from tamrl.towers import public_files, stage
from tests.server import send_range

CONTENT = {f"base/{k}.csv": os.urandom(200_000 + k) for k in range(5)}


class Server(http.server.ThreadingHTTPServer):
    """Serves `CONTENT`; `faults` maps a path to what to do with its next requests, `seen` holds the requests."""

    def __init__(self):
        self.faults: dict[str, list[str]] = {}
        self.seen: list[tuple[str, str | None]] = []
        self.ranges = True
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.lstrip("/")
        wanted = self.headers.get("Range")
        self.server.seen.append((name, wanted))
        todo = self.server.faults.get(name, [])
        fault = todo.pop(0) if todo else None
        if fault and fault.isdigit():
            self.send_error(int(fault))
            return
        body = CONTENT[name] if fault != "other" else b"x" * len(CONTENT[name])
        send_range(self, body, fault, ranges=self.server.ranges)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()


def _rows(server, names=tuple(CONTENT)):
    sums = [hashlib.sha256(CONTENT[n]).hexdigest() for n in names]
    return pd.DataFrame({"dataset": "d", "file": names, "url": [server.url(n) for n in names], "sha256": sums})


def _fetch(server, folder, **options):
    public_files.fetch_public_files(_rows(server), folder, **{"wait": 0.01, "attempts": 3} | options)


def _content(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_all_files_arrive(server, tmp_path):
    _fetch(server, tmp_path / "d")
    assert _content(tmp_path / "d") == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_a_transfer_dropped_at_40_percent_goes_on_where_it_broke(server, tmp_path):
    server.faults = {"base/1.csv": ["drop"]}
    _fetch(server, tmp_path / "d")
    assert _content(tmp_path / "d") == CONTENT
    first, second = (wanted for name, wanted in server.seen if name == "base/1.csv")
    assert first is None and 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= 80_000


def test_a_server_that_ignores_ranges_sends_the_file_anew(server, tmp_path):
    server.faults, server.ranges = {"base/1.csv": ["drop"]}, False
    _fetch(server, tmp_path / "d")
    assert _content(tmp_path / "d") == CONTENT


@pytest.mark.parametrize("fault", ["503", "429", "416"])
def test_passing_errors_of_the_server_are_tried_again(server, tmp_path, fault):
    server.faults = {"base/2.csv": [fault, fault]}
    _fetch(server, tmp_path / "d")
    assert _content(tmp_path / "d") == CONTENT


@pytest.mark.parametrize(("fault", "requests"), [("drop", 3), ("500", 3), ("404", 1), ("403", 1)])
def test_lasting_errors_leave_nothing_under_the_final_name(server, tmp_path, fault, requests):
    server.ranges = False
    server.faults = {"base/3.csv": [fault] * 9}
    with pytest.raises(DownloadError, match=r"base/3\.csv"):
        _fetch(server, tmp_path / "d")
    assert not (tmp_path / "d").exists()
    assert [n for n, _ in server.seen].count("base/3.csv") == requests
    kept = {n: c for n, c in _content(tmp_path / ".d.part").items() if "/." not in n}
    assert kept.items() <= CONTENT.items()  # only whole files have their names


def test_whole_files_are_not_fetched_again(server, tmp_path):
    server.faults = {"base/4.csv": ["404"]}
    with pytest.raises(DownloadError):
        _fetch(server, tmp_path / "d")
    done = {n for n in _content(tmp_path / ".d.part") if "/." not in n}
    server.seen.clear()
    _fetch(server, tmp_path / "d")
    assert done and not done & {n for n, _ in server.seen}
    assert _content(tmp_path / "d") == CONTENT
    server.seen.clear()
    _fetch(server, tmp_path / "d")
    assert server.seen == []


def test_a_damaged_file_alone_is_fetched_again(server, tmp_path):
    _fetch(server, tmp_path / "d")
    (tmp_path / "d" / "base" / "0.csv").write_bytes(b"cut")
    server.seen.clear()
    _fetch(server, tmp_path / "d")
    assert [n for n, _ in server.seen] == ["base/0.csv"] and _content(tmp_path / "d") == CONTENT


def test_bytes_that_are_not_those_of_the_checksum_are_refused(server, tmp_path):
    server.faults = {"base/0.csv": ["other"] * 9}
    with pytest.raises(DownloadError, match=r"0\.csv is not what its publisher announces"):
        _fetch(server, tmp_path / "d")
    assert not (tmp_path / "d").exists() and "base/0.csv" not in _content(tmp_path / ".d.part")


def test_no_server_is_an_error_that_says_so(tmp_path, server):
    rows = _rows(server).assign(url="http://127.0.0.1:1/x")
    with pytest.raises(DownloadError, match=r"failed 2 times[\s\S]*127\.0\.0\.1:1"):
        public_files.fetch_public_files(rows, tmp_path / "d", attempts=2, wait=0.01)


@pytest.mark.parametrize("fault", ["503", "drop"])
def test_an_outage_says_how_many_files_are_here_and_the_next_call_asks_for_the_rest(server, tmp_path, fault, monkeypatch):
    monkeypatch.setattr(public_files, "AT_ONCE", 1)
    server.faults, server.ranges = {"base/3.csv": [fault] * 3}, False
    with pytest.raises(OutageError, match=r"base/3\.csv(.|\n)*[34] of 5 files are here"):
        _fetch(server, tmp_path / "d")
    server.seen.clear()
    _fetch(server, tmp_path / "d")
    asked = {n for n, _ in server.seen}
    assert {"base/3.csv"} <= asked <= {"base/3.csv", "base/4.csv"} and _content(tmp_path / "d") == CONTENT


@pytest.mark.parametrize(("module", "call"), [(public_files.temporary, "move_into_place"), (public_files.shutil, "copy2")])
def test_a_folder_that_cannot_be_written_is_no_fault_of_a_file(server, tmp_path, monkeypatch, module, call):
    _fetch(server, tmp_path / "d")
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(module, call, lambda *args: (_ for _ in ()).throw(full))
    with pytest.raises(MachineError, match="ENOSPC"):
        _fetch(server, tmp_path / "d")


HEAD = "dataset\tfile\turl\tsha256\n"
SUM = "0" * 64


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"<html>\n", b"\xff\xfed\0", b'dataset\tfile\turl\tsha256\nd\t"x\n', b"a\tb\n1\t2\t3\n4\n"]
)
def test_a_table_of_sources_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "sources.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"sources\.tsv"):
        public_files.read_sources(path, "d")


@pytest.mark.parametrize(
    "row",
    [
        "d",
        "d\tx\thttps://a/x",
        f"d\tx\thttps://a/x\t{SUM}\tmore\td",
        f"d\t../x\thttps://a/x\t{SUM}",
        f"d\t{'x' * 250}\thttps://a/x\t{SUM}",
        f"d\tx\x01y\thttps://a/x\t{SUM}",
        f"d\t/etc/x\thttps://a/x\t{SUM}",
        f"d\t\thttps://a/x\t{SUM}",
        f"d\tx\tfile:///etc/passwd\t{SUM}",
        "d\tx\thttps://a/x\t",
        f"d\tx\thttps://a/x\t{SUM}\nd\tx\thttps://b/x\t{SUM}",
        f"e\tx\thttps://a/x\t{SUM}",
    ],
)
def test_rows_of_the_table_of_sources_that_cannot_be_used(tmp_path, row):
    path = tmp_path / "sources.tsv"
    path.write_text(HEAD + row + "\n")
    with pytest.raises(InputError, match=r"sources\.tsv"):
        public_files.read_sources(path, "d")


def test_the_table_of_sources_holds_the_public_files_and_their_true_checksums(root, shared_data):
    rows = public_files.read_sources(root / "tamrl/data/sources.tsv", "metaflux")
    listed = [line.split() for line in (shared_data / "towers" / "metaflux_sha256.txt").read_text().splitlines()]
    assert len(rows) == 206
    assert rows["sha256"].tolist() == [line[0] for line in listed if line[0] != "#"]
    assert all(
        u.endswith(f"/088f93b493f3b3cf2fdbcccc7dd9bc3dbcc95b24/metaflux/data/sample/{f}")
        for u, f in zip(rows["url"], rows["file"], strict=True)
    )
    for file in sorted((shared_data / "towers" / "metaflux").glob("*.csv"))[::15]:
        row = rows[rows["file"].str.endswith(f"/{file.name}")]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == row["sha256"].item()


def test_the_stage_downloads_and_the_network_reads(server, tmp_path, sample, monkeypatch):
    sample.metaflux("month")
    for path in sample.folder.rglob("*.csv"):
        monkeypatch.setitem(CONTENT, f"base/{path.name}", path.read_bytes())
    rows = _rows(server, [n for n in CONTENT if n.endswith("_MM.csv")]).assign(dataset="metaflux")
    rows.to_csv(tmp_path / "sources.tsv", sep="\t", index=False)
    stage.download_towers(sources=str(tmp_path / "sources.tsv"), folder=str(tmp_path / "metaflux"), network="metaflux")
    assert sorted(p.name for p in (tmp_path / "metaflux").rglob("*.csv")) == ["DE-Aaa_MM.csv", "NA-Bbb_MM.csv"]
    with pytest.raises(ConfigError, match=r"towers\.fluxnet2015\.path"):
        stage.download_towers(sources=str(tmp_path / "sources.tsv"), folder=str(tmp_path / "f"), network="fluxnet2015")
