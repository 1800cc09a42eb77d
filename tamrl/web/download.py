"""Files from the web: whole or not at all, resumed after a break, tried again a bounded number of times.

A server that is busy (429, 503) is asked again when it says, or after a pause that doubles. A login that is missing or has
expired (401, 403) is not tried again. Nothing is believed that is shorter or longer than announced, or whose checksum is another.
A part is gone on with only where its server names the version it is of (`If-Range`), or a checksum decides in the end. Whom a
request may reach and what it may carry is said in `tamrl.web.session`.

Two kinds of failure are told apart. `OutageError`: the network or the server fails for now (no connection, time out, no such
host, busy, too slow, a body that ends early), and the file may be had later. `DownloadError` alone: asking again is of no use
(404, 410, 403, an address that is none or leads where it may not, other bytes than announced).
"""

import errno
import hashlib
import json
import logging
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tamrl import temporary
from tamrl.errors import DownloadError, MachineError, OutageError
from tamrl.files import checksum as content
from tamrl.intake import border
from tamrl.web.addresses import holds_name, redacted
from tamrl.web.session import Credential, Session, TooLongError, blocks

log = logging.getLogger(__name__)

BUSY = (408, 425, 429, 500, 502, 503, 504)
LONGEST_PAUSE = 300.0
"""Seconds to wait at most, whatever the server asks for."""

_BROKEN = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    ConnectionError,
)


@dataclass(frozen=True)
class Limits:
    """How large and how slow what arrives may be; the least rate is `tamrl.web.session.LEAST`.

    Parameters
    ----------
    file : int
        Bytes of a file. The largest so far are archives of towers and months of ERA5, below 2 GB.
    unannounced : int
        Bytes of a file whose length neither its publisher nor its server tells.
    memory : int
        Bytes of what is kept in memory: a chunk of a store is 4 MB, its metadata are below 10 MB.
    seconds : float
        For a file with all its attempts; what has arrived is kept for the next call.
    """

    file: int = 16 << 30
    unannounced: int = 512 << 20
    memory: int = 256 << 20
    seconds: float = 6 * 3600.0


