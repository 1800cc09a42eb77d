"""Sealed Zarr stores: each carries `manifest.json`, which lists every file with its size and SHA-256.

"The chunk reads" proves nothing: a deleted chunk silently reads as fill values, and a flipped bit as a wrong number.
So `seal` writes down what a finished store consists of, `open_cube` compares that with the disk, and every chunk is
compared with its checksum when it is read. Chunks that hold only missing values are not stored and not listed.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from tamrl import contracts, files, temporary, variables
from tamrl.errors import ContractError
from tamrl.files import MANIFEST


def compressors() -> list[Any]:
    """Codecs of every stored array: bits of equal place side by side and LZ4, then CRC32C.

    Weather on contiguous land packs tighter and five times faster so than with zstd level 1 (`make bench`). The checksum
    is compared first when a chunk is read, so no reader unpacks a damaged one, which Blosc would not survive.
    """
    return [zarr.codecs.BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"), zarr.codecs.Crc32cCodec()]


def seal(path: str | Path, *, about: dict[str, Any], known: dict[str, dict[str, Any]] | None = None) -> None:
    """Write the manifest of a finished store; `about` (JSON-like: sources, versions, code digest) goes into it too.

    `known` are entries of another manifest for files that were linked from its store; they are not read again.
    """
    temporary.sweep(Path(path))
    known = known or {}
    found = {n: known.get(n) or {"bytes": f.stat().st_size, "sha256": files.checksum(f)} for n, f in _listing(path).items()}
    files.write_json(Path(path) / MANIFEST, {"files": found, "about": about})


def manifest(path: str | Path) -> dict[str, Any]:
    """The manifest of a store: `files` and `about`; raises `ContractError` where there is none."""
    file = Path(path) / MANIFEST
    if not file.is_file():
        raise ContractError("the store has no manifest, so it was never finished", where=file, todo="delete it and run again")
    return files.read_json(file)


def digest(path: str | Path) -> str:
    """SHA-256 of the manifest: two stores have the same one only if all their files agree."""
    manifest(path)
    return files.checksum(Path(path) / MANIFEST)


def check(path: str | Path, *, verify: bool = False) -> None:
    """Compare a store with its manifest: names and sizes, with `verify` the contents too.

    Raises
    ------
    ContractError
        Names the first files that are missing, have another size or content, or are not listed.
    """
    listed, there = manifest(path)["files"], _listing(path)
    wrong = [f"{name} is missing" for name in listed if name not in there]
    wrong += [f"{name} is not in the manifest" for name in there if name not in listed]
    for name in listed.keys() & there.keys():
        size = there[name].stat().st_size
        if size != listed[name]["bytes"]:
            wrong.append(f"{name} has {size} bytes instead of {listed[name]['bytes']}")
        elif verify and files.checksum(there[name]) != listed[name]["sha256"]:
            wrong.append(f"{name} does not match its checksum")
    if wrong:
        raise ContractError(
            "the store differs from its manifest",
            where=path,
            found="; ".join(sorted(wrong)[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""),
            todo="delete the store and run again: it is made anew from its inputs",
        )


def open_sealed(path: str | Path, *, verify: bool = False) -> xr.Dataset:
    """Open a sealed store lazily (no Dask; `.isel(...)` and `.load()` read what is asked for).

    Its files are checked for presence and size now, and each chunk against its checksum when it is read
    (`ContractError` with the chunk's name); `verify` reads and compares all of them now.
    """
    check(path, verify=verify)
    ds = xr.open_zarr(_Sealed(Path(path), read_only=True), chunks=None, consolidated=False, decode_timedelta=False)
    names = {n: (c.dims, np.array(c.values.tolist(), dtype=str)) for n, c in ds.coords.items() if c.dtype.kind in "OT"}
    return ds.assign_coords(names)


def group(path: str | Path) -> zarr.Group:
    """The arrays of a sealed store as they are stored; each chunk is compared with its checksum when it is read."""
    return zarr.open_group(_Sealed(path, read_only=True), mode="r", zarr_format=3)


def damaged(path: str | Path, folder: str) -> str | None:
    """The first file of `folder` (or that file) in a sealed store that is missing or differs from its checksum, or None."""
    listed = manifest(path)["files"]
    inside = {name: Path(path) / name for name in listed if name == folder or name.startswith(f"{folder}/")}
    wrong = (n for n, file in inside.items() if not file.is_file() or files.checksum(file) != listed[n]["sha256"])
    return next(wrong, None)


def open_cube(path: str | Path, *, verify: bool = False) -> xr.Dataset:
    """Open `drivers/cube.zarr` and check it against `contracts.check_cube`.

    Returns
    -------
    Dataset with dynamic variables (time, lat, lon), statics (lat, lon) or (igbp | koppen, lat, lon), all float32,
    missing where the cell has no land; attributes `time_step`, `resolution` and, if so, `climatology`.

    Raises
    ------
    ContractError
        If a chunk is missing or damaged, or the content is not a cube.
    """
    ds = open_sealed(path, verify=verify)
    names = {role: tuple(str(n) for n in ds if variables.get(str(n)).role == role) for role in ("dynamic", "static")}
    return contracts.check_cube(ds, **names, where=path)


def _listing(path: str | Path) -> dict[str, Path]:
    root = Path(path)
    return {str(PurePosixPath(p.relative_to(root))): p for p in files.list_files(root) if p.name != MANIFEST}


class _Sealed(LocalStore):
    """A local Zarr store that compares everything it reads with the manifest."""

    def __init__(self, root: Path | str, *, read_only: bool = True) -> None:
        super().__init__(root, read_only=read_only)
        self._files = manifest(root)["files"]

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Read one file of the store; raises `ContractError` if it is listed and missing, or differs."""
        found = await super().get(key, prototype, byte_range)
        if key in self._files:
            if found is None:
                raise ContractError(f"the chunk {key} is missing", where=self.root, todo="delete the store and run again")
            if byte_range is None:
                await asyncio.to_thread(self._compare, key, found)
        return found

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Names in a folder of the store; the manifest and foreign files are no part of the hierarchy."""
        async for name in super().list_dir(prefix):
            if name not in (MANIFEST, *files.FOREIGN) and not files.is_seal(name):
                yield name

    def _compare(self, key: str, found: Buffer) -> None:
        if hashlib.sha256(found.as_numpy_array()).hexdigest() != self._files[key]["sha256"]:
            raise ContractError(
                f"the chunk {key} does not match its checksum", where=self.root, todo="delete the store and run again"
            )
