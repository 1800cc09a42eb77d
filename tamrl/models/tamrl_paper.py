"""TAM-RL with the settings of its publication (arXiv 2603.09974): the preset to be better than.

Windows of 45 days, wide decoder, the decoder alone first, balance by penalty (here in gC m-2 d-1, where it is the physical
identity); the support set, unlike in the public benchmark code, reaches the decoder.
"""

from typing import Annotated

from pydantic import Field

from tamrl.models import tamrl
from tamrl.options import Recurrent
from tamrl.plugins import Dims

CLOSES = tamrl.CLOSES


class Options(Recurrent):
    """Options of the published TAM-RL."""

    hidden: Annotated[int, Field(ge=1, le=16_384)] = 128
    code: Annotated[int, Field(ge=1, le=16_384)] = 64
    pretrain: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Share of the training steps of stage one."""
    context: Annotated[int, Field(ge=2, le=100_000)] = 45
    """Days of a window."""
    sequence: Annotated[int, Field(ge=1, le=100_000)] | None = 22
    spinup: Annotated[int, Field(ge=0, le=100_000)] | None = 23
    batch: Annotated[int, Field(ge=1, le=10_000_000)] | None = 256
    learning_rate: Annotated[float, Field(gt=0, le=10)] | None = 1e-3


def build(dims: Dims, options: Options) -> tamrl.TamRl:
    """An untrained network."""
    own = {name: getattr(options, name) for name in ("hidden", "code", "layers", "dropout", "pretrain", "context", "windows")}
    return tamrl.build(dims, tamrl.Options(**own, balance="penalty", loss="huber", streams=1))
