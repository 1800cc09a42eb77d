"""What the models remember at the end of a mapped year, one file a tile and member beside the tile store."""

import hashlib
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as pack

from tamrl import files
from tamrl.errors import ContractError
from tamrl.inference.predict import Memory


def folder(store: Path) -> Path:
    """Where the memories of a store lie."""
    return store.with_suffix(".memory")


def save(store: Path, tile: str, member: str, memory: Memory) -> str:
    """Put down the memory of `member` (its digest) over the land cells of a tile; returns the SHA-256 of the file."""
    path = _file(store, tile, member)
    with files.atomic(path) as part:
        part.write_bytes(pack({f"{k:02d}": t.contiguous() for k, t in enumerate(memory)}))  # a full disk is then an OSError
    return _sha256(path)


def intact(store: Path, tile: str, member: str, sha256: str) -> bool:
    """Whether the memory lies there as it was put down."""
    path = _file(store, tile, member)
    return path.is_file() and _sha256(path) == sha256


def load(store: Path, tile: str, member: str, sha256: str) -> Memory:
    """Take up a memory again.

    Raises
    ------
    ContractError
        If it is not the one that was put down.
    """
    path = _file(store, tile, member)
    if not intact(store, tile, member, sha256):
        raise ContractError(
            "what a member remembers of the year before is missing or damaged",
            where=path,
            todo=f"delete {store.with_suffix('.json')} and run again: the year before is mended, then this one",
        )
    try:
        found = load_file(path)
    except SafetensorError as error:
        raise ContractError(
            "a memory is no safetensors file", where=path, found=error, todo="run the year before again"
        ) from None
    return tuple(found[name] for name in sorted(found))


def _file(store: Path, tile: str, member: str) -> Path:
    return folder(store) / tile / f"{member[:16]}.safetensors"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
