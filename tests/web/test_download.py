"""Files from a server that breaks off, is busy, lies and forgets."""

import errno
import hashlib
import http.client
import http.server
import os
import socket
import threading
import time

import pytest
import requests
import urllib3

from tamrl.errors import DownloadError, MachineError, OutageError
from tamrl.web.download import BUSY, Client
from tests.server import CONTENT, running


@pytest.fixture
def server():
    with running() as found:
        yield found


SUM = ("sha256", hashlib.sha256(CONTENT).hexdigest())


def download(server, target, *, checksum=SUM, **options):
    client = Client(**{"wait": 0.01, "attempts": 3} | options)
    client.download(f"{server.url}/file/a.nc", target, size=len(CONTENT), checksum=checksum)
    return target.read_bytes()


def test_fault_9_a_break_at_40_percent_is_resumed(server, tmp_path):
    server.faults["/file/a.nc"] = ["drop", "drop"]
    assert download(server, tmp_path / "a.nc") == CONTENT
    assert [headers.get("Range") for _, headers in server.seen] == [None, "bytes=120000-", "bytes=120000-"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


def test_fault_9_a_server_that_ignores_the_range_sends_all_again(server, tmp_path):
    server.ranges, server.faults["/file/a.nc"] = False, ["drop"]
    assert download(server, tmp_path / "a.nc") == CONTENT


def test_what_has_arrived_is_kept_for_the_next_run_under_a_hidden_name(server, tmp_path):
    server.faults["/file/a.nc"] = ["drop"]
    with pytest.raises(DownloadError, match="failed 1 times"):
        download(server, tmp_path / "a.nc", attempts=1)
    assert {p.name for p in tmp_path.iterdir()} == {".a.nc.part", ".a.nc.part.version"}
    assert download(server, tmp_path / "a.nc") == CONTENT
    assert server.seen[-1][1]["Range"] == "bytes=120000-" and not list(tmp_path.glob(".*"))


def test_a_part_longer_than_the_file_is_thrown_away(server, tmp_path):
    (tmp_path / ".a.nc.part").write_bytes(CONTENT + b"more")
    server.faults["/file/a.nc"] = ["416"]
    assert download(server, tmp_path / "a.nc") == CONTENT


def test_a_busy_server_is_asked_again_when_it_says(server, tmp_path, caplog):
    server.after, server.faults["/file/a.nc"] = "1", ["429", "503"]
    assert download(server, tmp_path / "a.nc") == CONTENT
    assert caplog.text.count("again in 1.0 s") == 2


def test_it_gives_up_after_a_bounded_number_of_times(server, tmp_path):
    server.faults["/file/a.nc"] = ["503"] * 9
    with pytest.raises(DownloadError, match="failed 3 times"):
        download(server, tmp_path / "a.nc")
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", ["401", "403"])
def test_an_expired_login_is_not_tried_again(server, tmp_path, status):
    server.faults["/file/a.nc"] = [status]
    with pytest.raises(DownloadError, match="refuses the login"):
        download(server, tmp_path / "a.nc")
    assert len(server.seen) == 1 and not list(tmp_path.iterdir())


def test_a_changed_file_never_gets_its_name(server, tmp_path):
    server.faults["/file/a.nc"] = ["other"]
    with pytest.raises(DownloadError, match="not what its publisher announces"):
        download(server, tmp_path / "a.nc")
    assert not list(tmp_path.iterdir())


def test_a_whole_file_is_not_fetched_again_and_a_damaged_one_is(server, tmp_path):
    download(server, tmp_path / "a.nc")
    download(server, tmp_path / "a.nc")
    assert len(server.seen) == 1
    (tmp_path / "a.nc").write_bytes(b"y" * len(CONTENT))
    assert download(server, tmp_path / "a.nc") == CONTENT


def test_requests_keep_their_distance(server, tmp_path):
    client = Client(gap=0.2)
    start = time.monotonic()
    for _ in range(3):
        client.get(f"{server.url}/file/a.nc", start=0, end=10)
    assert time.monotonic() - start >= 0.4


def test_a_range_that_begins_nowhere_is_asked_again(server, tmp_path):
    server.faults["/file/a.nc"] = ["416"]
    assert download(server, tmp_path / "a.nc") == CONTENT


# An outage, or a file that cannot be had


class Odd(http.server.BaseHTTPRequestHandler):
    """Redirections without end or to another scheme, a body without its length, and one in no encoding."""

    def do_GET(self):
        kind = self.path.split("/")[1]
        self.send_response(302 if kind in ("loop", "scheme") else 200)
        if kind in ("loop", "scheme"):
            self.send_header("Location", self.path if kind == "loop" else "file:///etc/passwd")
        if kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        part = self.server.cut.pop() if self.server.cut else len(CONTENT)
        self.wfile.write(CONTENT[:part] if kind in ("open", "gzip") else b"")

    def log_message(self, *args):
        pass


@pytest.fixture
def odd():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd) as found:
        found.cut = []
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


