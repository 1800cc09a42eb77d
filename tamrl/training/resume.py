"""State of a training under way, so that a killed job continues and ends with the bits of one that was not.

One safetensors file (never a pickle) holds weights, optimiser, the weights kept so far and the state of every random number
generator; its header holds the rest as JSON. It is written atomically beside the model and removed when that is done.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as pack
from torch import Tensor, nn
from torch.optim import Optimizer

from tamrl import temporary
from tamrl.files import atomic, intact, seal_file

LOG = logging.getLogger(__name__)

EVERY = 50
"""Steps from one state to the next."""


@dataclass(frozen=True)
class State:
    """Where a training stands: the next step, what happened, the best score and the weights that had it."""

    step: int
    history: dict[str, Any]
    best: float
    kept: dict[str, Tensor] | None


class Resume:
    """Keeps and restores the state of one training.

    Parameters
    ----------
    output : path
        Where the model is to lie; the state lies beside it.
    key : str
        Digest of all that shapes the training: a state with another key is of another training.
    """

    def __init__(self, output: str | Path, *, key: str) -> None:
        self.path = Path(f"{output}.resume.safetensors")
        self.key = key

    def keep(self, state: State, network: nn.Module, optimizer: Optimizer, random: np.random.Generator) -> None:
        """Write the state, every `EVERY` steps."""
        if state.step % EVERY:
            return
        about = {"key": self.key, "step": state.step, "history": state.history, "best": state.best}
        about["numpy"] = random.bit_generator.state
        tensors = {f"network/{name}": t for name, t in network.state_dict().items()}
        tensors |= {f"kept/{name}": t for name, t in (state.kept or {}).items()}
        for k, own in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{k}/{name}": t for name, t in own.items()}
        tensors["torch"] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors["cuda"] = torch.cuda.get_rng_state()
        with atomic(self.path) as part:
            kept = {n: t.detach().cpu().clone() for n, t in tensors.items()}
            part.write_bytes(pack(kept, metadata={"about": json.dumps(about)}))  # a full disk is then an OSError

    def restore(self, network: nn.Module, optimizer: Optimizer, random: np.random.Generator) -> State | None:
        """Put everything back as it was kept; None, and nothing changed, where there is no state of this training."""
        if (found := self._read()) is None:
            return None
        about, tensors = found
        network.load_state_dict(_under("network/", tensors))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under("optimizer/", tensors).items():
            k, own = name.split("/")
            moments.setdefault(int(k), {})[own] = tensor
        optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
        random.bit_generator.state = about["numpy"]
        torch.set_rng_state(tensors["torch"])
        if "cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["cuda"])
        device = next(network.parameters()).device
        kept = {name: t.to(device) for name, t in _under("kept/", tensors).items()}
        LOG.info("training continues at step %d, as kept in %s", about["step"], self.path)
        return State(about["step"], about["history"], about["best"], kept or None)

    def _read(self) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        if not intact(self.path):
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                about = json.loads(file.metadata()["about"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        except SafetensorError as error:
            LOG.warning("%s is no state of a training (%s): training starts anew", self.path, error)
            return None
        if about["key"] != self.key:
            LOG.warning("%s was kept by a training with other data, settings, code or libraries: it starts anew", self.path)
            return None
        return about, tensors

    def clear(self) -> None:
        """Remove the state, and what killed jobs left half written beside it."""
        temporary.sweep(self.path.parent)
        for file in (self.path, seal_file(self.path)):
            file.unlink(missing_ok=True)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
