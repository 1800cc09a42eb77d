"""One gate for every request to the web: whom it may reach, what it may carry, and how long and how large an answer may be.

* Only http and https; a redirection never goes from https to http, and there are at most `REDIRECTIONS` of them.
* The machine at the other end is looked at once it is connected, before anything is sent, so that no name in the DNS leads into
  this machine or its network. Only an address that the user gave (in the configuration or the environment) may lie there;
  links of tables and answers, and redirections, may if the user names the server in `TAMRL_LOCAL_SERVERS`.
* A header that is not in `HARMLESS` counts as a login: it goes over https to the hosts listed for it, and nowhere else.
* An answer that comes slower than `LEAST`, takes longer than it may, or grows beyond what is allowed is stopped while it comes.
"""

import base64
import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from tamrl.errors import DownloadError
from tamrl.web.addresses import LOCAL, Kind, holds_name, is_listed, is_local_server, kind, origin

BLOCK = 1 << 16
"""Bytes read at once, at most."""
LEAST = 1 << 10
"""Bytes per second that must come within each read timeout: below a modem's rate no file of this project would ever arrive."""
ANSWER, ANSWER_SECONDS = 64 << 20, 600.0
"""Bytes and seconds of an answer that is parsed: a page of a search takes about 5 MB."""
REDIRECTIONS = 5
"""NASA's archives and the hubs of the shuttle need two."""
HARMLESS = (
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "if-range",
    "range",
    "user-agent",
)
"""Headers that are no login; cookies go to their own hosts alone."""
PLAIN = ("", "identity", "aws-chunked")
"""Values of Content-Encoding that change no byte of the file; some stores keep the last from their own uploads."""


