"""TAM-LSTM, the ablation of TAM-RL: the code comes from the static attributes alone, the support set is not read."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from tamrl.models._decoder import Decoder, State
from tamrl.models._network import Network
from tamrl.options import Recurrent
from tamrl.plugins import Dims

CLOSES = True


class Options(Recurrent):
    """Options of TAM-LSTM."""

    code: Annotated[int, Field(ge=1, le=16_384)] = 32
    """Width of the code of a site."""
    windows: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = (30, 120, 365)
    """Days over which running means of the drivers join the decoder's inputs."""


class TamLstm(Network):
    """A decoder modulated by the static attributes, fluxes in gC m-2 d-1."""

    def __init__(self, dims: Dims, options: Options) -> None:
        super().__init__()
        width = 2 * options.code
        self.encoder = nn.Sequential(
            nn.Linear(dims.static, width), nn.ReLU(), nn.Dropout(options.dropout), nn.Linear(width, options.code), nn.Tanh()
        )
        sizes = {"features": dims.features, "hidden": options.hidden, "layers": options.layers, "code": options.code}
        self.decoder = Decoder(**sizes, dropout=options.dropout, outputs=3)
        self.register_buffer("scale", torch.tensor(dims.scale))

    def encode(self, support: Tensor, static: Tensor) -> Tensor:
        """Static (B, S) to the code z (B, Z); the support set is not used."""
        return self.encoder(static)

    def decode(self, x: Tensor, z: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Features x (B, T, F) and z (B, Z) to fluxes (B, T, 3), gC m-2 d-1, and the state."""
        out, state = self.decoder(x, z, state)
        return out * self.scale, state


def build(dims: Dims, options: Options) -> TamLstm:
    """An untrained network."""
    return TamLstm(dims, options)
