"""State of a training in progress, so that a killed job continues and ends with the same bits as one that was not killed.

One safetensors file (never a pickle) holds the weights, the optimiser, the best weights so far and the states of the random
number generators; its header holds the rest as JSON. It is an entry of the cache, next to the model, and is removed when the
model is done.
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
from tamrl.cache import Cache, Key

_log = logging.getLogger(__name__)

EVERY = 50
"""Steps from one saved state to the next."""


@dataclass(frozen=True)
class State:
    """Progress of a training.

    Attributes
    ----------
    step : int
        The next step.
    history : dict
        Fields of `loop.History`, JSON-like.
    best : float
        Lowest validation loss so far.
    best_weights : dict of Tensor, or None
        Weights that had it.
    """

    step: int
    history: dict[str, Any]
    best: float
    best_weights: dict[str, Tensor] | None


class Resume:
    """Saves and restores the state of one training.

    Parameters
    ----------
    output : path
        Folder of the model; the state lies next to it.
    key : Key
        All that shapes the training. A state with another key belongs to another training and is not used.
    """

    def __init__(self, output: str | Path, *, key: Key) -> None:
        self._cache, self._name = Cache(Path(output).parent), f"{Path(output).name}.resume.safetensors"
        self._key = key

    def save(self, state: State, network: nn.Module, optimizer: Optimizer, random: np.random.Generator) -> None:
        """Save the state, every `EVERY` steps.

        Parameters
        ----------
        state : counters, history and best weights
        network, optimizer : whose state is stored
        random : generator of the batches
        """
        if state.step % EVERY:
            return
        progress = {"step": state.step, "history": state.history, "best": state.best, "numpy": random.bit_generator.state}
        tensors = {f"network/{name}": t for name, t in network.state_dict().items()}
        tensors |= {f"best/{name}": t for name, t in (state.best_weights or {}).items()}
        for k, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{k}/{name}": t for name, t in moments.items()}
        tensors["torch"] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors["cuda"] = torch.cuda.get_rng_state()
        copies = {name: t.detach().cpu().clone() for name, t in tensors.items()}
        with self._cache.put(self._name, self._key) as part:
            part.write_bytes(pack(copies, metadata={"progress": json.dumps(progress)}))  # a full disk is then an OSError

    def restore(self, network: nn.Module, optimizer: Optimizer, random: np.random.Generator) -> State | None:
        """Restore everything as it was saved; None, and nothing changed, where there is no state of this training."""
        if (path := self._cache.get(self._name, self._key)) is None:
            return None
        try:
            with safe_open(path, framework="pt") as file:
                progress = json.loads(file.metadata()["progress"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        except SafetensorError as error:
            _log.warning("%s is no state of a training (%s): training starts from the beginning", path, error)
            return None
        network.load_state_dict(_below("network/", tensors))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _below("optimizer/", tensors).items():
            k, moment = name.split("/")
            moments.setdefault(int(k), {})[moment] = tensor
        optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
        random.bit_generator.state = progress["numpy"]
        torch.set_rng_state(tensors["torch"])
        if "cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["cuda"])
        device = next(network.parameters()).device
        best_weights = {name: t.to(device) for name, t in _below("best/", tensors).items()}
        _log.info("training continues at step %d, as saved in %s", progress["step"], path)
        return State(progress["step"], progress["history"], progress["best"], best_weights or None)

    def clear(self) -> None:
        """Remove the state, and what killed jobs left half-written next to it."""
        temporary.sweep(self._cache.folder)
        self._cache.remove(self._name)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
