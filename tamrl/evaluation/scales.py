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

The intervals of map files are calibrated on means as those files hold them (`map_means`): over eight days, months, the calendar
months of several years, and whole years.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tamrl import calendar
from tamrl.calendar import Step
from tamrl.uncertainty.calibration import Scale

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


def map_means(scored: pd.DataFrame, members: np.ndarray, *, step: Step) -> dict[Scale, pd.DataFrame]:
    """Average the pairs of one model as the files of its maps are averaged, member by member.

    Parameters
    ----------
    scored : as for `pairs_by_scale`, with season, and igbp, group, lat and dissimilarity of the site
    members : array (member, row), the flux that each member predicts, gC m-2 d-1
    step : {"day", "month"}

    Returns
    -------
    dict
        Scale coarser than the step: frame with `KEYS`, observed, predicted (mean of the members), spread (their standard
        deviation, NaN for one), size (scored steps in it), igbp, group, lat, dissimilarity, and season: position in
        `calendar.SEASONS` of its first month, 0 for a year. Months have their date too. Scales of which no tower has a mean
        are left out.
    """
    names = [f"member {k}" for k in range(len(members))]
    wide = scored[[*KEYS, "date", "season", "observed"]].assign(**dict(zip(names, members, strict=True)))
    values = ["observed", *names]
    months = month_means(wide, step=step, values=values)
    seasons = wide.assign(month=wide["date"].dt.month).groupby([*KEYS, "month"], observed=True)["season"].first().reset_index()
    dates = pd.to_datetime(months[["year", "month"]].assign(day=1))
    means: dict[Scale, pd.DataFrame] = {
        "month": months.assign(date=dates).merge(seasons),
        "mean month": _means_of_months(months, "month", values, least=2).merge(seasons),
        "year": _means_of_months(months, "year", values, least=MONTHS).assign(season=0),
    }
    if step == "day":
        means["8 days"] = _eight_day_means(wide, values).merge(seasons)
    else:
        del means["month"]
    of_site = scored.drop_duplicates("site").set_index("site")[["igbp", "group", "lat", "dissimilarity"]]
    result: dict[Scale, pd.DataFrame] = {}
    for scale, frame in means.items():
        if len(frame):
            by_member = frame[names].to_numpy()
            spread = by_member.std(axis=1, ddof=1) if len(names) > 1 else np.nan
            columns = [*KEYS, *(["date"] if "date" in frame else []), "observed", "season", "size"]
            means_of_members = frame[columns].assign(predicted=by_member.mean(axis=1), spread=spread)
            result[scale] = means_of_members.join(of_site, on="site")
    return result


def _means_of_months(months: pd.DataFrame, by: str, values: Sequence[str], *, least: int) -> pd.DataFrame:
    """Average `least` or more months of a year, or years of a calendar month; `size` is the sum of theirs."""
    frame = _means(months.drop(columns="size"), [by], values)
    steps = months.groupby([*KEYS, by], observed=True, sort=True)["size"].sum().to_numpy()
    return frame[frame["size"] >= least].assign(size=steps[frame["size"] >= least])


def _means(frame: pd.DataFrame, by: list[str], values: Sequence[str] = VALUES) -> pd.DataFrame:
    """Average `values` per group, with the number of rows, `size`."""
    groups = frame.groupby([*KEYS, *by], observed=True, sort=True)
    return groups[list(values)].mean().assign(size=groups.size()).reset_index()


def _eight_day_means(scored: pd.DataFrame, values: Sequence[str]) -> pd.DataFrame:
    """Average over the periods of 8 days of the calendar, with the calendar month of their first day."""
    start = calendar.period_start(scored["date"].to_numpy(), "8 days")
    frame = _means(scored.assign(start=start.astype("datetime64[ns]")), ["start"], values)
    days = np.diff(calendar.bounds(frame["start"].to_numpy(), "8 days"), axis=1)[:, 0].astype(float)
    return frame[frame["size"] >= SHARE * days].assign(month=frame["start"].dt.month)


def week_means(scored: pd.DataFrame) -> pd.DataFrame:
    """Average over weeks counted from the first of January; the last week of a year has one or two days more."""
    week = np.minimum((scored["date"].dt.day_of_year - 1) // 7, 51)
    frame = _means(scored.assign(year=scored["date"].dt.year, week=week), ["year", "week"])
    return frame.loc[frame["size"] >= SHARE * 7, [*KEYS, *VALUES]]


def month_means(scored: pd.DataFrame, *, step: Step, values: Sequence[str] = VALUES) -> pd.DataFrame:
    """Average over calendar months, with columns year and month."""
    frame = _means(scored.assign(year=scored["date"].dt.year, month=scored["date"].dt.month), ["year", "month"], values)
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
