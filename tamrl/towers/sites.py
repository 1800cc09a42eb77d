"""Tables of tower sites: names of classes, checks of places, and towers whose id has changed."""

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
"""Further columns of a network's table, for the report of quality: how many fill values reading has masked, how many values
it has made missing because the tower's record as a whole is implausible, and why."""

FURTHER = ("height", "time_shift")
SAID = ("citation", "doi")
"""Columns beyond the contract, missing where not known: height of measurement (m), by how many hours the tower's clock is off
(`clock.clock_offset`), and how the tower's data want to be cited."""

NUMBERS = ("lat", "lon", "elevation", "utc_offset", *FURTHER)

RENAMED = {"DK-NuF": "GL-NuF", "DK-ZaF": "GL-ZaF", "DK-ZaH": "GL-ZaH", "NO-Adv": "SJ-Adv", "NO-Blv": "SJ-Blv"}
"""Towers of Greenland and Svalbard that FLUXNET2015 renamed after its metadata were written: old id, present id."""

MISSING = frozenset(("", "-", "--", ".", "na", "n/a", "#n/a", "nan", "null", "none", "unknown"))
"""What stands for a number that is not known, in small letters; fill values (`variables.FILL_VALUES`) do too. 0 is a number."""

LIMITS = {"elevation": (-500.0, 9000.0), "height": (0.0, 1000.0), "utc_offset": (-12.0, 14.0)}
"""Least and largest number that can be; others are taken as missing, and the log says so."""

_KOPPEN = {"A": "Tropical", "B": "Arid", "C": "Temperate", "D": "Continental", "E": "Polar"}
MAX_OFFSET_ERROR = 4.0
"""Hours: the largest real difference of standard and solar time is some 3.5 h (western China)."""


def koppen_group(text: object) -> str | None:
    """Main Köppen-Geiger group from a group's name, `Arctic`, or a class such as `Dfb`; None if it is none of these."""
    text = str(text).strip()
    if text in classes.KOPPEN:
        return text
    if text == "Arctic":
        return "Polar"
    return _KOPPEN.get(text[:1]) if re.fullmatch(r"[ABCDE][A-Za-z]{1,2}", text) else None


def igbp_class(text: object) -> str | None:
    """The IGBP class, or None if the text is none."""
    text = str(text).strip().upper()
    return text if text in classes.IGBP else None


def site_table(rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """A table of sites with every column of `contracts.SITES`, `FURTHER` and `SAID`; what a row does not say is missing."""
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
"""Cells of a table of sites as a file has them, by column."""


@dataclass(frozen=True)
class Site:
    """A row of the table of sites of a network; None where something is not known.

    Attributes
    ----------
    lat, lon : degrees north and east
    elevation, height : m above the sea, and of the measurement above the ground
    utc_offset : h
    managed : why the tower does not stand for its land cover class
    time_shift : h by which the clock of the tower is off (`clock.clock_offset`)
    citation, doi : how the data of the tower want to be cited
    fills_targets, fills_drivers : fill values that reading has masked
    """

    site: str
    network: str
    lat: float | None = None
    lon: float | None = None
    igbp: str | None = None
    koppen: str | None = None
    elevation: float | None = None
    utc_offset: float | None = None
    managed: str | None = None
    height: float | None = None
    time_shift: float | None = None
    citation: str | None = None
    doi: str | None = None
    fills_targets: int = 0
    fills_drivers: int = 0

    @classmethod
    def from_row(cls, row: Row) -> "Site":
        """From cells as a file has them: texts, fill values and impossible numbers are cleaned as in `site_table`."""
        cells = site_table([row]).iloc[0]
        return cls(**{f.name: _plain(cells[f.name]) for f in fields(cls)})

    @classmethod
    def from_json(cls, text: str) -> "Site":
        """From what `to_json` wrote; raises `InputError` for anything else."""
        with border.reading("the site cannot be read", where="a cached tower"):
            return cls(**json.loads(text))

    def to_json(self) -> str:
        """As JSON; numbers come back to the bit."""
        return json.dumps(asdict(self))


def _plain(cell: Any) -> Any:
    """A cell of a table as a value of Python; None for missing."""
    return None if pd.isna(cell) else cell.item() if isinstance(cell, np.generic) else cell


def table_of_sites(sites: Iterable[Site]) -> pd.DataFrame:
    """The sites as a table, see `site_table`."""
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
    """A column as floats, fill values and impossible numbers missing."""
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
    """A column of text without control characters, None where missing."""
    column = frame[name].astype(object) if name in frame else pd.Series(None, index=frame.index, dtype=object)
    cells = [escaping.one_line(cell) if isinstance(cell, str) else cell for cell in column]
    column = pd.Series(cells, index=frame.index, dtype=object)
    return column.where(column.notna() & (column != ""), None)


def check_ids(ids: Iterable[object], *, where: object) -> None:
    """Refuse site ids that could be more than a name (`../../x`, an empty text): they become parts of file names."""
    wrong = sorted({str(i) for i in ids if not re.fullmatch(contracts.SITE, str(i))})
    if wrong:
        raise InputError(
            "these are no site ids",
            where=where,
            found=", ".join(map(repr, wrong[:5])),
            todo="take letters, digits, dash and underscore, such as DE-Hai",
        )


def check_coordinates(sites: pd.DataFrame, *, where: object) -> pd.DataFrame:
    """Refuse missing, impossible or swapped coordinates; make a UTC offset of another longitude missing.

    Latitude and longitude count as swapped if the latitude is impossible, or if the UTC offset belongs to the latitude and not
    to the longitude. An offset that belongs to neither is itself wrong (published metadata hold such) and is logged.

    Parameters
    ----------
    sites : DataFrame
        Columns used: site, lat and lon (degrees north and east), utc_offset (h, may be missing).

    Raises
    ------
    InputError
        Names the sites.
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
    """Hours between a UTC offset and the sun's at a longitude, across the date line; 0 where the offset is not known."""
    return np.nan_to_num(np.abs((offset - lon / 15 + 12) % 24 - 12))


def _refuse(sites: pd.DataFrame, wrong: np.ndarray, asked: str, where: object) -> None:
    if wrong.any():
        excerpt = sites.loc[wrong, ["site", "lat", "lon", "utc_offset"]].head(5).to_string(index=False)
        raise InputError(
            asked, where=where, found=f"\n{excerpt}", todo="give lat in degrees north, lon in degrees east within -180 to 180"
        )
