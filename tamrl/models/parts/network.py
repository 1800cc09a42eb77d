"""The base of the recurrent models: prediction in blocks of steps, so that the states stay in the processor's cache."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tamrl import carbon
from tamrl.shapes import Dynamic, Fluxes, Memory, SiteCode, Static, Support

BLOCK = 32
"""Steps decoded at once in prediction; the same blocks for any batch, so that no number depends on it."""


@dataclass(frozen=True)
class Stage:
    """Where a training is in one of its stages.

    Attributes
    ----------
    progress : share of the steps of the stage done, 0 to 1
    rate, decay : factors on the learning rate and on the weight decay
    fresh : whether the optimiser forgets what it knows of earlier steps
    """

    progress: float
    rate: float = 1.0
    decay: float = 1.0
    fresh: bool = False


class FluxNetwork(nn.Module):
    """A recurrent model of three fluxes; a subclass gives `encode` and `decode`.

    Parameters
    ----------
    context : int, optional
        Steps of the windows that are decoded on their own, each giving its second half. By default the memory is carried
        along from the first step to the last.
    own_window : bool
        The window to predict is its own support set (needs `context`): `encode` gets its features instead of the support.
    """

    gain: Tensor
    learns_gain = False
    """Whether `calibrate` learns from residuals how an imbalance is shared out."""

    def __init__(self, context: int | None = None, *, own_window: bool = False) -> None:
        super().__init__()
        self.context, self.own_window = context, own_window
        self.register_buffer("gain", torch.tensor(carbon.EQUAL))

    def begin(self, progress: float) -> Stage:
        """Prepare a training step; `progress` is the share of the steps done, 0 to 1. A network has one stage or more."""
        return Stage(progress)

    def calibrate(self, residuals: Tensor) -> None:
        """Learn from validation residuals (step, 3), gpp, reco, nee, how an imbalance is shared out."""

    def encode(self, support: Support, static: Static) -> SiteCode:
        """What the decoder needs to know of a site."""
        raise NotImplementedError

    def decode(self, x: Dynamic, z: SiteCode, memory: Memory | None = None) -> tuple[Fluxes, Memory]:
        """Fluxes, and the memory after the last step."""
        raise NotImplementedError

    def forward(self, x: Dynamic, support: Support, static: Static) -> Tensor:
        """Fluxes as they are trained: what `training.losses.flux_loss` takes."""
        return self.estimate(x, support, static)

    def estimate(self, x: Dynamic, support: Support, static: Static) -> Fluxes:
        """Fluxes before they are made to close."""
        return self.decode(x, self.encode(x if self.own_window else support, static))[0]

    @torch.inference_mode()
    def predict(self, x: Dynamic, support: Support, static: Static, *, skip: int = 0) -> Fluxes:
        """Fluxes as they are delivered, without the first `skip` steps; a site is encoded once.

        Parameters
        ----------
        x, support, static : standardised inputs of the sites
        skip : first steps that are not returned

        Raises
        ------
        RuntimeError
            In training mode, where dropout is on. Switching here would race with other threads that predict.
        """
        if self.training:
            raise RuntimeError("predict needs eval(): dropout would be on")
        if self.context:
            return self.deliver(self._in_windows(x, support, static, skip, self.context))
        return self.resume(x, self.encode(support, static), skip=skip)[0]

    @torch.inference_mode()
    def resume(self, x: Dynamic, z: SiteCode, memory: Memory | None = None, *, skip: int = 0) -> tuple[Fluxes, Memory | None]:
        """Continue from `memory`, by default from none: delivered fluxes without the first `skip` steps, and the memory.

        A model with a `context` has no memory to continue from.

        Parameters
        ----------
        x : (site, time, feature) steps that follow those of the memory
        z : code of each site
        memory : states after the step before; null for none
        skip : first steps that are not returned
        """
        blocks = []
        for start in range(0, x.shape[1], BLOCK):
            fluxes, memory = self.decode(x[:, start : start + BLOCK], z, memory)
            blocks.append(fluxes[:, max(0, skip - start) :])
        return self.deliver(torch.cat(blocks, dim=1)), memory

    def _in_windows(self, x: Dynamic, support: Support, static: Static, skip: int, context: int) -> Fluxes:
        """Fluxes after the first `skip` steps, window by window; before the first step the first one is repeated."""
        stride, steps = context // 2, x.shape[1]
        first, blocks = skip // stride * stride, []
        z = None if self.own_window else self.encode(support, static)
        for start in range(first, steps, stride):
            positions = torch.arange(start + stride - context, start + stride, device=x.device).clamp(0, steps - 1)
            window = x[:, positions]
            blocks.append(self.decode(window, self.encode(window, static) if z is None else z)[0][:, -stride:])
        return torch.cat(blocks, dim=1)[:, skip - first : steps - first]

    def deliver(self, fluxes: Fluxes) -> Fluxes:
        """Make the balance exact: three estimates move to the nearest triple with NEE = RECO - GPP."""
        gpp, reco = carbon.reconcile(gpp=fluxes[..., 0], reco=fluxes[..., 1], nee=fluxes[..., 2], gain=tuple(self.gain))
        return torch.stack([gpp, reco, carbon.nee(gpp=gpp, reco=reco)], dim=-1)
