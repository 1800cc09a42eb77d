"""The recurrent networks: TAM-RL, its ablation without support set, and an LSTM without a code."""

from typing import Literal

import torch
from torch import Tensor, nn

from tamrl import carbon
from tamrl.models.parts.layers import Decoder, Encoder, LockedDropout, PeriodicEncoder, ShiftedEncoder, Tap, code_layers
from tamrl.models.parts.network import FluxNetwork, Stage
from tamrl.plugins import Dims
from tamrl.shapes import Dynamic, Fluxes, Memory, SiteCode, Static, Support

ENCODERS: dict[str, type[nn.Module]] = {"recurrent": Encoder, "periodic": PeriodicEncoder, "shifted": ShiftedEncoder}


class TamRl(FluxNetwork):
    """Encoders and modulated decoders, options as in `tamrl.models.tamrl`.

    Several streams, each an encoder with its decoder, start from different weights, learn independently and are averaged: an
    ensemble inside a member, cheaper than one decoder of their joint width (Lakshminarayanan et al. 2017, arXiv 1612.01474).
    """

    scale: Tensor

    def __init__(
        self,
        dims: Dims,
        *,
        hidden: int,
        layers: int,
        code: int,
        dropout: float,
        streams: int = 1,
        plain: float = 0.0,
        balance: Literal["exact", "penalty", "reconciled"] = "penalty",
        likelihood: bool = False,
        context: int | None = None,
        own_window: bool = False,
        pretrain: float = 0.0,
        encoder: Literal["recurrent", "periodic", "shifted"] = "recurrent",
    ) -> None:
        super().__init__(context, own_window=own_window)
        self.code, self.pretrain, self.learns_gain = code, pretrain, balance == "reconciled"
        self.outputs = 2 if balance == "exact" else 3
        outputs = self.outputs + (3 if likelihood else 0)
        support = dims.features if own_window else dims.support
        self.encoders, self.decoders = nn.ModuleList(), nn.ModuleList()
        without_means = int(streams * plain)  # the drivers come before their running means
        self.features = [dims.features] * (streams - without_means) + [dims.support] * without_means
        kind = ENCODERS[encoder]
        for features in self.features:
            self.encoders.append(kind(support=support, static=dims.static, hidden=code, code=code, dropout=dropout))
            self.decoders.append(
                Decoder(features=features, hidden=hidden, layers=layers, code=code, dropout=dropout, outputs=outputs)
            )
        self.register_buffer("scale", torch.tensor(dims.scale))
        self.modulated = True

    def forward(self, x: Dynamic, support: Support, static: Static) -> Tensor:
        """Fluxes as they are trained, followed by the logarithms of their expected errors where these are estimated.

        Returns
        -------
        (site, time, 3) or (site, time, 6), with several streams (stream, site, time, ...), because each learns on its own.
        """
        out, _ = self._streams(x, self.encode(x if self.own_window else support, static))
        trained = torch.cat([self._fluxes(out), out[..., self.outputs :]], dim=-1)
        return trained if len(trained) > 1 else trained[0]

    def begin(self, progress: float) -> Stage:
        """At first the decoder is trained alone, then both."""
        self.modulated = progress >= self.pretrain
        return super().begin(progress)

    def calibrate(self, residuals: Tensor) -> None:
        """Learn the gain from validation residuals (step, 3), with `balance: reconciled`."""
        if self.learns_gain:
            covariance = residuals.double().T @ residuals.double() / len(residuals)
            self.gain.copy_(torch.tensor(carbon.gain(covariance.tolist())))

    def encode(self, support: Support, static: Static) -> SiteCode:
        """Codes of all streams; 0, which modulates nothing, in stage one."""
        if self.modulated:
            return torch.cat([encoder(support, static) for encoder in self.encoders], dim=-1)
        return support.new_zeros(len(support), len(self.encoders) * self.code)

    def decode(self, x: Dynamic, z: SiteCode, memory: Memory | None = None) -> tuple[Fluxes, Memory]:
        """Mean fluxes of the streams, and their memories, stream after stream."""
        out, memory = self._streams(x, z, memory)
        return self._fluxes(out).mean(0), memory

    def _streams(self, x: Dynamic, z: SiteCode, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """Outputs of the decoders (stream, site, time, output), and their memories."""
        count, x = len(self.decoders), x.contiguous()  # once for all streams
        memories = [None] * count if memory is None else zip(*(part.chunk(count) for part in memory), strict=True)
        streams = zip(self.decoders, self.features, z.chunk(count, dim=-1), memories, strict=True)
        results = [decoder(x[..., :features], code, before) for decoder, features, code, before in streams]
        out = torch.stack([fluxes for fluxes, _ in results])
        return out, tuple(torch.cat(parts) for parts in zip(*(after for _, after in results), strict=True))

    def _fluxes(self, out: Tensor) -> Tensor:
        """Fluxes (..., 3) in gC m-2 d-1 from outputs (..., output) of the decoders."""
        fluxes = out[..., : self.outputs] * self.scale[: self.outputs]
        if self.outputs == 2:
            fluxes = torch.cat([fluxes, fluxes[..., 1:] - fluxes[..., :1]], dim=-1)
        return fluxes


class TamLstm(FluxNetwork):
    """A decoder modulated by the static attributes."""

    scale: Tensor

    def __init__(self, dims: Dims, *, hidden: int, layers: int, code: int, dropout: float) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*code_layers(dims.static, code, dropout), nn.Tanh())
        self.decoder = Decoder(features=dims.features, hidden=hidden, layers=layers, code=code, dropout=dropout, outputs=3)
        self.register_buffer("scale", torch.tensor(dims.scale))

    def encode(self, support: Support, static: Static) -> SiteCode:
        """Code of each site, from its attributes alone."""
        code: SiteCode = self.encoder(static)
        return code

    def decode(self, x: Dynamic, z: SiteCode, memory: Memory | None = None) -> tuple[Fluxes, Memory]:
        """Fluxes, and the memory after the last step."""
        out, memory = self.decoder(x, z, memory)
        return out * self.scale, memory


class CtLstm(FluxNetwork):
    """An LSTM that reads drivers and, if `attributes`, static attributes side by side."""

    scale: Tensor

    def __init__(
        self, dims: Dims, *, hidden: int, layers: int, dropout: float, context: int | None = None, attributes: bool = True
    ) -> None:
        super().__init__(context)
        self.drivers = nn.Linear(dims.features, hidden)
        self.attributes = nn.Linear(dims.static, hidden, bias=False) if attributes else None
        self.lstm = nn.LSTM(hidden, hidden, num_layers=layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.dropout, self.tap = LockedDropout(dropout), Tap()
        self.head = nn.Linear(hidden, 3)
        self.register_buffer("scale", torch.tensor(dims.scale))

    def encode(self, support: Support, static: Static) -> SiteCode:
        """What the attributes of a site add at every step."""
        return self.attributes(static) if self.attributes else static.new_zeros(len(static), self.drivers.out_features)

    def decode(self, x: Dynamic, z: SiteCode, memory: Memory | None = None) -> tuple[Fluxes, Memory]:
        """Fluxes, and the memory after the last step."""
        h, memory = self.lstm(torch.relu(self.drivers(x) + z[:, None]), memory)
        return self.head(self.tap(self.dropout(h))) * self.scale, memory
