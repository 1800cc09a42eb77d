"""A plain LSTM on the drivers: CT-LSTM that reads no attribute of the site, to show what attributes are worth."""

from typing import TYPE_CHECKING

from tamrl.models import ctlstm
from tamrl.models.parts.options import Context, Recurrent
from tamrl.plugins import Dims, ModelCapabilities

if TYPE_CHECKING:
    from tamrl.models.parts.network import FluxNetwork


class Options(Recurrent):
    """Options of the plain LSTM."""

    context: Context | None = None
    """Days of the windows that are decoded on their own; null carries the memory along."""


def capabilities(options: Options) -> ModelCapabilities:
    """A network whose weights can be adapted."""
    return ctlstm.capabilities(_without_attributes(options))


def build(dims: Dims, options: Options) -> "FluxNetwork":
    """An untrained network."""
    return ctlstm.build(dims, _without_attributes(options))


def _without_attributes(options: Options) -> ctlstm.Options:
    return ctlstm.Options(**options.model_dump(), attributes=False)
