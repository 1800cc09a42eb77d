"""TAM-RL after the settings of its paper (arXiv 2603.09974): windows of 45 days, a wide decoder that first learns alone.

For the training of its public code see `tamrl_published`. Not as in the paper: the loss is Huber's and not the square, with one
cycle of the learning rate; classes count by how often towers are drawn, without those of Köppen, and towers are resampled; the
site's code comes from its mean seasonal cycle of drivers, not from windows of it, and reaches the decoder, unlike in the public
code; each window gives its second half; the decoder alone takes `pretrain` of the steps, with the code at zero; the balance is
penalised in gC m-2 d-1, where it is the physical identity; one layer, and as many members as all models have, not ten.
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tamrl.models.parts.options import Context, Part, Rate, Recurrent, Width
from tamrl.plugins import Dims, ModelCapabilities, TrainingCost

if TYPE_CHECKING:
    from tamrl.models.parts.recurrent import TamRl


class Options(Recurrent):
    """Options of TAM-RL after its paper."""

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
    cost = TrainingCost("network", width=options.hidden, streams=options.streams)
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
        streams=options.streams,
        context=options.context,
        pretrain=options.pretrain,
    )
