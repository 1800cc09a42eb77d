"""From the columns of tower files to the vocabulary: which column is which variable, fill values, units.

`tamrl/data/variables.yaml` lists the names and units of columns under `towers`. This module only adds the two choices that the
vocabulary cannot make: the partitioning of the fluxes, and drivers from the tower or from reanalysis.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
import pandas as pd

from tamrl import alternatives, units, variables
from tamrl.alternatives import Alternative
from tamrl.carbon import FLUXES
from tamrl.errors import InputError, UnitError, near
from tamrl.intake import text
from tamrl.towers.sites import FILLS

Partitioning = Literal["NT", "DT"]
OTHER: dict[Partitioning, Partitioning] = {"NT": "DT", "DT": "NT"}
Drivers = Literal["tower", "era"]
Ustar = Literal["REF", "USTAR50"]
"""The u* threshold: the one most like all others (`REF`), or the median of their distribution (`USTAR50`)."""

QC = "nee_qc"
QC_COLUMNS = ("NEE_VUT_REF_QC",)
"""Share of measured or well-filled half hours of a step, 0 to 1."""

ONEFLUX = {"gpp": "GPP_{partitioning}_VUT_REF", "reco": "RECO_{partitioning}_VUT_REF", "nee": "NEE_VUT_REF"}
"""Columns of the fluxes."""

FLAGS = 24
"""Number of steps above which values of only 0 and 1 are flags."""

OUTSIDE = 0.05
"""Share of a column's values that may lie outside the valid range; the quality tests remove them later."""


def map_columns(
    available: Iterable[str], *, partitioning: Partitioning, drivers: Drivers = "tower", ustar: Ustar = "REF"
) -> dict[str, str]:
    """Return the column of each variable, canonical name -> column: the first alias of the vocabulary that the file has.

    Parameters
    ----------
    available : names of the file's columns
    partitioning : `NT` (Reichstein et al. 2005, doi 10.1111/j.1365-2486.2005.001002.x) or `DT` (Lasslop et al. 2010,
        doi 10.1111/j.1365-2486.2009.02041.x); columns of the other one are never taken.
    drivers : `tower` takes measurements with their gaps filled first, `era` the reanalysis brought to the site first.
    ustar : fluxes of which threshold of friction velocity (Pastorello et al. 2020, doi 10.1038/s41597-020-0534-3).
    """
    available = set(available)
    mapping: dict[str, str] = {}
    for name, entry in variables.vocabulary().items():
        names = entry.towers.names if entry.towers else ()
        aliases = [with_threshold(a, ustar) for a in names if f"_{OTHER[partitioning]}_" not in a]
        if drivers == "era" and entry.role == "dynamic":
            aliases = sorted(aliases, key=lambda a: not a.endswith("_ERA"))  # stable: else in the vocabulary's order
        if column := next((a for a in aliases if a in available), None):
            mapping[name] = column
    if column := next((c for c in (with_threshold(q, ustar) for q in QC_COLUMNS) if c in available), None):
        mapping[QC] = column
    return mapping


def map_alternatives(
    available: Iterable[str],
    kinds: Iterable[alternatives.Kind],
    *,
    partitioning: Partitioning,
    ustar: Ustar,
    fluxes: Mapping[str, str] = ONEFLUX,
) -> dict[str, str]:
    """Return the columns of the alternatives to the chosen fluxes, name by `tamrl.alternatives` -> column.

    Parameters
    ----------
    available : names of the file's columns
    kinds : what may differ from the choice: the partitioning, the threshold of friction velocity, or both
    partitioning, ustar : the choice, as in `map_columns`
    fluxes : flux -> column of the reference threshold, with `{partitioning}`; other keys do not count

    An alternative has NEE and at least one of GPP and RECO.
    """
    available, kinds = set(available), set(kinds)
    mapping: dict[str, str] = {}
    methods = (partitioning, OTHER[partitioning]) if "partitioning" in kinds else (partitioning,)
    thresholds = (ustar, *alternatives.PERCENTILES) if "ustar" in kinds else (ustar,)
    for method, threshold in ((m, t) for m in methods for t in thresholds if (m, t) != (partitioning, ustar)):
        triple = {}
        for flux, pattern in ((flux, fluxes[flux]) for flux in FLUXES if flux in fluxes):
            method_known = method == partitioning or flux == "nee" or "{partitioning}" in pattern
            threshold_known = threshold == ustar or with_threshold(pattern, threshold) != pattern
            column = with_threshold(pattern.replace("{partitioning}", method), threshold)
            if method_known and threshold_known and column in available:
                triple[flux] = column
        if "nee" in triple and len(triple) > 1:
            if threshold == ustar:
                del triple["nee"]  # the chosen one
            mapping |= {Alternative(method, threshold).column(flux): column for flux, column in triple.items()}
    return mapping


