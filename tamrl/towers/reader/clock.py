"""Check the clock of a tower by measured and potential radiation of the same half hours."""

import numpy as np
import pandas as pd

from tamrl.intake import text
from tamrl.towers.reader import aggregate

MEASURED, POTENTIAL = "SW_IN_F", "SW_IN_POT"
COLUMNS = (MEASURED, POTENTIAL)

MAX_HOURS = 6
"""Largest shift that is tried, in both directions."""

_MIN_DAYS = 60
_BRIGHT = 50.0
"""W m-2: with less mean radiation (polar night) a mean day does not show the clock."""


def clock_offset(raw: pd.DataFrame, *, where: object) -> float:
    """Return the hours by which measured radiation lags behind potential radiation; NaN if unknown.

    It is the shift with the largest correlation of both mean days (Pastorello et al. 2014, doi 10.1109/eScience.2014.45), refined
    by a parabola through the best three. Morning fog or a mountain in the east shifts it by less than an hour, a wrong UTC offset
    or summer time by an hour or more. `raw` has half-hourly or hourly rows with `TIMESTAMP_START`, `TIMESTAMP_END` and `COLUMNS`
    (W m-2, -9999 where missing).
    """
    if not set(COLUMNS) <= set(raw):
        return np.nan
    start, length = aggregate.step_starts(raw, where=where)
    pair = pd.DataFrame({c: text.parse_numbers(raw[c], where=f"{where}, column {c}") for c in COLUMNS})
    known = (pair.to_numpy() > -9000).all(axis=1)
    day = pair[known].clip(lower=0).groupby((start.dt.hour * 60 + start.dt.minute).to_numpy()[known] // length).mean()
    per_day = 24 * 60 // length
    if known.sum() < _MIN_DAYS * per_day or len(day) < per_day or day.mean().min() < _BRIGHT:
        return np.nan
    lags = np.arange(-MAX_HOURS * 60 // length, MAX_HOURS * 60 // length + 1)
    measured, potential = (day[c].to_numpy() for c in COLUMNS)
    fit = [np.corrcoef(np.roll(potential, lag), measured)[0, 1] for lag in lags]
    return round(float(_peak(lags, np.array(fit)) * length / 60), 1) + 0.0  # no minus zero


def _peak(lags: np.ndarray, fit: np.ndarray) -> float:
    """Return the top of the parabola through the largest value and its neighbours; at the ends, the lag of the largest value."""
    best = int(np.argmax(fit))
    if not 0 < best < len(fit) - 1:
        return float(lags[best])
    before, top, after = fit[best - 1 : best + 2]
    return float(lags[best] + (before - after) / (2 * (before - 2 * top + after)))
