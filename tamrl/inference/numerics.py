"""`numerics: fast`: the recurrent layers in bfloat16, everything else as it is; and how much that changes.

bfloat16 keeps the range of float32 and 8 bits of its fraction (Kalamkar et al. 2019, arXiv 1905.12322). What goes into the
layers and their weights is rounded; sums, the modulation, the last layer and the balance of the fluxes stay in float32.
"""

import copy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from tamrl.training.checkpoint import Trained

SAMPLE = 128
"""Cells on which the two are compared."""


class Rounded(nn.Module):
    """An `nn.LSTM` in bfloat16 that takes and gives float32.

    Parameters
    ----------
    exact : the layer whose weights are rounded
    """

    def __init__(self, exact: nn.LSTM) -> None:
        super().__init__()
        self.lstm = copy.deepcopy(exact).bfloat16()

    def forward(self, x: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Inputs (B, T, N) to states (B, T, H), and the state after the last step (bfloat16)."""
        h, state = self.lstm(x.bfloat16(), state)
        return h.float(), state


def rounded(member: Trained) -> Trained:
    """The same member with every recurrent layer rounded; one without such layers is returned as it is."""
    if not isinstance(member.model, nn.Module):
        return member
    model = copy.deepcopy(member.model)
    layers = [(parent, name) for parent in model.modules() for name, child in parent.named_children() if isinstance(child, nn.LSTM)]
    for parent, name in layers:
        setattr(parent, name, Rounded(getattr(parent, name)))
    return replace(member, model=model.eval()) if layers else member


def difference(exact: np.ndarray, fast: np.ndarray) -> dict[str, float]:
    """Differences of fluxes (..., 3), gC m-2 d-1: root mean square and mean of `fast` less `exact`, where both are there.

    Returns
    -------
    dict
        `rms`, `bias` and `largest`, over gpp, reco and nee together.
    """
    found = (fast - exact)[np.isfinite(exact) & np.isfinite(fast)].astype(np.float64)
    if not found.size:
        return {"rms": 0.0, "bias": 0.0, "largest": 0.0}
    return {"rms": float(np.sqrt((found**2).mean())), "bias": float(found.mean()), "largest": float(np.abs(found).max())}


def to_device(members: list[Trained], device: torch.device) -> list[Trained]:
    """The members with their networks on `device`."""
    for member in members:
        if isinstance(member.model, nn.Module):
            member.model.to(device)
    return members
