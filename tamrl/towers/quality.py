"""Quality tests of tower records: each a pure function that says which values fail. Nothing is dropped without a count.

A record that fails keeps its row; its fluxes become missing. Each test gives a mask per flux (rows of the records, columns
gpp, reco, nee). A mask over NEE covers all three fluxes, because GPP and RECO are made from NEE; a mask over GPP
covers GPP and RECO, because their partitioning failed while NEE was measured.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from tamrl import variables
from tamrl.carbon import FLUXES

SPIKE = 10.0
"""Robust standard deviations beyond which a jump is a spike. Papale et al. (2006) take 4 to 7 for half hours; among daily means
those take away dark days between bright ones, which are weather, and would bias the towers towards uptake."""

FLAT = 5
"""Steps with exactly the same NEE in a row: a filled gap or a stuck instrument."""

_BLOCK = 20
"""Jumps that a calendar month must have to be judged."""


_SCATTER = 0.3
"""gC m-2 d-1: least scatter of double differences, about the random error of a day (Richardson et al. 2006,
doi 10.1016/j.agrformet.2006.01.007); without it every flux of a dormant month would be a spike."""


def _spread(mask: pd.Series) -> pd.DataFrame:
    """A mask of records as a mask of all three fluxes."""
    return pd.DataFrame(dict.fromkeys(FLUXES, mask))


def fill(records: pd.DataFrame) -> pd.DataFrame:
    """Fluxes that still hold a fill value (readers mask them; this is the last gate before a scaler)."""
    return pd.DataFrame({f: records[f].notna() & np.isnan(variables.mask_fill(records[f].to_numpy())[0]) for f in FLUXES})


def nee_qc(records: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Steps of which less than `threshold` of the half hours are known to be measured or well filled; 0 asks for nothing."""
    return _spread(~(records["nee_qc"] >= threshold) & (threshold > 0))


def valid_range(records: pd.DataFrame) -> pd.DataFrame:
    """Fluxes outside of the vocabulary's valid range (gC m-2 d-1)."""
    outside = {f: _outside(records, f) for f in FLUXES}
    return pd.DataFrame({f: outside[f] | outside["nee"] for f in FLUXES})


def driver_range(records: pd.DataFrame) -> pd.DataFrame:
    """Drivers outside of their valid range; one column a driver."""
    names = [c for c in records.columns if c in variables.vocabulary() and c not in FLUXES]
    return pd.DataFrame({n: _outside(records, n) for n in names}, index=records.index)


def _outside(records: pd.DataFrame, name: str) -> pd.Series:
    low, high = variables.get(name).range
    return records[name].notna() & ~records[name].between(low, high)


def spikes(records: pd.DataFrame, *, limit: float = SPIKE) -> pd.DataFrame:
    """Single days that jump away from both their neighbours.

    The double difference d = (x_i - x_i-1) - (x_i+1 - x_i) is compared with its median Md and its median absolute deviation
    MAD: a spike is |d - Md| > limit · MAD / 0.6745 (Papale et al. 2006, doi 10.5194/bg-3-571-2006, eqs 1-3; there for half hours
    within 13 days, here for days within a site's calendar month of all years, as day-to-day scatter has a season). Only days
    with both neighbours are judged; the neighbours of a spike, which jump too, are kept, and so is all of a month with too
    few days to tell its scatter.

    Parameters
    ----------
    records : DataFrame sorted by site and date, days
    """
    jump = pd.DataFrame({f: _spike(records, records[f], limit) for f in ("nee", "gpp")})
    return pd.DataFrame({"gpp": jump.any(axis=1), "reco": jump.any(axis=1), "nee": jump["nee"]})


def _spike(records: pd.DataFrame, values: pd.Series, limit: float) -> pd.Series:
    after = (records["site"] == records["site"].shift()) & (records["date"].diff() == pd.Timedelta(days=1))
    both = after & after.shift(-1, fill_value=False)
    double = (2 * values - values.shift() - values.shift(-1)).where(both)
    away = _robust_deviation(double, records["site"], records["date"].dt.month)
    # the double difference of a spike's neighbours is half as large: judge only the largest of three
    peak = away.abs() >= away.abs().rolling(3, center=True, min_periods=1).max()
    return (away.abs() > limit) & peak


