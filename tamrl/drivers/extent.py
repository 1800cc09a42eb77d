"""What the files of a source hold of a variable: what decides which steps further files may change."""

from dataclasses import dataclass, replace
from typing import Literal

Every = Literal["hour", "day", "month"]


@dataclass(frozen=True)
class Axis:
    """Number of places along a coordinate, and the first and the last one in degrees."""

    size: int
    first: float
    last: float


@dataclass(frozen=True)
class Extent:
    """What was read of a variable."""

    times: tuple[str, str]
    """First and last time in the files."""
    steps: tuple[str, str]
    """First and last day or month with values."""
    every: Every | None
    """Spacing of the times; None if it is irregular."""
    dtype: str
    lat: Axis
    lon: Axis

    def same_form(self, other: "Extent") -> bool:
        """Whether two series have the same plain spacing, type and grid."""
        return self.every is not None and replace(self, times=other.times, steps=other.steps) == other

    def until(self, later: "Extent") -> "Extent":
        """What a series and one of later files hold together."""
        return replace(later, times=(self.times[0], later.times[1]), steps=(self.steps[0], later.steps[1]))
