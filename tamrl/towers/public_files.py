"""Download public files and check their SHA-256; complete files are not downloaded again."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import pandas as pd

from tamrl import files, temporary
from tamrl.errors import DownloadError, InputError, MachineError, OutageError, near
from tamrl.intake import border
from tamrl.log import progress
from tamrl.web import download
from tamrl.web.addresses import holds_login

SOURCES = Path(__file__).parents[1] / "data/sources.tsv"
"""Table of the public files that come with the package."""

COLUMNS = ("dataset", "file", "url", "sha256")
AT_ONCE = 4
LARGEST = 64 << 20
"""Bytes of a table: one with 200 files has 50 kB."""


def read_sources(path: Path, dataset: str) -> pd.DataFrame:
    """Read the rows of one data set from the table of sources (dataset, file, url, sha256; tab separated).

    Raises `InputError` if there are none, or if a row could write outside of its folder, has no checksum or no web address.
    """
    with border.reading("the table of sources cannot be read", where=path, todo=f"give a table of {'; '.join(COLUMNS)}"):
        if path.stat().st_size > LARGEST:
            raise InputError("the table of sources is too large", where=path, found=f"{path.stat().st_size} bytes")
        frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, comment="#").fillna("")
    if list(frame.columns) != list(COLUMNS):
        raise InputError("the table of sources has other columns", where=path, found=list(frame.columns), todo="; ".join(COLUMNS))
    rows = frame[frame["dataset"] == dataset].reset_index(drop=True)
    if rows.empty:
        raise InputError(f"no data set named {dataset!r}", where=path, todo=near(dataset, frame["dataset"].unique()))
    for row in rows.itertuples():
        parts = PurePosixPath(row.file).parts
        local = bool(parts) and ".." not in parts and not row.file.startswith("/") and "\\" not in row.file
        local &= row.file.isprintable() and all(len(part.encode()) <= 200 for part in parts)
        public = re.match(r"https?://", row.url) and not holds_login(row.url)
        if not (local and re.fullmatch(r"[0-9a-f]{64}", row.sha256) and public):
            raise InputError(
                "a row of the table of sources cannot be used", where=path, found=f"{row.file} {row.url} {row.sha256}"
            )
    if rows["file"].duplicated().any():
        raise InputError("a file has two sources", where=path, found=rows["file"][rows["file"].duplicated()].iloc[0])
    return rows


def fetch_public_files(rows: pd.DataFrame, folder: Path, *, attempts: int = 5, wait: float = 1.0) -> None:
    """Download all files of `read_sources` into a folder, which appears when all are complete.

    After a failure, complete files stay next to the folder (`.<name>.part`), and the next call fetches the rest.

    Parameters
    ----------
    attempts : tries per file
    wait : seconds before the second try; doubles with each further one

    Raises `OutageError` if the network or a server fails, `DownloadError` if a file cannot be downloaded or differs from its
    checksum, and `MachineError` if the folder cannot be written.
    """
    with border.reading("the files cannot be downloaded", where=folder, error=MachineError):
        part = temporary.begun(folder)
        _reuse(rows, folder, part)
        _bring_all(rows, part, attempts=attempts, wait=wait)
        temporary.move_into_place(part, folder)


def _bring_all(rows: pd.DataFrame, part: Path, *, attempts: int, wait: float) -> None:
    """Download several files at a time; the first failure stops those that have not begun."""

    def bring(file: str, url: str, sha256: str) -> None:
        """Download one file by a client of its own, because threads share no connections."""
        download.Client(attempts=attempts, wait=wait).download(url, part / file, checksum=("sha256", sha256))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for _ in progress(pool.map(bring, rows["file"], rows["url"], rows["sha256"]), "files", len(rows)):
                pass
        except DownloadError as error:
            pool.shutdown(cancel_futures=True)
            if not isinstance(error, OutageError):
                raise
            here = sum((part / file).is_file() for file in rows["file"])
            state = f"{error.found}; {here} of {len(rows)} files are here"
            todo = "check the network and run again: only what is missing is asked for"
            raise OutageError(error.asked, where=error.where, found=state, todo=todo) from error


def _reuse(rows: pd.DataFrame, folder: Path, part: Path) -> None:
    """Take over complete files of an earlier download."""
    for row in rows.itertuples():
        old, new = folder / row.file, part / row.file
        if old.is_file() and not new.exists() and files.checksum(old) == row.sha256:
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(old, new)
