"""A plain LSTM on the drivers: CT-LSTM that reads no attribute of the site, to show what attributes are worth."""

from typing import Annotated

from pydantic import Field

from tamrl.models import ctlstm
from tamrl.options import Recurrent
from tamrl.plugins import Dims

CLOSES = ctlstm.CLOSES


class Options(Recurrent):
    """Options of the plain LSTM."""

    context: Annotated[int, Field(ge=2, le=100_000)] | None = None
    """Days of the windows that are decoded on their own; null carries the memory along."""


def build(dims: Dims, options: Options) -> ctlstm.CtLstm:
    """An untrained network."""
    return ctlstm.build(dims, ctlstm.Options(**options.model_dump(), attributes=False))
