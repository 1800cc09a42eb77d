"""Files of the ONEFlux processing (Pastorello et al. 2020, doi 10.1038/s41597-020-0534-3), as zip archives or loose CSV.

FLUXNET2015, the newer FLUXNET products, files of the ICOS thematic centre and JapanFlux share their columns and differ in
names of files and in where the metadata are. Half hours and hours become days, and days months, where the step is not there.
"""

import io
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from tamrl.carbon import FLUXES
from tamrl.errors import InputError
from tamrl.towers import aggregate, archive, bif, columns, records, shift

_log = logging.getLogger(__name__)

MISSING = -9000
"""Values above are none of the fill values of ONEFlux."""

SOURCES = {"day": ("DD", "HH", "HR"), "month": ("MM", "DD", "HH", "HR")}
"""Resolutions from which a step can be had, best first."""

KINDS = ("FULLSET", "FLUXMET", "COREVARS", "", "SUBSET", "ALLVARS")
"""Of several files of one resolution, the first of these is taken."""

CITATION = {
    "title": "The FLUXNET2015 dataset and the ONEFlux processing pipeline for eddy covariance data",
    "author": "Pastorello, Gilberto and others",
    "year": "2020",
    "doi": "10.1038/s41597-020-0534-3",
}
"""The publication of the format, which the networks of such archives share."""

SITE = r"(?P<site>[A-Za-z0-9]{2,}-[A-Za-z0-9]{1,10})"
_LINE = 1 << 16
"""Bytes of the first line at most, and read at once."""

Content = Callable[[], AbstractContextManager[archive.Capped]]
"""Opens a file as a stream."""

_DATA = re.compile(
    rf"^[A-Za-z0-9]+_{SITE}_(?:FLUXNET(?:2015)?|JapanFLUX2024)_(?:(?P<kind>FLUXMET|SUBSET|FULLSET|COREVARS|ALLVARS)_)?"
    r"(?P<step>HH|HR|DD|MM)_.+\.csv$"
)
_BIF = re.compile(
    rf"^[A-Za-z0-9]+_{SITE}_(?:FLUXNET_BIF_|FLUXNET_BIFVARINFO_(?:DD|MM)_|SITEINFO_|JapanFLUX2024_(?:BADM|BIF)_).*\.(?:csv|xlsx)$"
)


@dataclass(frozen=True)
class Product:
    """A tower's file: an archive, or a loose CSV."""

    site: str
    path: Path
    listed: tuple[str, ...] = ()
    """What a list of products says of it, where its reading depends on that."""
    reason: str = ""
    """Why it cannot be read, where that is known beforehand."""


def products(folder: Path, pattern: re.Pattern[str], step: records.Step) -> list[Product]:
    """The newest product of each tower among the files of a folder whose names match `pattern`, sorted by site.

    `pattern` has the groups `site` and, for rank, `kind` (FULLSET before SUBSET) and `version`; other files are logged.
    An archive may hold any step; a loose CSV is taken if it is of `step` or finer, the coarsest first.
    """
    found: dict[str, tuple[tuple, Path]] = {}
    for path in sorted(p for p in folder.glob("[!.]*") if p.suffix in (".zip", ".csv")):
        match = pattern.match(path.name)
        if not match or (path.suffix == ".csv" and _resolution(path.name) not in SOURCES[step]):
            if not _BIF.match(path.name):
                _log.info("%s: not of this network and step, left alone", path.name)
            continue
        site, rank = _site(match), _rank(match, step)
        if site in found:
            older = min((rank, path), found[site])
            _log.warning("%s: another file of %s is newer, fuller or of the step itself, left out", older[1].name, site)
        found[site] = max((rank, path), found.get(site, ((), path)))
    return [Product(site, path) for site, (_, path) in sorted(found.items())]


def _site(match: re.Match[str]) -> str:
    """The tower; a pattern of several forms has it under several names."""
    return match["site"] or match["icos"]


