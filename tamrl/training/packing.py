"""All members of a model in one file: a safetensors file (tensors and text, never a pickle) that says its own digest."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as pack
from torch import Tensor

from tamrl.errors import ContractError
from tamrl.intake import border
from tamrl.training.checkpoint import Trained, restore_model, stored_weights
from tamrl.training.model_spec import ModelSpec

KEY = "tamrl"
"""Name of the text among the metadata; a single one, because the order of several is that of their hashes."""

MOST_TEXT = 1 << 24
"""Largest size of the text (characters)."""

DOWNLOAD_AGAIN = "install the package or download the file again"


class PackedFile(NamedTuple):
    """Content of a file of members."""

    text: str
    """What describes the members, as JSON."""
    tensors: dict[str, Tensor]
    digest: str
    """SHA-256 of both."""

    def array(self, name: str) -> np.ndarray:
        """An array beside the members; raises `ContractError` if it is missing."""
        if (tensor := self.tensors.get(f"array/{name}")) is None:
            raise ContractError("a packed model lacks an array", where=name, todo=DOWNLOAD_AGAIN)
        return tensor.numpy()

    def members(self, specs: Sequence[ModelSpec], *, where: object) -> tuple[Trained, ...]:
        """Build the members that `specs` describe, in the order of the file; raises `ContractError` if weights do not fit."""
        members = []
        for k, spec in enumerate(specs):
            start = f"member-{k}/"
            state = {name.removeprefix(start): tensor for name, tensor in self.tensors.items() if name.startswith(start)}
            with border.reading("a packed model cannot be built", where=where, error=ContractError, todo=DOWNLOAD_AGAIN):
                members.append(Trained(restore_model(spec, state, where=where), spec))
        return tuple(members)


def pack_members(members: Sequence[Trained], arrays: Mapping[str, np.ndarray], text: str) -> bytes:
    """Return the content of a file with the weights of members, arrays beside them, and the JSON that describes all.

    The same input gives the same bytes. The digest, SHA-256 of text and tensors, is stored with them.
    """
    tensors = {f"array/{name}": torch.from_numpy(np.ascontiguousarray(values)) for name, values in arrays.items()}
    for k, member in enumerate(members):
        tensors |= {f"member-{k}/{name}": tensor for name, tensor in stored_weights(member).items()}
    content = {"sha256": packed_digest(text, tensors), "text": text}
    return pack(tensors, metadata={KEY: json.dumps(content, sort_keys=True)})


def packed_digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of a text and of names, types, shapes and values of tensors, whatever their order in the file."""
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        head = json.dumps([name, str(tensor.dtype), list(tensor.shape)])
        digest.update(head.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def read_packed(path: Path) -> PackedFile:
    """Read a file of members and compare it with its digest.

    Raises `ContractError` if it is missing, no such file, or damaged.
    """
    asked = "a packed model cannot be read"
    with border.reading(asked, where=path, error=ContractError, todo=DOWNLOAD_AGAIN):
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            shown = f"no safetensors file: {error}"
            raise ContractError(asked, where=path, found=shown, todo=DOWNLOAD_AGAIN) from None
        if len(packed := metadata.get(KEY, "")) > MOST_TEXT or not packed:
            shown = f"metadata {', '.join(sorted(metadata)) or 'of no kind'}"
            raise ContractError("the file is no packed model", where=path, found=shown, todo="give a file of `tamrl release`")
        content = json.loads(packed)
        text = str(content["text"])
        digest = packed_digest(text, tensors)
        if digest != content["sha256"]:
            raise ContractError("a packed model differs from its digest", where=path, todo=DOWNLOAD_AGAIN)
    return PackedFile(text, tensors, digest)
