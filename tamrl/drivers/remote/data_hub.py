"""Chunks of a store of the Earth Data Hub (Zarr 3) as files on the disk, each of which is fetched once.

Every request carries the user's login and counts against a monthly quota. So the chunks themselves stay on the disk, as they
arrive: a stop at any moment loses none, and the chunk that two years share is fetched for the first of them.
"""

import base64
import json
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from zarr.core.metadata.v3 import ArrayV3Metadata

from tamrl import files
from tamrl.drivers.cube.write import link
from tamrl.drivers.remote.zarr_store import ATTEMPTS
from tamrl.errors import DownloadError, InputError, OutageError
from tamrl.intake import border
from tamrl.web.download import Client, StatusError
from tamrl.web.session import Credential

_log = logging.getLogger(__name__)

KEY, USER = "EDH_API_KEY", "edh"
INDEX = "chunks.json"
"""List of the chunks of a folder with their bytes, and the address of their store."""
METADATA = "zarr.json"
AT_ONCE = 4
HOW = (
    f"get a free account and a key at earthdatahub.destine.eu, and set {KEY} in the environment, or put the key into ~/.netrc "
    "as password of the machine that drivers.earth_data_hub.path names"
)


def read_hub_login(url: str) -> Credential:
    """The login for the server of `url` from the environment, else ~/.netrc; raises `DownloadError` if there is none."""
    key = os.environ.get(KEY, "").strip()
    if not key and (basic := Credential.of_netrc(url)):
        return basic
    origin = "/".join(url.split("/")[:3])
    Credential.of_text(key, "Authorization", (origin,), where=f"environment variable {KEY}", none="no key", how=HOW)
    return Credential("Authorization", "Basic " + base64.b64encode(f"{USER}:{key}".encode()).decode(), (origin,))


@dataclass(frozen=True)
class RequestCount:
    """Requests within this month (UTC), which the jobs of all runs count together: a byte of a file for each."""

    folder: Path
    quota: int

    @property
    def _file(self) -> Path:
        return self.folder / f"requests-{datetime.now(UTC):%Y-%m}"

    @property
    def made(self) -> int:
        """Number of requests so far."""
        return self._file.stat().st_size if self._file.is_file() else 0

    def add(self) -> None:
        """Count a request that is about to be made; raises `OutageError` if the quota is used up."""
        if self.made >= self.quota:
            todo = "run again next month: what is here is not fetched again; if yours is larger, set drivers.earth_data_hub.quota"
            raise OutageError(
                "the monthly quota of requests is used up", where=self._file, found=f"{self.quota} requests", todo=todo
            )
        with border.reading("requests cannot be counted", where=self._file), open(self._file, "ab") as file:
            file.write(b".")


