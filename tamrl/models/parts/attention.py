"""A causal transformer over windows of consecutive steps."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, gelu, scaled_dot_product_attention

from tamrl.models.parts.layers import Tap
from tamrl.models.parts.network import FluxNetwork
from tamrl.plugins import Dims
from tamrl.shapes import Dynamic, Fluxes, Memory, SiteCode, Static, Support

WIDENED = 4
"""Width of the layer between two attentions over that of the model, as in arXiv 1706.03762."""


class CausalLayer(nn.Module):
    """Attention to earlier steps, then a layer on each step, both added to what comes in.

    Parameters
    ----------
    hidden : width, a multiple of `heads`
    heads : of the attention
    share : dropped while training
    """

    def __init__(self, *, hidden: int, heads: int, share: float) -> None:
        super().__init__()
        self.heads, self.share = heads, share
        self.before_attention, self.before_widening = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.query_key_value, self.mix = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.widen, self.narrow = nn.Linear(hidden, WIDENED * hidden), nn.Linear(WIDENED * hidden, hidden)

    def forward(self, h: Dynamic) -> Dynamic:
        """States (window, step, hidden) to states; no step sees a later one."""
        parts = self.query_key_value(self.before_attention(h)).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (window, head, step, hidden / heads) each
        attended = scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2).flatten(-2)
        h = h + self._dropped(self.mix(attended))
        return h + self._dropped(self.narrow(gelu(self.widen(self.before_widening(h)))))

    def _dropped(self, h: Tensor) -> Tensor:
        return dropout(h, self.share, self.training)


class CausalTransformer(FluxNetwork):
    """Layers of causal attention on drivers and static attributes.

    Parameters
    ----------
    dims : sizes of the inputs
    hidden, heads, layers : width, heads of the attention, number of layers
    dropout : share dropped while training
    context : steps of a window, beyond which nothing is remembered
    """

    scale: Tensor
    position: Tensor

    def __init__(self, dims: Dims, *, hidden: int, heads: int, layers: int, dropout: float, context: int) -> None:
        super().__init__(context)
        self.steps = context
        self.drivers = nn.Linear(dims.features, hidden)
        self.attributes = nn.Linear(dims.static, hidden, bias=False)
        self.layers = nn.ModuleList(CausalLayer(hidden=hidden, heads=heads, share=dropout) for _ in range(layers))
        self.norm, self.tap, self.head = nn.LayerNorm(hidden), Tap(), nn.Linear(hidden, 3)
        self.register_buffer("position", sinusoids(context, hidden), persistent=False)
        self.register_buffer("scale", torch.tensor(dims.scale))

    def encode(self, support: Support, static: Static) -> SiteCode:
        """What the attributes of a site add at every step."""
        code: SiteCode = self.attributes(static)
        return code

    def decode(self, x: Dynamic, z: SiteCode, memory: Memory | None = None) -> tuple[Fluxes, Memory]:
        """Fluxes of a window, or of a longer sequence window by window; there is no memory to return."""
        if x.shape[1] <= self.steps:
            return self._window(x, z), ()
        stride, count = self.steps // 2, x.shape[1]
        ends = torch.arange(stride, count + stride, stride, device=x.device)
        positions = (ends[:, None] + torch.arange(-self.steps, 0, device=x.device)).clamp(0, count - 1)  # (window, step)
        fluxes = self._window(x[:, positions].flatten(0, 1), z.repeat_interleave(len(ends), 0))[:, -stride:]
        return fluxes.reshape(len(x), -1, 3)[:, :count], ()

    def _window(self, x: Dynamic, z: SiteCode) -> Fluxes:
        """Fluxes of steps that see each other; the last one has the last position."""
        h = self.drivers(x) + z[:, None] + self.position[-x.shape[1] :]
        for layer in self.layers:
            h = layer(h)
        fluxes: Fluxes = self.head(self.tap(self.norm(h))) * self.scale
        return fluxes


def sinusoids(steps: int, width: int) -> Tensor:
    """Sines and cosines of the position, of wave lengths from 2π to 10000 · 2π, (step, width) (arXiv 1706.03762)."""
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(1e4) / width))
    angle = torch.arange(steps)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :width]
