"""Tables of tower sites: names of classes, checks of coordinates, and towers whose id has changed."""

import json
import logging
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from tamrl import classes, contracts, escaping, variables
from tamrl.errors import InputError
from tamrl.intake import border

_log = logging.getLogger(__name__)

COLUMNS = tuple(contracts.SITES.columns)
FILLS = ("fills_targets", "fills_drivers")
IMPLAUSIBLE = ("implausible", "implausible_note")
READING = (*FILLS, *IMPLAUSIBLE)
"""Further columns of a network's table, for the report of quality: numbers of fill values that reading has masked, and the
number of implausible values that it has masked, with the reason."""

FURTHER = ("height", "time_shift")
SAID = ("citation", "doi")
"""Columns beyond the contract, missing if unknown: height of measurement (m), error of the tower's clock in hours
(`clock.clock_offset`), and the citation of the tower's data."""

NUMBERS = ("lat", "lon", "elevation", "utc_offset", *FURTHER)

RENAMED = {"DK-NuF": "GL-NuF", "DK-ZaF": "GL-ZaF", "DK-ZaH": "GL-ZaH", "NO-Adv": "SJ-Adv", "NO-Blv": "SJ-Blv"}
"""Towers of Greenland and Svalbard that FLUXNET2015 renamed after its metadata were written: old id, present id."""

MISSING = frozenset(("", "-", "--", ".", "na", "n/a", "#n/a", "nan", "null", "none", "unknown"))
"""Texts for an unknown number, in lower case; fill values (`variables.FILL_VALUES`) are further ones. 0 is a number."""

LIMITS = {"elevation": (-500.0, 9000.0), "height": (0.0, 1000.0), "utc_offset": (-12.0, 14.0)}
"""Smallest and largest possible number; others are taken as missing and logged."""

_KOPPEN = {"A": "Tropical", "B": "Arid", "C": "Temperate", "D": "Continental", "E": "Polar"}
MAX_OFFSET_ERROR = 4.0
"""Hours: the largest real difference between standard and solar time is about 3.5 h (western China)."""


def koppen_group(text: object) -> str | None:
    """Return the main Köppen-Geiger group of a group's name, of `Arctic` or of a class such as `Dfb`; None for other texts."""
    text = str(text).strip()
    if text in classes.KOPPEN:
        return text
    if text == "Arctic":
        return "Polar"
    return _KOPPEN.get(text[:1]) if re.fullmatch(r"[ABCDE][A-Za-z]{1,2}", text) else None


def igbp_class(text: object) -> str | None:
    """Return the IGBP class, or None if the text is none."""
    text = str(text).strip().upper()
    return text if text in classes.IGBP else None


