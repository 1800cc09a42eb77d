"""CT-LSTM, the rival without a code: an LSTM that reads drivers and static attributes side by side at every step.

As in Kratzert et al. 2019 (doi 10.5194/hess-23-5089-2019) and the benchmark of arXiv 2603.09974, but decoded over
consecutive steps like TAM-RL, so that the two differ in the modulation alone.
"""

from functools import partial
from typing import TYPE_CHECKING

from tamrl.models.parts.options import Context, Recurrent
from tamrl.plugins import Dims, ModelCapabilities, TrainingCost

if TYPE_CHECKING:
    from tamrl.models.parts.network import FluxNetwork


class Options(Recurrent):
    """Options of CT-LSTM."""

    context: Context | None = None
    """Days of the windows that are decoded on their own, each giving its second half; null carries the memory along."""
    attributes: bool = True
    """Whether the static attributes are read; without, it is a plain LSTM on the drivers."""


def capabilities(options: Options) -> ModelCapabilities:
    """A network whose weights can be adapted."""
    cost = TrainingCost("network", width=options.hidden, streams=options.streams)
    carried = options.context is None
    return ModelCapabilities(closes=True, memory=carried, adapts=("weights",), cost=cost, learns_sums=carried)


def build(dims: Dims, options: Options) -> "FluxNetwork":
    """An untrained network."""
    from tamrl.models.parts.recurrent import CtLstm
    from tamrl.models.parts.streams import averaged

    network = partial(
        CtLstm,
        dims,
        hidden=options.hidden,
        layers=options.layers,
        dropout=options.dropout,
        context=options.context,
        attributes=options.attributes,
    )
    return averaged(network, options.streams)
