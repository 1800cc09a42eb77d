"""Mean fluxes over periods at places whose single steps are not known: the stage of the rule read_sums."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tamrl import contracts, units, variables
from tamrl.carbon import FLUXES
from tamrl.errors import InputError, near
from tamrl.intake import completeness, text
from tamrl.sections.inputs import Screening, SumTable
from tamrl.towers import merge, sites
from tamrl.workflow import stage

_log = logging.getLogger(__name__)

NETWORK = "sums"
"""Network of the places, in their table."""

PLAUSIBLE = (0.1, 20.0)
"""gC m-2 d-1: limits of the median over places of GPP and RECO. Beyond them a unit or a sign is another than stated."""


@stage
def read_sums(*, towers: str, known: Sequence[str], table: str, places: str, sums: SumTable, screening: Screening) -> None:
    """Read a table of sums, and leave out flux towers (their steps say more), excluded and managed places.

    Parameters
    ----------
    towers : flux towers of the run, `contracts.SITES`
    known : tables of sites of all networks, which say what is managed
    table, places : outputs, `contracts.SUMS` and `contracts.SITES`
    sums : the file, its columns and its unit
    screening : ids to leave out, and managed places

    Raises
    ------
    InputError
        If the file lacks a column, a place moves, a sign is inverted, or no sum is left.
    UnitError
        If the unit is none of carbon per area and time, or values cannot have it.
    """
    means, read = read_table(Path(sums.path), sums)
    flux_towers = set(contracts.read_csv(towers, contracts.SITES)["site"])
    reasons = pd.concat([contracts.read_csv(path, contracts.SITES)[["site", "managed"]] for path in known])
    listed = reasons.dropna().drop_duplicates("site", keep="last").set_index("site")["managed"]
    read = merge.flag_managed(read.assign(managed=read["site"].map(listed)), screening.managed)
    managed = set(read["site"][read["managed"].notna()]) if screening.quality.managed == "drop" else set()
    unwanted = flux_towers | set(screening.exclude) | managed
    means = means[~means["site"].isin(unwanted)].reset_index(drop=True)
    if means.empty:
        raise InputError("no sum is left", where=sums.path, todo="lower towers.sums.min_years, or set towers.sums: null")
    read = read[read["site"].isin(means["site"])].reset_index(drop=True)
    _log.info("%d sums at %d places; %d flux towers, excluded or managed", len(means), len(read), len(unwanted))
    contracts.write_table(table, means, contracts.SUMS)
    contracts.write_table(places, read, contracts.SITES)


def read_table(file: Path, sums: SumTable, *, key: str = "towers.sums") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mean fluxes of all rows with enough years (`contracts.SUMS`), and the places of all rows (`contracts.SITES`).

    `key` is that of the table in the configuration, for errors.

    Raises
    ------
    InputError, UnitError
        As `read_sums`.
    """
    raw = _columns(file, sums, key)
    raw["site"] = raw["site"].str.strip().replace(sites.RENAMED)
    sites.check_ids(raw["site"].drop_duplicates().tolist(), where=file)
    places, means = _places(raw, file), raw[["site"]].copy()
    means["first"], means["last"] = _periods(raw, file)
    if "nep" in raw:
        raw["nee"] = -raw["nep"]
    for flux in FLUXES:
        values = raw[flux] if flux in raw else pd.Series(np.nan, raw.index)
        years = raw[f"{flux}_years"].fillna(0.0) if f"{flux}_years" in raw else values.notna().astype(float)
        enough = values.notna() & (years >= sums.min_years if f"{flux}_years" in raw else True)
        target = variables.get(flux).units
        means[flux] = units.convert(values, source=sums.units, target=target, where=f"{file}, {key}.units").where(enough)
        means[f"{flux}_years"] = years.where(enough, 0.0)
        variables.check_range(means[flux].to_numpy(), name=flux, where=file)
    _check_sizes(means, file, sums, key)
    means = means[means[list(FLUXES)].notna().any(axis=1)].reset_index(drop=True)
    if means.empty:
        raise InputError(f"no flux has {sums.min_years:g} good years", where=file, todo=f"lower {key}.min_years")
    return contracts.check_table(means[list(contracts.SUMS.columns)], contracts.SUMS, where=file), places


