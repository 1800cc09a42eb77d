"""The gate for requests: whom they reach, what they carry, how long and how large an answer is."""

import contextlib
import gzip
import http.server
import logging
import re
import socket
import threading
import time

import pytest
import requests

from tamrl import config, log
from tamrl.errors import ConfigError, DownloadError, InputError, OutageError, TamrlError
from tamrl.web import download, session
from tamrl.web.addresses import LOCAL, holds_login, is_listed, network_of, redacted
from tamrl.web.session import Credential
from tests.server import CONTENT

SECRET = "s3cret"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        with contextlib.suppress(OSError):  # the client has gone
            self.server.play(self)

    def log_message(self, *args):
        pass


@pytest.fixture
def serve():
    """Start a server that answers each request by a function; gives the server with its `url` and what it has `seen`."""
    running = []

    def start(play, host="127.0.0.1"):
        server = http.server.ThreadingHTTPServer((host, 0), Handler)
        server.daemon_threads, server.seen, server.play = True, [], play
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def whole(handler, body=CONTENT, status=200, **headers):
    handler.send_response(status)
    for name, value in ({"Content_Length": len(body)} | headers).items():
        if value is not None:
            handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    handler.wfile.write(body)


def to(url, status=302):
    return lambda handler: whole(handler, b"", status, Location=url)


def client(**options):
    return download.Client(**{"wait": 0.01, "attempts": 2, "timeout": (1, 1)} | options)


def refused(action, kind=DownloadError):
    """The error that an action ends with; no outage unless that is asked for."""
    with pytest.raises(DownloadError) as caught:
        action()
    assert type(caught.value) in (kind, session.TooLongError)
    return str(caught.value)


# Resuming


OLD, NEW = b"A" * 300_000, b"B" * 300_000


def changing(old_version, new_version, *, obey=True, content_range=None):
    """A server that breaks off after 40 %, and has another file afterwards."""

    def play(handler):
        if len(handler.server.seen) == 1:
            handler.send_response(200)
            for name, value in old_version.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(OLD)))
            handler.end_headers()
            handler.wfile.write(OLD[:120_000])
            return
        same = handler.headers.get("If-Range") in new_version.values() or not obey
        if "Range" not in handler.headers or not same:
            whole(handler, NEW, **new_version)
            return
        start = int(handler.headers["Range"][6:-1])
        given = content_range or f"bytes {start}-{len(NEW) - 1}/{len(NEW)}"
        whole(handler, NEW[start:], 206, **new_version, Content_Range=given)

    return play


DATE, LATER = "Fri, 27 Nov 2026 00:00:00 GMT", "Sat, 28 Nov 2026 00:00:00 GMT"


@pytest.mark.parametrize("obey", [True, False])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"ETag": '"1"'}, {"ETag": '"2"'}),
        ({"ETag": '"1"'}, {"ETag": 'W/"1"'}),
        ({"ETag": '"1"'}, {}),
        ({"Last-Modified": DATE}, {"Last-Modified": LATER}),
        ({"ETag": 'W/"1"', "Last-Modified": DATE}, {"ETag": 'W/"1"', "Last-Modified": LATER}),
        ({"ETag": 'W/"1"'}, {"ETag": 'W/"1"'}),
        ({}, {}),
    ],
)
def test_a_file_that_changed_after_the_break_is_never_mixed(serve, tmp_path, old, new, obey):
    server = serve(changing(old, new, obey=obey))
    client(attempts=4).download(f"{server.url}/a.nc", tmp_path / "a.nc")
    assert (tmp_path / "a.nc").read_bytes() == NEW and [p.name for p in tmp_path.iterdir()] == ["a.nc"]


@pytest.mark.parametrize("version", [{"ETag": '"1"'}, {"Last-Modified": DATE}])
def test_a_part_is_gone_on_with_by_its_version_also_by_the_next_call(serve, tmp_path, version):
    server = serve(changing(version, version))
    refused(lambda: client(attempts=1).download(f"{server.url}/a.nc", tmp_path / "a.nc"), OutageError)
    client(attempts=1).download(f"{server.url}/a.nc", tmp_path / "a.nc")
    assert (tmp_path / "a.nc").read_bytes() == OLD[:120_000] + NEW[120_000:]
    assert server.seen[1][1]["If-Range"] == next(iter(version.values()))