@dataclass(frozen=True)
class StoredArray:
    """An array of a store: its metadata as they came, and what they say of its chunks (those that are files)."""

    name: str
    text: bytes
    metadata: ArrayV3Metadata

    @classmethod
    def parse(cls, name: str, text: bytes, where: str) -> "StoredArray":
        """Read the metadata of an array; raises `DownloadError` if they are none of Zarr 3."""
        with border.reading("the metadata of the store cannot be read", where=where, error=DownloadError):
            return cls(name, text, ArrayV3Metadata.from_dict(json.loads(text)))

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(str(name) for name in self.metadata.dimension_names or ())

    @property
    def chunk(self) -> tuple[int, ...]:
        """Shape of a chunk."""
        shape: tuple[int, ...] = self.metadata.chunk_grid.chunk_shape  # type: ignore[attr-defined]
        return shape

    def positions(self, steps: slice) -> Iterator[tuple[int, ...]]:
        """Positions of the chunks that hold some steps of the first dimension, the latest dimension fastest."""
        first = range(steps.start // self.chunk[0], -(-steps.stop // self.chunk[0]))
        others = (range(-(-size // chunk)) for size, chunk in zip(self.metadata.shape[1:], self.chunk[1:], strict=True))
        yield from product(first, *others)

    def key(self, position: tuple[int, ...]) -> str:
        """Path of a chunk in the store."""
        return f"{self.name}/{self.metadata.encode_chunk_key(position)}"

    def filled(self, position: tuple[int, ...]) -> int:
        """Number of steps in a chunk: the last one of a growing store has fewer than the others."""
        return min(self.chunk[0], self.metadata.shape[0] - position[0] * self.chunk[0])


class HubStore:
    """A store on the web, and the folder beside the downloads in which its chunks stay.

    Parameters
    ----------
    url : address of the store
    folder : for the chunks of this and other stores, and the count of requests
    quota : requests that the user may make in a month
    """

    def __init__(self, url: str, folder: Path, quota: int) -> None:
        self.url = url.rstrip("/")
        self.count = RequestCount(folder, quota)
        self.chunks = folder / self.url.split("://", 1)[1].replace("/", "_").replace(":", "_")
        self.chunks.mkdir(parents=True, exist_ok=True)
        self.client = Client(credential=read_hub_login(self.url), attempts=ATTEMPTS, before=self.count.add)

    def array(self, name: str) -> StoredArray:
        """Metadata of an array; raises `InputError` if the store has no such array."""
        where = f"{self.url}/{name}/{METADATA}"
        text = self.client.get(where, missing=True)
        if text is None:
            raise InputError("the store does not hold the variable", where=where, todo="check drivers.earth_data_hub.path")
        return StoredArray.parse(name, text, where)

    def copy_axes(self, field: StoredArray, folder: Path) -> None:
        """Write the metadata of a field, and its coordinates, into a folder that becomes a store of its own."""
        root = json.loads(self.client.get(f"{self.url}/{METADATA}") or b"{}")
        axes = [self.array(name) for name in field.dims]
        for axis in axes:
            for position in axis.positions(slice(0, axis.metadata.shape[0])):
                content = self.client.get(f"{self.url}/{axis.key(position)}")
                _write(folder / axis.key(position), content or b"")
        listed = {array.name: json.loads(array.text) for array in (field, *axes)}
        for array in (field, *axes):
            _write(folder / array.name / METADATA, array.text)
        group = {"zarr_format": 3, "node_type": "group", "attributes": root.get("attributes", {})}
        inline = {"kind": "inline", "must_understand": False, "metadata": listed}
        _write(folder / METADATA, json.dumps(group | {"consolidated_metadata": inline}).encode())

    def fetch(self, field: StoredArray, steps: slice, folder: Path) -> None:
        """Bring the chunks of some steps into a folder, with their list; those on the disk are not asked for.

        Raise `OutageError` if the network, the server or the quota ends it; `InputError` if the store has no values.
        """
        wanted = {position: self._place(field, position) for position in field.positions(steps)}
        missing = {position: place for position, place in wanted.items() if not place.is_file()}
        message = "%s: %d of %d chunks are to be fetched; %d of %d requests of this month are made"
        _log.info(message, field.name, len(missing), len(wanted), self.count.made, self.count.quota)
        if self.count.made + len(missing) > self.count.quota:
            _log.warning("%s: the requests of this month do not suffice; the rest follows in the next", field.name)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(self._bring, field.key(position), place) for position, place in missing.items()]:
                done.result()
        self._refuse_odd_gaps(field, wanted)
        sizes = {}
        for position, place in wanted.items():
            key, size = field.key(position), place.stat().st_size
            if size and not (folder / key).is_file():
                (folder / key).parent.mkdir(parents=True, exist_ok=True)
                link(str(place), str(folder / key))
            if size:
                sizes[key] = size
        _write(folder / INDEX, json.dumps({"store": self.url, "chunks": sizes}, indent=1).encode())

    def _place(self, field: StoredArray, position: tuple[int, ...]) -> Path:
        """File of a chunk, empty where the store has none; a chunk that has grown is another file."""
        return self.chunks / f"{field.key(position)}.of{field.filled(position)}"

    def _bring(self, key: str, place: Path) -> None:
        try:
            self.client.download(f"{self.url}/{key}", place)
        except StatusError as error:
            if error.status != 404:
                raise
            _write(place, b"")

    def _refuse_odd_gaps(self, field: StoredArray, wanted: dict[tuple[int, ...], Path]) -> None:
        """Refuse chunks that are absent at some times of a place and there at others: the sea stays where it is."""
        empty = {position for position, place in wanted.items() if not place.stat().st_size}
        land = {position[1:] for position in wanted if position not in empty}
        odd = sorted(position for position in empty if position[1:] in land)
        if not land or odd:
            for position in odd or empty:
                wanted[position].unlink()
            keys = ", ".join(field.key(position) for position in (odd or sorted(empty))[:3])
            raise InputError(
                "the store lacks chunks of land", where=self.url, found=keys, todo="try later, or report it to the hub"
            )
        fill = field.metadata.fill_value
        if empty and not np.isnan(np.asarray(fill, "float64")):
            raise InputError(
                "chunks that the store leaves out would be read as numbers", where=f"{self.url}/{field.name}", found=fill
            )


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.atomic(path, sealed=False) as part:
        part.write_bytes(content)


def check_chunks(folder: Path, url: str) -> None:
    """Raise `InputError` if a folder of chunks is of another store, or a chunk of its list is absent or of another size."""
    with border.reading(
        "the list of chunks cannot be read", where=folder / INDEX, todo=f"delete {folder} to have it fetched again"
    ):
        index: dict[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        store, sizes = str(index["store"]), dict(index["chunks"])
    if store != url.rstrip("/"):
        todo = f"delete {folder} to have it fetched from there, or set drivers.earth_data_hub.path to the former"
        raise InputError(
            "the chunks on the disk are of another store than drivers.earth_data_hub.path",
            where=folder,
            found=f"{store}, not {url}",
            todo=todo,
        )
    files_of = {key: folder / key for key in sizes}
    if wrong := [key for key, file in files_of.items() if not file.is_file() or file.stat().st_size != sizes[key]]:
        asked, todo = "chunks are lost or were changed", f"delete {folder} and run again"
        raise InputError(asked, where=folder, found=f"{len(wrong)} of {len(sizes)}, such as {wrong[0]}", todo=todo)
