"""Plausibility of a tower's record as a whole: what a wrong unit or sign looks like when no single value is impossible.

The valid ranges of the vocabulary catch kelvin for degrees Celsius; they cannot catch kPa for hPa (all values are possible, only
far too small) or MJ m-2 d-1 for W m-2. The bounds here and `means` in `tamrl/data/variables.yaml` lie well outside of what the
driest, hottest, darkest real towers show over a year, so that they refuse units and never climates. Many towers together say
more: their median cannot be far from the mean of the land.
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
"""Fewer values of a site say nothing."""

MIN_DAYS = 330
"""A statistic of the whole year needs a record that spans one (polar night, monsoon)."""

WRONG_SHARE = 0.5
"""Share of the towers that must fail before it is the unit of the column and not a fault of the towers."""

MANY = 20
"""Towers from which on their median is held against what the globe's land can show."""

MONTHS = 10
"""Calendar months that must have values before there is a mean of the year."""

BEYOND = 25.0
"""Degrees from the equator from which on summer differs from winter everywhere."""

YEAR, SEASON = "mean of the year", "summer less winter"

_WARM = 293.15
"""K: warm steps, on which air is never close to saturated for long."""


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


def _bright(values: pd.Series, _: pd.DataFrame) -> float:
    return float(values.quantile(0.95))


def _warm_median(values: pd.Series, records: pd.DataFrame) -> float:
    if "air_temperature" not in records:
        return np.nan
    warm = values[records.loc[values.index, "air_temperature"] > _WARM]
    return float(warm.median()) if len(warm) >= MIN_STEPS else np.nan


def _upright(values: pd.Series, _: pd.DataFrame) -> float:
    """Mean of a flux whose sign is mostly negative; 0 otherwise."""
    return float(values.mean()) if (values < 0).mean() > 0.7 else 0.0


def _balance(values: pd.Series, records: pd.DataFrame) -> float:
    """Correlation of NEE with RECO - GPP. (They are never tested for equality: published products do not balance.)"""
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
        "shortwave_radiation", "95th percentile", 50.0, 550.0, "perhaps the values are in MJ m-2 d-1, not W m-2", _bright
    ),
    PlausibilityCheck("gpp", "mean where mostly negative", -0.5, 60.0, _SIGN + "GPP is positive", _upright, yearly=False),
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
"""What is usually wrong with the mean of a year."""


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

    Parameters
    ----------
    lat : mapping, optional
        Latitude by site in degrees north; with it, seasons are looked at too.
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
    records : DataFrame
        site, date, gpp, reco, nee and drivers under vocabulary names, in canonical units; NaN where missing.
    columns : mapping, optional
        Canonical name: column of the file, for the message; else the vocabulary's names for tower files are given.
    lat : mapping, optional
        As `site_statistics` takes it.

    Returns
    -------
    DataFrame of `site_statistics`

    Raises
    ------
    UnitError
        Names the file, the column and a tower.
    """
    statistics = site_statistics(records, lat)
    judge_statistics(statistics, where=where, columns=columns)
    return statistics


def judge_statistics(statistics: pd.DataFrame, *, where: object, columns: Mapping[str, str] | None = None) -> None:
    """`refuse_wrong_units` by the statistics alone, which may have been found tower by tower."""
    for (variable, says), rows in statistics.groupby(["variable", "says"]):
        failed = rows[rows["fails"]]
        if len(failed) >= WRONG_SHARE * len(rows):
            at = f"{len(failed) / len(rows):.0%} of the towers fail; at {failed['site'].iloc[0]} {says}"
            _raise(failed.iloc[0], at, where, columns or {})
        land = variables.get(variable).means.land
        middle = rows["seen"].median()
        if says == YEAR and land and len(rows) >= MANY and not land[0] <= middle <= land[1]:
            first = rows.iloc[0].copy()
            first[["seen", "low", "high"]] = middle, *land
            _raise(first, f"the median over {len(rows)} towers of the {says}", where, columns or {})


def mask_implausible(
    records: pd.DataFrame, *, where: object, lat: Mapping[str, float] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`refuse_wrong_units` a network with a wrong unit, and make a variable missing where only single towers are implausible.

    Published networks do hold such towers (reanalysis fitted to a broken sensor, for one): one of them is no reason to refuse
    hundreds, and no reason to learn from it either.

    Returns
    -------
    records : DataFrame
        The same rows. An implausible driver is missing at its tower, and so are all fluxes of a tower with one
        implausible flux or with exchanged seasons.
    report : DataFrame
        By site: `implausible` (records that lost something) and `implausible_note` (why).
    """
    return mask_failed(records, refuse_wrong_units(records, where=where, lat=lat), where=where)


def mask_failed(records: pd.DataFrame, statistics: pd.DataFrame, *, where: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What `mask_implausible` does where the statistics of these towers are known already."""
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
