"""TAM-RL with the settings of its publication (arXiv 2603.09974): the preset to be better than.

Windows of 45 days, wide decoder, the decoder alone first, balance by penalty (here in gC m-2 d-1, where it is the physical
identity); the support set, unlike in the public benchmark code, reaches the decoder.
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tamrl.models.parts.options import Context, Part, Rate, Recurrent, Width
from tamrl.plugins import Dims, ModelCapabilities, TrainingCost

if TYPE_CHECKING:
    from tamrl.models.parts.recurrent import TamRl


class Options(Recurrent):
    """Options of the published TAM-RL."""

    hidden: Width = 128
    code: Width = 64
    pretrain: Part = 0.3
    """Share of the training steps of stage one."""
    context: Context = 45
    """Days of a window."""
    sequence: Annotated[int, Field(ge=1, le=100_000)] | None = 22
    spinup: Annotated[int, Field(ge=0, le=100_000)] | None = 23
    batch: Annotated[int, Field(ge=1, le=10_000_000)] | None = 256
    learning_rate: Rate | None = 1e-3


def capabilities(options: Options) -> ModelCapabilities:
    """A network with a code, whose windows are decoded on their own."""
    cost = TrainingCost("network", width=options.hidden)
    return ModelCapabilities(closes=True, memory=False, adapts=("code", "weights"), cost=cost)


def build(dims: Dims, options: Options) -> "TamRl":
    """An untrained network."""
    from tamrl.models.parts.recurrent import TamRl

    return TamRl(
        dims,
        hidden=options.hidden,
        layers=options.layers,
        code=options.code,
        dropout=options.dropout,
        context=options.context,
        pretrain=options.pretrain,
    )
