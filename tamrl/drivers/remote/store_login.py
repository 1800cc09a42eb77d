"""The login for the Climate Data Store: of the environment, or of the files in which the store's own clients look for it."""

import os
from dataclasses import dataclass
from pathlib import Path

from tamrl.errors import DownloadError
from tamrl.intake import border
from tamrl.web.session import Credential

URL, KEY = "ECMWF_DATASTORES_URL", "ECMWF_DATASTORES_KEY"
DEFAULT = "https://cds.climate.copernicus.eu/api"
HEADER = "PRIVATE-TOKEN"
FILES = (("ECMWF_DATASTORES_RC_FILE", "~/.ecmwfdatastoresrc"), ("CDSAPI_RC", "~/.cdsapirc"))
"""Files with the lines `url:` and `key:`, each with the environment variable that may name another."""
HOW = (
    f"get a free account at cds.climate.copernicus.eu, accept the licence of the data set, and set {KEY} in the environment, "
    "or put the lines `url:` and `key:` into ~/.cdsapirc as the store's page of its API shows them"
)
LARGEST = 1 << 16
"""Bytes of such a file."""


@dataclass(frozen=True)
class StoreLogin:
    """Address of the store, and the key, which goes to that address alone."""

    url: str
    key: Credential


def read_store_login() -> StoreLogin:
    """Read the login from the environment, else `~/.ecmwfdatastoresrc`, else `~/.cdsapirc`.

    The address counts that `ECMWF_DATASTORES_URL` names, else that of the place of the key, else that of the public store.
    Raise `DownloadError` if there is no key, or the first one that there is cannot be one.
    """
    places = [
        ("environment variable", os.environ.get(URL), os.environ.get(KEY), KEY),
        ("environment variable", os.environ.get("CDSAPI_URL"), os.environ.get("CDSAPI_KEY"), "CDSAPI_KEY"),
    ]
    for variable, name in FILES:
        path = Path(os.environ.get(variable) or name).expanduser()
        entries = _entries(path)
        places.append(("file", entries.get("url"), entries.get("key"), str(path)))
    none = "no key for the Climate Data Store"
    kind, url, key, name = next((place for place in places if (place[2] or "").strip()), ("environment variable", None, "", KEY))
    address = (os.environ.get(URL) or url or DEFAULT).rstrip("/")
    where = f"{kind} {name}"
    if ":" in (key or "") or address.endswith("/api/v2"):
        asked = "the login is one of the Climate Data Store before September 2024"
        raise DownloadError(asked, where=where, found="a number before the key, or /api/v2 in the address", todo=HOW)
    return StoreLogin(address, Credential.of_text(key or "", HEADER, (address,), where=where, none=none, how=HOW))


def _entries(path: Path) -> dict[str, str]:
    """The lines `name: value` of a file; none where there is no such file."""
    if not path.is_file():
        return {}
    with (
        border.reading("the file of the login cannot be read", where=path, error=DownloadError, todo=HOW),
        open(path, "rb") as file,
    ):
        lines = file.read(LARGEST).decode("utf-8-sig").splitlines()
    pairs = (line.partition(":") for line in lines if not line.lstrip().startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, colon, value in pairs if colon}
