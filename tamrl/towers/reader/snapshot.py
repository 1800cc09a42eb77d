"""Snapshots of the FLUXNET shuttle: available archives, their selection, and the check of an archive after its download.

A snapshot is the table that `fluxnet-shuttle listall` writes: one row per tower with link, name of the product and citation.
A row that cannot be used is set aside with its line and reason; a file that is no snapshot is refused.
"""

import base64
import csv
import io
import logging
import math
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from tamrl import contracts, escaping, files
from tamrl.errors import ConfigError, DownloadError, InputError, OutageError, TamrlError, near
from tamrl.intake import border, zips
from tamrl.towers.reader import zip_members
from tamrl.web.addresses import redacted

_log = logging.getLogger(__name__)

COMMAND, LISTS = "fluxnet-shuttle", "fluxnet_shuttle_snapshot_*.csv"
HUBS = ("AmeriFlux", "ICOS", "TERN")
"""Hubs that every whole list has."""
SHRINK = 0.05
"""Share of the towers of a hub by which it may shrink from one list to the next: archives of a few are replaced each week."""
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
    """Read the usable rows as text; the others are logged with their reasons.

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
    """Read all rows as text, with a column `odd`: the reason why a row cannot be used, or an empty text.

    In odd rows, site ids and product names that could do harm are replaced (`unknown`, `row-17`). Raises `InputError` if the
    file is empty, a web page, has no rows or lacks a column.
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
    """Return the rows that are not blank, the header first, each with the number of its last line.

    An open quotation mark swallows the rows after it; these are then read line by line.
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
    """Return why a row cannot be used; empty if it can. Coordinates may be blank, because archives have their own."""
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
    """Return why a link cannot be used; empty if it can."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", text)
    except ValueError:  # brackets or a port that cannot be
        good = False
    if not good:
        return "is no web address"
    return "holds a login" if "@" in parts.netloc else ""


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the line to the reasons of odd rows, and replace names that could do harm."""
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
    """Select rows; an empty condition holds for all.

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
    """Parse a year, also as `2010.0`; NaN if the text is none."""
    match = _YEAR.fullmatch(text)
    return float(match[1]) if match else math.nan


def refresh_snapshot(folder: Path, reference: Path | None = None) -> Path:
    """Make a snapshot, and refuse one that lacks towers of a hub: the command ends well although a hub did not answer.

    Raise `OutageError` if a hub of `HUBS` is absent, or a hub of the list before is absent or shrank by more than `SHRINK`; the
    list is renamed then, so that no later one is compared with it. Other errors: those of `make_snapshot` and `read_snapshot`.

    Parameters
    ----------
    folder : folder of the snapshots made so far, the newest of which is compared with
    reference : snapshot to compare with where the folder holds none
    """
    before = max(folder.glob(LISTS), default=reference)
    path = make_snapshot(folder)
    refused = path.with_name(f"refused_{path.name}")
    try:
        hubs, earlier = count_hubs(path), count_hubs(before) if before and before != path else Counter[str]()
    except TamrlError:
        path.rename(refused)
        raise
    _log.info("%s: %s", path, ", ".join(f"{count} towers of {hub}" for hub, count in hubs.items()))
    lost = [f"{hub}: none of {earlier[hub] or 'its'} towers" for hub in {*HUBS, *earlier} if not hubs[hub]]
    lost += [f"{hub}: {hubs[hub]} of {n} towers" for hub, n in earlier.items() if 0 < hubs[hub] < (1 - SHRINK) * n]
    if lost:
        path.rename(refused)
        asked, compared = "the new list of the shuttle lacks towers of a hub", f", compared with {before}" if before else ""
        todo = (
            "run again later: a hub may not have answered; if these towers are gone for good, set towers.shuttle.snapshot to it"
        )
        raise OutageError(asked, where=f"{refused}{compared}", found="; ".join(sorted(lost)), todo=todo)
    return path


def count_hubs(path: Path) -> Counter[str]:
    """Number of towers of each hub, from the column `data_hub`, else the first part of the names of archives."""
    frame = read_snapshot(path)
    hubs = frame["data_hub"] if "data_hub" in frame else frame["fluxnet_product_name"].str.split("_").str[0]
    return Counter(hubs[frame["odd"] == ""])


def require_pinned(path: Path, sha256: str | None) -> None:
    """Raise `ConfigError` if a snapshot is not the one whose SHA-256 is given."""
    digest = files.checksum(path)
    if sha256 and digest != sha256.lower():
        todo = "take the snapshot that was pinned, or pin this one"
        raise ConfigError("the snapshot is not the one of towers.shuttle.sha256", where=path, found=digest, todo=todo)
    _log.info("%s has the SHA-256 %s", path, digest)


def make_snapshot(folder: Path) -> Path:
    """Make a snapshot by the command `fluxnet-shuttle`; raise `ConfigError` if that is absent, `DownloadError` if it fails."""
    program = shutil.which(COMMAND)
    if program is None:
        raise ConfigError(
            f"the command {COMMAND} is not installed",
            where="towers.shuttle.refresh",
            todo="pip install git+https://github.com/fluxnet/shuttle.git, or set towers.shuttle.snapshot to a snapshot",
        )
    folder.mkdir(parents=True, exist_ok=True)
    before = {path: path.stat().st_mtime_ns for path in folder.glob(LISTS)}
    with border.reading(f"{COMMAND} listall cannot be run", where=program, error=DownloadError):
        done = subprocess.run(
            [program, "listall", "-o", str(folder)], capture_output=True, text=True, errors="replace", check=False, cwd=folder
        )
    snapshots = sorted(path for path in folder.glob(LISTS) if before.get(path) != path.stat().st_mtime_ns)
    if done.returncode or not snapshots:
        raise DownloadError(f"{COMMAND} listall failed", where=folder, found=(done.stderr or done.stdout)[-500:])
    return snapshots[-1]


def verify_archive(path: Path, row: pd.Series) -> str:
    """Return the SHA-256 of a complete archive; raise `DownloadError` for others.

    Product ids of ICOS are the first 18 bytes of the SHA-256, and a snapshot may have a column `sha256`. The checksums inside the
    zip must hold in any case.
    """
    asked = "what arrived is no whole zip archive"
    with border.reading(asked, where=path.name, error=DownloadError):
        digest = files.checksum(path)
        of_icos = re.fullmatch(r"[A-Za-z0-9_-]{24}", row["product_id"])
        start = row.get("sha256") or (base64.urlsafe_b64decode(of_icos[0]).hex() if of_icos else "")
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