def fetch(url, target, **options):
    given = {"wait": 0.01, "attempts": 2, "timeout": (0.5, 0.5)} | options
    Client(**given).download(url, target, size=len(CONTENT), checksum=SUM)


@pytest.mark.parametrize("fault", [*map(str, BUSY), "drop"])
def test_a_server_that_fails_for_now_is_an_outage(server, tmp_path, fault):
    server.ranges, server.faults["/file/a.nc"] = False, [fault] * 2
    with pytest.raises(OutageError, match="failed 2 times"):
        fetch(f"{server.url}/file/a.nc", tmp_path / "a.nc")
    fetch(f"{server.url}/file/a.nc", tmp_path / "a.nc")
    assert (tmp_path / "a.nc").read_bytes() == CONTENT


def test_no_server_no_host_and_no_answer_are_outages(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for address in ("127.0.0.1:1", "no-such-host.invalid", f"127.0.0.1:{silent.getsockname()[1]}"):
            with pytest.raises(OutageError, match=address):
                fetch(f"http://{address}/a.nc", tmp_path / "a.nc")


@pytest.mark.parametrize("status", ["400", "401", "403", "404", "410"])
def test_a_file_that_cannot_be_had_is_no_outage(server, tmp_path, status):
    server.faults["/file/a.nc"] = [status]
    with pytest.raises(DownloadError, match=status) as caught:
        fetch(f"{server.url}/file/a.nc", tmp_path / "a.nc")
    assert not isinstance(caught.value, OutageError) and len(server.seen) == 1


@pytest.mark.parametrize("path", ["loop/a.nc", "scheme/a.nc", "gzip/a.nc"])
def test_answers_that_lead_nowhere_are_named_with_their_link(odd, tmp_path, path):
    url = f"http://127.0.0.1:{odd.server_address[1]}/{path}"
    with pytest.raises(DownloadError, match=url) as caught:
        fetch(url, tmp_path / "a.nc")
    assert not isinstance(caught.value, OutageError)


@pytest.mark.parametrize(
    "url", ["http://[::1/x", "http:///x", "http://a..b/x", "ftp://a/x", "http://127.0.0.1:99999/x", "a.nc", "", "http://\udc80/x"]
)
@pytest.mark.parametrize("ask", [fetch, lambda url, target: Client(attempts=1).get(url)])
def test_addresses_that_are_none_are_named(tmp_path, url, ask):
    with pytest.raises(DownloadError) as caught:
        ask(url, tmp_path / "a.nc")
    assert not isinstance(caught.value, OutageError) and caught.value.where == url


def kinds(base):
    return [base, *(k for child in base.__subclasses__() for k in kinds(child))]


FOREIGN = (urllib3.exceptions.LocationParseError, http.client.HTTPException, ValueError, UnicodeError, KeyError)


@pytest.mark.parametrize("kind", [*sorted(set(kinds(requests.RequestException)), key=repr), *FOREIGN])
def test_every_exception_of_the_library_is_named(tmp_path, monkeypatch, kind):
    error = kind("x", "", 0) if kind is requests.JSONDecodeError else kind("x")
    monkeypatch.setattr(Client, "_ask", lambda *args: (_ for _ in ()).throw(error))
    with pytest.raises(DownloadError) as caught:
        fetch("http://a/a.nc", tmp_path / "a.nc")
    gone = issubclass(kind, (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError))
    assert isinstance(caught.value, OutageError) == gone and caught.value.where == "http://a/a.nc"


def test_a_body_of_unknown_length_that_ends_early_is_an_outage_and_gone_on_with(odd, tmp_path):
    url, odd.cut = f"http://127.0.0.1:{odd.server_address[1]}/open/a.nc", [70_000, 70_000]
    with pytest.raises(OutageError, match="of 300000 bytes"):
        fetch(url, tmp_path / "a.nc")
    fetch(url, tmp_path / "a.nc")
    assert (tmp_path / "a.nc").read_bytes() == CONTENT


def test_a_part_of_an_older_file_is_thrown_away(server, tmp_path):
    (tmp_path / ".a.nc.part").write_bytes(b"y" * 70_000)
    fetch(f"{server.url}/file/a.nc", tmp_path / "a.nc")
    assert (tmp_path / "a.nc").read_bytes() == CONTENT


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EACCES, errno.EROFS])
def test_what_the_machine_refuses_is_no_fault_of_the_file(server, tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(number, os.strerror(number))))
    with pytest.raises(MachineError, match=os.strerror(number)):
        fetch(f"{server.url}/file/a.nc", tmp_path / "a.nc")


def test_too_many_open_files_is_no_outage(tmp_path, monkeypatch):
    def ask(*args):
        try:
            raise OSError(errno.EMFILE, "Too many open files")
        except OSError as error:
            raise requests.ConnectionError("no connection") from error

    monkeypatch.setattr(Client, "_ask", ask)
    with pytest.raises(MachineError, match="EMFILE"):
        fetch("http://a/a.nc", tmp_path / "a.nc")
