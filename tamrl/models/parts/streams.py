"""Several networks in one: an ensemble inside a member, for any network."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from tamrl.models.parts.network import FluxNetwork, Stage
from tamrl.shapes import Dynamic, Fluxes, Memory, SiteCode, Static, Support


class AveragedStreams(FluxNetwork):
    """Networks of one kind that start from different weights, learn independently from the same batches, and are averaged.

    An ensemble inside a member (Lakshminarayanan et al. 2017, arXiv 1612.01474). Codes of the streams stand one after the other
    in the code of a site, and their memories in the layers of the memory.

    Parameters
    ----------
    parts : the networks, equal in all but their weights
    """

    def __init__(self, parts: list[FluxNetwork]) -> None:
        super().__init__(parts[0].context, own_window=parts[0].own_window)
        self.parts = nn.ModuleList(parts)

    @property
    def networks(self) -> list[FluxNetwork]:
        """The networks."""
        return cast(list[FluxNetwork], list(self.parts))

    def begin(self, progress: float) -> Stage:
        """Prepare a training step of every network; all are in the same stage."""
        stages = [network.begin(progress) for network in self.networks]
        return stages[0]

    def forward(self, x: Dynamic, support: Support, static: Static) -> Tensor:
        """Fluxes as they are trained, (stream, site, time, ...), because each network learns on its own."""
        return torch.stack([network(x, support, static) for network in self.networks])

    def encode(self, support: Support, static: Static) -> SiteCode:
        """Codes of all networks."""
        return torch.cat([network.encode(support, static) for network in self.networks], dim=-1)

    def decode(self, x: Dynamic, z: SiteCode, memory: Memory | None = None) -> tuple[Fluxes, Memory]:
        """Mean fluxes of the networks, and their memories, network after network."""
        count = len(self.parts)
        memories = zip(*(part.chunk(count) for part in memory), strict=True) if memory else [None] * count
        streams = zip(self.networks, z.chunk(count, dim=-1), memories, strict=True)
        results = [network.decode(x, code, before) for network, code, before in streams]
        fluxes = torch.stack([fluxes for fluxes, _ in results]).mean(0)
        return fluxes, tuple(torch.cat(tensors) for tensors in zip(*(after for _, after in results), strict=True))


def averaged(build: Callable[[], FluxNetwork], streams: int) -> FluxNetwork:
    """One network, or several that `build` makes one after the other with weights of their own."""
    return AveragedStreams([build() for _ in range(streams)]) if streams > 1 else build()
