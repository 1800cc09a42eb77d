"""Layers of the recurrent models."""

import torch
from torch import Tensor, nn

from tamrl.shapes import Dynamic, Memory, SiteCode, Static, Support

DILATIONS = (1, 2, 4)
"""Distances of the bins that a convolution joins; together they see fifteen, more than half a year of fortnights."""


class Film(nn.Module):
    """Scale and shift features by the code: x' = (1 + γ(z)) · x + β(z); the code 0 changes nothing.

    Feature-wise linear modulation (Perez et al. 2018, doi 10.1609/aaai.v32i1.11671).

    Parameters
    ----------
    code : width of the code
    features : width of what is modulated
    """

    def __init__(self, *, code: int, features: int) -> None:
        super().__init__()
        self.scale = nn.Linear(code, features, bias=False)
        self.shift = nn.Linear(code, features, bias=False)

    def forward(self, x: Dynamic, z: SiteCode) -> Dynamic:
        """Modulate the features of a site by its code."""
        return torch.addcmul(self.shift(z)[:, None], x, (1 + self.scale(z))[:, None])  # one pass over x


class LockedDropout(nn.Module):
    """Dropout with one mask for all steps of a sequence (Gal & Ghahramani 2016, arXiv 1512.05287): steadier, and cheaper."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, h: Dynamic) -> Dynamic:
        """Drop units while training; prediction changes nothing."""
        if not self.training or self.share == 0:
            return h
        mask = torch.empty_like(h[:, :1]).bernoulli_(1 - self.share) / (1 - self.share)  # (site, 1, feature)
        return h * mask


def code_layers(width: int, code: int, dropout: float) -> nn.Sequential:
    """From a summary of a site (site, width) to its code (site, code), before that is bounded."""
    return nn.Sequential(nn.Linear(width, 2 * code), nn.ReLU(), nn.Dropout(dropout), nn.Linear(2 * code, code))


class Encoder(nn.Module):
    """The encoder of TAM-RL ("inverse model"): from the support set and attributes of a site to its code.

    A bidirectional LSTM (Schuster & Paliwal 1997, doi 10.1109/78.650093) reads the seasonal cycle. The code lies within
    (-1, 1), so that no cell of the map is modulated further than the towers allow (arXiv 2603.09974).

    Parameters
    ----------
    support : variables of the support set
    static : static attributes
    hidden : width of each direction
    code : width of the code
    """

    def __init__(self, *, support: int, static: int, hidden: int, code: int, dropout: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(support, hidden, batch_first=True, bidirectional=True)
        self.mix = code_layers(4 * hidden + static, code, dropout)

    def forward(self, support: Support, static: Static) -> SiteCode:
        """Code of each site."""
        states, _ = self.lstm(support)  # (site, bin, 2 hidden)
        summary = torch.cat([states.mean(1), states.amax(1), static], dim=-1)  # (site, 4 hidden + attribute)
        return torch.tanh(self.mix(summary))


class ShiftedEncoder(Encoder):
    """An encoder that learns from seasonal cycles that begin anywhere in the year, another start for each site and pass.

    Where the year begins then tells it nothing, so that the hemispheres need no rule of their own (augmentation by a symmetry of
    the task: Chen et al. 2020, arXiv 1907.10905). Prediction reads the cycle as it comes.
    """

    def forward(self, support: Support, static: Static) -> SiteCode:
        """Code of each site."""
        if self.training:
            sites, bins, _ = support.shape
            start = torch.randint(bins, (sites, 1), device=support.device)
            order = (start + torch.arange(bins, device=support.device)) % bins  # (site, bin)
            support = support.gather(1, order[..., None].expand_as(support))
        return super().forward(support, static)


class Tap(nn.Module):
    """Where the states of a decoder can be read for a penalty on them; changes nothing."""

    keeps = False
    """Whether the states of the last pass are kept, which takes memory."""
    states: Tensor | None = None

    def forward(self, h: Dynamic) -> Dynamic:
        """The states as they came."""
        if self.keeps:
            self.states = h
        return h


class PeriodicEncoder(nn.Module):
    """An encoder to whose code the start of the year does not matter.

    Convolutions that run around the year (Cohen & Welling 2016, arXiv 1602.07576, for the principle), then means and maxima over
    the bins: a cycle that begins half a year later gives the same code but for rounding. So the hemispheres need no rule of their
    own.

    Parameters
    ----------
    support : variables of the support set
    static : static attributes
    hidden : width of the convolutions
    code : width of the code
    """

    def __init__(self, *, support: int, static: int, hidden: int, code: int, dropout: float) -> None:
        super().__init__()
        widths = [support, *[hidden] * len(DILATIONS)]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, 3, dilation=gap) for before, after, gap in zip(widths, widths[1:], DILATIONS, strict=False)
        )
        self.mix = code_layers(2 * hidden + support + static, code, dropout)

    def forward(self, support: Support, static: Static) -> SiteCode:
        """Code of each site."""
        h = support.transpose(1, 2)  # (site, variable, bin)
        for convolution, gap in zip(self.convolutions, DILATIONS, strict=True):
            h = torch.relu(convolution(torch.cat([h[..., -gap:], h, h[..., :gap]], dim=-1)))
        summary = torch.cat([h.mean(-1), h.amax(-1), support.mean(1), static], dim=-1)
        return torch.tanh(self.mix(summary))


class Decoder(nn.Module):
    """The decoder of TAM-RL ("forward model"): an LSTM over the drivers, modulated at its input and at its hidden state.

    One pass over consecutive steps carries the memory along, so a year costs one LSTM step a day
    (Hochreiter & Schmidhuber 1997, doi 10.1162/neco.1997.9.8.1735; modulation as in arXiv 2603.09974).

    Parameters
    ----------
    features : dynamic features
    hidden : width of the LSTM
    layers : of the LSTM
    code : width of the code
    outputs : width of the last layer
    """

    def __init__(self, *, features: int, hidden: int, layers: int, code: int, dropout: float, outputs: int) -> None:
        super().__init__()
        self.embed = nn.Linear(features, hidden)
        self.film_input = Film(code=code, features=hidden)
        self.lstm = nn.LSTM(hidden, hidden, num_layers=layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.film_hidden = Film(code=code, features=hidden)
        self.dropout = LockedDropout(dropout)
        self.tap = Tap()
        self.head = nn.Linear(hidden, outputs)
        with torch.no_grad():
            for name in ("bias_ih_l0", "bias_hh_l0"):
                bias = self.lstm.get_parameter(name)
                bias[hidden : 2 * hidden] = 1.0  # forget gate open: memory lasts from the start (doi 10.1162/089976600300015015)

    def forward(self, x: Dynamic, z: SiteCode, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """Outputs (site, time, output), and the memory after the last step."""
        embedded = self.embed(x.flatten(0, 1)).unflatten(0, x.shape[:2])  # a matrix takes some of the features without a copy
        h = self.film_input(embedded, z).relu_()
        h, memory = self.lstm(h, memory)
        return self.head(self.tap(self.dropout(self.film_hidden(h, z)))), memory