def with_threshold(column: str, ustar: str) -> str:
    """Return the column of the same flux with another u* threshold: `NEE_VUT_REF_QC` becomes `NEE_VUT_USTAR50_QC`."""
    return column.replace("_VUT_REF", f"_VUT_{ustar}")


def require_columns(
    mapping: Mapping[str, str], names: Iterable[str], *, available: Iterable[str], where: object, ustar: Ustar = "REF"
) -> None:
    """Refuse a file that lacks a variable; the error names the possible columns.

    Parameters
    ----------
    mapping : result of `map_columns`
    where, ustar : file of the error, and threshold as in `map_columns`
    """
    for name in names:
        if name not in mapping:
            entry = variables.vocabulary().get(name)
            known = [with_threshold(c, ustar) for c in (entry.towers.names if entry and entry.towers else QC_COLUMNS)]
            raise InputError(
                f"no column for {name}",
                where=where,
                found=", ".join(sorted(available)[:12]),
                todo=f"expected one of {', '.join(known)}; {near(known[0], available)}",
            )


def convert_columns(
    raw: pd.DataFrame,
    mapping: Mapping[str, str],
    *,
    where: object,
    source_units: Mapping[str, str] | None = None,
    days: np.ndarray | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Convert the mapped columns to canonical units; fill values become NaN and are counted.

    Parameters
    ----------
    raw : any rows, the file's own columns
    mapping : canonical name -> column
    source_units : canonical name -> unit, where it is not the vocabulary's unit for towers
    days : array (rows); days of the month of each row, for units per month

    Returns values (canonical names, float64) and the numbers of masked values (`fills_targets`, `fills_drivers`), both for the
    same rows. Raises `InputError` if a column is missing or holds text, and `UnitError` if too many values lie outside the
    valid range.
    """
    converted, fills = {}, {name: np.zeros(len(raw), dtype=int) for name in FILLS}
    for name, column in mapping.items():
        at = f"{where}, column {column}"
        if column not in raw:
            raise InputError(f"no column {column!r} for {name}", where=where, todo=near(column, map(str, raw.columns)))
        before = text.parse_numbers(raw[column], where=at)
        values, _ = variables.mask_fill(before)
        if name == (entry := alternatives.base_name(name)):
            fills["fills_targets" if name in (*FLUXES, QC) else "fills_drivers"] += np.isnan(values) & ~np.isnan(before)
        if name == QC:
            _check_qc(values, at)
        else:
            unit = _unit(entry, source_units)
            if days is not None and (daily := units.per_day(unit)):
                values, unit = values / days, daily
            values = units.convert(values, source=unit, target=variables.get(entry).units, where=at)
            variables.check_range(values, name=entry, where=at, tolerance=OUTSIDE)
        converted[name] = values
    return pd.DataFrame(converted, index=raw.index), pd.DataFrame(fills, index=raw.index)


def _unit(name: str, source_units: Mapping[str, str] | None) -> str:
    if source_units and name in source_units:
        return source_units[name]
    entry = variables.get(name)
    return entry.towers.units if entry.towers else entry.units


def check_flags(values: pd.Series, sites: pd.Series, *, where: object) -> None:
    """Refuse quality that flags entire steps (0 measured, 1 filled) instead of a share of half hours.

    Shares of many steps are neither only 0 and 1 nor 0 throughout; 1 throughout is a share (every half hour measured).
    `values` is `nee_qc` within 0 to 1, NaN where missing, and `sites` the tower of each row. Raises `UnitError` if at least
    `FLAGS` values of a tower are 0 and 1 with none between, or all values of the file are 0.
    """
    kinds = {"zero": values == 0, "one": values == 1, "between": values.notna() & ~values.isin((0.0, 1.0))}
    n = pd.DataFrame(kinds).groupby(sites.to_numpy()).sum()
    flagged = (n["between"] == 0) & (n["zero"] > 0) & (n["one"] > 0) & (n["zero"] + n["one"] >= FLAGS)
    if flagged.any() or (n["zero"].sum() >= FLAGS and not n[["one", "between"]].any(axis=None)):
        towers = ", ".join(flagged.index[flagged][:5].astype(str)) or "all towers"
        raise UnitError(
            f"{QC} is a share of measured half hours, these are flags",
            where=where,
            found=f"only 0 and 1 at {towers}" if flagged.any() else "0 throughout",
            todo="give shares between 0 and 1; or make the fluxes of filled steps missing and leave nee_qc out",
        )


def _check_qc(values: np.ndarray, at: str) -> None:
    finite = values[np.isfinite(values)]
    if finite.size and (finite.min() < 0 or finite.max() > 1):
        raise UnitError(
            f"{QC} is a share between 0 and 1",
            where=at,
            found=f"values from {finite.min():g} to {finite.max():g}",
            todo="divide percentages by 100; flags 0 to 3 of half hours are no share",
        )
