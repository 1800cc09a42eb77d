"""Memory of the models at the end of a mapped year: one file per tile and member, next to the tile store."""

from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as pack

from tamrl import files
from tamrl.errors import ContractError
from tamrl.predictions import TileRecord
from tamrl.shapes import Memory


def memory_folder(store: Path) -> Path:
    """Folder of the memories of a store."""
    return store.with_suffix(".memory")


def save_memory(store: Path, tile: str, member: str, memory: Memory) -> str:
    """Write the memory of a member, named by its digest, over the land cells of a tile; returns the SHA-256 of the file.

    Parameters
    ----------
    store : of the map
    tile : name of the tile
    member : name of the member
    memory : states (layer, cell, hidden) after the last step
    """
    path = _memory_file(store, tile, member)
    with files.atomic(path) as part:
        part.write_bytes(pack({f"{k:02d}": t.contiguous() for k, t in enumerate(memory)}))  # a full disk is then an OSError
    return files.checksum(path)


def has_memory(store: Path, tile: str, member: str, sha256: str) -> bool:
    """Whether the memory is there as it was written.

    Parameters
    ----------
    store : of the map
    tile : name of the tile
    member : name of the member
    sha256 : of the file as it was written
    """
    path = _memory_file(store, tile, member)
    return path.is_file() and files.checksum(path) == sha256


def load_memories(store: Path, record: TileRecord, tile: str, members: Sequence[str]) -> list[Memory]:
    """Read the memories of a tile that its record names.

    Raises `ContractError` if one of them is missing or differs from its checksum.

    Parameters
    ----------
    store : of the map
    record : of the tile, with the digests of its memories
    tile : name of the tile
    members : names of the members, whose order the result has
    """
    memories: list[Memory] = []
    for member in members:
        path = _memory_file(store, tile, member)
        if not has_memory(store, tile, member, record.memory.get(member, "")):
            raise ContractError(
                "the memory of a member at the end of the year before is missing or damaged",
                where=path,
                todo=f"delete {store.with_suffix('.json')} and run again: the year before is repaired, then this one",
            )
        try:
            tensors = load_file(path)
        except SafetensorError as error:
            asked, todo = "a memory is no safetensors file", "run the year before again"
            raise ContractError(asked, where=path, found=error, todo=todo) from None
        memories.append(tuple(tensors[name] for name in sorted(tensors)))
    return memories


def _memory_file(store: Path, tile: str, member: str) -> Path:
    return memory_folder(store) / tile / f"{member[:16]}.safetensors"
