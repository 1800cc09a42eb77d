"""Snapshots of the FLUXNET shuttle: which archives there are, which are wanted, and whether what arrives is whole.

A snapshot is the table that `fluxnet-shuttle listall` writes: one row a tower with its link, its product's name and citation.
"""

import base64
import logging
import re
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tamrl import files
from tamrl.errors import ConfigError, DownloadError, InputError, near

_log = logging.getLogger(__name__)

COMMAND = "fluxnet-shuttle"
COLUMNS = (
    "site_id", "location_lat", "location_long", "igbp", "first_year", "last_year", "download_link", "fluxnet_product_name",
    "product_citation", "product_id",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.zip")


def read(path: Path) -> pd.DataFrame:
    """All rows as text; refuses a table of something else, and names or links that could do harm."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    if missing := [c for c in COLUMNS if c not in frame]:
        found = ", ".join(frame.columns[:8])
        raise InputError(
            f"the snapshot lacks {', '.join(missing)}", where=path, found=found, todo=f"make one with {COMMAND} listall"
        )
    safe = frame["fluxnet_product_name"].map(lambda n: bool(_NAME.fullmatch(n)))
    safe &= frame["download_link"].str.match(r"https?://")
    if not safe.all():
        row = frame[~safe].iloc[0]
        found = f"{row['fluxnet_product_name']} {row['download_link']}"
        raise InputError("a row of the snapshot cannot be used", where=path, found=found, todo="remove it")
    if (again := frame["fluxnet_product_name"].duplicated()).any():
        raise InputError(
            "an archive stands twice in the snapshot", where=path, found=frame["fluxnet_product_name"][again].iloc[0]
        )
    return frame


def choose(
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
    years : first and last; a tower must have measured in one of them
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
        holds &= (frame["first_year"].astype(int) <= years[1]) & (frame["last_year"].astype(int) >= years[0])
    if not holds.any():
        found = f"{len(frame)} towers"
        raise ConfigError("no tower of the snapshot is wanted", where=where, found=found, todo="ask for less in towers.shuttle")
    return frame[holds].reset_index(drop=True)


def refresh(folder: Path) -> Path:
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
    done = subprocess.run([program, "listall", "-o", str(folder)], capture_output=True, text=True, check=False, cwd=folder)
    found = sorted(folder.glob("fluxnet_shuttle_snapshot_*.csv"))
    if done.returncode or not found:
        raise DownloadError(f"{COMMAND} listall failed", where=folder, found=(done.stderr or done.stdout)[-500:])
    return found[-1]


def check(path: Path, row: pd.Series) -> str:
    """SHA-256 of an archive that is whole; raises `DownloadError` if it is not.

    A snapshot has no checksums of its own, but ids of ICOS are one: the first 18 bytes of the SHA-256. A column `sha256`, where
    a snapshot has one, counts as well. For all others the checksums within the zip must hold.
    """
    digest = files.checksum(path)
    start = row.get("sha256") or _icos(row["product_id"])
    if start and not digest.startswith(start):
        raise DownloadError("the archive is not what its checksum says", where=path.name, found=digest, todo=f"expected {start}…")
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise DownloadError("what arrived is no whole zip archive", where=path.name, found=error) from error
    if broken:
        raise DownloadError("what arrived is damaged", where=path.name, found=f"checksum of {broken}")
    return digest


def _icos(product_id: str) -> str:
    """Start of the SHA-256 (hexadecimal) that an ICOS id holds; empty for ids of other hubs."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{24}", product_id):
        return ""
    return base64.urlsafe_b64decode(product_id).hex()
