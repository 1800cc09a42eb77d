"""Plausibility of a tower's whole record: finds wrong units and signs although every single value is possible.

Valid ranges of the vocabulary catch kelvin instead of degrees Celsius. They cannot catch kPa instead of hPa, or MJ m-2 d-1
instead of W m-2. The bounds here and `means` in `tamrl/data/variables.yaml` lie well outside the yearly statistics of the driest,
hottest and darkest real towers, so that they refuse wrong units and no climate. The median of many towers must be near the mean
of the land.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tamrl import variables
from tamrl.carbon import FLUXES
from tamrl.errors import UnitError
from tamrl.towers.sites import IMPLAUSIBLE

_log = logging.getLogger(__name__)

MIN_STEPS = 24
"""Fewest values of a site for a statistic."""

MIN_DAYS = 330
"""Fewest days that a record must span for a statistic of the whole year (polar night, monsoon)."""

WRONG_SHARE = 0.5
"""Share of failing towers from which on the unit of the column is wrong, and not single towers."""

MANY = 20
"""Fewest towers whose median is compared with the bounds of the global land."""

MONTHS = 10
"""Fewest calendar months with values for a mean of the year."""

BEYOND = 25.0
"""Degrees from the equator beyond which summer differs from winter everywhere."""

YEAR, SEASON = "mean of the year", "summer less winter"

_WARM = 293.15
"""K: in warmer steps the air is never close to saturation for long."""


@dataclass(frozen=True)
class PlausibilityCheck:
    """A statistic of one variable per site, its bounds, and what is wrong outside of them.

    `statistic` takes the variable's values per site (Series) and all records of that site (DataFrame).
    """

    variable: str
    says: str
    low: float
    high: float
    hint: str
    statistic: Callable[[pd.Series, pd.DataFrame], float]
    yearly: bool = True


def _year(values: pd.Series, records: pd.DataFrame) -> float:
    """Mean of the means of the calendar months, so that gaps in one season do not count."""
    months = _months(values, records)
    return float(np.nanmean(months)) if np.isfinite(months).sum() >= MONTHS else np.nan


def _season(values: pd.Series, records: pd.DataFrame) -> float:
    """Mean from June to August less that from December to February."""
    months = _months(values, records)
    summer, winter = months[[5, 6, 7]], months[[11, 0, 1]]
    enough = min(np.isfinite(summer).sum(), np.isfinite(winter).sum()) >= 2
    return float(np.nanmean(summer) - np.nanmean(winter)) if enough else np.nan


def _months(values: pd.Series, records: pd.DataFrame) -> np.ndarray:
    """Means of the calendar months, January first; NaN where there are none."""
    number = records["date"].loc[values.index].dt.month.to_numpy() - 1
    count = np.bincount(number, minlength=12)
    return np.where(count > 0, np.bincount(number, values.to_numpy("float64"), 12) / np.maximum(count, 1), np.nan)


def _warm_median(values: pd.Series, records: pd.DataFrame) -> float:
    if "air_temperature" not in records:
        return np.nan
    warm = values[records.loc[values.index, "air_temperature"] > _WARM]
    return float(warm.median()) if len(warm) >= MIN_STEPS else np.nan


def _balance(values: pd.Series, records: pd.DataFrame) -> float:
    """Correlation of NEE with RECO - GPP; they are not tested for equality, as published products do not balance."""
    both = pd.DataFrame({"nee": values, "rest": records["reco"] - records["gpp"]}).dropna()
    if len(both) < MIN_STEPS or both.std().min() < 1e-6:
        return np.nan
    return float(both["nee"].corr(both["rest"]))


_SIGN = "perhaps the sign is reversed: "
CHECKS = (
    PlausibilityCheck(
        "vapour_pressure_deficit", "median of warm steps", 1.8, 90.0, "perhaps the values are in kPa, not hPa", _warm_median
    ),
    PlausibilityCheck(
        "shortwave_radiation",
        "95th percentile",
        50.0,
        550.0,
        "perhaps the values are in MJ m-2 d-1, not W m-2",
        lambda values, _: float(values.quantile(0.95)),
    ),
    PlausibilityCheck(
        "gpp",
        "mean where mostly negative",
        -0.5,
        60.0,
        _SIGN + "GPP is positive",
        lambda values, _: float(values.mean()) if (values < 0).mean() > 0.7 else 0.0,
        yearly=False,
    ),
    PlausibilityCheck("nee", "correlation with RECO - GPP", -0.3, 1.1, _SIGN + "NEE is positive upwards", _balance, yearly=False),
)

HINTS = {
    "air_temperature": "perhaps the values are in Fahrenheit, or already in K",
    "vapour_pressure_deficit": "perhaps the values are in kPa, not hPa",
    "shortwave_radiation": "perhaps the values are in MJ m-2 d-1, not W m-2",
    "precipitation": "perhaps the values are sums of a month or means of half hours, not sums of a day",
    "gpp": "perhaps the sign is reversed, or the values are of CO2 or of another time",
    "reco": "perhaps the sign is reversed, or the values are of CO2 or of another time",
}
"""Usual reasons for an implausible mean of a year."""


def _vocabulary() -> tuple[PlausibilityCheck, ...]:
    """A check of the year's mean for each variable with bounds of it."""
    known = ((name, entry.means.place) for name, entry in variables.vocabulary().items() if entry.towers)
    hint = "perhaps it is another multiple of the unit, or a sum for a mean"
    return tuple(PlausibilityCheck(name, YEAR, *place, HINTS.get(name, hint), _year) for name, place in known if place)


