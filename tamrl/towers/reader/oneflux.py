"""Files of the ONEFlux processing (Pastorello et al. 2020, doi 10.1038/s41597-020-0534-3), as zip archives or loose CSV.

FLUXNET2015, the newer FLUXNET products, files of the ICOS thematic centre and JapanFlux share their columns and differ in
names of files and in where the metadata are. Half hours and hours become days, and days months, where the step is not there.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd

from tamrl import files
from tamrl.carbon import FLUXES
from tamrl.errors import InputError
from tamrl.intake import border, completeness, text
from tamrl.towers.product import SITE_PATTERN, Product
from tamrl.towers.reader import aggregate, bif, clock, columns, records, zip_members
from tamrl.towers.sites import Site

_log = logging.getLogger(__name__)

MISSING = -9000
"""Values above it are valid; the fill values of ONEFlux lie below."""

SOURCES = {"day": ("DD", "HH", "HR"), "month": ("MM", "DD", "HH", "HR")}
"""Resolutions from which each step can be made, best first."""

KINDS = ("FULLSET", "FLUXMET", "COREVARS", "", "SUBSET", "ALLVARS")
"""Of several files of one resolution, the first of these is taken."""

_YEARS = re.compile(r"_(\d{4})-(\d{4})_")
"""First and last year that a name declares."""

_DATA = re.compile(
    rf"^[A-Za-z0-9]+_{SITE_PATTERN}_(?:FLUXNET(?:2015)?|JapanFLUX2024)_(?:(?P<kind>FLUXMET|SUBSET|FULLSET|COREVARS|ALLVARS)_)?"
    r"(?P<step>HH|HR|DD|MM)_.+\.csv$"
)
_BIF = re.compile(
    rf"^[A-Za-z0-9]+_{SITE_PATTERN}_(?:FLUXNET_BIF_|FLUXNET_BIFVARINFO_(?:DD|MM)_|SITEINFO_|JapanFLUX2024_(?:BADM|BIF)_).*\.(?:csv|xlsx)$"
)


def find_products(folder: Path, pattern: re.Pattern[str], step: records.Step) -> list[Product]:
    """List the newest product of each tower among the files of a folder whose names match `pattern`, sorted by site.

    `pattern` has the groups `site` and, for rank, `kind` (FULLSET before SUBSET) and `version`; other files are logged.
    An archive may have any step. A loose CSV must be of `step` or finer; the coarsest is taken.
    """
    newest: dict[str, tuple[tuple[object, ...], Path]] = {}
    for path in sorted(p for p in folder.glob("[!.]*") if p.suffix in (".zip", ".csv")):
        match = pattern.match(path.name)
        if not match or (path.suffix == ".csv" and _resolution(path.name) not in SOURCES[step]):
            if not _BIF.match(path.name):
                _log.info("%s: not of this network and step, left alone", path.name)
            continue
        site, rank = match["site"] or match["icos"], _rank(match, step)  # a pattern of two forms has two groups
        if site in newest:
            older = min((rank, path), newest[site])
            _log.warning("%s: another file of %s is newer, fuller or of the step itself, left out", older[1].name, site)
        newest[site] = max((rank, path), newest.get(site, ((), path)))
    return [Product(site, path) for site, (_, path) in sorted(newest.items())]


def _rank(match: re.Match[str], step: records.Step) -> tuple[object, ...]:
    """Rank a file: the larger, the better (newer version, fuller set, archive before loose file, coarser loose file)."""
    # no version: files of the ICOS thematic centre, which are older than the releases of all hubs; `beta` is a later one
    version = match["version"] or ""
    numbers = (version.startswith("beta"), *(int(n) for n in re.findall(r"\d+", version)))
    final = "INTERIM" not in match.string
    resolution = _resolution(match.string)
    coarse = -SOURCES[step].index(resolution) if resolution else 0
    return numbers, final, match["kind"] != "SUBSET", match.string.endswith(".zip"), coarse


def _resolution(name: str) -> str | None:
    match = _DATA.match(_base(name))
    return match["step"] if match else None


def read_oneflux(
    product: Product, how: records.RecordChoice, *, rename: Callable[[pd.DataFrame], pd.DataFrame] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame | None]:
    """Read the records of one tower with fill values masked, and its metadata (`bif.bif_sites`) if the archive has them.

    `rename` turns the columns of a format that differs into those of ONEFlux. The second table has, by site, `fills_targets`,
    `fills_drivers`, and `time_shift` (h) if the file has half hours, see `clock.clock_offset`.

    Raises `InputError` if there is no file to make the step from, it lacks the columns or ends before the last year of its
    name, `UnitError` for impossible values.
    """
    with border.reading("the archive cannot be read", where=product.path):
        return _read(product, _Reading(product.site, how, product.path, rename or (lambda frame: frame)))


def _read(product: Product, reading: "_Reading") -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame | None]:
    """Read a product as `read_oneflux` does."""
    packed, step = product.path.suffix == ".zip", reading.how.step
    names = zip_members.list_members(product.path) if packed else [product.path.name]
    data, resolution = _choose_file(names, product, step)
    reading = replace(reading, where=f"{product.path} ({data})") if packed else replace(reading, loose=product.path)
    content = partial(_opened, product, data)
    table, by_site = _table(content, reading, resolution)  # type: ignore[arg-type]  # typeshed: RawIOBase is not IO[bytes]
    _check_years(table["date"], (product.path.name, _base(data)), reading.where)
    if step == "month" and resolution != "MM":
        table = aggregate.monthly_records(table)
    tables = _metadata(product)
    rows = [bif.read_bif(body, where=f"{product.path} ({name})") for name, body in tables.items() if body.strip()]
    return table, by_site, bif.bif_sites(pd.concat(rows), where=product.path) if rows else None


def read_tower(
    product: Product,
    paths: list[Path],
    how: records.RecordChoice,
    *,
    network: str,
    metadata_inside: bool = True,
    rename: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> tuple[pd.DataFrame, Site]:
    """Records and site of one tower of a network.

    Parameters
    ----------
    paths : the folder of the archives, and the BIF table of many towers where it lies elsewhere
    metadata_inside : the metadata in the archive count first; else the BIF table alone
    rename : as `read_oneflux` takes it

    Raises `InputError` as `read_oneflux` does, and where no metadata have the coordinates of the tower.
    """
    shared = bif.shared_bif_path(paths)
    if shared is None and not metadata_inside:
        todo = f"put FLX_AA-Flx_BIF_LATEST.csv there, or set towers.{network}.bif"
        raise InputError("no BIF table", where=paths[0], todo=todo)
    table, by_site, metadata = read_oneflux(product, how, rename=rename)
    tables = [metadata if metadata_inside else None, bif.read_shared_bif(paths)]
    todo = f"set towers.{network}.bif to a BIF table that has them" if metadata_inside else "add it to the BIF table"
    row = bif.locate_site(tables, product.site, where=shared or product.path, todo=todo)
    return table, Site.from_row({**row, "network": network, **by_site.loc[product.site]})


@dataclass(frozen=True)
class _Reading:
    """Settings of the reading of one file."""

    site: str
    how: records.RecordChoice
    where: object
    rename: Callable[[pd.DataFrame], pd.DataFrame]
    loose: Path | None = None
    """Path of a file outside an archive, whose end must be checked."""


def _check_years(dates: pd.Series, names: Iterable[str], where: object) -> None:
    """Refuse rows that end before the last year that a name declares (files of ONEFlux hold whole years)."""
    declared = [(int(m[1]), int(m[2])) for m in map(_YEARS.search, names) if m]
    first, last = dates.min(), dates.max()
    for begin, end in declared:
        if last.year < end:
            raise InputError(
                f"the file is short: its name declares the years {begin} to {end}",
                where=where,
                found=f"the last row is of {last:%Y-%m-%d}",
                todo="fetch it again",
            )
        if first.year > begin:
            _log.warning("%s: the name declares years from %d on, the first row is of %s", where, begin, f"{first:%Y-%m-%d}")
            return


def _base(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1]


@contextmanager
def _opened(product: Product, name: str) -> Iterator[zip_members.CappedStream]:
    """A file of the product as a stream."""
    if product.path.suffix == ".zip":
        with zip_members.open_member(product.path, name) as stream:
            yield stream
    else:
        with open(product.path, "rb") as handle:
            yield zip_members.CappedStream(
                handle, cap=zip_members.MAX_BYTES, refusal=InputError("the file is too large", where=product.path)
            )


def _metadata(product: Product) -> dict[str, bytes]:
    """Read the tables of metadata, by name; they may lie beside a loose CSV."""
    if product.path.suffix == ".zip":
        return zip_members.read_members(product.path, lambda names: [n for n in names if _BIF.match(_base(n))])
    beside = [p for p in product.path.parent.glob(f"*_{product.site}_*") if _BIF.match(p.name)]
    return {p.name: files.verified(p).read_bytes() for p in sorted(beside)[:1]}


def _choose_file(names: Iterable[str], product: Product, step: records.Step) -> tuple[str, str]:
    """Return the coarsest file that gives the step, and its resolution; it must be of the archive's tower."""
    matches = {n: match for n in names if (match := _DATA.match(_base(n))) and match["step"] in SOURCES[step]}
    ranks = {n: (SOURCES[step].index(match["step"]), KINDS.index(match["kind"] or "")) for n, match in matches.items()}
    best = [n for n in matches if ranks[n] == min(ranks.values())]
    if len(best) != 1:
        raise InputError(
            f"the archive must hold one file of {' or '.join(SOURCES[step])} data",
            where=product.path,
            found=", ".join(best) or "none",
            todo=f"fetch the product with the {step} files, or change time.step",
        )
    if (site := matches[best[0]]["site"]) != product.site:
        raise InputError(f"the archive of {product.site} holds a file of {site}", where=product.path, found=best[0])
    return best[0], matches[best[0]]["step"]


