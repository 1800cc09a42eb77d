"""Carbon dioxide of the air: a global annual mean series, which the user supplies, brought to the steps of the run."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator

from tamrl import calendar, variables
from tamrl.errors import InputError
from tamrl.intake import border, dates, text, whole

Series = tuple[np.ndarray, np.ndarray]
"""Years, without a gap, and the mean of each in µmol mol-1."""

COLUMNS = ("year", "ppm")
_NEEDS = "the series of CO2 needs a number for each of two or more consecutive years"
_TODO = "write one line a year under the header year,ppm"


def read(path: str | Path) -> Series:
    """The series of a CSV; lines that begin with # are skipped. Raises `InputError` and `UnitError` as `series` does."""
    with border.reading("the series of CO2 cannot be read", where=path, todo=_TODO):
        whole.check_text(Path(path))
        return series(text.frame(Path(path).read_bytes(), where=path, comment="#"), where=path)


def series(table: pd.DataFrame, *, where: object) -> Series:
    """A table with the columns year and ppm (numbers or text) as a series; further columns are ignored.

    Raises
    ------
    InputError
        If a column is missing, a value is no number, a year stands twice, or the years have a gap.
    UnitError
        If a value lies outside the valid range of `co2`.
    """
    if lacking := [name for name in COLUMNS if name not in table]:
        noaa = "; the column `mean` of NOAA is to be named `ppm`" if "mean" in map(str.lower, map(str, table)) else ""
        raise InputError(
            f"the series of CO2 lacks {' and '.join(lacking)}",
            where=where,
            found=", ".join(map(str, table)),
            todo=f"{_TODO}{noaa}",
        )
    year = dates.read(table["year"], dates.YEAR, where=f"{where}, column year").dt.year.to_numpy()
    try:
        ppm = text.numbers(table["ppm"], where=f"{where}, column ppm")
    except InputError as error:
        raise InputError(_NEEDS, where=error.where, found=error.found, todo=error.todo) from error
    order = np.argsort(year, kind="stable")
    years, ppm = year[order], ppm[order]
    if (again := np.diff(years) == 0).any():
        raise InputError("a year of the CO2 series stands twice", where=where, found=int(years[1:][again][0]), todo=_TODO)
    if len(years) < 2 or not np.isfinite(ppm).all() or (np.diff(years) != 1).any():
        missing = sorted(set(range(years[0], years[-1] + 1)) - set(years[np.isfinite(ppm)].tolist())) if len(years) else []
        raise InputError(
            _NEEDS,
            where=where,
            found=f"{len(years)} years" + (f", none for {', '.join(map(str, missing[:5]))}" if missing else ""),
            todo=_TODO,
        )
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
    year = calendar.year(days)
    if missing := sorted(set(year.tolist()) - set(years.tolist())):
        found = f"{years[0]} to {years[-1]}"
        raise InputError(
            f"the series of CO2 lacks {missing}", where="drivers.co2", found=found, todo="add these years to the file"
        )
    place = year + (calendar.day_of_year(days) + 0.5) / calendar.days_of_year(days)
    return PchipInterpolator(years + 0.5, ppm, extrapolate=True)(place)
