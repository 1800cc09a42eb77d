"""TAM-RL: task-aware modulation with representation learning (Rozanov, Renganathan & Kumar 2026, arXiv 2603.09974).

A task is a site. The encoder reads its support set, here the site's own mean seasonal cycle of drivers, which is the same
in training and on the map, and gives a code; the code modulates a decoder that runs over consecutive steps.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from tamrl import carbon
from tamrl.models._decoder import Decoder, State
from tamrl.models._encoder import Encoder
from tamrl.models._network import Network
from tamrl.options import Recurrent
from tamrl.plugins import Dims

CLOSES = True


class Options(Recurrent):
    """Options of TAM-RL."""

    hidden: Annotated[int, Field(ge=1, le=16_384)] = 32
    """Width of the LSTM of each stream."""
    code: Annotated[int, Field(ge=1, le=16_384)] = 16
    """Width of the code of a site, of each stream."""
    streams: Annotated[int, Field(ge=1, le=256)] = 4
    """Encoders with their decoders that learn side by side and are averaged."""
    balance: Literal["exact", "penalty", "reconciled"] = "penalty"
    """`exact`: GPP and RECO are predicted, NEE is their difference. `penalty`: three fluxes are predicted, the loss adds the
    imbalance in gC m-2 d-1, and what is delivered is the nearest triple that closes. `reconciled`: as `penalty`, and nearest
    in terms of the errors at the validation towers (with `training.validation`; without, as `penalty`)."""
    loss: Literal["laplace", "huber"] = "laplace"
    """`laplace`: the likelihood of the fluxes under an error that the network estimates for every step, so that noisy towers do
    not drown the others; `huber`: one scale of errors for all."""
    context: Annotated[int, Field(ge=2, le=100_000)] | None = None
    """Days of the windows that are decoded on their own, each giving its second half; null carries the memory along."""
    support: Literal["climatology", "years", "window"] = "climatology"
    """What a site's code is read from: its mean seasonal cycle of drivers; its three most complete years; or, as in the public
    code, the window to predict itself (needs `context`; a day then sees the later days of its own window too)."""
    forgiven: Annotated[float, Field(ge=0, le=1)] | None = 0.5
    """As in `training`: share of the mean residual of a training sequence that costs nothing."""
    pretrain: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training steps in which the decoder learns alone, before the encoder joins."""
    windows: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = (30, 120, 365)
    """Days over which running means of the drivers join the decoders' inputs."""
    plain: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the streams, rounded down, whose decoders do without these means: streams that differ err less together."""

    @model_validator(mode="after")
    def _has_windows(self) -> "Options":
        if self.support == "window" and self.context is None:
            raise ValueError("support: window needs context: DAYS")
        return self


class TamRl(Network):
    """Encoders, modulated decoders, and fluxes in gC m-2 d-1.

    Several streams, each an encoder with its decoder, begin and learn apart and are averaged: an ensemble inside a member, at
    less cost than one decoder of their joint width (Lakshminarayanan et al. 2017, arXiv 1612.01474). Below K is their number.
    """

    def __init__(self, dims: Dims, options: Options) -> None:
        super().__init__(options.context, own_window=options.support == "window")
        self.options = options
        self.outputs = 2 if options.balance == "exact" else 3
        reads = {"support": dims.features if self.own_window else dims.support, "static": dims.static, "hidden": options.code}
        sizes = {"hidden": options.hidden, "layers": options.layers}
        outputs = self.outputs + (3 if options.loss == "laplace" else 0)
        shared = {"code": options.code, "dropout": options.dropout}
        self.encoders, self.decoders = nn.ModuleList(), nn.ModuleList()
        plain = int(options.streams * options.plain)
        self.seen = [dims.features] * (options.streams - plain) + [dims.support] * plain  # the drivers come before their means
        for features in self.seen:
            self.encoders.append(Encoder(**reads, **shared))
            self.decoders.append(Decoder(**sizes, **shared, features=features, outputs=outputs))
        self.register_buffer("scale", torch.tensor(dims.scale))
        self.modulated = True

    def forward(self, x: Tensor, support: Tensor, static: Tensor) -> Tensor:
        """Fluxes (B, T, 3) as they are trained, followed by the logarithms of their expected errors where they are estimated.

        Several streams come one by one, (K, B, T, 3) or (K, B, T, 6), because each learns on its own.
        """
        out, _ = self._streams(x, self.encode(x if self.own_window else support, static))
        trained = torch.cat([self._fluxes(out), out[..., self.outputs :]], dim=-1)
        return trained if len(trained) > 1 else trained[0]

    def begin(self, progress: float) -> None:
        """Stage one trains the decoder alone, stage two both."""
        self.modulated = progress >= self.options.pretrain

    def calibrate(self, residuals: Tensor) -> None:
        """Learn from validation residuals (N, 3), gpp, reco, nee, how an imbalance is shared out."""
        if self.options.balance == "reconciled":
            covariance = residuals.double().T @ residuals.double() / len(residuals)
            self.gain.copy_(torch.tensor(carbon.gain(covariance.tolist())))

    def encode(self, support: Tensor, static: Tensor) -> Tensor:
        """Support (B, C, D) and static (B, S) to the codes z (B, K Z); 0, which modulates nothing, in stage one."""
        if self.modulated:
            return torch.cat([encoder(support, static) for encoder in self.encoders], dim=-1)
        return support.new_zeros(len(support), len(self.encoders) * self.options.code)

    def decode(self, x: Tensor, z: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Features x (B, T, F) and z (B, K Z) to fluxes (B, T, 3), gC m-2 d-1, the mean of the streams, and the states."""
        out, state = self._streams(x, z, state)
        return self._fluxes(out).mean(0), state

    def _streams(self, x: Tensor, z: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Features x (B, T, F) and z (B, K Z) to what each decoder gives (K, B, T, N), and the states, stream after stream."""
        count = len(self.decoders)
        codes = z.chunk(count, dim=-1)
        before = [None] * count if state is None else zip(*(part.chunk(count) for part in state), strict=True)
        streams = zip(self.decoders, self.seen, codes, before, strict=True)
        found = [decode(x[..., :seen], code, own) for decode, seen, code, own in streams]
        out = torch.stack([each for each, _ in found])  # (K, B, T, N)
        return out, tuple(torch.cat(parts) for parts in zip(*(own for _, own in found), strict=True))

    def _fluxes(self, out: Tensor) -> Tensor:
        """What the decoders give (..., N) as gpp, reco, nee (..., 3) in gC m-2 d-1."""
        fluxes = out[..., : self.outputs] * self.scale[: self.outputs]
        if self.outputs == 2:
            fluxes = torch.cat([fluxes, fluxes[..., 1:] - fluxes[..., :1]], dim=-1)
        return fluxes


def build(dims: Dims, options: Options) -> TamRl:
    """An untrained network."""
    return TamRl(dims, options)
