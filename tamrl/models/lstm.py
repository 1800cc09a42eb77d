"""A plain LSTM on the drivers: CT-LSTM that reads no attribute of the site, to show what attributes are worth."""

from typing import Annotated

from pydantic import Field

from tamrl.models import Dims, ctlstm
from tamrl.options import Schedule

CLOSES = ctlstm.CLOSES


class Options(Schedule):
    """Options of the plain LSTM."""

    hidden: Annotated[int, Field(ge=1)] = 64
    """Width of the LSTM."""
    layers: Annotated[int, Field(ge=1)] = 1
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    windows: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Days over which running means of the drivers join the inputs."""
    context: Annotated[int, Field(ge=2)] | None = None
    """Days of the windows that are decoded on their own; null carries the memory along."""


def build(dims: Dims, options: Options) -> ctlstm.CtLstm:
    """An untrained network."""
    return ctlstm.build(dims, ctlstm.Options(**options.model_dump(), attributes=False))
