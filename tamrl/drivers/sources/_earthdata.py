"""Files of NASA's archives: found in the Common Metadata Repository, fetched with an Earthdata token.

The token stands in the environment (`EARTHDATA_TOKEN`) and nowhere else. The repository names size and checksum of each file, so
a half or changed one never gets its name.
"""

import calendar
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlencode

from tamrl import transfer
from tamrl.errors import DownloadError
from tamrl.intake import border

TOKEN, SEARCH = "EARTHDATA_TOKEN", "TAMRL_CMR_URL"
DEFAULT = "https://cmr.earthdata.nasa.gov"
HOW = f"get a free account at urs.earthdata.nasa.gov, generate a token there, and set {TOKEN} in the environment"
PAGE = 500
VERSIONS = {"MOD13C1": "061", "MYD13C1": "061", "MCD43C4": "061", "VNP13C1": "002", "VNP43C4": "002"}
SUFFIXES = (".hdf", ".h5")


@dataclass(frozen=True)
class Granule:
    """One file."""

    file: str
    url: str
    size: int | None
    checksum: tuple[str, str] | None


def search(product: str, first: str, last: str, *, wait: float = 2.0) -> list[Granule]:
    """Files of a product whose days begin within two dates (yyyy-mm-dd); raises `DownloadError` if there are none."""
    client, found, after = transfer.Client(wait=wait), [], 1
    query = {"short_name": product, "version": VERSIONS[product], "page_size": PAGE, "sort_key": "start_date"}
    query["temporal"] = f"{first}T00:00:00Z,{last}T23:59:59Z"
    base = os.environ.get(SEARCH, DEFAULT)
    while True:
        url = f"{base}/search/granules.umm_json?{urlencode(query | {'page_num': after})}"
        content = client.get(url)
        todo = f"check the address ({SEARCH}), or try again later"
        with border.reading("the answer of the search cannot be read", where=url, error=DownloadError, todo=todo):
            answer = json.loads(content)
            items, hits = answer["items"], int(answer["hits"])
            found += [_granule(item["umm"], product) for item in items]
        if len(found) >= hits or not items:
            break
        after += 1
    if not found:
        raise DownloadError(f"no files of {product}", where=base, found=f"nothing from {first} to {last}", todo="check the years")
    return found


def _granule(umm: dict, product: str) -> Granule:
    links = [r["URL"] for r in umm.get("RelatedUrls", []) if r.get("Type") == "GET DATA" and r["URL"].startswith("http")]
    links = [link for link in links if link.endswith(SUFFIXES)]
    if not links:
        raise DownloadError(f"a file of {product} has no address", where=umm.get("GranuleUR"), todo="report it to the archive")
    name = PurePosixPath(links[0]).name
    parts = umm.get("DataGranule", {}).get("ArchiveAndDistributionInformation", [])
    part = next((p for p in parts if p.get("Name") == name), {})
    checksum = part.get("Checksum", {})
    digest = (checksum["Algorithm"], checksum["Value"]) if checksum.get("Algorithm") in ("MD5", "SHA-256", "SHA-512") else None
    return Granule(name, links[0], part.get("SizeInBytes"), digest)


def fetch(
    product: str, year: int, folder: Path, *, months: int = 12, every: int = 1, wait: float = 2.0, gap: float = 0.2
) -> None:
    """Files of a product that begin in the first `months` of a year into a folder.

    Those that are there and whole are not fetched again.

    Parameters
    ----------
    every : int
        Only the days of the year 1, 1 + every, ...

    Raises
    ------
    DownloadError
        If there is no token, it is refused, or a file does not arrive whole.
    """
    token = os.environ.get(TOKEN)
    if not token:
        raise DownloadError("no login for NASA's archives", where=f"environment variable {TOKEN}", found="nothing", todo=HOW)
    client = transfer.Client(headers={"Authorization": f"Bearer {token}"}, wait=wait, gap=gap)
    last = f"{year}-{months:02d}-{calendar.monthrange(year, months)[1]}"
    for granule in search(product, f"{year}-01-01", last, wait=wait):
        begins = re.search(
            rf"\.A{year}(\d{{3}})\.", granule.file
        )  # composites that reach in from the year before are that year's
        if begins and (int(begins.group(1)) - 1) % every == 0:
            client.download(granule.url, folder / granule.file, size=granule.size, checksum=granule.checksum)
