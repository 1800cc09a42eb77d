"""Convert units by UDUNITS (cf-units), in the spellings that people use; no other module holds conversion factors."""

import re
from functools import cache

import cf_units
import numpy as np

from tamrl.carbon import Quantity
from tamrl.errors import UnitError

MOLAR_MASS_CARBON = 12.011
"""g mol-1, IUPAC standard atomic weight (doi 10.1515/pac-2019-0603)."""

MOLAR_MASS_CO2 = MOLAR_MASS_CARBON + 2 * 15.999
"""g mol-1, by the same weights."""

SECONDS_PER_DAY = 86400.0

_MOLES = cf_units.Unit("umol m-2 s-1")
_CARBON = cf_units.Unit("g m-2 d-1")
_DEPTH = cf_units.Unit("m s-1")
_WATER = cf_units.Unit("1000 kg m-3")

_SIGNS = str.maketrans(
    {"⁻": "-", "−": "-", "–": "-", "µ": "u", "μ": "u", "º": "°", "·": " ", "⋅": " ", "[": "(", "]": ")"}
    | {c: str(k) for k, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
)
_SPELLINGS = (
    (r"(?<=[A-Za-z])(?:\*\*|\^)", ""),
    (r"[{}$]", ""),
    (r"(?<=[gJWl])(?=m-?2(?![0-9]))|(?<=[A-Za-z]-[0-9])(?=[A-Za-z])", " "),
    (r"\bKg", "kg"),
    (r"\b(?:[Hh]pa|HPa)\b", "hPa"),
    (r"\b(?:[Kk]pa|KPa)\b", "kPa"),
    (r"^mb$", "mbar"),
    (r"^(?:°|o|deg(?:ree)?s?)?[ _.]?(?:C|[Cc]elsius)$", "degC"),
    (r"^(?:-|unitless|dimensionless|fraction)$", "1"),
)
"""Spellings of people with those of UDUNITS; `degC` and its kin are temperatures, never charges."""

_MONTH = re.compile(r"(?<![A-Za-z])mo(?:n|nth)?s?(?![A-Za-z])")
_SUBSTANCE = re.compile(
    r"(?<![A-Za-z])(?P<amount>[kMGTPmun]?(?:g|mol)|t)[\s_-]*\(?(?P<name>CO2-C|C-CO2|CO2|C)\)?(?=$|[\s./*)]|m-?2)"
    r"|(?<=[0-9]) (?:of )?(?P<last>CO2|C)$"
)
"""The substance of a mass or of moles, as in `gC`, `umol CO2`, `g CO2-C` and `umol m-2 s-1 CO2`."""


@cache
def parse_unit(text: str) -> tuple[cf_units.Unit, str | None]:
    """Parse a unit as people write it; return it with the substance of its mass or moles: `C`, `CO2` or None.

    Raises `UnitError` if UDUNITS does not know the unit.
    """
    plain = " ".join(text.translate(_SIGNS).split())
    substance = _SUBSTANCE.search(plain)
    plain = _SUBSTANCE.sub(lambda m: m["amount"] or "", plain)
    for pattern, written in _SPELLINGS:
        plain = re.sub(pattern, written, plain)
    try:
        parsed = cf_units.Unit(plain.strip())
    except ValueError as error:
        raise UnitError(f"unknown unit {text!r}", found=error, todo="write it as UDUNITS does, e.g. 'W m-2'") from None
    name = (substance["name"] or substance["last"]) if substance else None
    return parsed, "C" if name in ("CO2-C", "C-CO2") else name


def per_day(text: str) -> str | None:
    """Return the unit per day for a unit per month (`mm d-1` for `mm month-1`); None for all other units.

    Callers divide values by the days of their month. `convert` refuses such units, because months differ in length.
    """
    daily = _MONTH.sub("d", text)
    return daily if daily != text else None


def unit(text: str) -> cf_units.Unit:
    """Parse a unit string; raises `UnitError` if UDUNITS does not know it."""
    return parse_unit(text)[0]


def convert(values: Quantity, *, source: str, target: str, where: object = None) -> Quantity:
    """Convert `values` from unit `source` to unit `target`.

    The conversion is linear (slope and offset), so lazy arrays stay lazy and labelled arrays keep their labels. If `target` is a
    mass of carbon (`gC m-2 d-1`), `source` may be moles per area and time (as many of CO2 as of carbon) or a mass of CO2. A mass
    without a substance is a mass of carbon. A mass of water per area is its depth (1 kg m-2 = 1 mm).

    Parameters
    ----------
    values : number, array or xarray object, any shape
    source, target : units as UDUNITS or people write them
    where : file and variable, for errors

    Raises `UnitError` if a unit is unknown or per month, or the units measure different quantities; states `where` and the
    accepted units.
    """
    if source == target:
        return values
    try:
        (a, of_a), (b, of_b) = parse_unit(source), parse_unit(target)
    except UnitError as error:
        raise UnitError(str(error.asked), where=where, found=error.found, todo=_accepted(target)) from None
    if per_day(source):
        raise UnitError(
            f"{source!r}: months differ in length", where=where, todo=f"give {target!r}, or another unit per day or second"
        )
    if of_b == "C" and a.is_convertible(_MOLES):
        carbon = carbon_from_co2(values if a == _MOLES else _linear(values, a, _MOLES))
        return carbon if b == _CARBON else _linear(carbon, _CARBON, b)
    if b.is_convertible(_DEPTH) and a.is_convertible(b * _WATER):
        a = a / _WATER
    if not a.is_convertible(b):
        raise UnitError(f"cannot convert {source!r} to {target!r}", where=where, todo=_accepted(target))
    converted = _linear(values, a, b)
    return converted * (MOLAR_MASS_CARBON / MOLAR_MASS_CO2) if (of_a, of_b) == ("CO2", "C") else converted


def _linear(values: Quantity, a: cf_units.Unit, b: cf_units.Unit) -> Quantity:
    """Convert by slope and offset."""
    offset, one = (float(a.convert(np.float64(v), b)) for v in (0.0, 1.0))
    return values * (one - offset) + offset


def _accepted(target: str) -> str:
    """Return advice on the units that can be converted to `target`."""
    if parse_unit(target)[1] == "C":
        return "give a mass of carbon (gC m-2 d-1, kg m-2 s-1), of CO2 (gCO2 m-2 d-1), or moles (umol m-2 s-1), per area and time"
    return f"correct the unit: one that UDUNITS converts into {target!r}, e.g. {target!r} itself"


def carbon_from_co2(values: Quantity) -> Quantity:
    """Convert µmol CO2 m-2 s-1 to gC m-2 d-1 (factor 1.0377)."""
    return values * (MOLAR_MASS_CARBON * 1e-6 * SECONDS_PER_DAY)
