"""Files from a server that breaks off, is busy, lies and forgets."""

import hashlib
import time

import pytest

from tamrl import transfer
from tamrl.errors import DownloadError
from tests.server import CONTENT, running


@pytest.fixture
def server():
    with running() as found:
        yield found


SUM = ("sha256", hashlib.sha256(CONTENT).hexdigest())


def download(server, target, *, checksum=SUM, **options):
    client = transfer.Client(**{"wait": 0.01, "attempts": 3} | options)
    client.download(f"{server.url}/file/a.nc", target, size=len(CONTENT), checksum=checksum)
    return target.read_bytes()


def test_fault_9_a_break_at_40_percent_is_resumed(server, tmp_path):
    server.faults["/file/a.nc"] = ["drop", "drop"]
    assert download(server, tmp_path / "a.nc") == CONTENT
    assert [headers.get("Range") for _, headers in server.seen] == [None, "bytes=65536-", "bytes=65536-"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


def test_fault_9_a_server_that_ignores_the_range_sends_all_again(server, tmp_path):
    server.ranges, server.faults["/file/a.nc"] = False, ["drop"]
    assert download(server, tmp_path / "a.nc") == CONTENT


def test_what_has_arrived_is_kept_for_the_next_run_under_a_hidden_name(server, tmp_path):
    server.faults["/file/a.nc"] = ["drop"]
    with pytest.raises(DownloadError, match="failed 1 times"):
        download(server, tmp_path / "a.nc", attempts=1)
    assert [p.name for p in tmp_path.iterdir()] == [".a.nc.part"]
    assert download(server, tmp_path / "a.nc") == CONTENT
    assert server.seen[-1][1]["Range"] == "bytes=65536-"


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
    client = transfer.Client(gap=0.2)
    start = time.monotonic()
    for _ in range(3):
        client.get(f"{server.url}/file/a.nc", start=0, end=10)
    assert time.monotonic() - start >= 0.4


def test_a_range_that_begins_nowhere_is_asked_again(server, tmp_path):
    server.faults["/file/a.nc"] = ["416"]
    assert download(server, tmp_path / "a.nc") == CONTENT
