"""Which steps of the cube are decoded for a map, and where the memory of the models comes from.

Either a year is decoded after `spinup` steps of its own past, so that every year stands alone, and steps before those are read
for running means alone, which costs next to nothing; or the memory is carried from
the first step of the cube to the last, year by year. A year is always cut into the same pieces, so its numbers are the same to
the bit whether the years before it were mapped in the same run, in an earlier one or not at all.
"""

from dataclasses import dataclass, replace

import numpy as np

from tamrl import calendar
from tamrl.calendar import TimeAxis
from tamrl.errors import ContractError
from tamrl.samples.dataset import lead_in


@dataclass(frozen=True)
class Piece:
    """Consecutive steps that are decoded in one go.

    Attributes
    ----------
    steps : array of int
        Positions on the cube's time axis.
    lead : int
        How many of them only enter the running means of the first ones; they are not decoded.
    skip : int
        How many of the decoded ones only fill the memory.
    """

    steps: np.ndarray
    lead: int
    skip: int


@dataclass(frozen=True)
class Plan:
    """Pieces in the order in which they are decoded, the memory going on from one to the next.

    Attributes
    ----------
    pieces : tuple of Piece
    time : array of datetime64
        Time stamps of the mapped steps: those of the last piece.
    """

    pieces: tuple[Piece, ...]
    time: np.ndarray


def plan(axis: TimeAxis, *, label: str, spinup: int, span: int) -> Plan:
    """Steps for the map `label`, which stands alone.

    Parameters
    ----------
    axis : of the cube
    label : a year of the cube, or `climatology`
    spinup : steps that fill the memory
        Before the cube begins, its first year is repeated; a climatology is repeated as whole cycles.
    span : steps of the longest running mean

    Raises
    ------
    ContractError
        If the cube does not hold the year.
    """
    if axis.climatology != (label == calendar.CLIMATOLOGY):
        kind = "a climatology" if axis.climatology else "years"
        raise ContractError(f"the cube cannot give a map of {label!r}", found=kind)
    if axis.climatology:
        size = len(axis)
        before = -(-(span + spinup) // size) * size
        return Plan((Piece(np.arange(before + size) % size, before - spinup, spinup),), axis.start)
    steps = axis.of_year(int(label))
    return Plan((Piece(_after_lead_in(axis, steps, span + spinup), span, spinup),), axis.start[steps])


def carried(axis: TimeAxis, *, label: str, since: str | None, spinup: int, span: int) -> Plan:
    """Steps for the year `label` with the memory of all the years before it.

    Parameters
    ----------
    since : str, optional
        The year at whose end the memory was put down; without it the memory begins with the cube, after `spinup` steps.
    span : steps of the longest running mean

    Raises
    ------
    ContractError
        If the cube does not hold a year, or `since` is not before `label`.
    """
    years = np.arange(axis.years[0] if since is None else int(since) + 1, int(label) + 1)
    if not years.size:
        raise ContractError(f"the memory of {since} is not from before {label}")
    pieces = []
    for year in years:
        steps = axis.of_year(int(year))
        start = since is None and not pieces
        skip = spinup if start else 0
        piece = Piece(_after_lead_in(axis, steps, span + skip), span, skip)
        pieces.append(piece if year == int(label) else replace(piece, skip=skip + len(steps)))
    return Plan(tuple(pieces), axis.start[axis.of_year(int(label))])


def _after_lead_in(axis: TimeAxis, steps: np.ndarray, count: int) -> np.ndarray:
    """The `count` steps before the first of `steps`, and `steps`; before the cube begins, its first year is repeated."""
    return np.concatenate([lead_in(int(steps[0]), count, len(axis.of_year(axis.years[0]))), steps])
