"""One gate for every request to the web: it limits which servers are reached, what is sent, and how long an answer may be.

* Only http and https are used. A redirection never leads from https to http, and at most `REDIRECTIONS` are followed.
* The address of the server is checked after the connection is made and before anything is sent, so that no DNS name leads into
  this machine or its network. Only a server that the user named (in the configuration or the environment) may lie there. Links
  in tables, answers and redirections may lead there only if the user lists the server in `TAMRL_LOCAL_SERVERS`.
* A header that is not in `HARMLESS` counts as a credential: it is sent over https to the hosts listed for it, and nowhere else.
* An answer that is slower than `LEAST`, takes too long or grows too large is cut off while it arrives.
"""

import base64
import os
import socket
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from tamrl.errors import DownloadError
from tamrl.web.addresses import LOCAL, Kind, holds_name, is_listed, is_local_server, network_of, origin
from tamrl.web.watch import Watch

BLOCK = 1 << 16
"""Largest number of bytes per read."""
LEAST = 1 << 10
"""Lowest accepted rate within each read timeout (bytes per second). No file of this project would ever arrive below it."""
ANSWER, ANSWER_SECONDS = 64 << 20, 600.0
"""Limits for an answer that is parsed (bytes, seconds). A page of search results takes about 5 MB."""
CONNECTIONS = 32
"""Connections to a server that are kept open; chunks of a store are asked for by some twenty threads."""
REDIRECTIONS = 5
"""Largest number of redirections. NASA's archives and the hubs of the shuttle need two."""
HARMLESS = frozenset(
    ["accept", "accept-encoding", "connection", "content-length", "content-type", "cookie", "if-range", "range", "user-agent"]
)
"""Headers that carry no credential. Cookies are sent to their own hosts only."""
PLAIN = ("", "identity", "aws-chunked")
"""Values of Content-Encoding that leave the bytes of a file unchanged. Some stores keep the last one from their own uploads."""


