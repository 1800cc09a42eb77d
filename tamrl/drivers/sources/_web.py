"""Files and Zarr stores from the web: whole or not at all, resumed after a break, tried again a bounded number of times.

A server that is busy (429, 503) is asked again when it says, or after a pause that doubles. A login that is missing or has
expired (401, 403) is not tried again. Nothing is believed that is shorter than announced, or whose checksum is another.
"""

import asyncio
import hashlib
import logging
import os
import random
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import requests
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

from tamrl.errors import DownloadError

log = logging.getLogger(__name__)

BUSY = (408, 425, 429, 500, 502, 503, 504)
BLOCK = 1 << 16
"""Bytes written at once: what a broken connection may lose."""
LONGEST_PAUSE = 300.0
"""Seconds to wait at most, whatever the server asks for."""

_BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


def is_url(path: str) -> bool:
    """Whether a path is an address on the web."""
    return path.startswith(("http://", "https://"))


def sha256(path: Path) -> str:
    """SHA-256 of one file's content."""
    return _digest(path, "sha256")


def _digest(path: Path, algorithm: str) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, algorithm.lower().replace("-", "")).hexdigest()


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
        DownloadError
            After the last attempt, or at once where another would be of no use.
        """
        limits = f"bytes={start or 0}-{'' if end is None else end - 1}" if start or end is not None else None

        def once() -> bytes | None:
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
        DownloadError
            What has arrived is kept as `.<name>.part` for the next call, unless its checksum is wrong.
        """
        if target.is_file() and _fits(target, size, checksum):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        self._again(url, lambda: self._resume(url, part))
        if not _fits(part, size, checksum):
            found = (
                f"{part.stat().st_size} bytes, {checksum[0]} {_digest(part, checksum[0])}" if checksum else part.stat().st_size
            )
            part.unlink()
            raise DownloadError(
                f"{target.name} is not what its publisher announces",
                where=url,
                found=found,
                todo="the file was changed: try later",
            )
        os.replace(part, target)

    def _resume(self, url: str, part: Path) -> None:
        have = part.stat().st_size if part.is_file() else 0
        with self._ask(url, {"Range": f"bytes={have}-"} if have else {}) as answer:
            if answer.status_code == 416:  # longer than the file, or whole already: begin again
                part.unlink()
                raise requests.ConnectionError("the part is no part of the file")
            _check(answer, url)
            goes_on = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            with open(part, "ab" if goes_on else "wb") as handle:
                for block in answer.iter_content(BLOCK):
                    handle.write(block)
                handle.flush()
                os.fsync(handle.fileno())
        _complete(answer, part.stat().st_size - (have if goes_on else 0))

    def _ask(self, url: str, headers: dict[str, str]) -> requests.Response:
        time.sleep(max(0.0, self._last + self.gap - time.monotonic()))
        self._last = time.monotonic()
        sent = {"Accept-Encoding": "identity"} | self.headers | headers
        return self._session.get(url, headers=sent, stream=True, timeout=self.timeout)

    def _again(self, url: str, once: object) -> bytes | None:
        for attempt in range(1, self.attempts + 1):
            try:
                return once()
            except _Busy as error:
                cause, pause = error, error.after
            except _BROKEN as error:
                cause, pause = error, None
            if attempt < self.attempts:
                pause = self.wait * 2 ** (attempt - 1) * random.uniform(0.75, 1.25) if pause is None else pause
                log.warning("%s: attempt %d failed (%s), again in %.1f s", url, attempt, cause, min(pause, LONGEST_PAUSE))
                time.sleep(min(pause, LONGEST_PAUSE))
        todo = "check the network and run again: what has arrived is kept"
        raise DownloadError(f"the download failed {self.attempts} times", where=url, found=cause, todo=todo) from cause


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
        todo = "the login is missing or has expired: get a new token and set it in the environment (docs/inputs.md)"
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
    return checksum is None or _digest(path, checksum[0]) == checksum[1].lower()


def sha256_of(url: str) -> str:
    """SHA-256 of what lies at an address."""
    return hashlib.sha256(Client().get(url)).hexdigest()


class Remote(Store):
    """A Zarr store at an address, read only; every request as `Client` makes it."""

    supports_writes = supports_deletes = supports_listing = False

    def __init__(self, url: str, client: Client | None = None):
        super().__init__(read_only=True)
        self.url, self.client = url.rstrip("/"), client or Client()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and other.url == self.url

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """The bytes of a key, None where there is nothing (fill values)."""
        if isinstance(byte_range, SuffixByteRequest):
            whole = await self.get(key, prototype)
            return whole and whole[-byte_range.suffix :]
        start = end = None
        if isinstance(byte_range, RangeByteRequest):
            start, end = byte_range.start, byte_range.end
        elif isinstance(byte_range, OffsetByteRequest):
            start = byte_range.offset
        found = await asyncio.to_thread(self.client.get, f"{self.url}/{key}", start=start, end=end, missing=True)
        return None if found is None else prototype.buffer.from_bytes(found)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Parts of several keys."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether a key is there."""
        found = await asyncio.to_thread(self.client.get, f"{self.url}/{key}", start=0, end=1, missing=True)
        return found is not None

    async def set(self, key: str, value: Buffer) -> None:
        """Refused: the store is somebody else's."""
        raise DownloadError("the store is read only", where=f"{self.url}/{key}")

    async def delete(self, key: str) -> None:
        """Refused: the store is somebody else's."""
        raise DownloadError("the store is read only", where=f"{self.url}/{key}")

    async def list(self) -> AsyncIterator[str]:
        """Nothing: a server of files lists none, the consolidated metadata say what there is."""
        for key in ():
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Nothing, see `list`."""
        for key in ():
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Nothing, see `list`."""
        for key in ():
            yield key
