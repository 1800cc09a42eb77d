"""Snapshots of the FLUXNET shuttle: which archives there are, which are wanted, and whether what arrives is whole.

A snapshot is the table that `fluxnet-shuttle listall` writes: one row a tower with its link, its product's name and citation.
A row that cannot be used is set aside with its line and reason; what is no snapshot at all is refused.
"""

import base64
import csv
import io
import logging
import math
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from tamrl import contracts, escaping, files
from tamrl.errors import ConfigError, DownloadError, InputError, near
from tamrl.intake import border, zips
from tamrl.towers.reader import zip_members
from tamrl.web.addresses import redacted

_log = logging.getLogger(__name__)

COMMAND = "fluxnet-shuttle"
COLUMNS = (
    "site_id", "location_lat", "location_long", "igbp", "first_year", "last_year", "download_link", "fluxnet_product_name",
    "product_citation", "product_id",
)  # fmt: skip
LARGEST = 64 << 20
"""Bytes of a snapshot: one of 767 towers has 1 MB."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,190}\.zip")
_TODO = f"make one with {COMMAND} listall"
_YEAR = re.compile(r"\s*(\d{4})(?:\.0*)?\s*")


def read_usable_rows(path: Path) -> pd.DataFrame:
    """The rows that can be used, as text; the others are logged with their reasons.

    Raises `InputError` if the file is no snapshot, or if no row can be used.
    """
    frame = read_snapshot(path)
    usable = frame["odd"] == ""
    for reason in frame.loc[~usable, "odd"]:
        _log.warning("%s: %s", path, reason)
    if not usable.any():
        raise InputError("no row of the snapshot can be used", where=path, found=frame["odd"].iloc[0], todo=_TODO)
    return frame[usable].drop(columns="odd").reset_index(drop=True)


def read_snapshot(path: Path) -> pd.DataFrame:
    """All rows as text, with a column `odd`: why a row cannot be used, empty where it can.

    Of an odd row, a site id or name of a product that could do harm is replaced (`unknown`, `row-17`).

    Raises
    ------
    InputError
        If the file is empty, a web page, has no rows or lacks a column; names the file.
    """
    with border.reading("the snapshot cannot be read", where=path, todo=_TODO):
        if path.stat().st_size > LARGEST:
            raise InputError("the snapshot is too large", where=path, found=f"{path.stat().st_size} bytes", todo=_TODO)
        lines = _lines(path.read_bytes().decode("utf-8-sig"), path)
        names = [name.strip() for name in lines[0][1]]
        if missing := [c for c in COLUMNS if c not in names]:
            listed = ", ".join(names[:8])[:200]
            raise InputError(f"the snapshot lacks {', '.join(missing)}", where=path, found=listed, todo=_TODO)
        if len(set(names)) < len(names):
            raise InputError("a column stands twice in the snapshot", where=path, found=", ".join(names), todo=_TODO)
        if len(lines) == 1:
            raise InputError("the snapshot lists no tower", where=path, found="a header alone", todo=_TODO)
        rows = [dict(zip(names, (*map(escaping.one_line, values), *[""] * len(names)), strict=False)) for _, values in lines[1:]]
        odd = [_odd(row, len(values), len(names)) for row, (_, values) in zip(rows, lines[1:], strict=True)]
        frame = pd.DataFrame(rows, columns=names, dtype=str).assign(odd=odd, line=[number for number, _ in lines[1:]])
        again = frame.loc[frame["odd"] == "", "fluxnet_product_name"].duplicated()
        frame.loc[again[again].index, "odd"] = "the archive stands in a row before"
        return _named(frame)


def _lines(text: str, path: Path) -> list[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of its last line; the first is the header.

    A quotation mark that is not closed swallows the rows after it: these are then read line by line.
    """
    if not text.strip():
        raise InputError("the snapshot is empty", where=path, found=f"{len(text)} characters", todo=_TODO)
    if text.lstrip().startswith("<"):
        raise InputError("the snapshot is a web page", where=path, found=text.lstrip()[:60], todo=_TODO)
    physical = list(io.StringIO(text, newline=""))
    reader, begin, lines, width = csv.reader(physical), 0, [], None
    for row in reader:
        width = width or len(row)
        singly = [(begin + k + 1, next(csv.reader([line]), [])) for k, line in enumerate(physical[begin : reader.line_num])]
        swallowed = len(singly) > 1 and (len(row) != width or any(len(values) == width for _, values in singly[1:]))
        lines += singly if swallowed else [(reader.line_num, row)]
        begin = reader.line_num
    return [(number, row) for number, row in lines if any(value.strip() for value in row)]


def _odd(row: Mapping[str, str], count: int, expected: int) -> str:
    """Why a row cannot be used; empty if it can. Coordinates may be blank, as archives have their own."""
    if count != expected:
        return f"{count} fields instead of {expected}"
    if not re.fullmatch(contracts.SITE, row["site_id"]):
        return f"site_id {row['site_id']!r} is no site id"
    if not _NAME.fullmatch(row["fluxnet_product_name"]):
        return f"fluxnet_product_name {row['fluxnet_product_name']!r} is no name of a zip archive"
    if fault := _link_fault(row["download_link"]):
        return f"download_link {redacted(row['download_link'])!r:.200} {fault}"
    for column, most in (("location_lat", 90), ("location_long", 180)):
        number = pd.to_numeric(row[column].strip() or "0", errors="coerce")
        if not abs(number) <= most:
            return f"{column} {row[column]!r} is no coordinate"
    return ""