@dataclass
class Client:
    """Asks one server, one request at a time.

    Parameters
    ----------
    credential : Credential, optional
        A login; where it may not go, nothing is asked.
    near : tuple of str, optional
        Addresses whose servers may lie on this machine or in its network, for links that others have named. By default the
        address asked for may, as the user has given it.
    attempts : int
        Tries per file.
    wait : float
        Seconds before the second try; doubles with each further one unless the server says when.
    gap : float
        Seconds between the beginnings of two requests, at least.
    timeout : (float, float)
        Seconds for a connection, and for bytes to come.
    """

    credential: Credential | None = None
    near: tuple[str, ...] | None = None
    attempts: int = 6
    wait: float = 2.0
    gap: float = 0.0
    timeout: tuple[float, float] = (20.0, 120.0)
    limits: Limits = Limits()
    _last: float = 0.0

    def __post_init__(self) -> None:
        self._session = Session(self.credential.hosts if self.credential else (), self.near)

    def get(
        self, url: str, *, start: int | None = None, end: int | None = None, missing: bool = False, most: int | None = None
    ) -> bytes | None:
        """Bytes of an address, or of a part of it; None where there is nothing and `missing` is allowed (404).

        Parameters
        ----------
        most : int, optional
            Bytes that an answer may have, `Limits.memory` by default.

        Raises
        ------
        OutageError
            After the last attempt, if the network or the server fails.
        DownloadError
            At once where another attempt would be of no use.
        """
        limits = f"bytes={start or 0}-{'' if end is None else end - 1}" if start or end is not None else None

        def once(until: float) -> bytes | None:
            """One request, without a second try."""
            with self._ask(url, {"Range": limits} if limits else {}) as answer:
                if answer.status_code == 404 and missing:
                    return None
                _check(answer, url)
                part = answer.status_code == 206
                if part:
                    _total(answer, start or 0)
                body = b"".join(self._body(answer, self.limits.memory if most is None else most, until))
                _complete(answer, len(body))
                if limits is None:
                    return body
                begin = 0 if part else start or 0
                return body[begin : None if end is None else begin + end - (start or 0)]

        return self._again(url, once)

    def download(self, url: str, target: Path, *, size: int | None = None, checksum: tuple[str, str] | None = None) -> None:
        """A file under its final name only when it is whole.

        Parameters
        ----------
        size : int, optional
            Bytes the publisher names.
        checksum : (algorithm, hexadecimal digest), optional
            As the publisher names it.

        Raises
        ------
        OutageError
            If the network or the server fails. What has arrived is kept as `.<name>.part` for the next call.
        DownloadError
            If the file cannot be had, or is not what its publisher announces.
        """
        if size is not None and not 0 <= size <= self.limits.file:
            asked, todo = "the file is larger than a download may be, or smaller than nothing", "ask its publisher"
            raise DownloadError(asked, where=url, found=f"{size} bytes, at most {self.limits.file}", todo=todo)
        if target.is_file() and _fits(target, size, checksum):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = _Part(target.with_name(f".{target.name}.part"), url)
        self._again(url, lambda until: self._bring(part, size, checksum, until))
        os.replace(part.path, target)
        part.tag.unlink(missing_ok=True)

    def _bring(self, part: "_Part", size: int | None, checksum: tuple[str, str] | None, until: float) -> None:
        """One attempt at a file; what is shorter than `size` may be gone on with, what is otherwise wrong is thrown away."""
        try:
            surely_all = self._resume(part, size, bool(checksum), until)
        except (_WrongBytes, TooLongError) as error:
            part.drop()
            if size is None:
                raise
            raise _WrongBytes(f"{getattr(error, 'found', error)}, announced are {size}") from error
        if _fits(part.path, size, checksum):
            return
        length = part.path.stat().st_size
        if size is not None and length < size and not surely_all:
            raise requests.ConnectionError(f"{length} of {size} bytes arrived")
        arrived = f"{length} bytes, {checksum[0]} {content(part.path, checksum[0])}" if checksum else f"{length} bytes"
        part.drop()
        if not surely_all:
            raise _WrongBytes(arrived)
        raise _unlike(part.url, arrived)

    def _resume(self, part: "_Part", size: int | None, summed: bool, until: float) -> bool:
        """Whether what lies there now is surely all that the server has, from one answer whose length was announced."""
        version, total = part.version()
        have = part.path.stat().st_size if part.path.is_file() and (version or summed) else 0
        headers = {"Range": f"bytes={have}-"} | ({"If-Range": version} if version else {}) if have else {}
        with self._ask(part.url, headers) as answer:
            if answer.status_code == 416:  # longer than the file, or whole already: begin again
                raise _WrongBytes("the server has no such part of the file (416)")
            _check(answer, part.url)
            goes_on = answer.status_code == 206
            total_size = _total(answer, have) if goes_on else _length(answer)
            if goes_on and have and (part.is_other(answer) or (None not in (total_size, total) and total_size != total)):
                raise _WrongBytes("the server has another version of the file by now")
            if size is not None and total_size is not None and total_size > size:
                raise _WrongBytes(f"the server has {total_size} bytes")
            if not (goes_on and have):
                have = 0
                part.begin(answer, total_size)
            most = size if size is not None else self.limits.unannounced if total_size is None else self.limits.file
            with open(part.path, "ab", opener=temporary.no_link) as handle:
                for block in self._body(answer, most - have, until):
                    handle.write(block)
                handle.flush()
                os.fsync(handle.fileno())
        length = part.path.stat().st_size
        _complete(answer, length - have)
        if total_size is not None and length != total_size:
            raise requests.ConnectionError(f"{length} of {total_size} bytes arrived")
        announced = total_size is not None or answer.headers.get("Transfer-Encoding") == "chunked"
        return announced and not have

    def _body(self, answer: requests.Response, most: int, until: float) -> Iterator[bytes]:
        return blocks(answer, most=most, seconds=until - time.monotonic(), window=self.timeout[1])

    @contextmanager
    def _ask(self, url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        time.sleep(max(0.0, self._last + self.gap - time.monotonic()))
        self._last = time.monotonic()
        login = {self.credential.header: self.credential.value} if self.credential else {}
        answer = self._session.get(url, headers=login | headers, stream=True, timeout=self.timeout)
        try:
            yield answer
        finally:
            answer.watch.close()
            answer.close()

    def _again(self, url: str, once: Callable[[float], bytes | None]) -> bytes | None:
        if holds_name(url):
            todo = "take it out and put it into ~/.netrc, which is read for https addresses of the configuration"
            raise DownloadError("the address holds a login", where=url, todo=todo)
        asked, until = "the file cannot be downloaded", time.monotonic() + self.limits.seconds
        for attempt in range(1, self.attempts + 1):
            with border.reading(asked, where=url, error=DownloadError, todo="check the address"):
                try:
                    return once(until)
                except (_Busy, _WrongBytes, *_BROKEN) as error:
                    cause, pause = error, getattr(error, "after", None)
                except requests.RequestException:
                    raise
                except OSError as error:  # of the file that is written, or of this machine's certificates
                    todo = "check the folder of the download and its rights"
                    refusal = MachineError(asked, where=url, found=error, todo=todo)
                    raise border.machine(error, asked, where=url) or refusal from error
            if refusal := border.machine(cause, asked, where=url, but=(errno.ETIMEDOUT,)):
                raise refusal from cause
            if attempt == self.attempts or time.monotonic() > until:
                break
            pause = self.wait * 2 ** (attempt - 1) * random.uniform(0.75, 1.25) if pause is None else pause
            pause = max(0.0, min(pause, LONGEST_PAUSE, until - time.monotonic()))
            message = redacted(str(cause))
            log.warning("%s: attempt %d failed (%s), again in %.1f s", redacted(url), attempt, message, pause)
            time.sleep(pause)
        if isinstance(cause, _WrongBytes | requests.exceptions.ContentDecodingError):
            raise _unlike(url, cause) from cause
        todo = "check the network and run again: what has arrived is kept"
        if isinstance(cause, requests.exceptions.SSLError):
            todo = "check the clock and the certificates of this machine, and run again: what has arrived is kept"
        raise OutageError(f"the download failed {attempt} times", where=url, found=cause, todo=todo) from cause


class _WrongBytes(Exception):
    """What has arrived is not the file, but may be the fault of a break: asked for again from the start."""


def _unlike(url: str, found: object) -> DownloadError:
    name = url.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
    todo = "the file was changed, or its list is old: take a newer list, or try later"
    return DownloadError(f"{name} is not what its publisher announces", where=url, found=found, todo=todo)


class _Busy(Exception):
    """The server asks to come back; `after` seconds, if it says so."""

    def __init__(self, status: int, after: float | None):
        super().__init__(f"the server answers {status}")
        self.after = after


def _check(answer: requests.Response, url: str) -> None:
    status = answer.status_code
    if status in BUSY:
        after = answer.headers.get("Retry-After", "")
        raise _Busy(status, float(after) if after.isdecimal() else None)
    if status in (401, 403):
        todo = "the login is missing or has expired, or the file is not public: docs/inputs.md says which token goes where"
        raise DownloadError(f"the server refuses the login ({status})", where=url, todo=todo)
    if status not in (200, 206):
        raise DownloadError(f"the server answers {status} {answer.reason}", where=url, todo="check the address")


def _length(answer: requests.Response) -> int | None:
    announced = answer.headers.get("Content-Length", "")
    return int(announced) if announced.isdecimal() and len(announced) < 20 else None


def _complete(answer: requests.Response, received: int) -> None:
    """A connection that closes early is no error to every client: compare with the length announced."""
    if received != (announced := _length(answer)) and announced is not None:
        raise requests.ConnectionError(f"{received} of {announced} bytes arrived")


def _total(answer: requests.Response, start: int) -> int | None:
    """Bytes of the whole file of which an answer (206) is a part, if it says so; a part that begins elsewhere is refused."""
    content_range = answer.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", content_range, re.ASCII)
    first, last, total = (int(n) if n != "*" else None for n in match.groups()) if match else (None, 0, None)
    if first != start or last < start or _length(answer) not in (None, last - start + 1) or (total is not None and last >= total):
        raise _WrongBytes(
            f"the part {content_range!r:.80}, {_length(answer)} bytes long, where that from byte {start} on was asked for"
        )
    return total


def _fits(path: Path, size: int | None, checksum: tuple[str, str] | None) -> bool:
    if size is not None and path.stat().st_size != size:
        return False
    return checksum is None or content(path, checksum[0]) == checksum[1].lower()


@dataclass
class _Part:
    """What has arrived of a file, and beside it of which version of it that is."""

    path: Path
    url: str

    @property
    def tag(self) -> Path:
        """The file that holds address, bytes and version of the whole file."""
        return self.path.with_name(f"{self.path.name}.version")

    @property
    def _address(self) -> str:
        return hashlib.sha256(self.url.partition("?")[0].encode(errors="replace")).hexdigest()

    def version(self) -> tuple[str | None, int | None]:
        """Strong ETag, or date of the last change, and bytes of the file; None where they are not known."""
        try:
            address, total, version = json.loads(self.tag.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            return None, None
        fits = address == self._address and isinstance(version, str) and isinstance(total, int | None)
        return (version, total) if fits else (None, None)

    def begin(self, answer: requests.Response, total: int | None) -> None:
        """Forget what is there, and note of which version the answer is."""
        self.drop()
        if version := _version(answer):
            with open(self.tag, "w", encoding="utf-8", opener=temporary.no_link) as handle:
                json.dump([self._address, total, version], handle)

    def is_other(self, answer: requests.Response) -> bool:
        """Whether an answer names another version; a part need not repeat its date."""
        mine, theirs = self.version()[0], _version(answer)
        return mine is not None and theirs != mine and (theirs is not None or mine.startswith('"'))

    def drop(self) -> None:
        """Forget it."""
        self.path.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)


def _version(answer: requests.Response) -> str | None:
    tag = answer.headers.get("ETag", "")
    validator = tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")
    return validator if validator and validator.isascii() and validator.isprintable() else None
