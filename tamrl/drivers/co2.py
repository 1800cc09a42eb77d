"""Carbon dioxide of the air: a global annual mean series, which the user supplies, brought to the steps of the run."""

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator

from tamrl import variables
from tamrl.errors import InputError

Series = tuple[np.ndarray, np.ndarray]
"""Years, without a gap, and the mean of each in µmol mol-1."""

COLUMNS = ("year", "ppm")


def series(table: pd.DataFrame, *, where: object) -> Series:
    """A table with the columns year and ppm as a series; further columns are ignored.

    Raises
    ------
    InputError
        If a column is missing, a value is no number, or the years have a gap.
    UnitError
        If a value lies outside the valid range of `co2`.
    """
    if lacking := [name for name in COLUMNS if name not in table]:
        todo = "write one line a year under the header year,ppm"
        raise InputError(f"the series of CO2 lacks {' and '.join(lacking)}", where=where, found=list(table), todo=todo)
    values = table[list(COLUMNS)].apply(pd.to_numeric, errors="coerce").sort_values("year").to_numpy("f8")
    years, ppm = values.T
    if len(values) < 2 or not np.isfinite(values).all() or (np.diff(years) != 1).any():
        raise InputError("the series of CO2 needs a number for each of two or more consecutive years", where=where, found=values)
    variables.check_range(ppm, name="co2", where=where)
    return years.astype(int), ppm


def on_days(known: Series, days: np.ndarray) -> np.ndarray:
    """Smooth course through the middles of the years, µmol mol-1, of dates (T): to (T,).

    A monotone cubic (Fritsch & Carlson 1980, doi 10.1137/0717021) that is continued for half a year at both ends.

    Raises
    ------
    InputError
        If a date lies in a year that the series does not have.
    """
    years, ppm = known
    begin = days.astype("datetime64[Y]")
    if missing := sorted(set((begin.astype(int) + 1970).tolist()) - set(years.tolist())):
        found = f"{years[0]} to {years[-1]}"
        raise InputError(
            f"the series of CO2 lacks {missing}", where="drivers.co2", found=found, todo="add these years to the file"
        )
    first = begin.astype("datetime64[D]")
    length = ((begin + 1).astype("datetime64[D]") - first).astype(float)
    place = begin.astype(int) + 1970 + ((days.astype("datetime64[D]") - first).astype(float) + 0.5) / length
    return PchipInterpolator(years + 0.5, ppm, extrapolate=True)(place)