def _robust_deviation(values: pd.Series, site: pd.Series, month: pd.Series) -> pd.Series:
    """Distance from the median in robust standard deviations, per site and month; missing where a month has too few."""
    groups = values.groupby([site, month])
    away = values - groups.transform("median")
    sigma = away.abs().groupby([site, month]).transform("median") / 0.6745
    return (away / sigma.clip(lower=_SCATTER)).where(groups.transform("count") >= _BLOCK)


def flat(records: pd.DataFrame, *, length: int = FLAT) -> pd.DataFrame:
    """Runs of `length` or more steps with exactly the same NEE."""
    nee = records["nee"]
    run = ((nee != nee.shift()) | (records["site"] != records["site"].shift())).cumsum()
    return _spread(nee.notna() & (nee.groupby(run).transform("size") >= length))


def checks(step: str, threshold: float) -> dict[str, Callable[[pd.DataFrame], pd.DataFrame]]:
    """The tests of single records by name, in their order. Months have too few neighbours for spikes and flat lines."""
    found: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
        "fill_left": fill,
        "valid_range": valid_range,
        "nee_qc": lambda records: nee_qc(records, threshold),
    }
    return found | ({"flat": flat, "spikes": spikes} if step == "day" else {})


def good(records: pd.DataFrame) -> pd.Series:
    """Records with at least one flux."""
    return records[list(FLUXES)].notna().any(axis=1)


def apply(
    records: pd.DataFrame, tests: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run the tests one after another, each on what the one before has left.

    Returns
    -------
    records : DataFrame
        The same rows; fluxes that fail are missing.
    report : DataFrame
        site, test, dropped (records that lost a flux), kept (records with a flux afterwards), note: every site and test.
    """
    records, reports = records.copy(), []
    for name, test in tests.items():
        mask = test(records) & records[list(FLUXES)].notna()
        records[list(FLUXES)] = records[list(FLUXES)].mask(mask)
        counts = pd.DataFrame({"dropped": mask.any(axis=1), "kept": good(records)}).groupby(records["site"]).sum()
        reports.append(counts.reset_index().assign(test=name, note=None))
    return records, pd.concat(reports, ignore_index=True)


def mask_drivers(records: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make drivers outside of their range missing; returns the records and a report as `apply` does (counts of values)."""
    mask = driver_range(records)
    names = list(mask.columns)
    counts = pd.DataFrame({"dropped": mask.sum(axis=1), "kept": records[names].notna().sum(axis=1) - mask.sum(axis=1)})
    report = counts.groupby(records["site"]).sum().reset_index().assign(test="driver_range", note="values of drivers")
    return records.assign(**records[names].mask(mask)), report


def towers_to_drop(
    places: pd.DataFrame, kept: pd.Series, *, exclude: tuple[str, ...], managed: str, min_steps: int
) -> pd.DataFrame:
    """Whole towers to leave out, each for the first reason that holds.

    Parameters
    ----------
    places : DataFrame by `contracts.SITES`
    kept : Series
        Good steps by site.
    exclude, managed, min_steps
        As in sections `towers` and `towers.quality` of the configuration.

    Returns
    -------
    DataFrame as a report: site, test (`exclude`, `managed`, `min_steps`), dropped (good steps lost), kept = 0, note.
    """
    n = places["site"].map(kept).fillna(0).astype(int)
    few = pd.Series([f"{k} good steps, fewer than {min_steps}" for k in n], index=places.index)
    reasons = {
        "exclude": (places["site"].isin(exclude), pd.Series("towers.exclude", index=places.index)),
        "managed": (places["managed"].notna() & (managed == "drop"), places["managed"]),
        "min_steps": (n < min_steps, few),
    }
    found, left = [], pd.Series(True, index=places.index)
    for test, (holds, note) in reasons.items():
        now = holds & left
        left &= ~now
        found.append(pd.DataFrame({"site": places["site"][now], "test": test, "dropped": n[now], "kept": 0, "note": note[now]}))
    return pd.concat(found, ignore_index=True)
