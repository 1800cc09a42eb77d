"""All fuzz targets."""

from tests.fuzz import foreign, network, stages
from tests.fuzz.base import Target

TARGETS: tuple[Target, ...] = (*foreign.TARGETS, *network.TARGETS, *stages.TARGETS)
