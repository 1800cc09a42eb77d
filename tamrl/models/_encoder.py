"""The encoder of TAM-RL ("inverse model"): from a site's support set and attributes to the code of the task."""

import torch
from torch import Tensor, nn


class Encoder(nn.Module):
    """A bidirectional LSTM reads the mean seasonal cycle; with the static attributes it gives the code z.

    z lies within (-1, 1), so no cell of the map can be modulated further than the towers allow
    (arXiv 2603.09974; Schuster & Paliwal 1997, doi 10.1109/78.650093, for the bidirectional network).

    Parameters
    ----------
    support : D, variables of the support set
    static : S
    hidden : width of each direction
    code : Z
    """

    def __init__(self, *, support: int, static: int, hidden: int, code: int, dropout: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(support, hidden, batch_first=True, bidirectional=True)
        self.mix = nn.Sequential(
            nn.Linear(4 * hidden + static, 2 * code), nn.ReLU(), nn.Dropout(dropout), nn.Linear(2 * code, code)
        )

    def forward(self, support: Tensor, static: Tensor) -> Tensor:
        """Support (B, C, D) and static (B, S) to z (B, Z)."""
        states, _ = self.lstm(support)  # (B, C, 2H)
        summary = torch.cat([states.mean(1), states.amax(1), static], dim=-1)  # (B, 4H + S)
        return torch.tanh(self.mix(summary))  # (B, Z)
