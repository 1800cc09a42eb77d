"""Read any table of tower records, CSV or Parquet, with the columns and units of the configuration."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow
import pyarrow.parquet

from tamrl import units, variables
from tamrl.alternatives import Kind
from tamrl.carbon import FLUXES
from tamrl.errors import ConfigError, InputError, UnitError, near
from tamrl.intake import border, completeness, text
from tamrl.towers import sites
from tamrl.towers.networks.table import COLUMNS, Options
from tamrl.towers.quality import plausibility
from tamrl.towers.reader import aggregate, columns, monthly, records

_log = logging.getLogger(__name__)

KEYS = ("site", "date")
TEXTS = ("igbp", "koppen", "managed")
PLACE = ("lat", "lon", "elevation", "utc_offset", *TEXTS)
UNKNOWN = ("-", "n/a", "N/A")
"""Further spellings of an unknown place in tables of sites."""


def check_options(options: Options) -> None:
    """Refuse keys that are no variables, and units that cannot be converted (`ConfigError`)."""
    _check_keys({k: c for k, c in options.columns.items() if c}, options.units)
    for name in options.monthly:
        if name not in variables.vocabulary() or not options.columns.get(name):
            raise ConfigError(
                f"no column of {name!r} to bring to days", where="towers.table.monthly", todo=near(name, options.columns)
            )
    for name, unit in options.units.items():
        target = variables.get(name).units if name in variables.vocabulary() else None
        try:
            units.convert(1.0, source=units.per_day(unit) or unit, target=target or unit)
        except UnitError as error:
            raise ConfigError(error.asked, where=f"towers.table.units.{name}", found=error.found, todo=error.todo) from None


def read_flat_table(
    file: Path,
    options: Options,
    *,
    partitioning: columns.Partitioning,
    step: records.Step,
    ustar: columns.Ustar = "REF",
    alternatives: Sequence[Kind] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the records and sites of the table, with the units and columns of the options.

    Parameters
    ----------
    partitioning : which GPP and RECO
    step : length of a step; days become months where the options say that the file is daily
    ustar : which u* threshold, see `columns.map_columns`
    alternatives : what is read beside these choices, see `columns.map_alternatives`

    Raises `InputError` if the file lacks a column, has no rows, or a tower has several places; `UnitError` if values cannot
    have the unit that they are said to have.
    """
    named = {k: c.replace("{partitioning}", partitioning) for k, c in options.columns.items() if c}
    chosen = {k: columns.with_threshold(c, ustar) for k, c in named.items()}
    _check_keys(chosen, options.units)
    available = read_names(file)
    unnamed = partitioning == "DT" or options.columns.get("reco") == COLUMNS["reco"]
    derived = "reco" not in chosen or (unnamed and chosen["reco"] not in available)
    chosen = {k: c for k, c in chosen.items() if k != "reco" or not derived}
    chosen = _without_absent(chosen, options, available, file)
    kinds = [kind for kind in alternatives if kind != "ustar" or not (options.daily and step == "month")]  # as of ONEFlux
    others = columns.map_alternatives(
        available, kinds, partitioning=partitioning, ustar=ustar, fluxes={k: c for k, c in options.columns.items() if c}
    )
    raw = read_chosen(file, available, chosen | others)
    if raw.empty:
        raise InputError("the table has no rows", where=file, found="a header alone", todo="fetch it again, or make it anew")
    mapping = {k: c for k, c in chosen.items() if k not in (*KEYS, *PLACE)} | others
    ids = raw[chosen["site"]].astype(object).where(raw[chosen["site"]].notna(), "").astype(str).str.strip()  # "" is refused below
    table, fills = records.build_records(
        raw,
        mapping,
        site=ids,
        date=raw[chosen["date"]],
        step="day" if options.daily else step,
        where=file,
        source_units=options.units,
    )
    if derived:
        table["reco"] = table["nee"] + table["gpp"]
    if columns.QC not in chosen:
        table[columns.QC] = table["nee"].where(table["nee"].isna(), 1.0)
    if step == "day":
        for name, way in options.monthly.items():
            where = f"{file}, {options.columns[name]}"
            table[name] = monthly.spread_months(table["site"], table["date"], table[name], way, where=where)
    if options.daily and step == "month":
        table = aggregate.monthly_records(table)
    places = list_places(raw, ids, chosen, fills, file)
    plausibility.refuse_wrong_units(table, where=file, columns=chosen, lat=places.set_index("site")["lat"].to_dict())
    return table, places


