"""Units of products: those of the file are compared with the declared ones, then fluxes become gC m-2 d-1."""

import numpy as np
import xarray as xr

from tamrl import calendar, carbon, units
from tamrl.errors import UnitError
from tamrl.intake.stored import Attributes


def check_stated(attrs: Attributes, declared: tuple[str, ...], *, required: bool, where: object) -> None:
    """Compare the attribute `units` of a variable with the declared units.

    Parameters
    ----------
    attrs : attributes of the variable
    declared : the unit of its numbers, and spellings of it
    required : whether a variable without a unit is refused
    where : file and variable, for errors

    Raises `UnitError`: a factor between another unit and the declared one would have to be guessed.
    """
    stated = attrs.get("units")
    accepted = f"the product is declared in {' or '.join(declared)}"
    if stated is None or not str(stated).strip():
        if required:
            raise UnitError("the variable states no unit", where=where, todo=f"{accepted}; give the file as it was published")
        return
    if not any(_same(str(stated), unit) for unit in declared):
        todo = f"{accepted}; this may be another edition of it"
        raise UnitError("the variable has another unit than the product", where=where, found=stated, todo=todo)


def _same(stated: str, declared: str) -> bool:
    """Whether two spellings are one unit; a month is no fixed number of days, so it is compared as a word."""
    try:
        (a, of_a), (b, of_b) = (units.parse_unit(units.per_day(text) or text) for text in (stated, declared))
    except UnitError:
        return False
    monthly = [units.per_day(text) is not None for text in (stated, declared)]
    return bool(a == b) and monthly[0] == monthly[1] and (of_a == of_b or (None in (of_a, of_b) and "CO2" not in (of_a, of_b)))


def to_daily_grams(field: xr.DataArray, unit: str) -> xr.DataArray:
    """Convert a flux (time, ...) to gC m-2 d-1; a flux per month is divided by the days of its month.

    Parameters
    ----------
    field : `time` holds first days of months if the unit is per month
    unit : the declared unit
    """
    daily = units.per_day(unit)
    factor = units.convert(1.0, source=_carbon(daily or unit), target=carbon.UNITS)
    if daily is None:
        return field * np.float32(factor)
    bounds = calendar.bounds(field["time"].values, "month")
    days = xr.DataArray(np.diff(bounds, axis=1)[:, 0].astype("float32"), dims="time")
    return field * np.float32(factor) / days


def _carbon(unit: str) -> str:
    """The unit with GtC as PgC, which UDUNITS knows."""
    return unit.replace("GtC", "PgC")