def _link_fault(text: str) -> str:
    """Why a link cannot be used; empty if it can."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", text)
    except ValueError:  # brackets or a port that cannot be
        good = False
    if not good:
        return "is no web address"
    return "holds a login" if "@" in parts.netloc else ""


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Odd rows with their line in the reason, and under names that can do no harm."""
    odd = frame["odd"] != ""
    line = "row-" + frame["line"].astype(str)
    frame["odd"] = frame["odd"].where(~odd, "line " + frame["line"].astype(str) + " of the snapshot: " + frame["odd"])
    safe = frame["fluxnet_product_name"].str.fullmatch(_NAME) & ~(odd & frame["fluxnet_product_name"].duplicated(keep=False))
    frame["fluxnet_product_name"] = frame["fluxnet_product_name"].where(safe, line)
    frame["site_id"] = frame["site_id"].where(frame["site_id"].str.fullmatch(contracts.SITE), "unknown")
    return frame.drop(columns="line")


def select_rows(
    frame: pd.DataFrame,
    *,
    countries: Sequence[str] = (),
    classes: Sequence[str] = (),
    sites: Sequence[str] = (),
    years: tuple[int, int] | None = None,
    where: object,
) -> pd.DataFrame:
    """The rows wanted; an empty condition holds for all.

    Parameters
    ----------
    countries : first part of the site id, such as `DE`
    classes : IGBP
    sites : site ids; one that is not there is an error
    years : first and last; a tower must have measured in one of them, and one without years is left out and logged
    """
    if absent := [s for s in sites if s not in set(frame["site_id"])]:
        raise ConfigError(f"no tower {absent[0]} in the snapshot", where=where, todo=near(absent[0], frame["site_id"]))
    holds = pd.Series(True, index=frame.index)
    for wanted, values in (
        (countries, frame["site_id"].str.split("-").str[0]),
        (classes, frame["igbp"]),
        (sites, frame["site_id"]),
    ):
        holds &= values.isin(wanted) if wanted else True
    if years:
        first, last = (frame[c].map(_year).astype(float) for c in ("first_year", "last_year"))
        if len(silent := frame.loc[holds & (first.isna() | last.isna()), "site_id"]):
            _log.warning("%d towers without years are left out: %s", len(silent), ", ".join(silent))
        holds &= (first <= years[1]) & (last >= years[0])
    if not holds.any():
        counted = f"{len(frame)} towers"
        raise ConfigError("no tower of the snapshot is wanted", where=where, found=counted, todo="ask for less in towers.shuttle")
    return frame[holds].reset_index(drop=True)


def _year(text: str) -> float:
    """A year, also as `2010.0`; missing if the text is none."""
    match = _YEAR.fullmatch(text)
    return float(match[1]) if match else math.nan


def make_snapshot(folder: Path) -> Path:
    """A new snapshot by the command `fluxnet-shuttle`.

    Raises `ConfigError` if it is not installed, `DownloadError` if it fails.
    """
    program = shutil.which(COMMAND)
    if program is None:
        raise ConfigError(
            f"the command {COMMAND} is not installed",
            where="towers.shuttle.refresh",
            todo="pip install git+https://github.com/fluxnet/shuttle.git, or set towers.shuttle.snapshot to a snapshot",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with border.reading(f"{COMMAND} listall cannot be run", where=program, error=DownloadError):
        done = subprocess.run(
            [program, "listall", "-o", str(folder)], capture_output=True, text=True, errors="replace", check=False, cwd=folder
        )
    snapshots = sorted(folder.glob("fluxnet_shuttle_snapshot_*.csv"))
    if done.returncode or not snapshots:
        raise DownloadError(f"{COMMAND} listall failed", where=folder, found=(done.stderr or done.stdout)[-500:])
    return snapshots[-1]


def verify_archive(path: Path, row: pd.Series) -> str:
    """SHA-256 of an archive that is whole; raises `DownloadError` if it is not.

    A snapshot has no checksums of its own, but ids of ICOS are one: the first 18 bytes of the SHA-256. A column `sha256`, where
    a snapshot has one, counts as well. For all others the checksums within the zip must hold.
    """
    asked = "what arrived is no whole zip archive"
    with border.reading(asked, where=path.name, error=DownloadError):
        digest = files.checksum(path)
        start = row.get("sha256") or _icos(row["product_id"])
        if start and not digest.startswith(start):
            expected = f"expected {start}…"
            raise DownloadError("the archive is not what its checksum says", where=path.name, found=digest, todo=expected)
        try:
            broken = zips.damaged_member(path, ratio=zip_members.MAX_RATIO, where=path.name)
        except InputError as error:
            fault = "; ".join(str(part) for part in (error.asked, error.found) if part)
            raise DownloadError(asked, where=path.name, found=fault, todo=error.todo) from error
    if broken:
        raise DownloadError("what arrived is damaged", where=path.name, found=f"checksum of {broken}")
    return digest


def _icos(product_id: str) -> str:
    """Start of the SHA-256 (hexadecimal) that an ICOS id holds; empty for ids of other hubs."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{24}", product_id):
        return ""
    return base64.urlsafe_b64decode(product_id).hex()