def _seasons(lat: float) -> tuple[PlausibilityCheck, ...]:
    """Checks of the season at a latitude."""
    least = ((name, entry.means.place_season) for name, entry in variables.vocabulary().items() if entry.towers)
    north, south = lat > BEYOND, lat < -BEYOND
    if not (north or south):
        return ()
    hint = "perhaps the latitude has the wrong sign, or the dates are half a year off"
    says = f"{SEASON} of the northern hemisphere"
    return tuple(
        PlausibilityCheck(name, says, *((low, np.inf) if north else (-np.inf, -low)), hint, _season)
        for name, low in least
        if low is not None
    )


def site_statistics(records: pd.DataFrame, lat: Mapping[str, float] | None = None) -> pd.DataFrame:
    """All statistics of `CHECKS` and of the vocabulary by site: columns site, variable, says, seen, low, high, hint, fails.

    With `lat`, the latitude by site in degrees north, seasons are checked too.
    """
    computed = []
    for site, rows in records.groupby("site", sort=False):
        year = rows["date"].max() - rows["date"].min() >= pd.Timedelta(days=MIN_DAYS)
        for test in (*CHECKS, *_vocabulary(), *_seasons((lat or {}).get(site, 0.0))):
            values = rows[test.variable].dropna() if test.variable in rows else ()
            if len(values) >= (MONTHS if test.says == YEAR else MIN_STEPS) and (year or not test.yearly):
                seen = test.statistic(values, rows)
                computed.append((site, test.variable, test.says, seen, test.low, test.high, test.hint))
    frame = pd.DataFrame(computed, columns=["site", "variable", "says", "seen", "low", "high", "hint"]).dropna(subset="seen")
    return frame.assign(fails=~frame["seen"].between(frame["low"], frame["high"]))


def refuse_wrong_units(
    records: pd.DataFrame, *, where: object, columns: Mapping[str, str] | None = None, lat: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Refuse records in which at least `WRONG_SHARE` of the towers fail the same check: the unit or sign is wrong.

    Parameters
    ----------
    records : columns site, date, gpp, reco, nee and drivers under vocabulary names, in canonical units; NaN where missing
    columns : canonical name: column of the file, for the message; else the vocabulary's names for tower files are given
    lat : as `site_statistics` takes it

    Returns the table of `site_statistics`.

    Raises `UnitError`, which names the file, the column and a tower.
    """
    statistics = site_statistics(records, lat)
    judge_statistics(statistics, where=where, columns=columns)
    return statistics


def judge_statistics(statistics: pd.DataFrame, *, where: object, columns: Mapping[str, str] | None = None) -> None:
    """Do as `refuse_wrong_units` with statistics that were computed before, such as tower by tower."""
    for (variable, says), rows in statistics.groupby(["variable", "says"]):
        failed = rows[rows["fails"]]
        if len(failed) >= WRONG_SHARE * len(rows):
            at = f"at {failed['site'].iloc[0]} {says}"
            share = f"{len(failed) / len(rows):.0%} of the towers fail; " if len(rows) > 1 else ""
            _raise(failed.iloc[0], share + at, where, columns or {})
        land = variables.get(variable).means.land
        middle = rows["seen"].median()
        if says == YEAR and land and len(rows) >= MANY and not land[0] <= middle <= land[1]:
            first = rows.iloc[0].copy()
            first[["seen", "low", "high"]] = middle, *land
            _raise(first, f"the median over {len(rows)} towers of the {says}", where, columns or {})


def mask_implausible(
    records: pd.DataFrame, *, where: object, lat: Mapping[str, float] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Refuse a network with a wrong unit (`refuse_wrong_units`), and mask variables of single implausible towers.

    Published networks have such towers, for example with reanalysis that was fitted to a broken sensor. An implausible driver
    becomes missing at its tower, and so do all fluxes of a tower with one implausible flux or with exchanged seasons. The
    report has, by site, `implausible` (number of records that lost a value) and `implausible_note` (the reason).
    """
    return mask_failed(records, refuse_wrong_units(records, where=where, lat=lat), where=where)


def mask_failed(records: pd.DataFrame, statistics: pd.DataFrame, *, where: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mask as `mask_implausible` does, with statistics that were computed before."""
    records, report = records.copy(), []
    for row in statistics[statistics["fails"]].itertuples():
        all_fluxes = row.variable in FLUXES or row.says.startswith(SEASON)
        names = [*(FLUXES if all_fluxes else ()), *({row.variable} - set(FLUXES))]
        here = records["site"] == row.site
        note = f"{row.variable}: {row.says} {row.seen:.4g}, expected within {row.low:g} and {row.high:g}"
        report.append((row.site, int(records.loc[here, names].notna().any(axis=1).sum()), note))
        _log.warning("%s, %s: %s; taken as missing", where, row.site, note)
        records.loc[here, names] = np.nan
    frame = pd.DataFrame(report, columns=["site", *IMPLAUSIBLE])
    return records, frame.groupby("site").agg({"implausible": "sum", "implausible_note": "; ".join})


def _raise(row: pd.Series, seen: str, where: object, columns: Mapping[str, str]) -> None:
    entry = variables.get(row["variable"])
    column = columns.get(row["variable"]) or " or ".join(entry.towers.names if entry.towers else ())
    raise UnitError(
        f"{row['variable']} cannot have the unit or sign it claims",
        where=f"{where}, column {column}",
        found=f"{seen} {row['seen']:.4g}, expected within {row['low']:g} and {row['high']:g}",
        todo=f"check the column's unit: {row['hint']}",
    )