def _columns(file: Path, sums: SumTable, key_of_table: str) -> pd.DataFrame:
    """The named columns of the file under the names of the configuration."""
    named = {key: column for key, column in sums.columns if column}

    completeness.check_text_end(file)
    content: text.Content = lambda: open(file, "rb")  # noqa: E731, SIM115 (closed by the reader)
    available = text.read_header(content, where=file)
    for key, column in named.items():
        if column not in available:
            todo = f"set {key_of_table}.columns.{key}; {near(column, available)}"
            raise InputError(f"no column {column!r} for {key}", where=file, found=available, todo=todo)
    texts = {named[key] for key in ("site", "igbp", "first", "last") if key in named}
    raw = text.read_columns(content, columns=available, wanted=list(dict.fromkeys(named.values())), texts=texts, where=file)
    return pd.DataFrame({key: raw[column] for key, column in named.items()})


def _periods(raw: pd.DataFrame, file: Path) -> tuple[pd.Series, pd.Series]:
    """First and last day of the period of each row; missing for a mean year."""
    if "first" not in raw:
        return pd.Series(pd.NaT, raw.index), pd.Series(pd.NaT, raw.index)
    ends = []
    for name in ("first", "last"):
        written = raw[name].fillna("").str.strip().replace("climatology", "")
        spelt = written.where(~written.str.fullmatch(r"\d{4}"), written + ("-01" if name == "first" else "-12"))
        if (wrong := (spelt != "") & ~spelt.str.fullmatch(r"\d{4}-(0[1-9]|1[0-2])")).any():
            todo = "write a year (yyyy), a month (yyyy-mm), or climatology"
            raise InputError(f"the column {name} holds no period", where=file, found=repr(written[wrong].iloc[0]), todo=todo)
        start = pd.to_datetime(spelt.where(spelt != "", None), format="%Y-%m")
        ends.append(start if name == "first" else start + pd.offsets.MonthEnd(0))
    if (reverse := ends[0] > ends[1]).any():
        raise InputError(
            "a period ends before it begins", where=file, found=raw["site"][reverse].iloc[0], todo="swap first and last"
        )
    return ends[0], ends[1]


def _check_sizes(means: pd.DataFrame, file: Path, sums: SumTable, key: str) -> None:
    """Refuse fluxes of the wrong sign or size: gross fluxes are positive, and NEE is their difference."""
    for flux in ("gpp", "reco"):
        middle = means[flux].median()
        if np.isfinite(middle) and not PLAUSIBLE[0] <= middle <= PLAUSIBLE[1]:
            todo = f"check the sign of the column {key}.columns.{flux} and {key}.units ({sums.units})"
            excerpt = f"a median of {middle:.3g} gC m-2 d-1"
            raise InputError(f"{flux} of a table of sums is implausible", where=file, found=excerpt, todo=todo)
    difference = means["reco"] - means["gpp"]
    as_named, inverted = ((means["nee"] - sign * difference).abs().median() for sign in (1, -1))
    if inverted < as_named:
        todo = f"name the column nep instead of nee, or nee instead of nep, in {key}.columns"
        raise InputError("NEE of a table of sums is GPP - RECO, not RECO - GPP", where=file, todo=todo)


def _places(raw: pd.DataFrame, file: Path) -> pd.DataFrame:
    """One row a place; refuses places that move."""
    place = raw[[name for name in ("site", "lat", "lon", "igbp") if name in raw]].drop_duplicates()
    if (again := place["site"].duplicated(keep=False)).any():
        excerpt = place[again].sort_values("site").head(3).to_string(index=False)
        raise InputError("a place has several coordinates or classes", where=file, found=f"\n{excerpt}", todo="give one per site")
    if "igbp" in place:
        place["igbp"] = [sites.igbp_class(value) for value in place["igbp"]]
    table = sites.site_table(place.assign(network=NETWORK).to_dict("records"))[list(contracts.SITES.columns)]
    return contracts.check_table(sites.check_coordinates(table, where=file), contracts.SITES, where=file)
