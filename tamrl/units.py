"""Unit conversion by UDUNITS (cf-units); no factor is written by hand elsewhere."""

from typing import TypeVar

import cf_units
import numpy as np

from tamrl.errors import UnitError

A = TypeVar("A")

MOLAR_MASS_CARBON = 12.011
"""g mol-1, IUPAC standard atomic weight (doi 10.1515/pac-2019-0603)."""

SECONDS_PER_DAY = 86400.0


def unit(text: str) -> cf_units.Unit:
    """Parse a unit string; raises `UnitError` if UDUNITS does not know it."""
    try:
        return cf_units.Unit(text)
    except ValueError as error:
        raise UnitError(f"unknown unit {text!r}", found=error, todo="write it as UDUNITS does, e.g. 'W m-2'") from None


def convert(values: A, *, source: str, target: str) -> A:
    """Convert `values` (array, xarray or number, any shape) from unit `source` to unit `target`.

    The conversion is linear (slope and offset), so lazy and labelled arrays stay what they are.
    Raises `UnitError` if the units do not measure the same thing.
    """
    if source == target:
        return values
    a, b = unit(source), unit(target)
    if not a.is_convertible(b):
        raise UnitError(f"cannot convert {source!r} to {target!r}", todo="correct the unit in the source's table")
    offset, one = (float(a.convert(np.float64(v), b)) for v in (0.0, 1.0))
    return values * (one - offset) + offset


def carbon_from_co2(values: A) -> A:
    """µmol CO2 m-2 s-1 to gC m-2 d-1 (factor 1.0377)."""
    return values * (MOLAR_MASS_CARBON * 1e-6 * SECONDS_PER_DAY)
