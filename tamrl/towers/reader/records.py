"""Tables of tower records: time stamps, order, duplicates. Every network's reader ends in `build_records`."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from tamrl import contracts
from tamrl.alternatives import Kind, listed
from tamrl.carbon import FLUXES
from tamrl.errors import InputError, TamrlError
from tamrl.intake import dates as digits
from tamrl.towers import sites
from tamrl.towers.quality import plausibility
from tamrl.towers.reader import columns

_log = logging.getLogger(__name__)

Step = Literal["day", "month"]


@dataclass(frozen=True)
class RecordChoice:
    """Choice of the records of a tower."""

    step: Step
    partitioning: columns.Partitioning = "NT"
    """Method that divided NEE into GPP and RECO."""
    ustar: columns.Ustar = "REF"
    alternatives: tuple[Kind, ...] = ()
    """What is read beside that choice."""


FORMATS = {"day": digits.DAY, "month": digits.MONTH}
LEADING = ("site", "date", *FLUXES, columns.QC)


def build_records(
    raw: pd.DataFrame,
    mapping: Mapping[str, str],
    *,
    site: str | pd.Series,
    date: pd.Series,
    step: Step,
    where: object,
    source_units: Mapping[str, str] | None = None,
    made: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Build records by `contracts.TOWERS` from the columns of a file.

    Parameters
    ----------
    raw : the file's rows and columns; `site` and `date` are aligned with them
    mapping : canonical name, or that of an alternative (`tamrl.alternatives`) -> column
    date : start of each step, as time stamps or written alike in one of `FORMATS`
    made : whether the rows were made from half hours (`aggregate.daily_rows`), so that their quality is a share in any case

    Returns records sorted by site and date (site, date, gpp, reco, nee, nee_qc, then drivers; a flux without a column is
    missing), and the numbers of masked fill values by site (`fills_targets`, `fills_drivers`). Raises `InputError` for impossible
    site ids, time stamps or duplicates, and `UnitError` for impossible units.
    """
    starts = parse_step_starts(date, step=step, where=where)
    days = starts.dt.days_in_month.to_numpy()
    values, fills = columns.convert_columns(raw, mapping, where=where, source_units=source_units, days=days)
    values.insert(0, "date", starts.to_numpy())
    values.insert(0, "site", site)
    sites.check_ids(values["site"].unique(), where=where)
    others = [a.column(flux) for a in listed(values) for flux in ("gpp", "reco")]
    for name in (*FLUXES, columns.QC, *others):
        if name not in values:
            values[name] = np.nan
    if not made:
        columns.check_flags(values[columns.QC], values["site"], where=f"{where}, column {mapping.get(columns.QC)}")
    records = sort_unique(values[[*LEADING, *(c for c in values if c not in LEADING)]], where=where)
    return records, fills.groupby(values["site"]).sum()


def parse_step_starts(stamps: pd.Series, *, step: Step, where: object) -> pd.Series:
    """Parse the starts of steps; refuse other text, times of day and dates of another step."""
    where = f"{where}, column {stamps.name}" if stamps.name else where
    todo = f"give one row per {step}, all dates written alike as {' or '.join(FORMATS[step])}, or change time.step"
    starts = digits.parse_dates(stamps, FORMATS[step], where=where, todo=todo)
    rounded = starts.dt.normalize() if step == "day" else starts.dt.normalize().where(starts.dt.day == 1)
    if (wrong := starts != rounded).any():
        first = f"{starts[wrong].iloc[0]} in row {int(wrong.to_numpy().argmax()) + 1}"
        raise InputError(f"time stamps are not the starts of a {step}", where=where, found=first, todo=todo)
    return starts


def sort_unique(records: pd.DataFrame, *, where: object) -> pd.DataFrame:
    """Sort by site and date; drop rows that repeat exactly, refuse those that differ."""
    records = records.sort_values(["site", "date"], ignore_index=True)
    again = records.duplicated(["site", "date"], keep=False)
    same = records[again].duplicated()
    if same.any():
        _log.warning("%s: %d exact duplicates dropped", where, int(same.sum()))
        records = records.drop(index=same.index[same]).reset_index(drop=True)
        again = records.duplicated(["site", "date"], keep=False)
    if again.any():
        excerpt = records[again].head(2)[list(LEADING)].to_string(index=False)
        raise InputError(
            f"{int(again.sum())} records of the same site and date differ",
            where=where,
            found=f"\n{excerpt}",
            todo="remove one of each, or the older version of the file",
        )
    return records


def check_network(records: pd.DataFrame, places: pd.DataFrame, *, where: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Check both tables of a network against their contracts, each other and the range of plausible values.

    Returns both in the contracts' types; the sites with the report of `plausibility.mask_implausible`.
    """
    sites.check_ids([*records["site"].unique(), *places["site"].unique()], where=where)
    places = sites.check_coordinates(places, where=where)
    records, implausible = plausibility.mask_implausible(records, where=where, lat=places.set_index("site")["lat"].to_dict())
    records = contracts.check_table(records, contracts.TOWERS, where=where)
    return records, add_implausible(places, implausible, records["site"].unique(), where=where)


def add_implausible(places: pd.DataFrame, implausible: pd.DataFrame, known: Iterable[str], *, where: object) -> pd.DataFrame:
    """Add implausible properties to the table of sites, and check it against its contract.

    Parameters
    ----------
    implausible : report of `plausibility`, by site

    Raises `InputError` if a tower with records has no coordinates.
    """
    places = places.drop(columns=list(sites.IMPLAUSIBLE), errors="ignore").join(implausible, on="site")
    places = contracts.check_table(sites.site_table(places.to_dict("records")), contracts.SITES, where=where)
    if lost := sorted(set(known) - set(places["site"])):
        todo = "add these towers to the metadata (BIF), or remove their files"
        raise InputError(f"no coordinates for {', '.join(lost[:5])}", where=where, todo=todo)
    return places


def no_files(where: object, todo: str) -> TamrlError:
    """Return the error of a folder without files to read."""
    return InputError("no tower files", where=where, found="no matching file", todo=todo)
