"""CT-LSTM, the rival without a code: an LSTM that reads drivers and static attributes side by side at every step.

As in Kratzert et al. 2019 (doi 10.5194/hess-23-5089-2019) and the benchmark of arXiv 2603.09974, but decoded over
consecutive steps like TAM-RL, so that the two differ in the modulation alone.
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from tamrl.models._decoder import LockedDropout, State
from tamrl.models._network import Network
from tamrl.options import Recurrent
from tamrl.plugins import Dims

CLOSES = True


class Options(Recurrent):
    """Options of CT-LSTM."""

    context: Annotated[int, Field(ge=2, le=100_000)] | None = None
    """Days of the windows that are decoded on their own, each giving its second half; null carries the memory along."""
    attributes: bool = True
    """Whether the static attributes are read; without, it is a plain LSTM on the drivers."""


class CtLstm(Network):
    """Drivers and attributes to three fluxes in gC m-2 d-1."""

    def __init__(self, dims: Dims, options: Options) -> None:
        super().__init__(options.context)
        self.drivers = nn.Linear(dims.features, options.hidden)
        self.attributes = nn.Linear(dims.static, options.hidden, bias=False) if options.attributes else None
        dropout = options.dropout if options.layers > 1 else 0.0
        self.lstm = nn.LSTM(options.hidden, options.hidden, num_layers=options.layers, batch_first=True, dropout=dropout)
        self.dropout = LockedDropout(options.dropout)
        self.head = nn.Linear(options.hidden, 3)
        self.register_buffer("scale", torch.tensor(dims.scale))

    def encode(self, support: Tensor, static: Tensor) -> Tensor:
        """Static (B, S) to what it adds at every step (B, H); the support set is not used."""
        return self.attributes(static) if self.attributes else static.new_zeros(len(static), self.drivers.out_features)

    def decode(self, x: Tensor, z: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Features x (B, T, F) and z (B, H) to fluxes (B, T, 3), gC m-2 d-1, and the state."""
        h, state = self.lstm(torch.relu(self.drivers(x) + z[:, None]), state)
        return self.head(self.dropout(h)) * self.scale, state


def build(dims: Dims, options: Options) -> CtLstm:
    """An untrained network."""
    return CtLstm(dims, options)
