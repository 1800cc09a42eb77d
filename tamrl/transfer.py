"""Files from the web: whole or not at all, resumed after a break, tried again a bounded number of times.

A server that is busy (429, 503) is asked again when it says, or after a pause that doubles. A login that is missing or has
expired (401, 403) is not tried again. Nothing is believed that is shorter than announced, or whose checksum is another.

Two kinds of failure are told apart. `OutageError`: the network or the server fails for now (no connection, time out, no such
host, busy, a body that ends early), and the file may be had later. `DownloadError` alone: asking again is of no use (404, 410,
403, an address that is none, redirections without end, other bytes than announced).
"""

import errno
import logging
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tamrl import placing
from tamrl.errors import DownloadError, MachineError, OutageError
from tamrl.files import checksum as content
from tamrl.intake import border

log = logging.getLogger(__name__)

BUSY = (408, 425, 429, 500, 502, 503, 504)
BLOCK = 1 << 16
"""Bytes written at once: what a broken connection may lose."""
LONGEST_PAUSE = 300.0
"""Seconds to wait at most, whatever the server asks for."""

_BROKEN = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    ConnectionError,
)


@dataclass
class Client:
    """Asks one server, one request at a time.

    Parameters
    ----------
    headers : dict
        Sent with every request to the host of the address (a login, say), and to no other host.
    attempts : int
        Tries per file.
    wait : float
        Seconds before the second try; doubles with each further one unless the server says when.
    gap : float
        Seconds between the beginnings of two requests, at least.
    """

    headers: dict[str, str] = field(default_factory=dict)
    attempts: int = 6
    wait: float = 2.0
    gap: float = 0.0
    timeout: tuple[float, float] = (20.0, 120.0)
    _session: requests.Session = field(default_factory=requests.Session, repr=False)
    _last: float = 0.0

    def get(self, url: str, *, start: int | None = None, end: int | None = None, missing: bool = False) -> bytes | None:
        """Bytes of an address, or of a part of it; None where there is nothing and `missing` is allowed (404).

        Raises
        ------
        OutageError
            After the last attempt, if the network or the server fails.
        DownloadError
            At once where another attempt would be of no use.
        """
        limits = f"bytes={start or 0}-{'' if end is None else end - 1}" if start or end is not None else None

        def once() -> bytes | None:
            """One request, without a second try."""
            with self._ask(url, {"Range": limits} if limits else {}) as answer:
                if answer.status_code == 404 and missing:
                    return None
                _check(answer, url)
                content = answer.content
                _complete(answer, len(content))
                return content if limits is None or answer.status_code == 206 else content[start or 0 : end]

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
        if target.is_file() and _fits(target, size, checksum):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        self._again(url, lambda: self._bring(url, part, size, checksum))
        os.replace(part, target)

    def _bring(self, url: str, part: Path, size: int | None, checksum: tuple[str, str] | None) -> None:
        """One attempt at a file; what is shorter than `size` may be gone on with, what is otherwise wrong is thrown away."""
        surely_all = self._resume(url, part)
        if _fits(part, size, checksum):
            return
        length = part.stat().st_size
        if size is not None and length < size and not surely_all:
            raise requests.ConnectionError(f"{length} of {size} bytes arrived")
        found = f"{length} bytes, {checksum[0]} {content(part, checksum[0])}" if checksum else f"{length} bytes"
        part.unlink()
        if not surely_all:
            raise _WrongBytes(found)
        raise _unlike(url, found)

    def _resume(self, url: str, part: Path) -> bool:
        """Whether what lies there now is surely all that the server has, from one answer whose length was announced."""
        have = part.stat().st_size if part.is_file() else 0
        with self._ask(url, {"Range": f"bytes={have}-"} if have else {}) as answer:
            if answer.status_code == 416:  # longer than the file, or whole already: begin again
                part.unlink(missing_ok=True)
                raise _WrongBytes("the server has no such part of the file (416)")
            _check(answer, url)
            goes_on = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            with open(part, "ab" if goes_on else "wb", opener=placing.no_link) as handle:
                for block in answer.iter_content(BLOCK):
                    handle.write(block)
                handle.flush()
                os.fsync(handle.fileno())
        _complete(answer, part.stat().st_size - (have if goes_on else 0))
        announced = "Content-Length" in answer.headers or answer.headers.get("Transfer-Encoding") == "chunked"
        return announced and not goes_on

    def _ask(self, url: str, headers: dict[str, str]) -> requests.Response:
        time.sleep(max(0.0, self._last + self.gap - time.monotonic()))
        self._last = time.monotonic()
        sent = {"Accept-Encoding": "identity"} | self.headers | headers
        return self._session.get(url, headers=sent, stream=True, timeout=self.timeout)

    def _again(self, url: str, once: Callable[[], bytes | None]) -> bytes | None:
        asked = "the file cannot be downloaded"
        for attempt in range(1, self.attempts + 1):
            with border.reading(asked, where=url, error=DownloadError, todo="check the address"):
                try:
                    return once()
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
            if attempt < self.attempts:
                pause = self.wait * 2 ** (attempt - 1) * random.uniform(0.75, 1.25) if pause is None else pause
                log.warning("%s: attempt %d failed (%s), again in %.1f s", url, attempt, cause, min(pause, LONGEST_PAUSE))
                time.sleep(min(pause, LONGEST_PAUSE))
        if isinstance(cause, _WrongBytes | requests.exceptions.ContentDecodingError):
            raise _unlike(url, cause) from cause
        todo = "check the network and run again: what has arrived is kept"
        if isinstance(cause, requests.exceptions.SSLError):
            todo = "check the clock and the certificates of this machine, and run again: what has arrived is kept"
        raise OutageError(f"the download failed {self.attempts} times", where=url, found=cause, todo=todo) from cause


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
        raise _Busy(status, float(after) if after.isdigit() else None)
    if status in (401, 403):
        todo = "the login is missing or has expired, or the file is not public: docs/inputs.md says which token goes where"
        raise DownloadError(f"the server refuses the login ({status})", where=url, todo=todo)
    if status not in (200, 206):
        raise DownloadError(f"the server answers {status} {answer.reason}", where=url, todo="check the address")


def _complete(answer: requests.Response, received: int) -> None:
    """A connection that closes early is no error to every client: compare with the length announced."""
    announced = answer.headers.get("Content-Length", "")
    if announced.isdigit() and received != int(announced):
        raise requests.ConnectionError(f"{received} of {announced} bytes arrived")


def _fits(path: Path, size: int | None, checksum: tuple[str, str] | None) -> bool:
    if size is not None and path.stat().st_size != size:
        return False
    return checksum is None or content(path, checksum[0]) == checksum[1].lower()
