"""A plain LSTM on the drivers: CT-LSTM that reads no attribute of the site, to show what attributes are worth."""

from typing import TYPE_CHECKING

from tamrl.models.parts.options import Context, Recurrent
from tamrl.plugins import Dims, ModelCapabilities, TrainingCost

if TYPE_CHECKING:
    from tamrl.models.parts.recurrent import CtLstm


class Options(Recurrent):
    """Options of the plain LSTM."""

    context: Context | None = None
    """Days of the windows that are decoded on their own; null carries the memory along."""


def capabilities(options: Options) -> ModelCapabilities:
    """A network whose weights can be adapted."""
    cost = TrainingCost("network", width=options.hidden)
    return ModelCapabilities(closes=True, memory=options.context is None, adapts=("weights",), cost=cost)


def build(dims: Dims, options: Options) -> "CtLstm":
    """An untrained network."""
    from tamrl.models.parts.recurrent import CtLstm

    return CtLstm(
        dims,
        hidden=options.hidden,
        layers=options.layers,
        dropout=options.dropout,
        context=options.context,
        attributes=False,
    )
