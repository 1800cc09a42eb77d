"""Bring monthly values, repeated on each day of a table, to the days.

A line or a smooth curve looks ahead: the first half of a month is drawn towards the month before, the second towards the month
after, which a forecast would not know. A step looks ahead too, because each day has the mean of its whole month.
"""

from typing import Literal

import numpy as np
import pandas as pd

from tamrl.errors import InputError

Way = Literal["step", "line", "smooth"]

TOLERANCE = 1e-4
"""Largest range within a month, over the size of the values, of what counts as one monthly value."""

REPEATS = 40
"""Corrections of a smooth curve; after them its monthly means are those of the table to about a millionth."""


def spread_months(site: pd.Series, date: pd.Series, values: pd.Series, way: Way, *, where: object = None) -> pd.Series:
    """Return daily values (row) of a variable whose months stand on each of their days.

    Parameters
    ----------
    site, date, values : columns of the records (row); missing values stay missing
    way : `step` keeps the months; `line` joins the middles of neighbouring months; `smooth` does the same and keeps the mean of
        each month, in the manner of Rymes & Myers (2001, doi 10.1016/S0038-092X(01)00052-4)

    where : file and column, for errors

    Beside a missing month half a month is constant. Raises `InputError` if a month has several values: the column is daily then.
    """
    if way == "step":
        return values
    days = pd.DataFrame({"site": site, "month": date.dt.year * 12 + date.dt.month, "value": values}).dropna()
    of_month = days.groupby(["site", "month"], sort=True)["value"]
    months = of_month.mean()
    varying = of_month.max() - of_month.min() > TOLERANCE * days["value"].abs().max()
    if varying.any():
        excerpt = f"several values in {varying.sum()} of {len(varying)} months of towers, first at {months.index[varying][0][0]}"
        todo = "take it out of towers.table.monthly"
        raise InputError("the column holds no monthly values", where=where, found=excerpt, todo=todo)
    row = pd.Series(np.arange(len(months)), index=months.index)
    keys = pd.MultiIndex.from_frame(days[["site", "month"]])
    inside = row.reindex(keys).to_numpy()
    when = date[days.index]
    share = (when.dt.day.to_numpy() - 0.5) / when.dt.days_in_month.to_numpy() - 0.5  # -0.5 to 0.5 within the month
    step = pd.Series(np.sign(share).astype(int), index=days.index)
    beside = row.reindex(pd.MultiIndex.from_arrays([days["site"], days["month"] + step])).to_numpy()
    beside = np.where(np.isnan(beside), inside, beside).astype(int)
    nodes = target = months.to_numpy(float)
    number = np.bincount(inside, minlength=len(nodes))

    def line(nodes: np.ndarray) -> np.ndarray:
        """Values (row) on the line through nodes (month)."""
        result: np.ndarray = nodes[inside] + np.abs(share) * (nodes[beside] - nodes[inside])
        return result

    for _ in range(REPEATS if way == "smooth" else 0):
        nodes = nodes + target - np.bincount(inside, weights=line(nodes), minlength=len(nodes)) / number
    return pd.Series(line(nodes), index=days.index).reindex(values.index)
