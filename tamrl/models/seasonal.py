"""The mean seasonal cycle of the land-cover class: the rival without drivers, which every model must beat.

Season is northern time, half a year later in the south. A class that no training tower had takes the mean over all towers.
"""

from typing import TYPE_CHECKING, Literal

from tamrl.options import Strict
from tamrl.plugins import Dims, ModelCapabilities, TrainingCost

if TYPE_CHECKING:
    from tamrl.models.parts.class_cycles import ClassCycles


class Options(Strict):
    """Options of the mean seasonal cycle: which inputs it asks for."""

    static: tuple[Literal["igbp_fraction", "koppen_fraction"], ...] = ("igbp_fraction",)
    """Class fractions that tell the cycles apart, those that the run has; without any there is one cycle for all."""
    calendar: Literal[True] = True
    """The last two features are the season."""


def capabilities(options: Options) -> ModelCapabilities:
    """Means close the balance, and have nothing to adapt."""
    return ModelCapabilities(closes=True, memory=False, adapts=(), cost=TrainingCost("trees"))


def build(dims: Dims, options: Options) -> "ClassCycles":
    """Cycles of zero."""
    from tamrl.models.parts.class_cycles import ClassCycles

    return ClassCycles(dims)
