"""From steps to the scales of `site_metrics.csv`: week, month, mean seasonal cycle, anomaly, year and site mean.

Observed and predicted are averaged over exactly the same scored steps, so that gaps in a tower's record cannot
make a difference between them. The rules for a mean to count are the constants below.

| scale | one pair is |
|---|---|
| day | a scored day |
| week | seven days from the first of January on, at least `SHARE` of them scored |
| month | a calendar month, at least `SHARE` of its days scored |
| season | a calendar month of the mean seasonal cycle over the years |
| anomaly | a month minus its calendar month's mean, where that month was seen in two years or more |
| year | a year's mean of months minus the tower's mean of years, with `MONTHS` months a year and two years or more |
| site | the mean of the seasonal cycle with `MONTHS` months or more: one pair a tower |
"""

import numpy as np
import pandas as pd

KEYS = ["model", "split", "fold", "site", "flux"]
"""What never mixes in an average."""

VALUES = ["observed", "predicted"]

SHARE = 0.5
"""Smallest share of scored days in a week or month (for steps of a month the month itself)."""

MONTHS = 10
"""Fewest months of a year, and fewest calendar months of a site mean."""

SCALES = ("day", "week", "month", "season", "anomaly", "year", "site")


def scales(scored: pd.DataFrame, *, step: str) -> dict[str, pd.DataFrame]:
    """Pairs at every scale that `step` allows.

    Parameters
    ----------
    scored : DataFrame
        Columns `KEYS`, date, observed, predicted (gC m-2 d-1); scored steps only, nothing missing.
    step : {"day", "month"}

    Returns
    -------
    dict
        Scale: frame with `KEYS`, observed and predicted.
    """
    months = monthly(scored, step=step)
    season = seasonal(months)
    fine = {"day": scored[[*KEYS, *VALUES]], "week": weekly(scored)} if step == "day" else {}
    return fine | {
        "month": months[[*KEYS, *VALUES]],
        "season": season[[*KEYS, *VALUES]],
        "anomaly": anomalies(months),
        "year": yearly(months),
        "site": site_means(season),
    }


def _means(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Means of observed and predicted per group with the number of values, `size`."""
    groups = frame.groupby([*KEYS, *by], observed=True, sort=True)
    return groups[VALUES].mean().assign(size=groups.size()).reset_index()


def weekly(scored: pd.DataFrame) -> pd.DataFrame:
    """Means over weeks counted from the first of January; the last week of a year has one or two days more."""
    week = np.minimum((scored["date"].dt.day_of_year - 1) // 7, 51)
    frame = _means(scored.assign(year=scored["date"].dt.year, week=week), ["year", "week"])
    return frame.loc[frame["size"] >= SHARE * 7, [*KEYS, *VALUES]]


def monthly(scored: pd.DataFrame, *, step: str) -> pd.DataFrame:
    """Means over calendar months, with columns year and month."""
    frame = _means(scored.assign(year=scored["date"].dt.year, month=scored["date"].dt.month), ["year", "month"])
    days = pd.to_datetime(frame[["year", "month"]].assign(day=1)).dt.days_in_month if step == "day" else 1
    return frame[frame["size"] >= SHARE * days]


def seasonal(months: pd.DataFrame) -> pd.DataFrame:
    """Mean seasonal cycle: calendar months averaged over the years; `size` is the number of years."""
    return _means(months.drop(columns="size"), ["month"])


def anomalies(months: pd.DataFrame) -> pd.DataFrame:
    """Months minus the mean of their calendar month, each side its own."""
    groups = months.groupby([*KEYS, "month"], observed=True, sort=False)
    frame = months.assign(**{name: months[name] - groups[name].transform("mean") for name in VALUES})
    return frame.loc[groups["observed"].transform("size") >= 2, [*KEYS, *VALUES]]


def yearly(months: pd.DataFrame) -> pd.DataFrame:
    """Interannual anomalies: means of years minus the tower's mean over its years."""
    years = _means(months.drop(columns="size"), ["year"])
    years = years[years["size"] >= MONTHS]
    groups = years.groupby(KEYS, observed=True, sort=False)
    frame = years.assign(**{name: years[name] - groups[name].transform("mean") for name in VALUES})
    return frame.loc[groups["observed"].transform("size") >= 2, [*KEYS, *VALUES]]


def site_means(season: pd.DataFrame) -> pd.DataFrame:
    """Means of the seasonal cycle: every calendar month weighs the same, however often it was measured."""
    frame = _means(season.drop(columns="size"), [])
    return frame.loc[frame["size"] >= MONTHS, [*KEYS, *VALUES]]