@dataclass(frozen=True)
class Credential:
    """A login, and the hosts that may see it (see `tamrl.web.addresses.is_listed`)."""

    header: str
    value: str = field(repr=False)
    hosts: tuple[str, ...]

    @classmethod
    def of_environment(
        cls, variable: str, header: str, hosts: tuple[str, ...], *, form: str = "{}", none: str, how: str
    ) -> "Credential":
        """The login in an environment variable; raises `DownloadError` if there is none (`none`) or it cannot be one."""
        value = os.environ.get(variable, "").strip()
        if not value:
            raise DownloadError(none, where=f"environment variable {variable}", found="nothing", todo=how)
        if not value.isascii() or not value.isprintable() or " " in value:
            fault = "blanks, line ends or letters that no token has (the value is not shown)"
            raise DownloadError("the login is none", where=f"environment variable {variable}", found=fault, todo=how)
        return cls(header, form.format(value), hosts)

    @classmethod
    def of_netrc(cls, url: str) -> "Credential | None":
        """The login that ~/.netrc holds for the host of an address of https, if any."""
        host = urlsplit(url).hostname
        login = requests.utils.get_netrc_auth(url) if url.startswith("https://") else None
        if not (login and host):
            return None
        return cls("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode(), (host,))


class Watch:
    """Ends connections at a time, so that a server which sends bit by bit keeps nobody waiting."""

    def __init__(self) -> None:
        self.expired, self.why = False, ""
        self._deadline, self._sockets, self._done = time.monotonic(), [], threading.Event()
        self._lock, self._thread = threading.Lock(), None

    def until(self, seconds: float, why: str) -> None:
        """End the connections in so many seconds from now, unless this is called again or `close` before."""
        self._deadline, self.why = time.monotonic() + seconds, why
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def add(self, connected: socket.socket) -> None:
        """Watch a connection, through a handle of its own: TLS takes the first one away."""
        with self._lock:
            self._sockets.append(socket.socket(fileno=os.dup(connected.fileno())))
        if self.expired:
            self._shut()

    def close(self) -> None:
        """Watch no more."""
        self._done.set()
        with self._lock:
            for handle in self._sockets:
                handle.close()
            self._sockets.clear()

    def _run(self) -> None:
        while (left := self._deadline - time.monotonic()) > 0:
            if self._done.wait(left):
                return
        if not self._done.is_set():
            self.expired = True
            self._shut()

    def _shut(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            for handle in self._sockets:
                handle.shutdown(socket.SHUT_RDWR)


@dataclass
class _Hop:
    """What the connection of a request has to hold to."""

    asked: str
    allowed: set[Kind]
    watch: Watch
    found: Kind | None = None
    """Network of the machine that has answered."""


_hop: ContextVar[_Hop] = ContextVar("hop")


class _Checked:
    """A connection that looks at the machine at its other end before it sends anything."""

    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        try:
            self._look(connected)
        except BaseException:
            connected.close()
            raise
        return connected

    def request(self, *args: object, **kwargs: object) -> None:
        """Send a request; a connection that is used again is looked at again."""
        if self.sock is not None:
            self._look(self.sock)
        super().request(*args, **kwargs)

    def _look(self, connected: socket.socket) -> None:
        hop = _hop.get()
        if self.proxy is None:  # a proxy is the user's own; it sees to whom it connects
            address = connected.getpeername()[0]
            hop.found = _admitted(kind(address) or "forbidden", hop, f"{self.host} is {address}")
        hop.watch.add(connected)


def _admitted(found: Kind, hop: _Hop, which: str) -> Kind:
    if found in hop.allowed:
        return found
    where = {"loopback": "this machine itself", "private": "the network of this machine"}.get(found, "no place for data")
    todo = "leave the link out" if found == "forbidden" else f"leave the link out, or name your own server in {LOCAL}"
    raise DownloadError("the link leads where it may not", where=hop.asked, found=f"{which}, {where}", todo=todo)


class _Connection(_Checked, HTTPConnection):
    pass


class _TlsConnection(_Checked, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(requests.adapters.HTTPAdapter):
    """Connections of our kind, also to a proxy."""

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        """Set up the manager of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, *args: object, **kwargs: object) -> urllib3.ProxyManager:
        """Manager of connections to a proxy."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager


class Session(requests.Session):
    """A session of `requests` behind the gate.

    Parameters
    ----------
    hosts : tuple of str
        Who may see the headers that are logins (see `tamrl.web.addresses.is_listed`).
    near : tuple of str, optional
        Addresses whose servers may lie on this machine or in its network. By default that of any request may: the user gave it.
    """

    def __init__(self, hosts: tuple[str, ...] = (), near: tuple[str, ...] | None = None):
        super().__init__()
        self.hosts, self.near, self.max_redirects = hosts, near, REDIRECTIONS
        self.headers["Accept-Encoding"] = "identity"
        self.auth = lambda request: request  # requests would send what ~/.netrc holds, also over http
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())

    def resolve_redirects(self, *args: object, **kwargs: object) -> Iterator[requests.Response]:
        """None: `send` goes from one to the next itself."""
        return iter(())

    def send(self, request: requests.PreparedRequest, **kwargs: object) -> requests.Response:
        """The answer, after its redirections; with `stream` its body is to be read by `blocks`.

        Raises
        ------
        DownloadError
            If the gate does not let a request or its answer through.
        requests.RequestException
            If the network or the server fails.
        """
        stream, follow = kwargs.pop("stream", False), kwargs.pop("allow_redirects", True)
        hop = _Hop(request.url, {"public"}, Watch())
        for number in range(REDIRECTIONS + 1):
            answer = self._one(request, hop, number, kwargs)
            target = self.get_redirect_target(answer) if follow else None
            if target is None:
                break
            answer.close()
            hop.watch.close()
            same = {hop.found} if hop.found and self.near is None else set()  # a server of the own network may lead to another
            request, hop = self._next(request, target, hop.asked), _Hop(hop.asked, {"public", *same}, Watch())
        else:
            raise DownloadError("the link leads from one address to the next without end", where=hop.asked, todo="check the link")
        answer.watch, answer.asked = hop.watch, hop.asked
        packed = answer.headers.get("Content-Encoding", "").lower()
        if answer.ok and packed not in PLAIN:
            hop.watch.close()
            answer.close()
            asked, todo = "the answer is packed, though the bytes themselves were asked for", "take another address of the file"
            raise DownloadError(asked, where=hop.asked, found=packed, todo=todo)
        if not stream:
            body = blocks(answer, most=ANSWER, seconds=ANSWER_SECONDS, window=_read(kwargs.get("timeout")))
            answer._content, answer._content_consumed = b"".join(body), True
            answer.encoding = answer.encoding or "utf-8"  # else the library guesses, slowly
        return answer

    def _one(self, request: requests.PreparedRequest, hop: _Hop, number: int, kwargs: dict) -> requests.Response:
        """The answer to one request, headers alone."""
        hop.allowed |= self._allowed(request.url, number)
        if logins := {name.lower() for name in request.headers} - {*HARMLESS}:
            if not is_listed(request.url, self.hosts):
                todo = f"logins go over https to {', '.join(self.hosts) or 'no host'} alone"
                raise DownloadError("the login is not sent to this server", where=hop.asked, found=sorted(logins), todo=todo)
            hop.allowed = hop.allowed if request.url.startswith("https:") else {"loopback"}
        if literal := kind(urlsplit(request.url).hostname or ""):
            _admitted(literal, hop, urlsplit(request.url).hostname)
        timeout = kwargs.get("timeout")
        hop.watch.until(_read(timeout) + (timeout[0] if isinstance(timeout, tuple) else 0), "the headers do not come")
        token = _hop.set(hop)
        kwargs["proxies"] = self.rebuild_proxies(request, kwargs.get("proxies"))
        try:
            return super().send(request, stream=True, allow_redirects=False, **kwargs)
        except Exception as error:
            hop.watch.close()
            if hop.watch.expired:
                raise requests.ReadTimeout(hop.watch.why) from error
            raise
        finally:
            _hop.reset(token)

    def _allowed(self, url: str, number: int) -> set[Kind]:
        """Networks beside the public one where the server of an address may lie."""
        parts = urlsplit(url)
        named_by_user = number == 0 if self.near is None else origin(parts) in [origin(urlsplit(base)) for base in self.near]
        return {"private", "loopback"} if named_by_user or is_local_server(url) else set()

    def _next(self, request: requests.PreparedRequest, target: str, asked: str) -> requests.PreparedRequest:
        """The request that a redirection asks for; a login does not go to another server."""
        url = urljoin(request.url, requests.utils.requote_uri(target))
        before, parts = urlsplit(request.url), urlsplit(url)
        if parts.scheme not in ("http", "https") or (before.scheme, parts.scheme) == ("https", "http"):
            raise DownloadError(
                f"the link leads from {before.scheme} to {parts.scheme}", where=asked, found=url, todo="check the link"
            )
        if request.method not in ("GET", "HEAD") or holds_name(url):
            todo = "check the address"
            raise DownloadError(
                "the server sends an order elsewhere, or to an address with a login", where=asked, found=url, todo=todo
            )
        following = request.copy()
        following.prepare_url(url, None)
        if origin(urlsplit(following.url)) != origin(before):
            for name in [name for name in following.headers if name.lower() not in HARMLESS]:
                del following.headers[name]
        for name in ("Cookie", "Proxy-Authorization"):  # set anew for each server
            following.headers.pop(name, None)
        following.prepare_cookies(self.cookies)
        return following


def _read(timeout: object) -> float:
    """Seconds to wait for bytes, from what `requests` takes as a timeout."""
    last = timeout[1] if isinstance(timeout, tuple) else timeout
    return float(last or 60.0)


def blocks(answer: requests.Response, *, most: int, seconds: float, window: float) -> Iterator[bytes]:
    """The body of an answer, as it comes.

    Parameters
    ----------
    most : int
        Bytes.
    seconds : float
        Time for all of it.
    window : float
        Seconds within which `LEAST` bytes a second must have come.

    Raises
    ------
    TooLongError
        If the body goes on beyond `most`.
    requests.RequestException
        If it ends early or comes too slowly.
    """
    watch, end, got, mark = answer.watch, time.monotonic() + seconds, 0, 0
    slow, late = f"fewer than {LEAST} bytes/s in {window:g} s", f"not finished in {seconds:g} s"
    length = answer.headers.get("Content-Length", "")
    try:
        if length.isdecimal() and (len(length) > 19 or int(length) > most):
            raise _too_long(answer, f"{length:.40} bytes", most)
        while True:
            if got >= mark:
                left = end - time.monotonic()
                mark = got + LEAST * window
                watch.until(min(window, left), slow if window < left else late)
            block = answer.raw.read1(BLOCK, decode_content=False)
            if watch.expired:
                raise requests.ReadTimeout(watch.why)
            if not block:
                return
            got += len(block)
            if got > most:
                raise _too_long(answer, f"more than {most} bytes", most)
            yield block
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        if watch.expired:
            raise requests.ReadTimeout(watch.why) from error
        if isinstance(error, requests.RequestException) or not isinstance(error, urllib3.exceptions.HTTPError):
            raise
        raise requests.exceptions.ChunkedEncodingError(error) from error
    finally:
        watch.close()
        answer.close()


class TooLongError(DownloadError):
    """A body is longer than it may be."""


def _too_long(answer: requests.Response, found: str, most: int) -> TooLongError:
    todo = "this is not the file that was expected: ask its publisher"
    return TooLongError(
        f"what arrives is longer than the {most} bytes that it may have", where=answer.asked, found=found, todo=todo
    )