def _without_absent(chosen: dict[str, str], options: Options, available: list[str], file: Path) -> dict[str, str]:
    """Leave out what only the defaults name and the file lacks: drivers, what is known of a place; refuse any other absence."""
    needed = (*KEYS, "lat", "lon", *FLUXES, columns.QC)
    absent = [k for k, c in chosen.items() if k not in needed and options.columns[k] == COLUMNS.get(k) and c not in available]
    if absent:
        _log.warning("%s has no columns for %s: left out", file, ", ".join(absent))
    present = {k: c for k, c in chosen.items() if k not in absent}
    for key, column in present.items():
        if column not in available:
            raise InputError(
                f"no column {column!r} for {key}", where=file, todo=f"set towers.table.columns.{key}; {near(column, available)}"
            )
    return present


def _check_keys(chosen: dict[str, str], further: dict[str, str]) -> None:
    """Refuse unknown variables, and a map of columns without a necessary one."""
    dynamic = [n for n, v in variables.vocabulary().items() if v.role == "dynamic"]
    known = (*KEYS, *PLACE, *FLUXES, columns.QC, *dynamic)
    for key in (*chosen, *further):
        if key not in known:
            raise ConfigError(f"no variable named {key!r}", where="towers.table", todo=near(key, known))
    for key in (*KEYS, "lat", "lon", "gpp", "nee"):
        if key not in chosen:
            raise ConfigError(f"towers.table.columns.{key} is needed", where="towers.table.columns", found="null")


def read_names(file: Path) -> list[str]:
    """Return the names of the columns of a file."""
    with border.reading("the table cannot be read", where=file, todo="give a CSV or Parquet file"):
        if file.suffix == ".parquet":
            completeness.check_complete(file)
            metadata = pyarrow.parquet.read_metadata(file)
            if 8 * metadata.num_rows > completeness.most_bytes(file):
                todo = "write the table anew: no table is packed so tightly"
                raise InputError("the table is refused", where=file, found=f"it declares {metadata.num_rows:,} rows", todo=todo)
            return text.column_names(metadata.schema.to_arrow_schema().names, where=file)
        names = text.read_header(lambda: open(file, "rb"), where=file)  # noqa: SIM115 (closed there)
        completeness.check_text_end(file)
        return names


def read_chosen(file: Path, available: list[str], chosen: Mapping[str, str]) -> pd.DataFrame:
    """Read the chosen columns. Text stays text: a country or site named NA is no missing value."""
    wanted = list(dict.fromkeys(chosen.values()))
    if file.suffix == ".parquet":
        with border.reading("the table cannot be read", where=file, todo="give a CSV or Parquet file"):
            return pd.read_parquet(file, columns=wanted)
    texts = {c for k, c in chosen.items() if k in (*KEYS, *TEXTS)}
    places = {c: [*text.MISSING, *UNKNOWN] for k, c in chosen.items() if k in PLACE and k not in TEXTS}
    content: text.Content = lambda: open(file, "rb")  # noqa: E731, SIM115 (closed by the reader)
    return text.read_columns(content, columns=available, wanted=wanted, texts=texts, missing=places, where=file)


def list_places(raw: pd.DataFrame, ids: pd.Series, chosen: Mapping[str, str], fills: pd.DataFrame, file: object) -> pd.DataFrame:
    """Return one row per tower; refuse a tower with several places or classes.

    Parameters
    ----------
    raw, ids : the rows as they were read, and the tower of each
    chosen : canonical name: column
    fills : numbers of masked fill values by tower (`records.build_records`)
    file : for errors
    """
    place = pd.DataFrame({k: raw[chosen[k]] for k in PLACE if k in chosen}).assign(site=ids).drop_duplicates()
    if (again := place["site"].duplicated(keep=False)).any():
        excerpt = place[again].sort_values("site").head(3).to_string(index=False)
        raise InputError("a tower has several places or classes", where=file, found=f"\n{excerpt}", todo="give one per site")
    for name, read_class in (("igbp", sites.igbp_class), ("koppen", sites.koppen_group)):
        if name in place:
            place[name] = [read_class(v) for v in place[name]]
    if "managed" in place:
        place["managed"] = place["managed"].replace("", None)
    return sites.site_table(place.assign(network="table").join(fills, on="site").to_dict("records"))
