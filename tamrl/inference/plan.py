"""Which steps of the cube are decoded for a map, and where the memory of the models comes from.

Either a year is decoded after `spinup` steps of its own past, so that every year stands alone, and steps before those are read
for running means alone, which costs next to nothing; or the memory is carried from
the first step of the cube to the last, year by year. A year is always cut into the same pieces, so its numbers are the same to
the bit whether the years before it were mapped in the same run, in an earlier one or not at all.
"""

from dataclasses import dataclass, replace

import numpy as np

from tamrl.errors import ContractError
from tamrl.samples.dataset import lead_in

CLIMATOLOGY = "climatology"


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


def plan(time: np.ndarray, *, label: str, spinup: int, span: int, climatology: bool) -> Plan:
    """Steps for the map `label`, which stands alone.

    Parameters
    ----------
    time : of the cube
    label : a year of the cube, or `climatology`
    spinup : steps that fill the memory
        Before the cube begins, its first year is repeated; a climatology is repeated as whole cycles.
    span : steps of the longest running mean
    climatology : whether the cube is one mean year

    Raises
    ------
    ContractError
        If the cube does not hold the year.
    """
    if climatology != (label == CLIMATOLOGY):
        raise ContractError(f"the cube cannot give a map of {label!r}", found="a climatology" if climatology else "years")
    if climatology:
        before = -(-(span + spinup) // len(time)) * len(time)
        return Plan((Piece(np.arange(before + len(time)) % len(time), before - spinup, spinup),), time)
    own, first = _year(time, int(label)), _first(time)
    return Plan((Piece(np.concatenate([lead_in(int(own[0]), span + spinup, first), own]), span, spinup),), time[own])


def carried(time: np.ndarray, *, label: str, since: str | None, spinup: int, span: int) -> Plan:
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
    first = _first(time)
    years = np.arange(int(str(time[0])[:4]) if since is None else int(since) + 1, int(label) + 1)
    if not years.size:
        raise ContractError(f"the memory of {since} is not from before {label}")
    pieces = []
    for year in years:
        own = _year(time, int(year))
        start = since is None and not pieces
        skip = spinup if start else 0
        piece = Piece(np.concatenate([lead_in(int(own[0]), span + skip, first), own]), span, skip)
        pieces.append(piece if year == int(label) else replace(piece, skip=skip + len(own)))
    return Plan(tuple(pieces), time[_year(time, int(label))])


def _year(time: np.ndarray, year: int) -> np.ndarray:
    """Positions of a year's steps."""
    years = time.astype("datetime64[Y]").astype(int) + 1970
    own = np.flatnonzero(years == year)
    if not own.size:
        raise ContractError(f"the cube does not hold the year {year}", found=f"{years.min()} to {years.max()}")
    return own


def _first(time: np.ndarray) -> int:
    """Number of steps of the cube's first year."""
    years = time.astype("datetime64[Y]")
    return int((years == years[0]).sum())