def _rank(match: re.Match[str], step: records.Step) -> tuple:
    """Later is better: newer version, fuller set, an archive before a loose file, a coarser loose file."""
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


def read(
    product: Product,
    *,
    partitioning: columns.Partitioning,
    step: records.Step,
    drivers: columns.Drivers = "tower",
    ustar: columns.Ustar = "REF",
    rename: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame | None]:
    """Records of one tower, the fill values masked, and its metadata (`bif.places`) if the archive has them.

    Parameters
    ----------
    ustar : which u* threshold, see `columns.choose`
    rename : turns the file's own columns into those of ONEFlux, for formats that differ

    Returns
    -------
    records : DataFrame
    by_site : DataFrame by site
        `fills_targets`, `fills_drivers`, and `time_shift` (h) where the file has half hours, see `shift.hours`.
    metadata : DataFrame or None

    Raises `InputError` if there is no file to make the step from or it lacks the columns, `UnitError` for impossible values.
    """
    names = archive.names(product.path) if product.path.suffix == ".zip" else [product.path.name]
    data = _one(names, product, step)
    where = f"{product.path} ({data})" if product.path.suffix == ".zip" else product.path
    reading = _Reading(product.site, partitioning, drivers, ustar, where, rename or (lambda frame: frame))
    resolution = _resolution(data)
    table, by_site = _table(partial(_opened, product, data), reading, resolution)
    if step == "month" and resolution != "MM":
        table = aggregate.months(table)
    found = _metadata(product)
    rows = [bif.read(body, where=f"{product.path} ({name})") for name, body in found.items() if body.strip()]
    return table, by_site, bif.places(pd.concat(rows), where=product.path) if rows else None


@dataclass(frozen=True)
class _Reading:
    """What does not change while one file is read."""

    site: str
    partitioning: columns.Partitioning
    drivers: columns.Drivers
    ustar: columns.Ustar
    where: object
    rename: Callable[[pd.DataFrame], pd.DataFrame]


def _base(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1]


@contextmanager
def _opened(product: Product, name: str) -> Iterator[archive.Capped]:
    """A file of the product as a stream."""
    if product.path.suffix == ".zip":
        with archive.opened(product.path, name) as stream:
            yield stream
    else:
        with open(product.path, "rb") as handle:
            yield archive.Capped(handle, cap=archive.MAX_BYTES, refusal=InputError("the file is too large", where=product.path))


def _metadata(product: Product) -> dict[str, bytes]:
    """Contents of the tables of metadata, by name; they may lie beside a loose CSV."""
    if product.path.suffix == ".zip":
        return archive.read(product.path, lambda names: [n for n in names if _BIF.match(_base(n))])
    beside = [p for p in product.path.parent.glob(f"*_{product.site}_*") if _BIF.match(p.name)]
    return {p.name: p.read_bytes() for p in sorted(beside)[:1]}


def _one(names: Iterable[str], product: Product, step: records.Step) -> str:
    """The file to read: the coarsest from which the step can be had; it must be of the tower its archive is named after."""
    found = [n for n in names if _resolution(n) in SOURCES[step]]
    ranks = {n: (SOURCES[step].index(_resolution(n)), KINDS.index(_DATA.match(_base(n))["kind"] or "")) for n in found}
    best = [n for n in found if ranks[n] == min(ranks.values())]
    if len(best) != 1:
        raise InputError(
            f"the archive must hold one file of {' or '.join(SOURCES[step])} data",
            where=product.path,
            found=", ".join(best) or "none",
            todo=f"fetch the product with the {step} files, or change time.step",
        )
    if (site := _DATA.match(_base(best[0]))["site"]) != product.site:
        raise InputError(f"the archive of {product.site} holds a file of {site}", where=product.path, found=best[0])
    return best[0]