def test_a_part_of_another_address_is_not_gone_on_with(serve, tmp_path):
    server = serve(changing({"ETag": '"1"'}, {"ETag": '"1"'}))
    refused(lambda: client(attempts=1).download(f"{server.url}/a.nc", tmp_path / "a.nc"), OutageError)
    client(attempts=1).download(f"{server.url}/b.nc", tmp_path / "a.nc")
    assert (tmp_path / "a.nc").read_bytes() == NEW and "Range" not in server.seen[1][1]


@pytest.mark.parametrize(
    "given", ["bytes 0-179999/300000", "bytes 120000-299999/300001", "bytes 120000-299999/200000", "bytes 119999-299998/300000",
              "items 1-2/3", "bytes 120000-x/y", "bytes 299999-120000/300000", "bytes */300000"]
)  # fmt: skip
def test_a_part_that_begins_elsewhere_or_is_of_a_file_of_another_length_is_refused(serve, tmp_path, given):
    server = serve(changing({"ETag": '"1"'}, {"ETag": '"1"'}, content_range=given))
    client(attempts=3).download(f"{server.url}/a.nc", tmp_path / "a.nc")
    assert (tmp_path / "a.nc").read_bytes() == NEW and "Range" not in server.seen[-1][1]


def test_a_link_under_the_name_of_a_part_is_not_followed(serve, tmp_path):
    server, victim = serve(whole), tmp_path / "victim"
    victim.write_text("mine")
    for name in (".a.nc.part", ".a.nc.part.version"):
        (tmp_path / name).symlink_to(victim)
    client().download(f"{server.url}/a.nc", tmp_path / "a.nc")
    assert victim.read_text() == "mine" and (tmp_path / "a.nc").read_bytes() == CONTENT


# Time and size


def drip(handler):
    whole(handler, b"", Content_Length=100_000)
    for _ in range(300):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def slow_headers(handler):
    for _ in range(300):
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.05)


