"""A small causal transformer: attention over the last days in place of a recurrent memory, and no code of the site.

Vaswani et al. 2017 (arXiv 1706.03762), with the norm before each layer (Xiong et al. 2020, arXiv 2002.04745). Every window is
decoded on its own and gives its second half; a day attends to itself and to the days before it in its window. Drivers and static
attributes are read side by side, as by CT-LSTM, so that the two differ in how they remember alone.
"""

from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from tamrl.models.parts.options import Context, Count, Days, Layers, Part, Rate, Schedule, Width
from tamrl.plugins import Dims, ModelCapabilities, TrainingCost

if TYPE_CHECKING:
    from tamrl.models.parts.network import FluxNetwork


class Options(Schedule):
    """Options of the transformer."""

    hidden: Width = 64
    """Width of the layers."""
    heads: Annotated[int, Field(ge=1, le=256)] = 4
    """Heads of the attention, among which the width is divided."""
    layers: Layers = 2
    dropout: Part = 0.2
    streams: Count = 1
    """As in `ctlstm`: networks in each member that are averaged."""
    windows: tuple[Days, ...] = ()
    """Days over which running means of the drivers join the inputs."""
    context: Context = 60
    """Days of a window, of which the second half is predicted."""
    sequence: Annotated[int, Field(ge=1, le=100_000)] | None = 30
    spinup: Annotated[int, Field(ge=0, le=100_000)] | None = 30
    batch: Annotated[int, Field(ge=1, le=10_000_000)] | None = 128
    learning_rate: Rate | None = 1e-3

    @model_validator(mode="after")
    def _divides(self) -> "Options":
        if self.hidden % self.heads:
            raise ValueError(f"hidden ({self.hidden}) must be a multiple of heads ({self.heads})")
        return self


def capabilities(options: Options) -> ModelCapabilities:
    """A network whose weights can be adapted."""
    cost = TrainingCost("network", width=options.hidden, streams=options.streams)
    return ModelCapabilities(closes=True, memory=False, adapts=("weights",), cost=cost)


def build(dims: Dims, options: Options) -> "FluxNetwork":
    """An untrained network."""
    from tamrl.models.parts.attention import CausalTransformer
    from tamrl.models.parts.streams import averaged

    network = partial(
        CausalTransformer,
        dims,
        hidden=options.hidden,
        heads=options.heads,
        layers=options.layers,
        dropout=options.dropout,
        context=options.context,
    )
    return averaged(network, options.streams)
