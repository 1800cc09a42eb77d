"""Zarr stores on the web, read only."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

from tamrl import files
from tamrl.errors import DownloadError
from tamrl.web.download import Client
from tamrl.web.session import Credential


def is_url(path: str) -> bool:
    """Whether a path is an address on the web."""
    return path.startswith(("http://", "https://"))


def sha256_of(url: str, client: Client | None = None) -> str:
    """SHA-256 of what lies at an address."""
    return hashlib.sha256((client or _client(url)).get(url) or b"").hexdigest()


ATTEMPTS = 14
"""Attempts of a request, with pauses that add up to half an hour: a year of hours is thousands of requests."""


def _client(url: str) -> Client:
    """A client with the login that the user has for a server in ~/.netrc, if any."""
    return Client(credential=Credential.of_netrc(url), attempts=ATTEMPTS)


NO_KEYS: tuple[str, ...] = ()

CHUNK_KEY = re.compile(r"(\w+)/(\d+(?:\.\d+)+)", re.ASCII)
"""Keys of chunks with several dimensions in stores of Zarr 2."""


class Remote(Store):
    """A Zarr store at an address, read only; every request as `Client` makes it.

    Chunks of fields (Zarr 2) that arrive while `chunks` names a folder stay in it, and are read from there after any stop.
    """

    supports_writes = supports_deletes = supports_listing = False

    def __init__(self, url: str, client: Client | None = None) -> None:
        super().__init__(read_only=True)
        self.url, self.client = url.rstrip("/"), client or _client(url)
        self.chunks: Path | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and other.url == self.url

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """The bytes of a key, None where there is nothing (fill values)."""
        if isinstance(byte_range, SuffixByteRequest):
            buffer = await self.get(key, prototype)
            return buffer and buffer[-byte_range.suffix :]
        start: int | None = None
        end: int | None = None
        if isinstance(byte_range, RangeByteRequest):
            start, end = byte_range.start, byte_range.end
        elif isinstance(byte_range, OffsetByteRequest):
            start = byte_range.offset
        if self.chunks and start is end is None and CHUNK_KEY.fullmatch(key):
            content = await asyncio.to_thread(self._kept_chunk, key, self.chunks)
        else:
            content = await asyncio.to_thread(self.client.get, f"{self.url}/{key}", start=start, end=end, missing=True)
        return None if content is None else prototype.buffer.from_bytes(content)

    def _kept_chunk(self, key: str, folder: Path) -> bytes | None:
        """A chunk of the folder, fetched if it is not in it."""
        place = folder / key
        if place.is_file():
            return place.read_bytes()
        content = self.client.get(f"{self.url}/{key}", missing=True)
        if content is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            with files.atomic(place, sealed=False) as part:
                part.write_bytes(content)
        return content

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Parts of several keys."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether a key is there."""
        return await asyncio.to_thread(self.client.get, f"{self.url}/{key}", start=0, end=1, missing=True) is not None

    async def set(self, key: str, value: Buffer | None = None) -> None:
        """Refused: the store is somebody else's."""
        raise DownloadError("the store is read only", where=f"{self.url}/{key}")

    async def list(self, prefix: str = "") -> AsyncIterator[str]:
        """Nothing: a server of files lists none, the consolidated metadata say what there is."""
        for key in NO_KEYS:
            yield key

    delete, list_prefix, list_dir = set, list, list
