"""Feature-wise linear modulation (Perez et al. 2018, doi 10.1609/aaai.v32i1.11671)."""

import torch
from torch import Tensor, nn


class Film(nn.Module):
    """Scale and shift features by the code: x' = (1 + γ(z)) · x + β(z); the code 0 changes nothing.

    Parameters
    ----------
    code : Z
    features : width of what is modulated
    """

    def __init__(self, *, code: int, features: int) -> None:
        super().__init__()
        self.scale = nn.Linear(code, features, bias=False)
        self.shift = nn.Linear(code, features, bias=False)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Modulate x (B, T, N) by z (B, Z) to (B, T, N)."""
        return torch.addcmul(self.shift(z)[:, None], x, (1 + self.scale(z))[:, None])  # one pass over x
