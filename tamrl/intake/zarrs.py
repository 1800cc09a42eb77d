"""Open local Zarr stores and refuse chunks that are cut short.

Other codecs refuse such a chunk themselves; Blosc reads beyond its end if only its last bytes are missing.
"""

import json
import math
from pathlib import Path

import xarray as xr
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore, WrapperStore

from tamrl.errors import InputError
from tamrl.intake import completeness

_METADATA = (".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json")
_HEADER = 16
"""Bytes of a Blosc header; its last four are the length of the chunk including the header (Blosc 1 chunk format)."""


def open_zarr(store: Store, *, where: object) -> xr.Dataset:
    """Open a store lazily and without decoding, and read its coordinates; raise `InputError` if it declares too much.

    Fields may have any size, because values that were never written take no space. The size of coordinates and chunks, which are
    read at once, is limited.
    """
    ds: xr.Dataset = xr.open_zarr(store, chunks=None, decode_times=False, mask_and_scale=False, create_default_indexes=False)
    for name, variable in ds.variables.items():
        chunk, size = variable.encoding.get("chunks") or variable.shape, variable.dtype.itemsize
        most = max(math.prod(chunk), math.prod(variable.shape) if variable.ndim <= 1 else 0) * size
        if most > completeness.FREE:
            declared = f"{name}: shape {variable.shape}, chunks {chunk}"
            raise InputError("the store declares too much", where=where, found=declared, todo="copy it again")
    for name in [n for n, c in ds.coords.items() if c.dims == (n,)]:
        ds = ds.set_xindex(str(name))
    return ds


class CheckedStore(WrapperStore[LocalStore]):
    """A read-only store in a folder; chunks packed by Blosc are compared with the length that they declare."""

    def __init__(self, folder: Path | LocalStore):
        self._codecs: dict[str, str | None] = {}
        super().__init__(folder if isinstance(folder, LocalStore) else LocalStore(folder, read_only=True))

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return the bytes of a key, None if it does not exist; raise `InputError` for a chunk that is cut short."""
        content = await super().get(key, prototype, byte_range)
        if content is None or byte_range is not None or key.rsplit("/", 1)[-1] in _METADATA or not self._is_blosc(key):
            return content
        declared = int.from_bytes(content.as_numpy_array()[12:_HEADER].tobytes(), "little")
        unpacked = int.from_bytes(content.as_numpy_array()[4:8].tobytes(), "little")
        if unpacked > completeness.FREE:
            asked, todo = "the chunk unpacks to too much", "copy it again"
            raise InputError(asked, where=self._store.root / key, found=f"Blosc: {unpacked:,} bytes", todo=todo)
        if len(content) < max(declared, _HEADER):
            size = f"Blosc: the chunk needs {declared} bytes, the file has {len(content)}"
            raise InputError("the chunk is cut short", where=self._store.root / key, found=size, todo="copy it again")
        return content

    def _is_blosc(self, key: str) -> bool:
        """Whether the array of a chunk is packed by Blosc and not sharded."""
        for name in ("/".join(key.split("/")[:k]) for k in range(key.count("/"), -1, -1)):
            if name not in self._codecs:
                self._codecs[name] = self._codec(name)
            if codec := self._codecs[name]:
                return codec == "blosc"
        return False

    def _codec(self, name: str) -> str | None:
        """Return the last codec of an array; None if there is no such array."""
        folder = self._store.root / name
        if (folder / ".zarray").is_file():
            return str((json.loads((folder / ".zarray").read_bytes()).get("compressor") or {}).get("id"))
        if (folder / "zarr.json").is_file():
            metadata = json.loads((folder / "zarr.json").read_bytes())
            return str(metadata["codecs"][-1]["name"]) if metadata.get("node_type") == "array" else None
        return None
