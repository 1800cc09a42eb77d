"""`numerics: fast` computes recurrent layers, and wide layers over sequences, in bfloat16; and how much that changes.

bfloat16 keeps the range of float32 and 8 bits of its fraction (Kalamkar et al. 2019, arXiv 1905.12322). Inputs and weights of
these layers are rounded; sums, the modulation, the last layer and the balance of the fluxes stay in float32.
"""

import copy
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from tamrl.predictions import FluxDifference
from tamrl.training.checkpoint import Trained

WIDE = 16
"""Outputs from which on a linear layer is rounded; the last one, which gives the fluxes, never is."""

SAMPLE, TILES = 128, 8
"""Cells over which fluxes are compared, and tiles that they lie in, at most."""


@dataclass(frozen=True)
class NumericsCheck:
    """How the fluxes of a map were computed, and what that changes over a sample of cells."""

    numerics: Literal["exact", "fast"]
    rounding: FluxDifference | None = None
    """Difference of fast from exact fluxes."""
    spinup: FluxDifference | None = None
    """Difference of fluxes after a spin-up from those after one of twice its length."""


class RoundedLSTM(nn.Module):
    """A copy of an `nn.LSTM` in bfloat16 with inputs and outputs in float32."""

    def __init__(self, exact: nn.LSTM) -> None:
        super().__init__()
        self.lstm = copy.deepcopy(exact).bfloat16()

    def forward(self, x: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Inputs (B, T, N) to states (B, T, H), and the state after the last step (bfloat16)."""
        h, state = self.lstm(x.bfloat16(), state)
        return h.float(), state


class RoundedLinear(nn.Module):
    """A copy of an `nn.Linear` that multiplies sequences in bfloat16, with inputs and outputs in float32."""

    def __init__(self, exact: nn.Linear) -> None:
        super().__init__()
        self.exact, self.rounded = exact, copy.deepcopy(exact).bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (B, T, N) to outputs (B, T, M); inputs (B, N), which are no sequence, stay exact."""
        y: Tensor = self.rounded(x.bfloat16()).float() if x.dim() == 3 else self.exact(x)
        return y


def round_layers(member: Trained) -> Trained:
    """Copy a member with rounded layers; a model that is no network is returned as it is."""
    if not isinstance(member.model, nn.Module):
        return member
    model = copy.deepcopy(member.model)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.LSTM):
                setattr(parent, name, RoundedLSTM(child))
            elif isinstance(child, nn.Linear) and child.out_features >= WIDE:
                setattr(parent, name, RoundedLinear(child))
    return replace(member, model=model.eval())


def compare_fluxes(reference: np.ndarray, other: np.ndarray) -> FluxDifference:
    """Compare fluxes (..., 3), gC m-2 d-1, at the steps where both are present: `other` less `reference`."""
    differences = (other - reference)[np.isfinite(reference) & np.isfinite(other)].astype(np.float64)
    if not differences.size:
        return FluxDifference(rms=0.0, bias=0.0, largest=0.0)
    rms, largest = np.sqrt((differences**2).mean()), np.abs(differences).max()
    return FluxDifference(rms=float(rms), bias=float(differences.mean()), largest=float(largest))


def to_device(members: list[Trained], device: torch.device) -> list[Trained]:
    """Move the networks of the members to `device`."""
    for member in members:
        if isinstance(member.model, nn.Module):
            member.model.to(device)
    return members