@dataclass(frozen=True)
class Credential:
    """A credential and the hosts that may receive it (see `tamrl.web.addresses.is_listed`)."""

    header: str
    value: str = field(repr=False)
    hosts: tuple[str, ...]

    @classmethod
    def of_environment(
        cls, variable: str, header: str, hosts: tuple[str, ...], *, form: str = "{}", none: str, how: str
    ) -> "Credential":
        """Read the credential from an environment variable.

        Raise `DownloadError` if the variable is empty or its value cannot be a token.

        Parameters
        ----------
        header : name of the HTTP header that carries the credential
        form : value of the header; `{}` stands for the credential
        none, how : error message if the variable is empty, and how to obtain a credential
        """
        text, where = os.environ.get(variable, ""), f"environment variable {variable}"
        return cls.of_text(text, header, hosts, form=form, where=where, none=none, how=how)

    @classmethod
    def of_text(
        cls, text: str, header: str, hosts: tuple[str, ...], *, form: str = "{}", where: str, none: str, how: str
    ) -> "Credential":
        """Take the credential from a text.

        Raise `DownloadError` if the text is empty or cannot be a token.

        Parameters
        ----------
        header, form : as in `of_environment`
        where : the place of the text, for errors, which do not show the text itself
        none, how : error message if the text is empty, and how to obtain a credential
        """
        value = text.strip()
        if not value:
            raise DownloadError(none, where=where, found="nothing", todo=how)
        if not value.isascii() or not value.isprintable() or " " in value:
            fault = "blanks, line ends or letters that no token has (the value is not shown)"
            raise DownloadError("the login is none", where=where, found=fault, todo=how)
        return cls(header, form.format(value), hosts)

    @classmethod
    def of_netrc(cls, url: str, hosts: tuple[str, ...] | None = None) -> "Credential | None":
        """Return the credential that ~/.netrc holds for the host of an https address, or None.

        `hosts` may receive it, by default that host alone.
        """
        host = urlsplit(url).hostname
        login = requests.utils.get_netrc_auth(url) if url.startswith("https://") else None
        if not (login and host):
            return None
        return cls("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode(), hosts or (host,))


@dataclass
class _Hop:
    """Limits of one request: the address first asked for, the networks it may reach, and its deadline."""

    asked: str
    allowed: set[Kind]
    watch: Watch
    reached: Kind | None = None
    """Network of the server that answered."""


_hop: ContextVar[_Hop] = ContextVar("hop")


def _check_server(connection: HTTPConnection, connected: socket.socket) -> None:
    """Refuse a connection whose other end lies in a network that the request may not reach."""
    hop = _hop.get()
    if connection.proxy is None:  # a proxy is chosen by the user and sees where it connects
        address = connected.getpeername()[0]
        hop.reached = _admitted(network_of(address) or "forbidden", hop, f"{connection.host} is {address}")
    hop.watch.add(connected)


def _admitted(network: Kind, hop: _Hop, server: str) -> Kind:
    if network in hop.allowed:
        return network
    where = {"loopback": "this machine itself", "private": "the network of this machine"}.get(network, "no place for data")
    todo = "leave the link out" if network == "forbidden" else f"leave the link out, or name your own server in {LOCAL}"
    raise DownloadError("the link leads where it may not", where=hop.asked, found=f"{server}, {where}", todo=todo)


class _Connection(HTTPConnection):
    """A connection that checks the server before it sends anything, and again each time it is reused."""

    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        try:
            _check_server(self, connected)
        except BaseException:
            connected.close()
            raise
        return connected

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request."""
        if self.sock is not None:
            _check_server(self, self.sock)
        super().request(*args, **kwargs)


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class Answer(requests.Response):
    """A response with its deadline and the address first asked for."""

    watch: Watch
    asked: str


class _Adapter(requests.adapters.HTTPAdapter):
    """Opens checked connections, also through a proxy."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Set up the manager of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.ProxyManager:
        """Return the manager of connections through a proxy."""
        manager: urllib3.ProxyManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def build_response(self, *args: Any, **kwargs: Any) -> Answer:
        """Return the response as an `Answer`."""
        answer = Answer()
        vars(answer).update(vars(super().build_response(*args, **kwargs)))
        return answer


class Session(requests.Session):
    """A session of `requests` behind the gate.

    Parameters
    ----------
    hosts : hosts that may receive headers with credentials (see `tamrl.web.addresses.is_listed`)
    near : addresses whose servers may lie on this machine or in its network. By default this holds for the address of each
        request, because the user gave it.
    """

    def __init__(self, hosts: tuple[str, ...] = (), near: tuple[str, ...] | None = None) -> None:
        super().__init__()
        self.hosts, self.near, self.max_redirects = hosts, near, REDIRECTIONS
        self.headers["Accept-Encoding"] = "identity"
        self.auth = lambda request: request  # requests would send what ~/.netrc holds, also over http
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(pool_maxsize=CONNECTIONS))

    def resolve_redirects(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Yield nothing, because `send` follows redirections itself."""
        return iter(())

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> Answer:
        """Send a request and follow its redirections. With `stream`, read the body by `blocks`.

        Raise `DownloadError` if the gate refuses the request or its answer; `requests.RequestException` if the network or the
        server fails.
        """
        stream, follow = kwargs.pop("stream", False), kwargs.pop("allow_redirects", True)
        hop = _Hop(_url(request), {"public"}, Watch())
        for number in range(REDIRECTIONS + 1):
            answer = self._one(request, hop, number, kwargs)
            target = self.get_redirect_target(answer) if follow else None
            if target is None:
                break
            answer.close()
            hop.watch.close()
            # a server of the user's own network may lead to another one there
            same = {hop.reached} if hop.reached and self.near is None else set()
            request, hop = self._next(request, target, hop.asked), _Hop(hop.asked, {"public", *same}, Watch())
        else:
            raise DownloadError("the link is redirected too often", where=hop.asked, todo="check the link")
        answer.watch, answer.asked = hop.watch, hop.asked
        encoding = answer.headers.get("Content-Encoding", "").lower()
        if answer.ok and encoding not in PLAIN:
            hop.watch.close()
            answer.close()
            asked, todo = "the answer is compressed, although the plain file was asked for", "take another address of the file"
            raise DownloadError(asked, where=hop.asked, found=encoding, todo=todo)
        if not stream:
            body = b"".join(blocks(answer, most=ANSWER, seconds=ANSWER_SECONDS, window=_read_timeout(kwargs.get("timeout"))))
            vars(answer).update(_content=body, _content_consumed=True)
            answer.encoding = answer.encoding or "utf-8"  # else the library guesses, slowly
        return answer

    def _one(self, request: requests.PreparedRequest, hop: _Hop, number: int, kwargs: dict[str, Any]) -> Answer:
        """Send one request and return its answer with the headers alone."""
        url = _url(request)
        host = urlsplit(url).hostname or ""
        hop.allowed |= self._allowed(url, number)
        if credentials := {name.lower() for name in request.headers} - HARMLESS:
            if not is_listed(url, self.hosts):
                todo = f"credentials are sent over https to {', '.join(self.hosts) or 'no host'} only"
                refused, names = "the credential is not sent to this server", sorted(credentials)
                raise DownloadError(refused, where=hop.asked, found=names, todo=todo)
            hop.allowed = hop.allowed if url.startswith("https:") else {"loopback"}
        if literal := network_of(host):
            _admitted(literal, hop, host)
        timeout = kwargs.get("timeout")
        hop.watch.until(_read_timeout(timeout) + (timeout[0] if isinstance(timeout, tuple) else 0), "the headers do not come")
        token = _hop.set(hop)
        kwargs["proxies"] = self.rebuild_proxies(request, kwargs.get("proxies"))  # type: ignore[no-untyped-call]
        try:
            answer = super().send(request, stream=True, allow_redirects=False, **kwargs)
            assert isinstance(answer, Answer)  # every adapter of this session is an `_Adapter`
            return answer
        except Exception as error:
            hop.watch.close()
            if hop.watch.expired:
                raise requests.ReadTimeout(hop.watch.why) from error
            raise
        finally:
            _hop.reset(token)

    def _allowed(self, url: str, number: int) -> set[Kind]:
        """Return the networks besides the public one in which the server of an address may lie."""
        parts = urlsplit(url)
        named_by_user = number == 0 if self.near is None else origin(parts) in [origin(urlsplit(base)) for base in self.near]
        return {"private", "loopback"} if named_by_user or is_local_server(url) else set()

    def _next(self, request: requests.PreparedRequest, target: str, asked: str) -> requests.PreparedRequest:
        """Return the request that follows a redirection; a credential is not passed on to another server."""
        url = urljoin(_url(request), requests.utils.requote_uri(target))
        before, parts = urlsplit(_url(request)), urlsplit(url)
        if parts.scheme not in ("http", "https") or (before.scheme, parts.scheme) == ("https", "http"):
            fault = f"the link leads from {before.scheme} to {parts.scheme}"
            raise DownloadError(fault, where=asked, found=url, todo="check the link")
        if request.method not in ("GET", "HEAD") or holds_name(url):
            fault = "the server redirects an order, or redirects to an address with a login"
            raise DownloadError(fault, where=asked, found=url, todo="check the address")
        following = request.copy()
        following.prepare_url(url, None)
        if origin(urlsplit(_url(following))) != origin(before):
            for name in [name for name in following.headers if name.lower() not in HARMLESS]:
                del following.headers[name]
        for name in ("Cookie", "Proxy-Authorization"):  # set again for each server
            following.headers.pop(name, None)
        following.prepare_cookies(self.cookies)
        return following


def _url(request: requests.PreparedRequest) -> str:
    return str(request.url)


def _read_timeout(timeout: float | tuple[float | None, float | None] | None) -> float:
    """Seconds to wait for bytes, from the timeout given to `requests`."""
    return float((timeout[1] if isinstance(timeout, tuple) else timeout) or 60.0)


def blocks(answer: Answer, *, most: int, seconds: float, window: float) -> Iterator[bytes]:
    """Yield the body of an answer as it arrives.

    Raise `TooLongError` if the body has more than `most` bytes; `requests.RequestException` if the body ends early or arrives too
    slowly.

    Parameters
    ----------
    most : largest number of bytes
    seconds : time allowed for the entire body
    window : seconds within which `LEAST` bytes per second must have arrived
    """
    watch, end, received, mark = answer.watch, time.monotonic() + seconds, 0, 0.0
    slow, late = f"fewer than {LEAST} bytes/s in {window:g} s", f"not finished in {seconds:g} s"
    length = answer.headers.get("Content-Length", "")
    try:
        if length.isdecimal() and (len(length) > 19 or int(length) > most):
            raise _too_long(answer, f"{length:.40} bytes", most)
        while True:
            if received >= mark:
                left = end - time.monotonic()
                mark = received + LEAST * window
                watch.until(min(window, left), slow if window < left else late)
            block = answer.raw.read1(BLOCK, decode_content=False)
            if watch.expired:
                raise requests.ReadTimeout(watch.why)
            if not block:
                return
            received += len(block)
            if received > most:
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
    """A body is longer than allowed."""


def _too_long(answer: Answer, length: str, most: int) -> TooLongError:
    asked, todo = f"the answer is longer than the {most} bytes allowed", "this is not the expected file: ask its publisher"
    return TooLongError(asked, where=answer.asked, found=length, todo=todo)
