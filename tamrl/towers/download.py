"""Downloading of public files: each by its SHA-256, whole or not at all.

A file is written under a temporary name and takes its final one only when its bytes are those of the checksum (pooch). A broken
transfer goes on where it broke where the server can, else starts again. Files that are there and whole are not fetched twice.
"""

import hashlib
import logging
import os
import random
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd
import pooch
import requests

from tamrl.errors import DownloadError, InputError, near
from tamrl.log import progress

_log = logging.getLogger(__name__)

COLUMNS = ("dataset", "file", "url", "sha256")
AT_ONCE = 4
_TIMEOUT = (20, 60)
"""Seconds to connect, and between two blocks."""
_BLOCK = 1 << 16
_TRANSIENT = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


def read_sources(path: Path, dataset: str) -> pd.DataFrame:
    """Rows of one data set in the table of sources (dataset, file, url, sha256; tab separated).

    Raises `InputError` if there are none, or if a row could write outside of its folder, has no checksum or no web address.
    """
    frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, comment="#")
    if list(frame.columns) != list(COLUMNS):
        raise InputError("the table of sources has other columns", where=path, found=list(frame.columns), todo="; ".join(COLUMNS))
    rows = frame[frame["dataset"] == dataset].reset_index(drop=True)
    if rows.empty:
        raise InputError(f"no data set named {dataset!r}", where=path, todo=near(dataset, frame["dataset"].unique()))
    for row in rows.itertuples():
        parts = PurePosixPath(row.file).parts
        local = bool(parts) and ".." not in parts and not row.file.startswith("/") and "\\" not in row.file
        if not (local and re.fullmatch(r"[0-9a-f]{64}", row.sha256) and re.match(r"https?://", row.url)):
            raise InputError(
                "a row of the table of sources cannot be used", where=path, found=f"{row.file} {row.url} {row.sha256}"
            )
    if rows["file"].duplicated().any():
        raise InputError("a file has two sources", where=path, found=rows["file"][rows["file"].duplicated()].iloc[0])
    return rows


def fetch(rows: pd.DataFrame, folder: Path, *, attempts: int = 5, wait: float = 1.0) -> None:
    """Bring all files of `read_sources` into a folder that appears only when every one is whole.

    What has arrived is kept beside the folder (`.<name>.part`) when something fails, so that the next call fetches the rest.

    Parameters
    ----------
    attempts : int
        Tries per file.
    wait : float
        Seconds before the second try; doubles with each further one.

    Raises
    ------
    DownloadError
        Names the file, its address and what happened.
    """
    part = folder.with_name(f".{folder.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    _reuse(rows, folder, part)
    for file in rows["file"]:  # here, because threads would race for them
        (part / file).parent.mkdir(parents=True, exist_ok=True)
    store = pooch.create(
        path=part,
        base_url="",
        registry={r.file: f"sha256:{r.sha256}" for r in rows.itertuples()},
        urls={r.file: r.url for r in rows.itertuples()},
    )
    pooch.get_logger().setLevel(logging.WARNING)
    get = Resuming(attempts=attempts, wait=wait)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for _ in progress(pool.map(lambda file: _fetch(store, file, get), rows["file"]), "files", len(rows)):
                pass
        except DownloadError:
            pool.shutdown(cancel_futures=True)
            raise
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(part, folder)


def _reuse(rows: pd.DataFrame, folder: Path, part: Path) -> None:
    """Take over the whole files of an earlier download."""
    for row in rows.itertuples():
        old, new = folder / row.file, part / row.file
        if old.is_file() and not new.exists() and _sha256(old) == row.sha256:
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(old, new)


def _sha256(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _fetch(store: pooch.Pooch, file: str, get: "Resuming") -> None:
    try:
        store.fetch(file, downloader=get)
    except ValueError as error:  # pooch: the bytes are not those of the checksum
        raise DownloadError(
            f"{file} is not what its checksum says",
            where=store.get_url(file),
            found=error,
            todo="try again later; if it stays so, the publisher has changed the file",
        ) from error


@dataclass
class Resuming:
    """Downloader for pooch that goes on after a broken transfer; see `fetch` for the parameters."""

    attempts: int = 5
    wait: float = 1.0

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Write the content of `url` to `output_file`, which pooch checks and renames."""
        target = Path(output_file)
        target.write_bytes(b"")
        for attempt in range(1, self.attempts + 1):
            try:
                return self._once(url, target)
            except _TRANSIENT as error:
                self._pause(url, attempt, error)

    def _once(self, url: str, target: Path) -> None:
        """One request for what is missing; a server that ignores the range sends all, so all is written anew."""
        have = target.stat().st_size
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            if answer.status_code == 416:  # what is there is longer than the file: begin again
                target.write_bytes(b"")
            _check_status(answer, url)
            goes_on = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            with open(target, "ab" if goes_on else "wb") as handle:
                for block in answer.iter_content(_BLOCK):
                    handle.write(block)
                handle.flush()
                os.fsync(handle.fileno())
        _check_length(answer, target, have if goes_on else 0)

    def _pause(self, url: str, attempt: int, error: Exception) -> None:
        if attempt == self.attempts:
            raise DownloadError(
                f"the download failed {attempt} times",
                where=url,
                found=error,
                todo="check the network and run again: whole files are kept",
            ) from error
        seconds = self.wait * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
        _log.warning("%s: attempt %d failed (%s), again in %.1f s", url, attempt, error, seconds)
        time.sleep(seconds)


def _check_status(answer: requests.Response, url: str) -> None:
    """Errors of the server are tried again; others are final."""
    if answer.status_code in (416, 429) or answer.status_code >= 500:
        raise requests.ConnectionError(f"the server answers {answer.status_code} {answer.reason}")
    if answer.status_code >= 400 or answer.status_code not in (200, 206):
        raise DownloadError(
            f"the server answers {answer.status_code} {answer.reason}",
            where=url,
            todo="check the address in the table of sources",
        )


def _check_length(answer: requests.Response, target: Path, before: int) -> None:
    """A connection that closes early is no error to every client: compare with the length announced."""
    announced = answer.headers.get("Content-Length", "")
    if announced.isdigit() and target.stat().st_size - before != int(announced):
        raise requests.ConnectionError(f"{target.stat().st_size - before} of {announced} bytes arrived")
