"""`numerics: fast`: recurrent layers and wide layers over sequences in bfloat16, the rest as it is; and how much that changes.

bfloat16 keeps the range of float32 and 8 bits of its fraction (Kalamkar et al. 2019, arXiv 1905.12322). What goes into the
layers and their weights is rounded; sums, the modulation, the last layer and the balance of the fluxes stay in float32.
"""

import copy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from tamrl.training.checkpoint import Trained

WIDE = 16
"""Outputs from which on a linear layer is rounded; the last one, which gives the fluxes, never is."""

SAMPLE, TILES = 128, 8
"""Cells on which the two are compared, and tiles that they lie in, at most."""


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


class RoundedLinear(nn.Module):
    """An `nn.Linear` whose sequences are multiplied in bfloat16; takes and gives float32.

    Parameters
    ----------
    exact : the layer whose weights are rounded
    """

    def __init__(self, exact: nn.Linear) -> None:
        super().__init__()
        self.exact, self.rounded = exact, copy.deepcopy(exact).bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (B, T, N) to outputs (B, T, M); what is no sequence (B, N) stays exact."""
        return self.rounded(x.bfloat16()).float() if x.dim() == 3 else self.exact(x)


def _kind(layer: nn.Module) -> type[nn.Module] | None:
    """What takes the place of a layer; nothing where it stays."""
    if isinstance(layer, nn.LSTM):
        return Rounded
    return RoundedLinear if isinstance(layer, nn.Linear) and layer.out_features >= WIDE else None


def rounded(member: Trained) -> Trained:
    """The same member with rounded layers; a model that is no network is returned as it is."""
    if not isinstance(member.model, nn.Module):
        return member
    model = copy.deepcopy(member.model)
    layers = [(parent, name, child) for parent in model.modules() for name, child in parent.named_children() if _kind(child)]
    for parent, name, child in layers:
        setattr(parent, name, _kind(child)(child))
    return replace(member, model=model.eval())


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
