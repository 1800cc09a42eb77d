"""The decoder of TAM-RL ("forward model"): an LSTM over the drivers, modulated by the code."""

import torch
from torch import Tensor, nn

from tamrl.models._film import Film

State = tuple[Tensor, Tensor] | None


class LockedDropout(nn.Module):
    """Dropout with one mask for all steps of a sequence (Gal & Ghahramani 2016, arXiv 1512.05287): steadier, and cheaper."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, h: Tensor) -> Tensor:
        """States h (B, T, H) to (B, T, H), unchanged in prediction."""
        if not self.training or self.share == 0:
            return h
        mask = torch.empty_like(h[:, :1]).bernoulli_(1 - self.share) / (1 - self.share)  # (B, 1, H)
        return h * mask


class Decoder(nn.Module):
    """Drivers to hidden states, modulated at the input and at the hidden state (arXiv 2603.09974).

    One pass over consecutive steps carries the memory along, so a year costs one LSTM step a day
    (Hochreiter & Schmidhuber 1997, doi 10.1162/neco.1997.9.8.1735).

    Parameters
    ----------
    features : F
    hidden : H
    layers : of the LSTM
    code : Z
    outputs : width of the last layer
    """

    def __init__(self, *, features: int, hidden: int, layers: int, code: int, dropout: float, outputs: int) -> None:
        super().__init__()
        self.embed = nn.Linear(features, hidden)
        self.film_input = Film(code=code, features=hidden)
        self.lstm = nn.LSTM(hidden, hidden, num_layers=layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.film_hidden = Film(code=code, features=hidden)
        self.dropout = LockedDropout(dropout)
        self.head = nn.Linear(hidden, outputs)
        with torch.no_grad():
            for bias in (self.lstm.bias_ih_l0, self.lstm.bias_hh_l0):
                bias[hidden : 2 * hidden] = 1.0  # forget gate open: memory lasts from the start (doi 10.1162/089976600300015015)

    def forward(self, x: Tensor, z: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Features x (B, T, F) and z (B, Z) to outputs (B, T, N), and the state after the last step."""
        h = self.film_input(self.embed(x), z).relu_()  # (B, T, H)
        h, state = self.lstm(h, state)
        h = self.dropout(self.film_hidden(h, z))
        return self.head(h), state
