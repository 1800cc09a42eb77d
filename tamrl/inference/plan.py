"""Which steps of the cube are decoded for a map."""

from dataclasses import dataclass

import numpy as np

from tamrl.errors import ContractError
from tamrl.samples.dataset import lead_in

CLIMATOLOGY = "climatology"


@dataclass(frozen=True)
class Plan:
    """Steps to decode.

    Attributes
    ----------
    steps : array of int
        Positions on the cube's time axis, the spin-up first.
    skip : int
        Number of spin-up steps.
    time : array of datetime64
        Time stamps of the mapped steps.
    """

    steps: np.ndarray
    skip: int
    time: np.ndarray


def plan(time: np.ndarray, *, label: str, spinup: int, climatology: bool) -> Plan:
    """Steps for the map `label`.

    Parameters
    ----------
    time : of the cube
    label : a year of the cube, or `climatology`
    spinup : steps
        Before the cube begins, its first year is repeated; a climatology is repeated as whole cycles.
    climatology : whether the cube is one mean year

    Raises
    ------
    ContractError
        If the cube does not hold the year.
    """
    if climatology != (label == CLIMATOLOGY):
        raise ContractError(f"the cube cannot give a map of {label!r}", found="a climatology" if climatology else "years")
    if climatology:
        cycles = -(-spinup // len(time))
        return Plan(np.tile(np.arange(len(time)), cycles + 1), cycles * len(time), time)
    years = time.astype("datetime64[Y]").astype(int) + 1970
    own = np.flatnonzero(years == int(label))
    if not own.size:
        raise ContractError(f"the cube does not hold the year {label}", found=f"{years.min()} to {years.max()}")
    first = int((years == years[0]).sum())
    return Plan(np.concatenate([lead_in(int(own[0]), spinup, first), own]), spinup, time[own])
