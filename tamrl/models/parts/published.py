"""The network of the publication of TAM-RL (arXiv 2603.09974), written from reading its public code, layer for layer."""

import torch
from torch import Tensor, nn

from tamrl.models.parts.layers import Tap
from tamrl.models.parts.network import FluxNetwork, Stage
from tamrl.plugins import Dims
from tamrl.shapes import Dynamic, Fluxes, Memory, SiteCode, Static

SLOPE = 0.2
"""Slope of the leaky rectifier below zero."""


class InverseModel(nn.Module):
    """From a window of drivers and the attributes of its site to a code without bounds.

    Parameters
    ----------
    features : drivers and attributes
    code : width of the code, and of each direction of the LSTM
    """

    def __init__(self, *, features: int, code: int) -> None:
        super().__init__()
        self.embed = nn.Linear(features, code)
        self.norm = nn.BatchNorm1d(code)  # over all steps of a batch (Ioffe & Szegedy 2015, arXiv 1502.03167)
        self.lstm = nn.LSTM(code, code, batch_first=True, bidirectional=True)
        self.mix = nn.Linear(code, code)
        _draw((self.embed, self.mix))

    def forward(self, x: Dynamic, static: Static) -> SiteCode:
        """Code of each window."""
        inputs = torch.cat([x, static[:, None].expand(-1, x.shape[1], -1)], dim=-1)
        h = self.norm(self.embed(inputs).flatten(0, 1)).unflatten(0, x.shape[:2])
        _, (last, _) = self.lstm(nn.functional.leaky_relu(h, SLOPE))
        code: SiteCode = self.mix(last.sum(0))
        return code


class PublishedTamRl(FluxNetwork):
    """An LSTM on the drivers in stage one; in stage two the same LSTM between new layers, modulated by the code of the window.

    Parameters
    ----------
    dims : sizes of the inputs
    hidden, layers : of the LSTM
    code : width of the code
    dropout : share of its outputs dropped
    context : steps of a window
    pretrain : share of the training steps of stage one
    first_rate : learning rate of stage one over that of stage two
    """

    scale: Tensor
    joined: Tensor

    def __init__(
        self, dims: Dims, *, hidden: int, layers: int, code: int, dropout: float, context: int, pretrain: float, first_rate: float
    ) -> None:
        super().__init__(context, own_window=True)
        self.pretrain, self.first_rate, self.code = pretrain, first_rate, code
        self.encoder = InverseModel(features=dims.features + dims.static, code=code)
        self.embed = nn.Linear(dims.features, hidden)
        self.film_input = nn.Linear(code, hidden)
        self.lstm = nn.LSTM(hidden, hidden, num_layers=layers, batch_first=True)
        self.film_hidden = nn.Linear(code, 2 * hidden)
        self.dropout, self.tap = nn.Dropout(dropout), Tap()
        self.head = nn.Linear(hidden, 3)
        self.register_buffer("scale", torch.tensor(dims.scale))
        self.register_buffer("joined", torch.tensor(True))  # whether stage two has begun; part of a stored training
        self.modulated = True
        _draw((self.embed, self.film_input, self.film_hidden, self.head))

    def begin(self, progress: float) -> Stage:
        """Stage two keeps the LSTM alone of what stage one has learnt, and its optimiser begins anew, without decay."""
        self.modulated = progress >= self.pretrain
        fresh = self.modulated and not bool(self.joined)
        if fresh:
            for layer in (self.embed, self.head):
                layer.reset_parameters()
            _draw((self.embed, self.head))
        self.joined.fill_(self.modulated)
        if not self.modulated:
            return Stage(progress / self.pretrain, rate=self.first_rate)
        return Stage((progress - self.pretrain) / (1 - self.pretrain), decay=0.0, fresh=fresh)

    def encode(self, support: Dynamic, static: Static) -> SiteCode:
        """Code of a window of drivers; 0 in stage one."""
        if self.modulated:
            code: SiteCode = self.encoder(support, static)
            return code
        return support.new_zeros(len(support), self.code)

    def decode(self, x: Dynamic, z: SiteCode, memory: Memory | None = None) -> tuple[Fluxes, Memory]:
        """Fluxes, and the memory after the last step."""
        h = self.embed(x)
        if self.modulated:
            gain = 1 + torch.relu(self.film_input(z))[:, None]
            h = gain * h + gain  # the public code adds the factor itself
        h, memory = self.lstm(h, memory)
        if self.modulated:
            scale, shift = self.film_hidden(z)[:, None].chunk(2, dim=-1)
            h = h * (1 + scale) + shift
        return self.head(self.dropout(self.tap(h))) * self.scale, memory


def _draw(layers: tuple[nn.Linear, ...]) -> None:
    """Draw the weights of layers (Glorot & Bengio 2010, PMLR 9, 249)."""
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight)
