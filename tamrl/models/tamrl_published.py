"""TAM-RL as its authors trained it: after the public code of arXiv 2603.09974 (CarbonFluxBench 312d776, settings for IGBP folds).

As there: windows of 30 days whose last 15 are predicted; stage one trains a plain LSTM on the drivers, stage two takes over that
LSTM and learns all else anew; the code comes from the window to predict, because there the support window never reaches the
decoder; squared errors of standardised fluxes times quality, times the weights of IGBP and Köppen classes; all windows alike, no
resampling of towers; a rate halved after each tenth of a stage; AdamW at 1e-4 in stage one, Adam at 1e-3 in stage two; a fifth of
the towers choose the best weights, and training ends when two checks in a row are no better; ten seeds, which are
`training.members: 10` here.

What differs, because it belongs to the data or to the loop that all models share:

* the training lasts `training.steps`, half of them stage one, not a hundred passes over the windows in each;
* windows begin at any day and are drawn with replacement, not every 15 days once a pass; days without a flux have weight zero,
  where the public code leaves out windows with a gap;
* stage one hands over its last weights, not its best ones; in stage two the best ones are kept by value, where the public code
  keeps a reference to the last; twelve checks are made in stage two, not twenty;
* the balance costs 0.1 per (gC m-2 d-1)² as the paper says; in the public code that branch is never reached;
* the loss is divided by the sum of the weights of a batch, not by the number of its values; validation has weights too;
* batch normalisation does not see the support windows beside those to predict;
* gradients are clipped at norm 1, as for all networks here;
* fluxes are made to close when they are delivered;
* inputs, towers, years and filters are those of the run; attributes are its statics, not one-hot classes alone.
"""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from tamrl.models.parts.options import Context, Count, Layers, Part, Positive, Rate, Schedule, Width
from tamrl.plugins import Dims, ModelCapabilities, TrainingCost

if TYPE_CHECKING:
    from tamrl.models.parts.network import FluxNetwork


class Options(Schedule):
    """Options of TAM-RL as published."""

    hidden: Width = 128
    """Width of the LSTM."""
    layers: Layers = 2
    code: Width = 64
    """Width of the code of a window."""
    dropout: Part = 0.2
    streams: Count = 1
    """As in `ctlstm`: networks in each member that are averaged."""
    context: Context = 30
    """Days of a window, of which the second half is predicted."""
    pretrain: Annotated[float, Field(ge=0, le=0.5)] = 0.5
    """Share of the training steps of stage one; weights are chosen in the second half of the steps."""
    first_rate: Positive = 0.1
    """Learning rate of stage one over that of stage two."""
    sequence: Annotated[int, Field(ge=1, le=100_000)] | None = 15
    spinup: Annotated[int, Field(ge=0, le=100_000)] | None = 15
    batch: Annotated[int, Field(ge=1, le=10_000_000)] | None = 2048
    learning_rate: Rate | None = 1e-3
    weight_decay: Annotated[float, Field(ge=0, le=10)] | None = 1e-2
    validation: Part | None = 0.2
    schedule: Literal["one_cycle", "step"] | None = "step"
    loss: Literal["huber", "squared"] | None = "squared"
    weighting: Literal["sampling", "loss"] | None = "loss"
    patience: Annotated[int, Field(ge=1, le=1000)] | None = 2
    input_noise: Annotated[float, Field(ge=0, le=100)] | None = 0.0


def capabilities(options: Options) -> ModelCapabilities:
    """A network whose code sees the whole window; what it has learnt of a site is not in a code that could be adapted."""
    cost = TrainingCost("network", width=options.hidden, streams=options.streams)
    return ModelCapabilities(closes=True, memory=False, adapts=(), cost=cost, ahead=options.context // 2 - 1)


def build(dims: Dims, options: Options) -> "FluxNetwork":
    """An untrained network."""
    from tamrl.models.parts.published import PublishedTamRl
    from tamrl.models.parts.streams import averaged

    network = partial(
        PublishedTamRl,
        dims,
        hidden=options.hidden,
        layers=options.layers,
        code=options.code,
        dropout=options.dropout,
        context=options.context,
        pretrain=options.pretrain,
        first_rate=options.first_rate,
    )
    return averaged(network, options.streams)