def site_table(rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """Make a table of sites with all columns of `contracts.SITES`, `FURTHER` and `SAID`; absent cells are missing."""
    frame = pd.DataFrame(list(rows))
    known = (*COLUMNS, *FURTHER, *SAID)
    frame = frame.reindex(columns=[*known, *(c for c in frame.columns if c not in known)])
    for name in NUMBERS:
        frame[name] = _numbers(frame, name)
    for name in ("igbp", "koppen", "managed", *SAID):
        frame[name] = _text(frame, name)
    for name in (*FILLS, "implausible"):
        frame[name] = frame[name].astype(float).fillna(0).astype(int) if name in frame else 0  # not counted is none
    frame["implausible_note"] = _text(frame, "implausible_note")
    return frame.sort_values("site", ignore_index=True)


Row = Mapping[str, object]
"""Cells of a table of sites by column, as in a file."""


@dataclass(frozen=True)
class Site:
    """A row of the table of sites of a network; None for what is unknown."""

    site: str
    network: str
    lat: float | None = None
    lon: float | None = None
    """Degrees north and east."""
    igbp: str | None = None
    koppen: str | None = None
    elevation: float | None = None
    """m above the sea."""
    utc_offset: float | None = None
    managed: str | None = None
    """Why the tower does not represent its land cover class."""
    height: float | None = None
    """Height of the measurement above the ground, m."""
    time_shift: float | None = None
    """Error of the tower's clock, h (`clock.clock_offset`)."""
    citation: str | None = None
    doi: str | None = None
    fills_targets: int = 0
    fills_drivers: int = 0
    """Numbers of fill values that reading has masked."""

    @classmethod
    def from_row(cls, row: Row) -> "Site":
        """Make a site from cells of a file; texts, fill values and impossible numbers are cleaned as in `site_table`."""
        cells = site_table([row]).iloc[0]
        return cls(**{f.name: _plain(cells[f.name]) for f in fields(cls)})

    @classmethod
    def from_json(cls, text: str) -> "Site":
        """Read the output of `to_json`; raise `InputError` for anything else."""
        with border.reading("the site cannot be read", where="a cached tower"):
            return cls(**json.loads(text))

    def to_json(self) -> str:
        """Return the site as JSON, from which numbers are restored exactly."""
        return json.dumps(asdict(self))


def _plain(cell: Any) -> Any:
    """Return a cell of a table as a Python value; None if it is missing."""
    return None if pd.isna(cell) else cell.item() if isinstance(cell, np.generic) else cell


def table_of_sites(sites: Iterable[Site]) -> pd.DataFrame:
    """Return the sites as a table, see `site_table`."""
    return site_table(asdict(site) for site in sites)


def is_missing(value: Any) -> bool:
    """Return whether a cell of a table of sites is empty, in `MISSING` or a fill value."""
    if value is None or (isinstance(value, str) and value.strip().lower() in MISSING):
        return True
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return math.isnan(number) or number in variables.FILL_VALUES or abs(number) > 1e19


def _numbers(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column as floats, with fill values and impossible numbers masked."""
    column = frame[name]
    if not pd.api.types.is_numeric_dtype(column):
        column = column.astype(object).where(~column.map(is_missing).astype(bool), None)
    values = pd.to_numeric(column, errors="coerce").astype(float)
    values = pd.Series(variables.mask_fill(values.to_numpy())[0], index=frame.index)
    low, high = LIMITS.get(name, (-np.inf, np.inf))
    wrong = (values.isna() & column.notna() & ~column.map(is_missing).astype(bool)) | (values < low) | (values > high)
    for site, value in zip(frame.loc[wrong, "site"], column[wrong], strict=True):
        _log.warning("%s: %s %r is no number that can be; taken as missing", site, name, value)
    return values.where(~wrong)


def _text(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of text without control characters, None where it is missing."""
    column = frame[name].astype(object) if name in frame else pd.Series(None, index=frame.index, dtype=object)
    cells = [escaping.one_line(cell) if isinstance(cell, str) else cell for cell in column]
    column = pd.Series(cells, index=frame.index, dtype=object)
    return column.where(column.notna() & (column != ""), None)


def check_ids(ids: Iterable[object], *, where: object) -> None:
    """Refuse ids that are no plain names (`../../x`, an empty text), because they become parts of file names."""
    wrong = sorted({str(i) for i in ids if not re.fullmatch(contracts.SITE, str(i))})
    if wrong:
        raise InputError(
            "these are no site ids",
            where=where,
            found=", ".join(map(repr, wrong[:5])),
            todo="take letters, digits, dash and underscore, such as DE-Hai",
        )


def check_coordinates(sites: pd.DataFrame, *, where: object) -> pd.DataFrame:
    """Refuse missing, impossible or swapped coordinates with `InputError`; mask and log a UTC offset of another longitude.

    Latitude and longitude count as swapped if the latitude is impossible, or if the UTC offset fits the latitude and not the
    longitude. Columns used: site, lat and lon (degrees north and east), utc_offset (h, may be missing).
    """
    lat, lon, offset = (sites[c].to_numpy(float) for c in ("lat", "lon", "utc_offset"))
    off = _clock_error(lon, offset) > MAX_OFFSET_ERROR
    swapped = (np.abs(lat) > 90) & (np.abs(lat) <= 180) & (np.abs(lon) <= 90)
    swapped |= off & (np.abs(lon) <= 90) & (_clock_error(lat, offset) < 1.5)
    _refuse(sites, swapped, "the latitude and longitude of these sites look swapped", where)
    wrong = ~((np.abs(lat) <= 90) & (np.abs(lon) <= 180)) | ((lat == 0) & (lon == 0))
    _refuse(sites, wrong, "these sites have no possible coordinates", where)
    for row in sites[off].itertuples():
        _log.warning(
            "%s: UTC offset %+g h does not belong to longitude %.2f; taken as missing", row.site, row.utc_offset, row.lon
        )
    return sites.assign(utc_offset=np.where(off, np.nan, offset))


def _clock_error(lon: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return the hours between a UTC offset and solar time at a longitude; 0 if the offset is unknown."""
    return np.nan_to_num(np.abs((offset - lon / 15 + 12) % 24 - 12))


def _refuse(sites: pd.DataFrame, wrong: np.ndarray, asked: str, where: object) -> None:
    if wrong.any():
        excerpt = sites.loc[wrong, ["site", "lat", "lon", "utc_offset"]].head(5).to_string(index=False)
        raise InputError(
            asked, where=where, found=f"\n{excerpt}", todo="give lat in degrees north, lon in degrees east within -180 to 180"
        )
