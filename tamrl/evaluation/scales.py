"""Averages of steps at the scales of `site_metrics.csv`: week, month, mean seasonal cycle, anomaly, year and site mean.

Observed and predicted are averaged over exactly the same scored steps, so that gaps in a tower's record cannot
make a difference between them. The constants below say which means count.

| scale | one pair is |
|---|---|
| day | a scored day |
| week | seven days from the first of January on, at least `SHARE` of them scored |
| month | a calendar month, at least `SHARE` of its days scored |
| season | a calendar month of the mean seasonal cycle over the years |
| anomaly | a month minus its calendar month's mean, where that month has values in two years or more |
| year | a year's mean of months minus the tower's mean of years, with `MONTHS` months a year and two years or more |
| site | the mean of the seasonal cycle with `MONTHS` months or more: one pair per tower |
"""

import numpy as np
import pandas as pd

from tamrl.calendar import Step

KEYS = ["model", "split", "fold", "site", "flux"]
"""Columns whose values are never averaged together."""

VALUES = ["observed", "predicted"]

SHARE = 0.5
"""Smallest share of scored days in a week or month (for monthly steps the month itself)."""

MONTHS = 10
"""Fewest months of a year, and fewest calendar months of a site mean."""


def pairs_by_scale(scored: pd.DataFrame, *, step: Step) -> dict[str, pd.DataFrame]:
    """Average pairs at every scale that `step` allows.

    Parameters
    ----------
    scored : columns `KEYS`, date, observed, predicted (gC m-2 d-1); scored steps only, nothing missing
    step : {"day", "month"}

    Returns
    -------
    dict
        Scale: frame with `KEYS`, observed and predicted.
    """
    months = month_means(scored, step=step)
    season = mean_seasonal_cycle(months)
    fine = {"day": scored[[*KEYS, *VALUES]], "week": week_means(scored)} if step == "day" else {}
    return fine | {
        "month": months[[*KEYS, *VALUES]],
        "season": season[[*KEYS, *VALUES]],
        "anomaly": month_anomalies(months),
        "year": year_anomalies(months),
        "site": site_means(season),
    }


def _means(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Average observed and predicted per group, with the number of values, `size`."""
    groups = frame.groupby([*KEYS, *by], observed=True, sort=True)
    return groups[VALUES].mean().assign(size=groups.size()).reset_index()


def week_means(scored: pd.DataFrame) -> pd.DataFrame:
    """Average over weeks counted from the first of January; the last week of a year has one or two days more."""
    week = np.minimum((scored["date"].dt.day_of_year - 1) // 7, 51)
    frame = _means(scored.assign(year=scored["date"].dt.year, week=week), ["year", "week"])
    return frame.loc[frame["size"] >= SHARE * 7, [*KEYS, *VALUES]]


def month_means(scored: pd.DataFrame, *, step: Step) -> pd.DataFrame:
    """Average over calendar months, with columns year and month."""
    frame = _means(scored.assign(year=scored["date"].dt.year, month=scored["date"].dt.month), ["year", "month"])
    days = pd.to_datetime(frame[["year", "month"]].assign(day=1)).dt.days_in_month if step == "day" else 1
    return frame[frame["size"] >= SHARE * days]


def mean_seasonal_cycle(months: pd.DataFrame) -> pd.DataFrame:
    """Average calendar months over the years; `size` is the number of years."""
    return _means(months.drop(columns="size"), ["month"])


def month_anomalies(months: pd.DataFrame) -> pd.DataFrame:
    """Subtract the mean of each calendar month, of observed and of predicted values separately."""
    groups = months.groupby([*KEYS, "month"], observed=True, sort=False)
    frame = months.assign(**{name: months[name] - groups[name].transform("mean") for name in VALUES})
    return frame.loc[groups["observed"].transform("size") >= 2, [*KEYS, *VALUES]]


def year_anomalies(months: pd.DataFrame) -> pd.DataFrame:
    """Subtract a tower's mean over its years from the means of its years: interannual anomalies."""
    years = _means(months.drop(columns="size"), ["year"])
    years = years[years["size"] >= MONTHS]
    groups = years.groupby(KEYS, observed=True, sort=False)
    frame = years.assign(**{name: years[name] - groups[name].transform("mean") for name in VALUES})
    return frame.loc[groups["observed"].transform("size") >= 2, [*KEYS, *VALUES]]


def site_means(season: pd.DataFrame) -> pd.DataFrame:
    """Average the seasonal cycle: every calendar month weighs the same, however often it was measured."""
    frame = _means(season.drop(columns="size"), [])
    return frame.loc[frame["size"] >= MONTHS, [*KEYS, *VALUES]]
