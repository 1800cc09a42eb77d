"""Which steps of the cube are decoded for a map, and where the memory of the models comes from.

Either a year is decoded after `spinup` steps of its own past, so that every year stands alone. Or the memory is carried from the
first step of the cube to the last, year by year; a year is then always cut into the same pieces, so that its bits are the same
whether the years before it were mapped in the same run, in an earlier one or not at all. Steps that only enter running means
are read and not decoded, which costs next to nothing.
"""

from dataclasses import dataclass, replace

import numpy as np

from tamrl import calendar
from tamrl.calendar import TimeAxis
from tamrl.errors import ContractError
from tamrl.samples.dataset import lead_in


@dataclass(frozen=True, eq=False)
class Piece:
    """Consecutive steps that are decoded together."""

    steps: np.ndarray
    """Array of int: positions on the time axis of the drivers."""
    lead: int
    """Number of steps at the beginning that only enter running means; they are not decoded."""
    skip: int
    """Number of steps after these that are decoded only to fill the memory."""

    def __len__(self) -> int:
        """Number of steps whose fluxes are wanted."""
        return len(self.steps) - self.lead - self.skip


@dataclass(frozen=True, eq=False)
class DecodingPlan:
    """Pieces in the order in which they are decoded; the memory passes from one to the next."""

    pieces: tuple[Piece, ...]
    """The last one holds the mapped steps."""
    time: np.ndarray
    """Array of datetime64: time stamps of the mapped steps."""
    carried: bool = False
    """Whether decoding starts from a stored memory and gives one to store."""


def plan_alone(axis: TimeAxis, *, label: str, spinup: int, span: int) -> DecodingPlan:
    """Plan the map `label` after a spin-up, independent of other years.

    Parameters
    ----------
    label : a year of the cube, or `climatology`
    spinup : int
        Steps that fill the memory. Before the cube begins, its first year is repeated; a climatology is repeated as whole cycles.
    span : steps of the longest running mean

    Raises `ContractError` if the cube does not hold the year.
    """
    if axis.climatology != (label == calendar.CLIMATOLOGY):
        kind = "a climatology" if axis.climatology else "years"
        raise ContractError(f"the cube cannot give a map of {label!r}", found=kind)
    if axis.climatology:
        size = len(axis)
        before = -(-(span + spinup) // size) * size
        return DecodingPlan((Piece(np.arange(before + size) % size, before - spinup, spinup),), axis.start)
    steps = axis.of_year(int(label))
    return DecodingPlan((Piece(_after_lead_in(axis, steps, span + spinup), span, spinup),), axis.start[steps])


def plan_carried(axis: TimeAxis, *, label: str, since: str | None, spinup: int, span: int) -> DecodingPlan:
    """Plan the year `label` with the memory of all years before it.

    Parameters
    ----------
    label : a year of the cube
    since : the year at whose end the memory was stored; without it the memory begins with the cube, after `spinup` steps
    spinup, span : as for `plan_alone`

    Raises `ContractError` if the cube does not hold a year, or `since` is not before `label`.
    """
    years = np.arange(axis.years[0] if since is None else int(since) + 1, int(label) + 1)
    if not years.size:
        raise ContractError(f"the memory of {since} is not from before {label}")
    pieces: list[Piece] = []
    for year in years:
        steps = axis.of_year(int(year))
        skip = spinup if since is None and not pieces else 0
        piece = Piece(_after_lead_in(axis, steps, span + skip), span, skip)
        pieces.append(piece if year == int(label) else replace(piece, skip=skip + len(steps)))
    return DecodingPlan(tuple(pieces), axis.start[axis.of_year(int(label))], carried=True)


def _after_lead_in(axis: TimeAxis, steps: np.ndarray, count: int) -> np.ndarray:
    """The `count` steps before the first of `steps`, and `steps`; before the cube begins, its first year is repeated."""
    return np.concatenate([lead_in(int(steps[0]), count, len(axis.of_year(axis.years[0]))), steps])
