"""Average half hours or hours to days, and days to months; a mean of too few values is missing.

Stamps of tower files are local standard time all year, so that all days have the same number of steps.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tamrl import alternatives, units, variables
from tamrl.carbon import FLUXES
from tamrl.errors import InputError
from tamrl.intake import dates, text
from tamrl.towers.reader import columns

MIN_SHARE = 44 / 48
"""Share of a day's steps (44 of 48 half hours) or of a month's days that a mean needs."""

GOOD_FLAG = 1
"""Largest flag of a half hour that counts: 0 measured, 1 filled with confidence (Pastorello et al. 2020,
doi 10.1038/s41597-020-0534-3; 2 and 3 are poor fillings)."""

START, END = "TIMESTAMP_START", "TIMESTAMP_END"
_LENGTHS = (30, 60)


def daily_rows(raw: pd.DataFrame, mapping: Mapping[str, str], *, where: object) -> tuple[pd.DataFrame, dict[str, int]]:
    """Make daily rows from half-hourly or hourly ones, with the columns and units of daily files.

    Fluxes turn from µmol CO2 m-2 s-1 into gC m-2 d-1, precipitation into a day's sum, the quality flag into the share of
    steps whose flag is at most `GOOD_FLAG`, all else into means; a variable with fewer than `MIN_SHARE` of a day's steps is
    missing on that day. `raw` has `TIMESTAMP_START`, `TIMESTAMP_END` (YYYYMMDDHHMM, local standard time) and the columns of
    `mapping` (canonical name: column).

    Returns `TIMESTAMP` (datetime64, days) with the columns of `mapping`, NaN where missing, and the numbers of fill values
    (`fills_targets`, `fills_drivers`). Raises `InputError` if stamps cannot be read, repeat with other values, or if steps are
    neither 30 nor 60 minutes long.
    """
    raw = raw.reset_index(drop=True)
    start, length = step_starts(raw, where=where)
    raw = raw.assign(**{START: start})
    raw = _unique(raw, mapping, where)
    per_day = 24 * 60 // length
    values, fills = _masked(raw, mapping, where)
    groups = values.groupby(raw[START].dt.normalize())
    enough = groups.count() >= MIN_SHARE * per_day
    daily = groups.mean()
    for name, column in ((alternatives.base_name(name), column) for name, column in mapping.items()):
        if name != columns.QC and variables.get(name).daily == "sum":
            daily[column] *= per_day
        if name in FLUXES:
            daily[column] = units.carbon_from_co2(daily[column])
    return daily.where(enough).rename_axis("TIMESTAMP").reset_index(), fills


def step_starts(raw: pd.DataFrame, *, where: object) -> tuple[pd.Series, int]:
    """Return the starts of the steps and their length in minutes."""
    if lacking := [name for name in (START, END) if name not in raw]:
        raise InputError(f"no column {' and '.join(lacking)}", where=where, found=", ".join(map(str, raw.columns[:8])))
    start, end = (dates.parse_dates(raw[name], dates.MINUTE, where=f"{where}, column {name}") for name in (START, END))
    lengths = (end - start).dt.total_seconds().div(60)
    if not len(start) or lengths.nunique() != 1 or int(lengths.iloc[0]) not in _LENGTHS:
        raise InputError(
            "the steps must be of 30 or of 60 minutes, all alike",
            where=where,
            found=", ".join(f"{v:g} min" for v in lengths.unique()[:5]) or "no rows",
            todo="fetch the file again",
        )
    if (start.dt.minute % int(lengths.iloc[0])).any():
        raise InputError("the steps do not begin on the hour or half hour", where=where, found=start.iloc[0])
    return start, int(lengths.iloc[0])


def _unique(raw: pd.DataFrame, mapping: Mapping[str, str], where: object) -> pd.DataFrame:
    """Drop exact repetitions of rows; refuse rows of one time with different values."""
    raw = raw.drop_duplicates([START, *mapping.values()])
    if (again := raw[START].duplicated()).any():
        raise InputError(
            f"{int(again.sum())} half hours stand twice with other values",
            where=where,
            found=raw.loc[again, START].iloc[0],
            todo="stamps must be local standard time, without summer time; fetch the file again",
        )
    return raw


def _masked(raw: pd.DataFrame, mapping: Mapping[str, str], where: object) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the columns of `mapping` with fill values masked and the flag as 1 (good) or 0, and the numbers of fill values."""
    columns_read, fills = {}, {"fills_targets": 0, "fills_drivers": 0}
    for name, column in mapping.items():
        values, masked = variables.mask_fill(text.parse_numbers(raw[column], where=f"{where}, column {column}"))
        if name == alternatives.base_name(name):
            fills["fills_targets" if name in (*FLUXES, columns.QC) else "fills_drivers"] += int(masked)
        columns_read[column] = np.where(np.isnan(values), np.nan, values <= GOOD_FLAG) if name == columns.QC else values
    return pd.DataFrame(columns_read, index=raw.index), fills


def monthly_records(records: pd.DataFrame) -> pd.DataFrame:
    """Make monthly records from daily ones, both as `records.build_records` returns them.

    A mean of fewer than `MIN_SHARE` of the days of a month is missing. Days without quality count as not measured.
    """
    first = records["date"].dt.to_period("M").dt.to_timestamp().astype("datetime64[ns]")
    values = records.drop(columns=["site", "date"])
    groups = values.groupby([records["site"], first.rename("date")])
    length = first.groupby([records["site"], first]).first().dt.days_in_month.to_numpy()[:, None]
    monthly = groups.mean().where(groups.count() >= MIN_SHARE * length)
    monthly[columns.QC] = groups[columns.QC].sum() / length[:, 0]
    return monthly.reset_index()