def _table(content: text.Content, reading: _Reading, resolution: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Records of the file's own step, or days from half hours."""
    where = reading.where
    fine = resolution in ("HH", "HR")
    stamps = {aggregate.START, aggregate.END} if fine else {"TIMESTAMP"}
    available = text.read_header(content, where=where)
    if reading.loose:
        completeness.check_text_end(reading.loose)
    if lacking := sorted(stamps - set(available)):
        todo = "give a file of ONEFlux's columns"
        raise InputError(f"no column {' and '.join(lacking)}", where=where, found=", ".join(available[:8]), todo=todo)
    renamed = list(reading.rename(pd.DataFrame(columns=available)).columns)
    mapping = _mapping(renamed, reading)
    constant = mapping | _constant_threshold(mapping, renamed)
    mapping, constant = (chosen | _alternatives(renamed, chosen, reading, resolution) for chosen in (mapping, constant))
    keep = {*stamps, *mapping.values(), *constant.values(), *(clock.COLUMNS if fine else ())}
    names = {original for original, new in zip(available, renamed, strict=True) if new in keep}
    raw = reading.rename(text.read_columns(content, columns=available, wanted=names, texts=stamps, where=where))
    if constant != mapping and not (raw[mapping["nee"]] > MISSING).any() and (raw[constant["nee"]] > MISSING).any():
        _log.warning("%s: no NEE with a u* threshold per year, that with a constant threshold is taken", where)
        mapping = constant
    if not fine:
        step: records.Step = "month" if resolution == "MM" else "day"
        return records.build_records(raw, mapping, site=reading.site, date=raw["TIMESTAMP"], step=step, where=where)
    daily, fills = aggregate.daily_rows(raw, mapping, where=where)
    table, by_site = records.build_records(
        daily, mapping, site=reading.site, date=daily["TIMESTAMP"], step="day", where=where, made=True
    )
    return table, by_site.assign(**{k: by_site[k] + n for k, n in fills.items()}, time_shift=clock.clock_offset(raw, where=where))


def _mapping(available: list[str], reading: _Reading) -> dict[str, str]:
    """Columns of the variables; a flux that only the other partitioning has is missing, not an error."""
    partitioning, ustar = reading.how.partitioning, reading.how.ustar
    constant = {c.replace("_CUT_", "_VUT_"): c for c in available if "_CUT_" in c}
    if not any(c.startswith("NEE_VUT_") for c in available) and constant:
        _log.warning("%s: no NEE with a u* threshold per year, that with a constant threshold is taken", reading.where)
        constant_mapping = _mapping([c for c in [*available, *constant] if "_CUT_" not in c], reading)
        return {name: constant.get(column, column) for name, column in constant_mapping.items()}
    mapping = columns.map_columns(available, partitioning=partitioning, ustar=ustar)
    other = columns.map_columns(available, partitioning=columns.OTHER[partitioning], ustar=ustar)
    columns.require_columns(
        mapping | {n: c for n, c in other.items() if n in FLUXES},
        (*FLUXES, columns.QC),
        available=available,
        where=reading.where,
        ustar=ustar,
    )
    for name in FLUXES:
        if name not in mapping:
            _log.warning("%s: no %s by %s partitioning, taken as missing", reading.where, name, partitioning)
    return mapping


def _alternatives(available: list[str], mapping: dict[str, str], reading: _Reading, resolution: str) -> dict[str, str]:
    """Columns of the alternatives to the fluxes of `mapping`, of the same kind of threshold.

    Percentiles are of the file's own step alone: the mean of percentiles of half hours is no percentile of days.
    """
    as_stated = resolution == SOURCES[reading.how.step][0]
    kinds = [kind for kind in reading.how.alternatives if as_stated or kind != "ustar"]
    kind = "_CUT_" if "_CUT_" in mapping["nee"] else "_VUT_"
    alike = {column.replace(kind, "_VUT_"): column for column in available if kind in column}
    mapped = columns.map_alternatives(alike, kinds, partitioning=reading.how.partitioning, ustar=reading.how.ustar)
    return {name: alike[column] for name, column in mapped.items()}


def _constant_threshold(mapping: dict[str, str], available: list[str]) -> dict[str, str]:
    """Return the columns of the same fluxes with one u* threshold for all years (CUT), if the file has all of them."""
    constant = {n: c.replace("_VUT_", "_CUT_") for n, c in mapping.items() if n in (*FLUXES, columns.QC)}
    return constant if set(constant.values()) <= set(available) else {}
