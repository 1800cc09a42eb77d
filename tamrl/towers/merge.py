"""Merge the towers of several networks, mark managed sites, and apply the quality tests."""

import logging
from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd

from tamrl import contracts
from tamrl.sections.inputs import Quality
from tamrl.towers import sites
from tamrl.towers.quality import record_tests, screening

_log = logging.getLogger(__name__)


def merge_sites(places: Sequence[pd.DataFrame]) -> tuple[pd.DataFrame, pd.Series]:
    """Merge the sites of all networks; return them with the network of each site's records (Series by site).

    If two networks have a tower, its records come from the later network of the list: two processings are never mixed, because
    their corrections and thresholds differ. Missing metadata (class, elevation, management, ...) come from the earlier one.
    """
    stacked = pd.concat([_rename(p) for p in places], ignore_index=True)
    owner = stacked.groupby("site")["network"].last()
    others = stacked.groupby("site")["network"].agg(lambda networks: ", ".join(networks.iloc[:-1]))
    for site, names in others[others != ""].items():
        _log.info("%s: taken from %s, not from %s", site, owner[site], names)
    reading = stacked.drop_duplicates("site", keep="last").set_index("site")[list(sites.READING)]
    merged = stacked.drop(columns=list(sites.READING)).groupby("site").last()  # the last that is not missing
    merged = merged.join(reading).assign(also_in=others.where(others != "", None))
    return sites.site_table(merged.reset_index().to_dict("records")), owner


def select_owned(tables: Sequence[pd.DataFrame], networks: Sequence[str], owner: pd.Series) -> list[pd.DataFrame]:
    """Select from each network the records of the sites that it owns; networks without any are left out."""
    renamed = zip((_rename(t) for t in tables), networks, strict=True)
    return [part for t, name in renamed if len(part := t[t["site"].map(owner) == name])]


def report_set_aside(lists: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Report archives that could not be read (site, file, reason) by `contracts.QUALITY`."""
    archives = pd.concat(lists, ignore_index=True) if lists else pd.DataFrame(columns=["site", "file", "reason"])
    note = archives["file"] + ": " + archives["reason"]
    return pd.DataFrame({"site": archives["site"], "test": "set_aside", "dropped": 0, "kept": 0, "note": note})


def _rename(frame: pd.DataFrame) -> pd.DataFrame:
    """Give renamed towers their present id."""
    return frame.assign(site=frame["site"].replace(sites.RENAMED))


def flag_managed(places: pd.DataFrame, managed: Mapping[str, str]) -> pd.DataFrame:
    """Add the reasons of the configuration, which replace those of the metadata."""
    managed = {sites.RENAMED.get(site, site): reason for site, reason in managed.items()}
    if absent := sorted(set(managed) - set(places["site"])):
        _log.info("managed towers that no network holds: %s", ", ".join(absent))
    reasons = places["site"].map(managed)
    return places.assign(managed=reasons.where(reasons.notna(), places["managed"]))


def judge_records(
    records: pd.DataFrame,
    places: pd.DataFrame,
    *,
    step: Literal["day", "month"],
    exclude: tuple[str, ...],
    limits: Quality,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Run all quality tests, on records and on whole towers.

    Parameters
    ----------
    records, places : as `select_owned` and `flag_managed` return them
    exclude : site ids to leave out
    limits : section `towers.quality`

    Returns all records of the remaining towers, with values that failed a test missing; these towers with `first`, `last` (dates
    of the first and last good step) and `n` (number of good steps); and the report by `contracts.QUALITY`.
    """
    reading = _reading(records, places)
    records, drivers = record_tests.mask_drivers(records, places, step, limits)
    records, tested = record_tests.apply_tests(records, record_tests.active_tests(step, limits))
    records, closed = record_tests.close_alternatives(records, limits)
    good = record_tests.has_flux(records)
    good_months = records.loc[good, ["site"]].assign(month=records["date"].dt.month).groupby("site")["month"]
    coverage = pd.DataFrame({"steps": good_months.size(), "months": good_months.nunique()})
    exclude = tuple(sites.RENAMED.get(site, site) for site in exclude)
    dropped = screening.towers_to_drop(places, coverage, exclude=exclude, limits=limits)
    left = ~places["site"].isin(dropped["site"])
    _log.info("%d of %d towers kept; %d of %d records good", left.sum(), len(left), good.sum(), len(good))
    dates = records.loc[good].groupby("site")["date"].agg(first="min", last="max", n="size")
    places = places[left].drop(columns=list(sites.READING)).join(dates, on="site").reset_index(drop=True)
    report = pd.concat([reading, drivers, tested, closed, dropped], ignore_index=True)
    return records[records["site"].isin(places["site"])].reset_index(drop=True), places, report[list(contracts.QUALITY.columns)]


def _reading(records: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """Report the values that reading has masked: fill values, and variables that are implausible at a tower."""
    targets, drivers = (places[c].astype(int) for c in sites.FILLS)
    note = [f"values masked while reading: {t} of targets, {d} of drivers" for t, d in zip(targets, drivers, strict=True)]
    good = places["site"].map(record_tests.has_flux(records).groupby(records["site"]).sum()).fillna(0).astype(int)
    fills = pd.DataFrame(
        {"site": places["site"], "test": "fill_values", "dropped": targets + drivers, "kept": good, "note": note}
    )
    odd = fills.assign(test="implausible", dropped=places["implausible"], note=places["implausible_note"])
    return pd.concat([fills, odd[odd["dropped"] > 0]], ignore_index=True)
