"""Files of NASA's archives: searched in the Common Metadata Repository, fetched with an Earthdata token.

The token stands in the environment (`EARTHDATA_TOKEN`), or NASA's login gives it for the name and password in `~/.netrc`, which
go there alone. The token goes to NASA's hosts alone. The repository names size and checksum of each file, so a half or changed
one never gets its name.
"""

import calendar
import json
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlencode

import requests

from tamrl.drivers import granule_names
from tamrl.errors import DownloadError, OutageError
from tamrl.intake import border
from tamrl.web import download
from tamrl.web.addresses import is_listed
from tamrl.web.session import ANSWER, Credential, Session

_log = logging.getLogger(__name__)

TOKEN, SEARCH, LOGIN = "EARTHDATA_TOKEN", "TAMRL_CMR_URL", "TAMRL_URS_URL"
DEFAULT, DEFAULT_LOGIN = "https://cmr.earthdata.nasa.gov", "https://urs.earthdata.nasa.gov"
HOW = (
    f"get a free account at urs.earthdata.nasa.gov, generate a token there, and set {TOKEN} in the environment, "
    "or put name and password of that account into ~/.netrc as machine urs.earthdata.nasa.gov"
)
REFUSED = (
    f"a token ends after 60 days: generate another, or leave {TOKEN} out where ~/.netrc has your login; "
    "log in at urs.earthdata.nasa.gov once to approve the archive's application and its terms"
)
TRIES = 6
"""Times that NASA's login is asked for a token."""
HOSTS = (".earthdata.nasa.gov", ".earthdatacloud.nasa.gov")
"""Who may see the token, and give files: NASA's search, login and archives in the cloud."""
PAGE, MOST = 500, 2000
"""Files on a page of the search, and at most in all: a year of a daily product has 366."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}\.(?:hdf|h5)", re.ASCII)
DIGITS = {"MD5": 32, "SHA-256": 64, "SHA-512": 128}
"""Hexadecimal digits of the checksums that are compared."""


@dataclass(frozen=True)
class Granule:
    """One file."""

    file: str
    url: str
    size: int | None
    checksum: tuple[str, str] | None


def search_granules(product: str, collection: str, first: str, last: str, *, wait: float = 2.0) -> list[Granule]:
    """Files of a product whose days begin within two dates (yyyy-mm-dd); raises `DownloadError` if there are none.

    Parameters
    ----------
    product : short name
    collection : version
    first, last : dates, yyyy-mm-dd
    wait : seconds before the first repetition after a failure
    """
    client, page, hits, more = download.Client(wait=wait), 1, 1, True
    granules: list[Granule] = []
    query = {"short_name": product, "version": collection, "page_size": PAGE, "sort_key": "start_date"}
    query["temporal"] = f"{first}T00:00:00Z,{last}T23:59:59Z"
    base = _base()
    while len(granules) < hits and more:
        url = f"{base}/search/granules.umm_json?{urlencode(query | {'page_num': page})}"
        content = client.get(url, most=ANSWER)
        todo = f"check the address ({SEARCH}), or try again later"
        with border.reading("the answer of the search cannot be read", where=url, error=DownloadError, todo=todo):
            answer = json.loads(content or b"")
            items, hits = answer["items"], int(answer["hits"])
            more = bool(items)
            if hits > MOST:
                raise ValueError(f"{hits} files of a product")
            granules += [_granule(item["umm"], product, url) for item in items]
        page += 1
    if not granules:
        raise DownloadError(f"no files of {product}", where=base, found=f"nothing from {first} to {last}", todo="check the years")
    return granules


def _base() -> str:
    return os.environ.get(SEARCH, DEFAULT)


def _granule(umm: dict[str, Any], product: str, search: str) -> Granule:
    links = [r["URL"] for r in umm.get("RelatedUrls", []) if r.get("Type") == "GET DATA" and r["URL"].startswith("http")]
    links = [link for link in links if NAME.fullmatch(PurePosixPath(link).name)]
    if not links:
        title = umm.get("GranuleUR")
        raise DownloadError(f"a file of {product} has no address", where=search, found=title, todo="report it to the archive")
    if not is_listed(links[0], (*HOSTS, search)):
        todo = f"report it to the archive: its files lie below {' and '.join(HOSTS)}, over https"
        raise DownloadError(f"a file of {product} lies at a host that is not NASA's", where=links[0], todo=todo)
    name = PurePosixPath(links[0]).name
    parts = umm.get("DataGranule", {}).get("ArchiveAndDistributionInformation", [])
    part: dict[str, Any] = next((p for p in parts if p.get("Name") == name), {})
    checksum = part.get("Checksum", {})
    digest = (checksum["Algorithm"], checksum["Value"]) if checksum.get("Algorithm") in DIGITS else None
    if digest and not re.fullmatch(f"[0-9a-fA-F]{{{DIGITS[digest[0]]}}}", digest[1]):
        raise ValueError(f"{digest[1]!r:.200} is no checksum by {digest[0]}")
    size = part.get("SizeInBytes")
    if size is not None and (type(size) is not int or size < 0):
        raise ValueError(f"{size!r:.200} is no number of bytes")
    return Granule(name, links[0], size, digest)


def fetch_granules(
    product: str,
    year: int,
    folder: Path,
    *,
    collection: str,
    months: int = 12,
    every: int = 1,
    first_day: int = 1,
    wait: float = 2.0,
    gap: float = 0.2,
) -> None:
    """Fetch the files of a product that begin in the first `months` of a year into a folder.

    Complete files are not fetched again. Raise `DownloadError` if there is no token, it is refused, or a file does not arrive
    complete.

    Parameters
    ----------
    every, first_day : days of the year that are fetched: first_day, first_day + every, ...
    """
    client = download.Client(credential=_token(wait), near=(_base(),), wait=wait, gap=gap)
    last = f"{year}-{months:02d}-{calendar.monthrange(year, months)[1]}"
    listed = {granule.file: granule for granule in search_granules(product, collection, f"{year}-01-01", last, wait=wait)}
    for name in granule_names.newest(listed, where=product):
        granule = listed[name]
        begins = re.search(
            rf"\.A{year}(\d{{3}})\.", granule.file
        )  # composites that reach in from the year before are that year's
        if begins and (int(begins.group(1)) - first_day) % every == 0:
            with _refused_logins(granule.url):
                client.download(granule.url, folder / granule.file, size=granule.size, checksum=granule.checksum)


def has_login() -> bool:
    """Whether the environment has a token, or ~/.netrc a login; neither is tried."""
    return bool(os.environ.get(TOKEN, "").strip()) or Credential.of_netrc(DEFAULT_LOGIN) is not None


def read_head(granule: Granule, length: int, *, wait: float = 2.0) -> bytes:
    """Return the first bytes of a file; raises `DownloadError` if there is no login, it is refused, or nothing arrives."""
    client = download.Client(credential=_token(wait), near=(_base(),), attempts=2, wait=wait)
    with _refused_logins(granule.url):
        return client.get(granule.url, start=0, end=length) or b""


@contextmanager
def _refused_logins(url: str) -> Iterator[None]:
    """Say what to do where the archive refuses the login."""
    try:
        yield
    except download.StatusError as error:
        if error.status not in (401, 403):
            raise
        raise DownloadError(error.asked, where=url, todo=REFUSED) from error


def _token(wait: float) -> Credential:
    """The token of the environment, else one from NASA's login for what ~/.netrc holds."""
    login = os.environ.get(LOGIN, DEFAULT_LOGIN).rstrip("/")
    basic = None if os.environ.get(TOKEN, "").strip() else Credential.of_netrc(DEFAULT_LOGIN, (login,))
    none, hosts = "no login for NASA's archives", (*HOSTS, _base())
    if basic is None:
        return Credential.of_environment(TOKEN, "Authorization", hosts, form="Bearer {}", none=none, how=HOW)
    where = f"{login}/api/users/find_or_create_token"
    with border.reading("NASA's login gives no token", where=where, error=DownloadError, todo=HOW):
        text = str(_answer(where, basic, wait)["access_token"])
    return Credential.of_text(text, "Authorization", hosts, form="Bearer {}", where=where, none=none, how=HOW)


def _answer(url: str, basic: Credential, wait: float) -> dict[str, Any]:
    """The answer of NASA's login, asked again while it is out."""
    for attempt in range(1, TRIES + 1):
        try:
            answer = Session(basic.hosts, near=basic.hosts).post(url, headers={basic.header: basic.value}, timeout=(20.0, 60.0))
            if answer.status_code in (401, 403):
                todo = "correct ~/.netrc; the account must be confirmed by its e-mail"
                raise DownloadError("NASA's login refuses name and password of ~/.netrc", where=url, todo=todo)
            if answer.status_code not in download.BUSY:
                answer.raise_for_status()
                content: dict[str, Any] = answer.json()
                return content
            state: object = f"the server answers {answer.status_code}"
        except (requests.ConnectionError, requests.Timeout) as error:
            state = error
        _log.warning("NASA's login does not answer (%s), attempt %d", state, attempt)
        time.sleep(wait * 2 ** (attempt - 1) if attempt < TRIES else 0)
    raise OutageError("NASA's login does not answer", where=url, found=state, todo="check the network and run again")