def slow_chunk(handler):
    whole(handler, b"1;", Transfer_Encoding="chunked", Content_Length=None)
    for _ in range(300):
        handler.wfile.write(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize("play", [drip, slow_headers, slow_chunk])
@pytest.mark.parametrize("ask", ["get", "download"])
def test_a_server_that_sends_bit_by_bit_is_left(serve, tmp_path, play, ask):
    server, begun = serve(play), time.monotonic()
    asked = client(attempts=1)
    action = {"get": lambda url: asked.get(url), "download": lambda url: asked.download(url, tmp_path / "a")}[ask]
    refused(lambda: action(f"{server.url}/a"), OutageError)
    assert time.monotonic() - begun < 8


def test_a_file_has_a_time_limit_for_all_its_attempts(serve, tmp_path):
    def steady(handler):
        whole(handler, b"", Content_Length=1 << 30)
        while True:
            handler.wfile.write(b"x" * 4000)
            time.sleep(0.05)

    server, begun = serve(steady), time.monotonic()
    slow = client(attempts=50, limits=download.Limits(seconds=1.5))
    assert "not finished in" in refused(lambda: slow.download(f"{server.url}/a", tmp_path / "a"), OutageError)
    assert time.monotonic() - begun < 10 and (tmp_path / ".a.part").stat().st_size > 4000


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.server.sent = getattr(handler.server, "sent", 0) + handler.wfile.write(b"z" * (1 << 16))


@pytest.mark.parametrize("given", [{"size": 1000}, {}])
def test_a_body_without_end_is_stopped_while_it_arrives(serve, tmp_path, given):
    server = serve(endless)
    small = client(attempts=2, limits=download.Limits(unannounced=1 << 20))
    refused(lambda: small.download(f"{server.url}/a.nc", tmp_path / "a.nc", **given))
    assert server.sent < 40 << 20 and not list(tmp_path.iterdir())
    refused(lambda: client(attempts=1, limits=download.Limits(memory=1 << 20)).get(f"{server.url}/a.nc"))


@pytest.mark.parametrize("length", ["99999999999999999999999", str(1 << 40)])
def test_a_body_announced_as_too_large_is_not_begun(serve, tmp_path, length):
    server = serve(lambda handler: whole(handler, Content_Length=length))
    refused(lambda: client(attempts=1).download(f"{server.url}/a.nc", tmp_path / "a.nc"))
    refused(lambda: client(attempts=1).get(f"{server.url}/a.nc"))
    refused(lambda: client().download(f"{server.url}/a.nc", tmp_path / "a.nc", size=1 << 40))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x-unheard-of"])
def test_a_packed_answer_is_refused_before_it_is_unpacked(serve, tmp_path, encoding):
    body = gzip.compress(bytes(100 << 20))
    server = serve(lambda handler: whole(handler, body, Content_Encoding=encoding))
    assert "compressed" in refused(lambda: client().get(f"{server.url}/a"))
    assert "compressed" in refused(lambda: client().download(f"{server.url}/a", tmp_path / "a"))
    assert all(headers["Accept-Encoding"] == "identity" for _, headers in server.seen) and len(server.seen) == 2


def test_an_answer_that_a_library_parses_has_its_limits(serve, monkeypatch):
    monkeypatch.setattr(session, "ANSWER", 1 << 20)
    server = serve(endless)
    refused(lambda: session.Session().get(server.url, timeout=(1, 1)))
    slow = serve(drip)
    with pytest.raises(requests.ReadTimeout):
        session.Session().get(slow.url, timeout=(1, 1))


def test_many_answers_leave_no_threads_and_no_handles(serve):
    server = serve(lambda handler: whole(handler, b"no", 404))
    asked = client()
    asked.get(f"{server.url}/x", missing=True)
    time.sleep(0.3)
    before = threading.active_count()
    for _ in range(50):
        assert asked.get(f"{server.url}/x", missing=True) is None
    time.sleep(0.3)
    assert threading.active_count() <= before + 3


# Logins


def login(*hosts, header="Authorization"):
    return Credential(header, SECRET, hosts)


@pytest.mark.parametrize(
    ("url", "hosts", "fits"),
    [
        ("https://a.nasa.gov/x", ("a.nasa.gov",), True),
        ("https://a.nasa.gov/x", (".nasa.gov",), True),
        ("https://nasa.gov/x", (".nasa.gov",), False),
        ("https://evilnasa.gov/x", (".nasa.gov",), False),
        ("https://a.nasa.gov.evil.org/x", (".nasa.gov", "a.nasa.gov"), False),
        ("http://a.nasa.gov/x", ("a.nasa.gov", "http://a.nasa.gov"), False),
        ("https://a.nasa.gov:444/x", ("https://a.nasa.gov",), False),
        ("http://127.0.0.1:80/x", ("http://127.0.0.1:80",), True),
        ("http://127.0.0.1:80/x", ("http://127.0.0.1:81", "127.0.0.1"), False),
        ("http://10.0.0.1:80/x", ("http://10.0.0.1:80",), False),
        ("https://x@a.org/x", ("x",), False),
    ],
)  # fmt: skip
def test_who_may_see_a_login(url, hosts, fits):
    assert is_listed(url, hosts) == fits


@pytest.mark.parametrize("header", ["Authorization", "X-Api-Key", "PRIVATE-TOKEN"])
def test_a_login_goes_to_no_other_server(serve, header):
    thief = serve(whole)
    for other in (thief.url, thief.url.replace("127.0.0.1", "localhost")):
        server = serve(to(f"{other}/x"))
        asked = client(credential=login(server.url, header=header))
        asked.get(f"{server.url}/a")
        assert server.seen[-1][1][header] == SECRET and header not in thief.seen[-1][1]
        thief.seen.clear()
        assert SECRET not in refused(lambda asked=asked: asked.get(f"{thief.url}/x"))
        assert not thief.seen


def test_a_login_that_goes_back_is_not_sent_again(serve):
    first = serve(lambda handler: (to(f"{second.url}/x") if len(first.seen) == 1 else whole)(handler))
    second = serve(lambda handler: to(f"{first.url}/b")(handler))
    client(credential=login(first.url)).get(f"{first.url}/a")
    assert ["Authorization" in headers for _, headers in first.seen] == [True, False]


def test_what_netrc_holds_goes_over_https_alone(serve, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server = serve(whole)
    client().get(f"{server.url}/a")
    assert "Authorization" not in server.seen[0][1]
    assert Credential.of_netrc(f"{server.url}/a") is None and Credential.of_netrc("https://other.org/x") is None
    found = Credential.of_netrc("https://127.0.0.1/x")
    assert found.hosts == ("127.0.0.1",) and SECRET not in repr(found)


@pytest.mark.parametrize("value", ["s3cret\nmore", "s3cret more", "s3crét", "s3cret\x7f"])
def test_a_token_that_is_none_is_refused_and_not_shown(monkeypatch, value):
    monkeypatch.setenv("A_TOKEN", value)
    said = refused(lambda: Credential.of_environment("A_TOKEN", "Authorization", (), none="none", how="get one"))
    assert "A_TOKEN" in said and "s3cr" not in said


LOGINS = [
    f"https://user:{SECRET}@host.org/x",
    f"https://{SECRET}@host.org/x",
    f"https://user:{SECRET}/more@host.org/x",
    f"https://user:a@{SECRET}@host.org/x",
    f"//user:{SECRET}@host.org/x",
    f"http://user:{SECRET}@[::1/x",
    f"https://host.org/x?token={SECRET}",
    f"https://host.org/x?a=b&{SECRET}",
    f"https://host.org/x?X-Amz-Signature={SECRET}&page_num=2",
    f"https://host.org/x#access_token={SECRET}",
]


@pytest.mark.parametrize("url", LOGINS)
def test_no_login_in_an_address_is_shown(url, tmp_path, caplog):
    assert SECRET not in redacted(url) and redacted(redacted(url)) == redacted(url)
    error = TamrlError(f"no {url}", where=url, found=ValueError(f"got '{url}', sorry"), todo=url)
    assert SECRET not in str(error) + str(vars(error)) and "sorry" in str(error)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(DownloadError) as caught:
        client(attempts=2).download(url.replace("host.org", "127.0.0.1:1"), tmp_path / "a")
    assert SECRET not in str(caught.value) + caplog.text + str(vars(caught.value))


def test_the_log_shows_no_login_not_even_in_a_trace(tmp_path):
    formatter = log._Shown(log.FORMAT)
    try:
        requests.get(f"http://127.0.0.1:1/x?token={SECRET}", timeout=1)
    except requests.RequestException as error:
        record = logging.LogRecord("a", 30, "", 0, "%s: %s", (LOGINS[0], error), (type(error), error, error.__traceback__))
    line = formatter.format(record)
    assert "Traceback" in line and "host.org" in line and SECRET not in line


@pytest.mark.parametrize(
    "text",
    ["/data/my#folder/a?b.csv", "https://host.org:8080/a@2x/b", "a@b.org", "ratio a//b", "https://doi.org/10.1/x", "{'a': 1}"],
)
def test_what_is_no_login_stays(text):
    assert redacted(text) == text and not holds_login(text)


@pytest.mark.parametrize("url", LOGINS[:3] + LOGINS[6:7])
def test_a_login_in_the_configuration_is_refused_and_not_shown(url):
    for raw in ({"drivers": {"arco_era5": {"path": url}}}, {"towers": {"shuttle": {"snapshot": url}}}):
        with pytest.raises(ConfigError, match=r"path|snapshot") as caught:
            config.load(raw)
        assert "netrc" in str(caught.value) and SECRET not in str(caught.value)


# Where a link may lead


@pytest.mark.parametrize(
    ("address", "found"),
    [("127.0.0.1", "loopback"), ("127.9.9.9", "loopback"), ("::1", "loopback"), ("0.0.0.0", "loopback"),
     ("::ffff:127.0.0.1", "loopback"),
     ("10.1.2.3", "private"), ("172.16.0.1", "private"), ("192.168.1.1", "private"), ("100.64.0.1", "private"),
     ("fd00::1", "private"),
     ("169.254.169.254", "forbidden"), ("::ffff:169.254.169.254", "forbidden"), ("fe80::1%eth0", "forbidden"),
     ("100.100.100.200", "forbidden"), ("fd00:ec2::254", "forbidden"), ("224.0.0.1", "forbidden"),
     ("8.8.8.8", "public"), ("2001:4860:4860::8888", "public"), ("host.org", None)],
)  # fmt: skip
def test_which_network_an_address_belongs_to(address, found):
    assert network_of(address) == found


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://host.org/x", "http://169.254.169.254/latest/meta-data", "http://10.0.0.1/x", "gopher://x",
                 "http://[::1/x", "http://127.0.0.1:99999/x", "http://a..b/x", "http://u:p@127.0.0.1/x", "//", "http://[fe80::1]/x"]
)  # fmt: skip
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_elsewhere_is_refused_by_name(serve, tmp_path, location, status):
    server = serve(to(location, status))
    said = refused(lambda: client(attempts=1).download(f"{server.url}/a.nc", tmp_path / "a.nc"))
    assert f"{server.url}/a.nc" in said


