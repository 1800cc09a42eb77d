"""Composites (16 days, say) on the grid of the maps: gaps filled by stated rules, and values for every step.

Every filled value is counted; what no rule can fill stays missing.
"""

import numpy as np

LONGEST_GAP = 64
"""Days between two good composites across which a gap is interpolated."""

LONGEST_HOLD = 32
"""Days before the first or after the last good composite for which it is held."""


def accept(weight: np.ndarray, share: float) -> np.ndarray:
    """Which composites (time, ...) saw enough of their cell, at least `share` of the best weight the cell ever had."""
    accepted: np.ndarray = (weight > 0) & (weight >= share * weight.max(0))
    return accepted


def fill_gaps(values: np.ndarray, *, time: np.ndarray, season: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fill missing composites in time, each cell by itself; return the values (float32) and where they were filled (bool).

    1. Linear between the two nearest good composites if they are at most `LONGEST_GAP` days apart; beyond the first and
       last one the nearest within `LONGEST_HOLD` days.
    2. Else the mean of the same season (composite of the year) of other years.
    3. Else missing.

    Parameters
    ----------
    values : array (time, cell), missing = NaN
    time : array (time), middle of each composite in days, rising
    season : array (time), which composite of the year it is
    """
    good = np.isfinite(values)
    seasonal = _seasonal_mean(values, good, season)
    filled = np.where(good, values, _between(values, good, time))
    filled = np.where(np.isfinite(filled), filled, seasonal).astype("float32")
    return filled, np.isfinite(filled) & ~good


def _between(values: np.ndarray, good: np.ndarray, time: np.ndarray) -> np.ndarray:
    index = np.arange(len(time))[:, None]
    before = np.maximum.accumulate(np.where(good, index, -1))
    after = np.minimum.accumulate(np.where(good, index, len(time))[::-1])[::-1]
    left, right = np.clip(before, 0, None), np.clip(after, None, len(time) - 1)
    t0, t1 = time[left], time[right]
    y0, y1 = np.take_along_axis(values, left, 0), np.take_along_axis(values, right, 0)
    now = time[:, None]
    both = (before >= 0) & (after < len(time))
    share = np.divide(now - t0, t1 - t0, out=np.zeros(values.shape), where=t1 > t0)
    linear = np.where(both & (t1 - t0 <= LONGEST_GAP), y0 + share * (y1 - y0), np.nan)
    held = np.where((after == len(time)) & (now - t0 <= LONGEST_HOLD), y0, np.nan)
    held = np.where((before < 0) & (t1 - now <= LONGEST_HOLD), y1, held)
    return np.where(both, linear, held)


def _seasonal_mean(values: np.ndarray, good: np.ndarray, season: np.ndarray) -> np.ndarray:
    means = np.full(values.shape, np.nan)
    for part in np.unique(season):
        rows = season == part
        count = good[rows].sum(0)
        total = np.where(good[rows], values[rows], 0.0).sum(0)
        means[rows] = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return means


def to_steps(values: np.ndarray, *, time: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values (step, ...), float32, by linear interpolation between composites, constant beyond the first and the last.

    Parameters
    ----------
    values : array (time, ...), missing = NaN; steps next to a missing composite are missing too
    time : array (time), middle of each composite in days
    at : array (step), days
    """
    left, right, share = _neighbours(time, at, values.ndim)
    a, b = values[left], values[right]
    mixed = a + share * (b - a)
    values_at: np.ndarray = np.where(share == 0, a, np.where(share == 1, b, mixed))
    return values_at.astype("float32")


def touched(filled: np.ndarray, *, time: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Where the values that `to_steps` gives rest on a filled composite; bool, arguments as there."""
    left, right, share = _neighbours(time, at, filled.ndim)
    rests: np.ndarray = (filled[left] & (share < 1)) | (filled[right] & (share > 0))
    return rests


def _neighbours(time: np.ndarray, at: np.ndarray, ndim: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The composites before and after days `at`, and the share of the later one, with `ndim` dimensions."""
    right = np.clip(np.searchsorted(time, at), 1, len(time) - 1) if len(time) > 1 else np.zeros(len(at), int)
    left = np.maximum(right - 1, 0)
    span = np.where(right > left, time[right] - time[left], 1)
    return left, right, np.clip((at - time[left]) / span, 0, 1).astype("float32").reshape(-1, *[1] * (ndim - 1))
