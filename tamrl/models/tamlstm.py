"""TAM-LSTM, the ablation of TAM-RL: the code comes from the static attributes alone, the support set is not read."""

from functools import partial
from typing import TYPE_CHECKING

from tamrl.models.parts.options import Days, Recurrent, Width
from tamrl.plugins import Dims, ModelCapabilities, TrainingCost

if TYPE_CHECKING:
    from tamrl.models.parts.network import FluxNetwork


class Options(Recurrent):
    """Options of TAM-LSTM."""

    code: Width = 32
    """Width of the code of a site."""
    windows: tuple[Days, ...] = (30, 120, 365)
    """Days over which running means of the drivers join the decoder's inputs."""


def capabilities(options: Options) -> ModelCapabilities:
    """A network with memory; its code does not follow from drivers, so the weights are adapted."""
    cost = TrainingCost("network", width=options.hidden, streams=options.streams)
    return ModelCapabilities(closes=True, memory=True, adapts=("weights",), cost=cost, learns_sums=True)


def build(dims: Dims, options: Options) -> "FluxNetwork":
    """An untrained network."""
    from tamrl.models.parts.recurrent import TamLstm
    from tamrl.models.parts.streams import averaged

    sizes = {"hidden": options.hidden, "layers": options.layers, "code": options.code}
    return averaged(partial(TamLstm, dims, **sizes, dropout=options.dropout), options.streams)
