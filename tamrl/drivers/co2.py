"""Carbon dioxide of the air: a global annual mean series, which the user supplies, brought to the steps of the run."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator

from tamrl import calendar, variables
from tamrl.errors import InputError
from tamrl.intake import border, completeness, dates, text

COLUMNS = ("year", "ppm")
_NEEDS = "the series of CO2 needs a number for each of two or more consecutive years"
_TODO = "write one line a year under the header year,ppm"


@dataclass(frozen=True, eq=False)
class AnnualCo2:
    """Consecutive years (int), and the mean of each in µmol mol-1 (float64)."""

    years: np.ndarray
    ppm: np.ndarray

    def on_days(self, days: np.ndarray) -> np.ndarray:
        """Smooth course through the middles of the years, µmol mol-1, of dates (T): to (T,).

        A monotone cubic (Fritsch & Carlson 1980, doi 10.1137/0717021) that is continued for half a year at both ends. Raise
        `InputError` if a date lies in a year that the series does not have.
        """
        year = calendar.year(days)
        if missing := sorted(set(year.tolist()) - set(self.years.tolist())):
            known = f"{self.years[0]} to {self.years[-1]}"
            asked, todo = f"the series of CO2 lacks {missing}", "add these years to the file"
            raise InputError(asked, where="drivers.co2", found=known, todo=todo)
        position = year + (calendar.day_of_year(days) + 0.5) / calendar.days_of_year(days)
        course: np.ndarray = PchipInterpolator(self.years + 0.5, self.ppm, extrapolate=True)(position)
        return course


def read_co2(path: str | Path) -> AnnualCo2:
    """The series of a CSV, as `co2_of_table`; lines that begin with # are skipped."""
    with border.reading("the series of CO2 cannot be read", where=path, todo=_TODO):
        completeness.check_text_end(Path(path))
        return co2_of_table(text.read_small_table(Path(path).read_bytes(), where=path, comment="#"), where=path)


def co2_of_table(table: pd.DataFrame, *, where: object) -> AnnualCo2:
    """The series of a table with the columns year and ppm (numbers or text); further columns are ignored.

    Raise `InputError` if a column is missing, a value is no number, a year stands twice, or the years have a gap; `UnitError` if
    a value lies outside the valid range of `co2`.
    """
    if lacking := [name for name in COLUMNS if name not in table]:
        noaa = "; the column `mean` of NOAA is to be named `ppm`" if "mean" in map(str.lower, map(str, table)) else ""
        asked, state = f"the series of CO2 lacks {' and '.join(lacking)}", ", ".join(map(str, table))
        raise InputError(asked, where=where, found=state, todo=f"{_TODO}{noaa}")
    year = dates.parse_dates(table["year"], dates.YEAR, where=f"{where}, column year").dt.year.to_numpy()
    try:
        ppm = text.parse_numbers(table["ppm"], where=f"{where}, column ppm")
    except InputError as error:
        raise InputError(_NEEDS, where=error.where, found=error.found, todo=str(error.todo) if error.todo else None) from error
    order = np.argsort(year, kind="stable")
    years, ppm = year[order], ppm[order]
    if (again := np.diff(years) == 0).any():
        raise InputError("a year of the CO2 series stands twice", where=where, found=int(years[1:][again][0]), todo=_TODO)
    if len(years) < 2 or not np.isfinite(ppm).all() or (np.diff(years) != 1).any():
        missing = sorted(set(range(years[0], years[-1] + 1)) - set(years[np.isfinite(ppm)].tolist())) if len(years) else []
        state = f"{len(years)} years" + (f", none for {', '.join(map(str, missing[:5]))}" if missing else "")
        raise InputError(_NEEDS, where=where, found=state, todo=_TODO)
    variables.check_range(ppm, name="co2", where=where)
    return AnnualCo2(years.astype(int), ppm)
