"""Files of the ONEFlux processing (Pastorello et al. 2020, doi 10.1038/s41597-020-0534-3), as zip archives or loose CSV.

FLUXNET2015 and the newer FLUXNET products share their columns and differ in names of files and in where the metadata are.
"""

import io
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tamrl.carbon import FLUXES
from tamrl.errors import InputError
from tamrl.towers import archive, columns, records

_log = logging.getLogger(__name__)

MISSING = -9000
"""Values above are none of the fill values of ONEFlux."""

RESOLUTION = {"day": "DD", "month": "MM"}
SITE = r"(?P<site>[A-Za-z0-9]{2,}-[A-Za-z0-9]{1,10})"
_DATA = re.compile(rf"^[A-Za-z0-9]+_{SITE}_FLUXNET(?:2015)?_(?:FLUXMET|SUBSET|FULLSET)_(?P<step>DD|MM)_.+\.csv$")
_BIF = re.compile(rf"^[A-Za-z0-9]+_{SITE}_FLUXNET_BIF_.+\.csv$")


@dataclass(frozen=True)
class Product:
    """A tower's file: an archive, or a loose CSV."""

    site: str
    path: Path


def products(folder: Path, pattern: re.Pattern[str], step: records.Step) -> list[Product]:
    """The newest product of each tower among the files of a folder whose names match `pattern`, sorted by site.

    `pattern` has the groups `site` and, for rank, `kind` (FULLSET before SUBSET) and `version`; other files are logged.
    An archive may hold any step; a loose CSV is taken if it is of `step`.
    """
    found: dict[str, tuple[tuple, Path]] = {}
    for path in sorted(p for p in folder.glob("[!.]*") if p.suffix in (".zip", ".csv")):
        match = pattern.match(path.name)
        if not match or (path.suffix == ".csv" and not _is_data(path.name, step)):
            _log.info("%s: not of this network and step, left alone", path.name)
            continue
        site, rank = match["site"], _rank(match)
        if site in found:
            older = min((rank, path), found[site])
            _log.warning("%s: another file of %s is newer or fuller, left out", older[1].name, site)
        found[site] = max((rank, path), found.get(site, ((), path)))
    return [Product(site, path) for site, (_, path) in sorted(found.items())]


def _rank(match: re.Match[str]) -> tuple:
    """Later is better: newer version, fuller set, an archive before a loose file."""
    version = tuple(int(n) for n in re.findall(r"\d+", match["version"]))
    return version, match["kind"] != "SUBSET", match.string.endswith(".zip")


def read(
    product: Product, *, partitioning: columns.Partitioning, step: records.Step, drivers: columns.Drivers = "tower"
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, bytes] | None]:
    """Records of one tower, the fill values masked, and its metadata file (name and content) if the archive has one.

    Raises `InputError` if there is no file of the step or it lacks the columns, `UnitError` for impossible values.
    """
    content = _members(product, step)
    data = _one(content, product, step)
    where = f"{product.path} ({data})" if product.path.suffix == ".zip" else product.path
    table, fills = _table(content[data], product.site, partitioning=partitioning, step=step, drivers=drivers, where=where)
    metadata = next(((name, body) for name, body in content.items() if _BIF.match(_base(name))), None)
    return table, fills, metadata


def _base(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def _members(product: Product, step: records.Step) -> dict[str, bytes]:
    """Content of the files wanted, by name."""
    if product.path.suffix != ".zip":
        return {product.path.name: product.path.read_bytes()}

    def wanted(names: list[str]) -> list[str]:
        return [n for n in names if _is_data(n, step) or _BIF.match(_base(n))]

    return archive.read(product.path, wanted)


def _is_data(name: str, step: records.Step) -> bool:
    match = _DATA.match(_base(name))
    return bool(match) and match["step"] == RESOLUTION[step]


def _one(names: Iterable[str], product: Product, step: records.Step) -> str:
    """The only file of the step, which must be of the tower its archive is named after."""
    found = [n for n in names if _is_data(n, step)]
    if len(found) != 1:
        raise InputError(
            f"the archive must hold one file of {RESOLUTION[step]} data",
            where=product.path,
            found=", ".join(found) or "none",
            todo=f"fetch the product with the {step} files, or change time.step",
        )
    if (site := _DATA.match(_base(found[0]))["site"]) != product.site:
        raise InputError(f"the archive of {product.site} holds a file of {site}", where=product.path, found=found[0])
    return found[0]


def _table(
    content: bytes, site: str, *, partitioning: columns.Partitioning, step: records.Step, drivers: columns.Drivers, where: object
) -> tuple[pd.DataFrame, pd.DataFrame]:
    available = _header(content, where)
    mapping = _mapping(available, partitioning, drivers, where)
    constant = _constant_threshold(mapping, available)
    raw = _parse(content, {"TIMESTAMP", *mapping.values(), *constant.values()}, where)
    if constant and not (raw[mapping["nee"]] > MISSING).any() and (raw[constant["nee"]] > MISSING).any():
        _log.warning("%s: no NEE with a u* threshold per year, that with a constant threshold is taken", where)
        mapping |= constant
    return records.build(raw, mapping, site=site, date=raw["TIMESTAMP"], step=step, where=where)


def _header(content: bytes, where: object) -> list[str]:
    """Names of the columns; refuses a file that breaks off within a row."""
    lines = content.rstrip().split(b"\n", 1)
    names = [n.strip().strip('"') for n in lines[0].decode("utf-8-sig", errors="replace").split(",")]
    if "TIMESTAMP" not in names:
        raise InputError("no column TIMESTAMP", where=where, found=", ".join(names[:8]), todo="fetch the file again")
    if len(lines) < 2 or lines[1].rsplit(b"\n", 1)[-1].count(b",") != len(names) - 1:
        raise InputError("the file breaks off within a row", where=where, found=lines[-1][-60:], todo="fetch it again")
    return names


def _mapping(available: list[str], partitioning: columns.Partitioning, drivers: columns.Drivers, where: object) -> dict[str, str]:
    """Columns of the variables; a flux that only the other partitioning has is missing, not an error."""
    mapping = columns.choose(available, partitioning=partitioning, drivers=drivers)
    other = columns.choose(available, partitioning="DT" if partitioning == "NT" else "NT")
    columns.require(
        mapping | {n: c for n, c in other.items() if n in FLUXES}, (*FLUXES, columns.QC), available=available, where=where
    )
    for name in FLUXES:
        if name not in mapping:
            _log.warning("%s: no %s by %s partitioning, taken as missing", where, name, partitioning)
    return mapping


def _constant_threshold(mapping: dict[str, str], available: list[str]) -> dict[str, str]:
    """The same fluxes with one u* threshold for all years (CUT), if the file has them.

    Where the statistics of single years allow no threshold (VUT), the products hold these alone.
    """
    found = {n: c.replace("_VUT_", "_CUT_") for n, c in mapping.items() if n in (*FLUXES, columns.QC)}
    return found if set(found.values()) <= set(available) else {}


def _parse(content: bytes, names: set[str], where: object) -> pd.DataFrame:
    try:
        return pd.read_csv(io.BytesIO(content), usecols=lambda c: c.strip() in names, encoding="utf-8-sig").rename(
            columns=str.strip
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError("the file is no readable CSV", where=where, found=error, todo="fetch it again") from error