def test_redirections_end(serve, tmp_path):
    server = serve(lambda handler: to(f"{handler.path}x")(handler))
    refused(lambda: client().download(f"{server.url}/a.nc", tmp_path / "a.nc"))
    assert len(server.seen) == session.REDIRECTIONS + 1


def test_https_does_not_lead_to_http():
    request = requests.Request("GET", "https://host.org/a").prepare()
    assert "from https to http" in refused(lambda: session.Session()._next(request, "http://host.org/b", "https://host.org/a"))


NUMBERS = ["127.0.0.1", "localhost", "127.1", "2130706433", "0.0.0.0", "[::ffff:127.0.0.1]"]


@pytest.mark.parametrize("host", NUMBERS)
def test_a_link_that_others_named_does_not_lead_into_this_machine(serve, tmp_path, monkeypatch, host):
    server = serve(whole)
    url = f"http://{host}:{server.server_address[1]}/latest/meta-data"
    said = refused(lambda: client(near=()).download(url, tmp_path / "a"))
    assert "this machine" in said and LOCAL in said and not server.seen
    monkeypatch.setenv(LOCAL, f"other.org, {host.strip('[]')}:{server.server_address[1]}")
    client(near=()).download(url, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_name_of_the_dns_that_is_this_machine_is_known_once_it_is_connected(serve, tmp_path, monkeypatch):
    server, real = serve(whole), socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1", *rest, **more))
    url = f"http://data.host.org:{server.server_address[1]}/a"
    assert "data.host.org is 127.0.0.1" in refused(lambda: client(near=()).download(url, tmp_path / "a"))
    assert not server.seen


def test_a_connection_that_is_used_again_is_looked_at_again(serve):
    def play(handler):
        handler.protocol_version = "HTTP/1.1"
        whole(handler)

    server = serve(play)
    asked = session.Session()
    asked.get(server.url, timeout=1)
    asked.near = ()
    refused(lambda: asked.get(server.url, timeout=1))


def test_the_sources_hold_no_login(tmp_path):
    from tamrl.towers import public_files

    (tmp_path / "s.tsv").write_text("dataset\tfile\turl\tsha256\n" + f"d\tx\t{LOGINS[0]}\t{'0' * 64}\n")
    with pytest.raises(InputError) as caught:
        public_files.read_sources(tmp_path / "s.tsv", "d")
    assert SECRET not in str(caught.value) and re.search("cannot be used", str(caught.value))
