"""What the recurrent models share: prediction block by block of steps, so that the states stay in the processor's cache."""

import torch
from torch import Tensor, nn

from tamrl import carbon

BLOCK = 32
"""Steps decoded at once in prediction; the same blocks whatever the batch, so that no number depends on it."""


State = tuple[Tensor, ...] | None
"""What a decoder remembers: tensors whose second dimension is the site, as those of `nn.LSTM`."""


class Network(nn.Module):
    """A recurrent model of three fluxes.

    A subclass gives `encode(support, static) -> z` and `decode(x, z, state) -> (fluxes, state)`, fluxes in gC m-2 d-1.

    Parameters
    ----------
    context : steps, optional
        Length of the windows that are decoded on their own, each giving its second half; by default the memory is carried
        along from the first step to the last.
    own_window : bool
        The window to predict is its own support set (needs `context`): `encode` gets its features instead of the support.
    """

    def __init__(self, context: int | None = None, *, own_window: bool = False) -> None:
        super().__init__()
        self.context, self.own_window = context, own_window
        self.register_buffer("gain", torch.tensor(carbon.EQUAL))

    def begin(self, progress: float) -> None:
        """Called before each training step with the share of steps done."""

    def encode(self, support: Tensor, static: Tensor) -> Tensor:
        """Support (B, C, D) and static (B, S) to what the decoder needs of the site."""
        raise NotImplementedError

    def decode(self, x: Tensor, z: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Features x (B, T, F) to fluxes (B, T, 3) and the state after the last step."""
        raise NotImplementedError

    def forward(self, x: Tensor, support: Tensor, static: Tensor) -> Tensor:
        """Features x (B, T, F), support (B, C, D) and static (B, S) to fluxes (B, T, 3) as they are trained."""
        return self.estimate(x, support, static)

    def estimate(self, x: Tensor, support: Tensor, static: Tensor) -> Tensor:
        """Fluxes (B, T, 3) before they are made to close; arguments as of `forward`."""
        return self.decode(x, self.encode(x if self.own_window else support, static))[0]

    @torch.inference_mode()
    def predict(self, x: Tensor, support: Tensor, static: Tensor, *, skip: int = 0) -> Tensor:
        """Fluxes (B, T - skip, 3) as they are delivered: the site is encoded once, the steps are decoded in one pass."""
        if self.training:  # switching here would race with other threads that predict
            raise RuntimeError("predict needs eval(): dropout would be on")
        if self.context:
            return self.deliver(self._in_windows(x, support, static, skip))
        return self.resume(x, self.encode(support, static), skip=skip)[0]

    @torch.inference_mode()
    def resume(self, x: Tensor, z: Tensor, state: State = None, *, skip: int = 0) -> tuple[Tensor, State]:
        """Go on from `state`, by default from none: fluxes (B, T - skip, 3) as they are delivered, and the state after the last.

        A model with a `context` carries no state and has none to go on from.
        """
        blocks = []
        for start in range(0, x.shape[1], BLOCK):
            fluxes, state = self.decode(x[:, start : start + BLOCK], z, state)
            blocks.append(fluxes[:, max(0, skip - start) :])
        return self.deliver(torch.cat(blocks, dim=1)), state

    def _in_windows(self, x: Tensor, support: Tensor, static: Tensor, skip: int) -> Tensor:
        """Fluxes (B, T - skip, 3), window by window; before the first step the first one is repeated."""
        stride, steps = self.context // 2, x.shape[1]
        first, blocks = skip // stride * stride, []
        z = None if self.own_window else self.encode(support, static)
        for start in range(first, steps, stride):
            where = torch.arange(start + stride - self.context, start + stride, device=x.device).clamp(0, steps - 1)
            window = x[:, where]
            blocks.append(self.decode(window, self.encode(window, static) if z is None else z)[0][:, -stride:])
        return torch.cat(blocks, dim=1)[:, skip - first : steps - first]

    def deliver(self, fluxes: Tensor) -> Tensor:
        """Make the balance exact: three estimates (B, T, 3) move to the nearest triple with NEE = RECO - GPP."""
        gpp, reco = carbon.reconcile(gpp=fluxes[..., 0], reco=fluxes[..., 1], nee=fluxes[..., 2], gain=tuple(self.gain))
        return torch.stack([gpp, reco, carbon.nee(gpp=gpp, reco=reco)], dim=-1)