def _table(content: Content, reading: _Reading, resolution: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Records of the file's own step, or days from half hours."""
    where = reading.where
    fine = resolution in ("HH", "HR")
    available = _header(content, where, aggregate.START if fine else "TIMESTAMP")
    renamed = list(reading.rename(pd.DataFrame(columns=available)).columns)
    mapping = _mapping(renamed, reading)
    constant = _constant_threshold(mapping, renamed)
    stamps = {aggregate.START, aggregate.END} if fine else {"TIMESTAMP"}
    keep = {*stamps, *mapping.values(), *constant.values(), *(shift.COLUMNS if fine else ())}
    names = {own for own, new in zip(available, renamed, strict=True) if new in keep}
    raw = reading.rename(_parse(content, names, len(available), where))
    if constant and not (raw[mapping["nee"]] > MISSING).any() and (raw[constant["nee"]] > MISSING).any():
        _log.warning("%s: no NEE with a u* threshold per year, that with a constant threshold is taken", where)
        mapping |= constant
    step = "month" if resolution == "MM" else "day"
    if not fine:
        return records.build(raw, mapping, site=reading.site, date=raw["TIMESTAMP"], step=step, where=where)
    daily, fills = aggregate.days(raw, mapping, where=where)
    table, by_site = records.build(daily, mapping, site=reading.site, date=daily["TIMESTAMP"], step=step, where=where)
    return table, by_site.assign(**{k: by_site[k] + n for k, n in fills.items()}, time_shift=shift.hours(raw, where=where))


def _header(content: Content, where: object, stamp: str) -> list[str]:
    """Names of the columns, as they stand in the first line."""
    with content() as stream:
        first = io.BufferedReader(stream, _LINE).readline(_LINE)
    names = [n.strip().strip('"') for n in first.decode("utf-8-sig", errors="replace").split(",")]
    if stamp not in names:
        raise InputError(f"no column {stamp}", where=where, found=", ".join(names[:8]), todo="fetch the file again")
    return names


def _mapping(available: list[str], reading: _Reading) -> dict[str, str]:
    """Columns of the variables; a flux that only the other partitioning has is missing, not an error."""
    partitioning, drivers, ustar = reading.partitioning, reading.drivers, reading.ustar
    constant = {c.replace("_CUT_", "_VUT_"): c for c in available if "_CUT_" in c}
    if not any(c.startswith("NEE_VUT_") for c in available) and constant:
        _log.warning("%s: no NEE with a u* threshold per year, that with a constant threshold is taken", reading.where)
        found = _mapping([c for c in [*available, *constant] if "_CUT_" not in c], reading)
        return {name: constant.get(column, column) for name, column in found.items()}
    mapping = columns.choose(available, partitioning=partitioning, drivers=drivers, ustar=ustar)
    other = columns.choose(available, partitioning="DT" if partitioning == "NT" else "NT", ustar=ustar)
    columns.require(
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


def _constant_threshold(mapping: dict[str, str], available: list[str]) -> dict[str, str]:
    """The same fluxes with one u* threshold for all years (CUT), if the file has them.

    Where the statistics of single years allow no threshold (VUT), the products hold these alone.
    """
    found = {n: c.replace("_VUT_", "_CUT_") for n, c in mapping.items() if n in (*FLUXES, columns.QC)}
    return found if set(found.values()) <= set(available) else {}


def _parse(content: Content, names: set[str], count: int, where: object) -> pd.DataFrame:
    """The columns wanted, read as a stream; refuses a file without rows or that breaks off within one of its `count` values."""
    try:
        with content() as stream:
            frame = pd.read_csv(io.BufferedReader(stream, _LINE), usecols=lambda c: c.strip() in names, encoding="utf-8-sig")
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError("the file is no readable CSV", where=where, found=error, todo="fetch it again") from error
    last = stream.tail.rstrip().rsplit(b"\n", 1)[-1]
    if last.count(b",") != count - 1 or frame.empty:
        raise InputError("the file breaks off within a row", where=where, found=last[-60:], todo="fetch it again")
    return frame.rename(columns=str.strip)
