"""Sealed Zarr stores: each has a `manifest.json`, which lists every file with its size and SHA-256.

A chunk may be readable and wrong: a deleted chunk reads as fill values, a flipped bit as another number. Therefore `seal_store`
records the files of a finished store, `open_cube` compares them with the disk, and each chunk is compared with its checksum when
it is read. Chunks with only missing values are neither stored nor listed.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
import xarray as xr
import zarr
from pydantic import Field
from zarr.abc.codec import BytesBytesCodec
from zarr.abc.store import ByteRequest
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from tamrl import contracts, files, temporary, variables
from tamrl.documents import Document
from tamrl.errors import ContractError
from tamrl.files import MANIFEST


class StoredFile(Document):
    """A file of a store."""

    bytes: int
    sha256: str


class StoreManifest(Document):
    """`manifest.json` of a sealed store."""

    content: ClassVar[str] = "the manifest of a store"

    files: dict[str, StoredFile]
    """By name relative to the store."""
    origin: dict[str, Any] = Field(alias="about")
    """How the store was made: sources, versions, digest of the code."""


def compressors() -> list[BytesBytesCodec]:
    """Return the codecs of every stored array: bit shuffle and LZ4, then CRC32C.

    Weather on contiguous land packs tighter and five times faster than with zstd level 1 (`make bench`). The checksum is compared
    before a chunk is unpacked, because Blosc may crash on a damaged one.
    """
    return [BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"), Crc32cCodec()]


def seal_store(path: str | Path, *, origin: files.JsonObject, known: Mapping[str, StoredFile] | None = None) -> None:
    """Write the manifest of a finished store.

    `origin` says how the store was made: sources, versions, digest of the code. `known` has the entries of another manifest,
    for files that are links into its store; these are not read again.
    """
    temporary.sweep(Path(path))
    listed = {}
    for name, file in _listing(path).items():
        entry = (known or {}).get(name) or StoredFile(bytes=file.stat().st_size, sha256=files.checksum(file))
        listed[name] = entry.model_dump()
    files.write_json(Path(path) / MANIFEST, {"files": listed, "about": origin})


def read_manifest(path: str | Path) -> StoreManifest:
    """Read the manifest of a store.

    Raises `ContractError` if it is missing or damaged.
    """
    return StoreManifest.read(_manifest_file(path))


def manifest_digest(path: str | Path) -> str:
    """Return the SHA-256 of the manifest of a store; it is equal only for stores whose files are all equal."""
    return files.checksum(files.verified(_manifest_file(path)))


def _manifest_file(path: str | Path) -> Path:
    file = Path(path) / MANIFEST
    if not file.is_file():
        raise ContractError("the store has no manifest, so it was never finished", where=file, todo="delete it and run again")
    return file


def check_store(path: str | Path, *, verify: bool = False) -> None:
    """Compare names and sizes of the files of a store with its manifest, and their contents if `verify`.

    Raises `ContractError`, which names the first files that are missing, have another size or content, or are not listed.
    """
    listed, present = read_manifest(path).files, _listing(path)
    wrong = [f"{name} is missing" for name in listed if name not in present]
    wrong += [f"{name} is not in the manifest" for name in present if name not in listed]
    for name in listed.keys() & present.keys():
        size = present[name].stat().st_size
        if size != listed[name].bytes:
            wrong.append(f"{name} has {size} bytes instead of {listed[name].bytes}")
        elif verify and files.checksum(present[name]) != listed[name].sha256:
            wrong.append(f"{name} does not match its checksum")
    if wrong:
        raise ContractError(
            "the store differs from its manifest",
            where=path,
            found="; ".join(sorted(wrong)[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""),
            todo="delete the store and run again: it is made again from its inputs",
        )


def open_sealed(path: str | Path, *, verify: bool = False) -> xr.Dataset:
    """Open a sealed store lazily, without Dask: `.isel(...)` and `.load()` read what is asked for.

    Presence and sizes of its files are checked now, and each chunk is compared with its checksum when it is read (`ContractError`
    with the name of the chunk). `verify` reads and compares all files now.
    """
    check_store(path, verify=verify)
    ds = xr.open_zarr(_Sealed(Path(path), read_only=True), chunks=None, consolidated=False, decode_timedelta=False)
    names = {n: (c.dims, np.array(c.values.tolist(), dtype=str)) for n, c in ds.coords.items() if c.dtype.kind in "OT"}
    named: xr.Dataset = ds.assign_coords(names)
    return named


def open_group(path: str | Path) -> zarr.Group:
    """Open a sealed store as a Zarr group; each chunk is compared with its checksum when it is read."""
    return zarr.open_group(_Sealed(path, read_only=True), mode="r", zarr_format=3)


def find_damage(path: str | Path, folder: str) -> str | None:
    """Return the first missing or damaged file of `folder` (or that file) in a sealed store, or None."""
    listed = read_manifest(path).files
    inside = {name: Path(path) / name for name in listed if name == folder or name.startswith(f"{folder}/")}
    wrong = (name for name, file in inside.items() if not file.is_file() or files.checksum(file) != listed[name].sha256)
    return next(wrong, None)


MAPPED = "mapped"
"""Coordinate (lat, lon) of the cube of a regional run: 1 in cells that are mapped."""


def open_cube(path: str | Path, *, verify: bool = False, globe: bool = False) -> xr.Dataset:
    """Open `drivers/cube.zarr` and check its contract, `contracts.check_cube`; raise `ContractError` for a damaged cube.

    Of a regional run it is the smallest window with all mapped cells (coordinate `MAPPED`), and no other cell has land; the
    attribute `region` says what is mapped. `globe` gives all cells instead, of which towers take their drivers.

    Dynamic variables are (time, lat, lon), statics (lat, lon) or (igbp | koppen, lat, lon), all float32, missing in cells
    without land. The attributes are `time_step`, `resolution` and, for a mean year, `climatology`.
    """
    ds = open_sealed(path, verify=verify)
    if MAPPED in ds.coords:
        ds = ds.drop_vars(MAPPED) if globe else _mapped_window(ds)
    names = {role: tuple(str(n) for n in ds if variables.get(str(n)).role == role) for role in ("dynamic", "static")}
    return contracts.check_cube(ds, **names, where=path)


def _mapped_window(ds: xr.Dataset) -> xr.Dataset:
    """The smallest window with all mapped cells of a cube; other cells in it have no land."""
    mapped = ds[MAPPED].values > 0
    rows, columns = (np.flatnonzero(mapped.any(axis)) for axis in (1, 0))
    window = ds.isel(lat=slice(rows[0], rows[-1] + 1), lon=slice(columns[0], columns[-1] + 1))
    return window.assign(land_fraction=window["land_fraction"].where(window[MAPPED] > 0, 0.0).astype("float32"))


def _listing(path: str | Path) -> dict[str, Path]:
    root = Path(path)
    return {str(PurePosixPath(p.relative_to(root))): p for p in files.list_files(root) if p.name != MANIFEST}


class _Sealed(LocalStore):
    """A local Zarr store that compares everything it reads with the manifest."""

    def __init__(self, root: Path | str, *, read_only: bool = True) -> None:
        super().__init__(root, read_only=read_only)
        self._files = read_manifest(root).files

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Read a file of the store; raise `ContractError` if it is listed and missing, or differs."""
        content = await super().get(key, prototype, byte_range)
        if key in self._files:
            if content is None:
                raise ContractError(f"the chunk {key} is missing", where=self.root, todo="delete the store and run again")
            if byte_range is None:
                await asyncio.to_thread(self._compare, key, content)
        return content

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names in a folder of the store, without manifest, seals and foreign files, which are not in the hierarchy."""
        async for name in super().list_dir(prefix):
            if name not in (MANIFEST, *files.FOREIGN) and not files.is_seal(name):
                yield name

    def _compare(self, key: str, content: Buffer) -> None:
        if hashlib.sha256(content.as_numpy_array().data).hexdigest() != self._files[key].sha256:
            raise ContractError(
                f"the chunk {key} does not match its checksum", where=self.root, todo="delete the store and run again"
            )
