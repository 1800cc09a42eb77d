"""Downloads: complete or not at all, resumed after an interruption, with a bounded number of attempts.

A busy server (429, 503) is asked again at the time it names, or after a pause that doubles. A missing or expired credential
(401, 403) is not tried again. A file is refused if its length or its checksum differs from what was announced. A partial file
is resumed only if the server names its version (`If-Range`) or if a checksum verifies the result. `tamrl.web.session` decides
which servers a request may reach and what it may carry.

There are two kinds of failure. `OutageError`: the network or the server fails for now (no connection, timeout, unknown host,
busy, too slow, a body that ends early); a later attempt may succeed. `DownloadError`: another attempt would fail too (404, 410,
403, an invalid or forbidden address, other bytes than announced).
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
from tamrl.web.session import Answer, Credential, Session, TooLongError, blocks

_log = logging.getLogger(__name__)

BUSY = (408, 425, 429, 500, 502, 503, 504)
LONGEST_PAUSE = 300.0
"""Longest pause in seconds, whatever the server asks for."""

_BROKEN = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    ConnectionError,
)


@dataclass(frozen=True)
class Limits:
    """Limits on the size and duration of a download; the lowest rate is `tamrl.web.session.LEAST`.

    Parameters
    ----------
    file : largest file in bytes. The largest so far, tower archives and months of ERA5, are below 2 GB.
    unannounced : largest file in bytes if neither publisher nor server states its length
    memory : largest answer held in memory, in bytes. A chunk of a store has 4 MB, its metadata below 10 MB.
    seconds : time for a file including all attempts. A partial file is kept for the next call.
    """

    file: int = 16 << 30
    unannounced: int = 512 << 20
    memory: int = 256 << 20
    seconds: float = 6 * 3600.0


@dataclass
class Client:
    """Sends requests one at a time.

    Parameters
    ----------
    credential : sent with each request. A request to a server that may not receive it is refused.
    near : addresses whose servers may lie on this machine or in its network, for links named by others. By default this holds for
        the address of each request, because the user gave it.
    attempts : attempts per file
    wait : seconds before the second attempt; doubles with each further one unless the server names a time
    gap : shortest time between the starts of two requests, in seconds
    timeout : (float, float), seconds to wait for a connection, and for bytes
    limits : limits on the size and duration of a download
    before : called before each request, such as to count it against a quota
    """

    credential: Credential | None = None
    near: tuple[str, ...] | None = None
    attempts: int = 6
    wait: float = 2.0
    gap: float = 0.0
    timeout: tuple[float, float] = (20.0, 120.0)
    limits: Limits = Limits()
    before: Callable[[], None] | None = None
    _last: float = 0.0

    def __post_init__(self) -> None:
        self._session = Session(self.credential.hosts if self.credential else (), self.near)

    def get(
        self, url: str, *, start: int | None = None, end: int | None = None, missing: bool = False, most: int | None = None
    ) -> bytes | None:
        """Return the content of an address, or a range of it.

        Raise `OutageError` after the last attempt, if the network or the server fails; `DownloadError` at once if another attempt
        would fail too.

        Parameters
        ----------
        start, end : first byte and the byte after the last
        missing : return None if the server has no such file (404)
        most : largest number of bytes, `Limits.memory` by default
        """
        requested = f"bytes={start or 0}-{'' if end is None else end - 1}" if start or end is not None else None

        def once(until: float) -> bytes | None:
            """One attempt, which ends at `until`."""
            with self._ask(url, {"Range": requested} if requested else {}) as answer:
                if answer.status_code == 404 and missing:
                    return None
                _check(answer, url)
                part = answer.status_code == 206
                if part:
                    _total(answer, start or 0)
                body = b"".join(self._body(answer, self.limits.memory if most is None else most, until))
                _complete(answer, len(body))
                if requested is None:
                    return body
                begin = 0 if part else start or 0
                return body[begin : None if end is None else begin + end - (start or 0)]

        return self._again(url, once)

    def download(self, url: str, target: Path, *, size: int | None = None, checksum: tuple[str, str] | None = None) -> None:
        """Download a file; it gets its final name once it is complete.

        Raise `OutageError` if the network or the server fails; the partial file `.<name>.part` is kept for the next call. Raise
        `DownloadError` if the file is not available, or differs from what its publisher states.

        Parameters
        ----------
        target : final name of the file
        size : number of bytes stated by the publisher
        checksum : algorithm and hexadecimal digest stated by the publisher
        """
        if size is not None and not 0 <= size <= self.limits.file:
            asked, todo = "the stated size of the file is out of range", "ask its publisher"
            raise DownloadError(asked, where=url, found=f"{size} bytes, at most {self.limits.file}", todo=todo)
        if target.is_file() and _fits(target, size, checksum):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = _PartialFile(target.with_name(f".{target.name}.part"), url)
        self._again(url, lambda until: self._bring(part, size, checksum, until))
        os.replace(part.path, target)
        part.tag.unlink(missing_ok=True)

    def _bring(self, part: "_PartialFile", size: int | None, checksum: tuple[str, str] | None, until: float) -> None:
        """Make one attempt; a file shorter than `size` is kept and resumed, any other wrong file is deleted."""
        try:
            is_complete = self._resume(part, size, bool(checksum), until)
        except (_WrongBytes, TooLongError) as error:
            part.drop()
            if size is None:
                raise
            raise _WrongBytes(f"{getattr(error, 'found', error)}, announced are {size}") from error
        if _fits(part.path, size, checksum):
            return
        length = part.path.stat().st_size
        if size is not None and length < size and not is_complete:
            raise requests.ConnectionError(f"{length} of {size} bytes arrived")
        arrived = f"{length} bytes, {checksum[0]} {content(part.path, checksum[0])}" if checksum else f"{length} bytes"
        part.drop()
        if not is_complete:
            raise _WrongBytes(arrived)
        raise _unlike(part.url, arrived)

    def _resume(self, part: "_PartialFile", size: int | None, summed: bool, until: float) -> bool:
        """Resume the partial file; True if it came in one answer of announced length, so that the server has no more."""
        version, total = part.version()
        have = part.path.stat().st_size if part.path.is_file() and (version or summed) else 0
        headers = {"Range": f"bytes={have}-"} | ({"If-Range": version} if version else {}) if have else {}
        with self._ask(part.url, headers) as answer:
            if answer.status_code == 416:  # longer than the file, or complete already: start again
                raise _WrongBytes("the server has no such part of the file (416)")
            _check(answer, part.url)
            continues = answer.status_code == 206
            total_size = _total(answer, have) if continues else _length(answer)
            if continues and have and (part.is_other(answer) or (total_size and total and total_size != total)):
                raise _WrongBytes("the server now has another version of the file")
            if size is not None and total_size is not None and total_size > size:
                raise _WrongBytes(f"the server has {total_size} bytes")
            if not (continues and have):
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

    def _body(self, answer: Answer, most: int, until: float) -> Iterator[bytes]:
        return blocks(answer, most=most, seconds=until - time.monotonic(), window=self.timeout[1])

    @contextmanager
    def _ask(self, url: str, headers: dict[str, str]) -> Iterator[Answer]:
        time.sleep(max(0.0, self._last + self.gap - time.monotonic()))
        self._last = time.monotonic()
        if self.before:
            self.before()
        login = {self.credential.header: self.credential.value} if self.credential else {}
        answer = self._session.get(url, headers=login | headers, stream=True, timeout=self.timeout)
        assert isinstance(answer, Answer)  # `Session.send` returns nothing else
        try:
            yield answer
        finally:
            answer.watch.close()
            answer.close()

    def _again(self, url: str, once: Callable[[float], bytes | None]) -> bytes | None:
        if holds_name(url):
            todo = "remove it and put it into ~/.netrc, which is read for https addresses of the configuration"
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
                    raise border.machine_fault(error, asked, where=url) or MachineError(
                        asked, where=url, found=error, todo=todo
                    ) from error
            if refusal := border.machine_fault(cause, asked, where=url, but=(errno.ETIMEDOUT,)):
                raise refusal from cause
            if attempt == self.attempts or time.monotonic() > until:
                break
            pause = self.wait * 2 ** (attempt - 1) * random.uniform(0.75, 1.25) if pause is None else pause
            pause = max(0.0, min(pause, LONGEST_PAUSE, until - time.monotonic()))
            message = redacted(str(cause))
            _log.warning("%s: attempt %d failed (%s), again in %.1f s", redacted(url), attempt, message, pause)
            time.sleep(pause)
        if isinstance(cause, _WrongBytes | requests.exceptions.ContentDecodingError):
            raise _unlike(url, cause) from cause
        todo = "check the network and run again: the partial file is kept"
        if isinstance(cause, requests.exceptions.SSLError):
            todo = "check the clock and the certificates of this machine, and run again: the partial file is kept"
        raise OutageError(f"the download failed {attempt} times", where=url, found=cause, todo=todo) from cause


class StatusError(DownloadError):
    """The server answers that it does not give the file, by a status such as 403 or 404."""

    def __init__(self, status: int, asked: str, *, where: str, todo: str):
        super().__init__(asked, where=where, todo=todo)
        self.status = status


class _WrongBytes(Exception):
    """The bytes are not those of the file, perhaps after an interruption; the file is asked for again from the start."""


def _unlike(url: str, received: object) -> DownloadError:
    name = url.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
    todo = "the file was changed, or its list is old: take a newer list, or try later"
    return DownloadError(f"{name} is not what its publisher announces", where=url, found=received, todo=todo)


class _Busy(Exception):
    """The server is busy and asks to be tried again, after `after` seconds if it states a time."""

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
        raise StatusError(status, f"the server refuses the login ({status})", where=url, todo=todo)
    if status not in (200, 206):
        raise StatusError(status, f"the server answers {status} {answer.reason}", where=url, todo="check the address")


def _length(answer: requests.Response) -> int | None:
    announced = answer.headers.get("Content-Length", "")
    return int(announced) if announced.isdecimal() and len(announced) < 20 else None


def _complete(answer: requests.Response, received: int) -> None:
    """Compare with the announced length, because not every client reports a connection that closes early."""
    if received != (announced := _length(answer)) and announced is not None:
        raise requests.ConnectionError(f"{received} of {announced} bytes arrived")


def _total(answer: requests.Response, start: int) -> int | None:
    """Return the size of the complete file from a partial answer (206), if stated; refuse a part that starts elsewhere."""
    content_range = answer.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", content_range, re.ASCII)
    first, last = (int(match[1]), int(match[2])) if match else (-1, -1)
    total = int(match[3]) if match and match[3] != "*" else None
    announced = _length(answer) in (None, last - start + 1)
    if first != start or last < start or not announced or (total is not None and last >= total):
        raise _WrongBytes(f"the part {content_range!r:.80}, {_length(answer)} bytes long, instead of that from byte {start} on")
    return total


def _fits(path: Path, size: int | None, checksum: tuple[str, str] | None) -> bool:
    if size is not None and path.stat().st_size != size:
        return False
    return checksum is None or content(path, checksum[0]) == checksum[1].lower()


@dataclass
class _PartialFile:
    """A partial file, with a second file that names the version it belongs to."""

    path: Path
    url: str

    @property
    def tag(self) -> Path:
        """File that holds address, size and version of the complete file."""
        return self.path.with_name(f"{self.path.name}.version")

    @property
    def _address(self) -> str:
        return hashlib.sha256(self.url.partition("?")[0].encode(errors="replace")).hexdigest()

    def version(self) -> tuple[str | None, int | None]:
        """Return the strong ETag or the date of the last change, and the size of the file; None if unknown."""
        try:
            address, total, version = json.loads(self.tag.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            return None, None
        fits = address == self._address and isinstance(version, str) and isinstance(total, int | None)
        return (version, total) if fits else (None, None)

    def begin(self, answer: requests.Response, total: int | None) -> None:
        """Delete the partial file and note the version of the answer."""
        self.drop()
        if version := _version(answer):
            with open(self.tag, "w", encoding="utf-8", opener=temporary.no_link) as handle:
                json.dump([self._address, total, version], handle)

    def is_other(self, answer: requests.Response) -> bool:
        """Whether an answer names another version; a partial answer need not repeat its date."""
        mine, theirs = self.version()[0], _version(answer)
        return mine is not None and theirs != mine and (theirs is not None or mine.startswith('"'))

    def drop(self) -> None:
        """Delete the partial file."""
        self.path.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)


def _version(answer: requests.Response) -> str | None:
    tag = answer.headers.get("ETag", "")
    validator = tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")
    return validator if validator and validator.isascii() and validator.isprintable() else None
