"""What a tower's value holds beyond the flux: the random error of eddy covariance, which is another one every day.

Residuals of a tower on neighbouring days share what the model does not know of it; what their differences keep at the shortest
lag is noise. With half the mean squared difference at lags of one and two days, gamma(1) and gamma(2), the noise variance is the
value at lag zero of the line through both, 2 gamma(1) - gamma(2): the nugget of a variogram (Cressie 1993, doi
10.1002/9781119115151). Compare the paired days of Hollinger & Richardson 2005 (doi 10.1093/treephys/25.7.873).
"""

import numpy as np
import pandas as pd

from tamrl.uncertainty.strata import Units

MOST = 0.9
"""Largest share of a residual variance that may count as noise."""


def day_noise(rows: pd.DataFrame) -> float:
    """Variance of the noise of a day's flux, (gC m-2 d-1)²; 0 where no tower has measured three days in a row.

    Parameters
    ----------
    rows : of one flux: site, group, date (once in each site), observed and predicted, gC m-2 d-1; every group weighs the same
    """
    rows = rows.sort_values(["site", "date"])
    units = Units.number(rows["site"].array, rows["group"].to_numpy())
    day, residual = rows["date"].to_numpy("datetime64[D]").astype(int), (rows["observed"] - rows["predicted"]).to_numpy("f8")
    gamma = [_half_squares(units.tower, day, residual, lag, len(units.group_of)) for lag in (1, 2)]
    nugget = 2 * gamma[0] - gamma[1]  # (tower), NaN without pairs
    of_groups = pd.Series(nugget).groupby(units.group_of).mean()
    return 0.0 if of_groups.isna().all() else max(float(of_groups.mean()), 0.0)


def flux_share(rows: pd.DataFrame, noise: float) -> float:
    """Standard deviation of the flux's own error over that of what towers measure.

    Parameters
    ----------
    rows : of one flux: site, group, observed, predicted and, for means, `size`: the days that each is the mean of
    noise : variance of the noise of a day's flux
    """
    units = Units.number(rows["site"].array, rows["group"].to_numpy())
    weight = units.weight / units.count
    total = np.sum(weight * (rows["observed"] - rows["predicted"]).to_numpy("f8") ** 2)
    of_means = noise * (np.sum(weight / rows["size"].to_numpy("f8")) if "size" in rows else 1.0)
    return float(np.sqrt(1.0 - min(of_means / total, MOST))) if total > 0 else 1.0


def _half_squares(tower: np.ndarray, day: np.ndarray, value: np.ndarray, lag: int, towers: int) -> np.ndarray:
    """Half the mean squared difference of values `lag` days apart, by tower; NaN where a tower has none. Rows are sorted."""
    size, count = np.zeros(towers), np.zeros(towers)
    for step in range(1, lag + 1):  # rows that many places apart may be the wanted days apart
        pair = (tower[step:] == tower[:-step]) & (day[step:] - day[:-step] == lag)
        squares = 0.5 * (value[step:] - value[:-step])[pair] ** 2
        size += np.bincount(tower[step:][pair], squares, towers)
        count += np.bincount(tower[step:][pair], minlength=towers)
    return np.asarray(np.divide(size, count, out=np.full(towers, np.nan), where=count > 0))
