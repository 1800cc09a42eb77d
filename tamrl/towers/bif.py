"""The Biological, Ancillary, Disturbance and Metadata (BADM) of towers in the FLUXNET interchange format (BIF).

A BIF table has one row a value (SITE_ID, GROUP_ID, VARIABLE_GROUP, VARIABLE, DATAVALUE); rows of one group belong together.
Published tables differ in separator, encoding and order of columns, so all three are looked up in the file.
"""

import io
import logging
from pathlib import Path

import pandas as pd

from tamrl.errors import InputError
from tamrl.towers import sites

_log = logging.getLogger(__name__)

COLUMNS = ("SITE_ID", "GROUP_ID", "VARIABLE_GROUP", "VARIABLE", "DATAVALUE")

WATER = {"irrigation": "irrigated", "human induced flooding": "flooded"}
"""Values of DM_WATER that make a tower unlike its land cover class, and the reason given."""

_FIELDS = {
    "lat": ("GRP_LOCATION", "LOCATION_LAT"),
    "lon": ("GRP_LOCATION", "LOCATION_LONG"),
    "elevation": ("GRP_LOCATION", "LOCATION_ELEV"),
    "igbp": ("GRP_IGBP", "IGBP"),
    "koppen": ("GRP_CLIM_AVG", "CLIMATE_KOEPPEN"),
    "utc_offset": ("GRP_UTC_OFFSET", "UTC_OFFSET"),
}


def read(content: bytes, *, where: object) -> pd.DataFrame:
    """Rows of a BIF table as text, with the columns `COLUMNS`; blank rows are left out.

    Raises `InputError` if the columns are not there.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    header = text.split("\n", 1)[0]
    separator = max(";,\t", key=header.count)
    # ids such as NA must stay text, so nothing is taken for a missing value
    frame = pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False)
    frame.columns = [str(c).strip().upper() for c in frame.columns]
    if missing := [c for c in COLUMNS if c not in frame.columns]:
        raise InputError(
            f"the metadata table lacks {', '.join(missing)}",
            where=where,
            found=", ".join(frame.columns[:8]),
            todo="give a BIF table in CSV form",
        )
    frame = frame[list(COLUMNS)].apply(lambda column: column.str.strip())
    return frame[frame["SITE_ID"] != ""].reset_index(drop=True)


def find(folder: Path) -> Path | None:
    """The last by name of the BIF tables of many sites in a folder, such as `FLX_AA-Flx_BIF_LATEST.csv`, or None."""
    return max(folder.glob("*_AA-Flx_BIF*.csv"), default=None, key=lambda path: path.name)


def read_file(path: Path) -> pd.DataFrame:
    """`places` of a BIF file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError("the metadata table cannot be read", where=path, found=error) from error
    return places(read(content, where=path), where=path)


def places(frame: pd.DataFrame, *, where: object) -> pd.DataFrame:
    """One row a site: site, lat, lon, elevation (m), igbp, koppen, utc_offset (h), managed (reason or None).

    Of a value given for several periods the newest is taken. Towers that FLUXNET2015 renamed stand under both ids.
    """
    sites.check_ids(frame["SITE_ID"].unique(), where=where)
    found = pd.DataFrame({name: _newest(frame, group, variable) for name, (group, variable) in _FIELDS.items()})
    found = found.reindex(pd.Index(frame["SITE_ID"].unique(), name="site"))
    found["igbp"] = [sites.igbp(v) for v in found["igbp"]]
    found["koppen"] = [sites.koppen(v) for v in found["koppen"]]
    found["managed"] = _managed(frame).reindex(found.index)
    new = {old: new for old, new in sites.RENAMED.items() if old in found.index and new not in found.index}
    found = pd.concat([found, found.loc[list(new)].rename(index=new)])
    return sites.table(found.rename_axis("site").reset_index().to_dict("records")).drop(columns=["network", *sites.READING])


def _newest(frame: pd.DataFrame, group: str, variable: str) -> pd.Series:
    """The value of `variable` per site, from the group with the latest start."""
    rows = frame[frame["VARIABLE_GROUP"] == group]
    starts = rows[rows["VARIABLE"].str.endswith("_DATE_START")].drop_duplicates(["SITE_ID", "GROUP_ID"])
    values = rows[rows["VARIABLE"] == variable].merge(
        starts[["SITE_ID", "GROUP_ID", "DATAVALUE"]], on=["SITE_ID", "GROUP_ID"], how="left", suffixes=("", "_START")
    )
    # dates are digits, YYYY to YYYYMMDDHHMM, so they sort as text; none at all is the oldest
    order = values["DATAVALUE_START"].fillna("")
    return values.assign(order=order).sort_values("order", kind="stable").groupby("SITE_ID")["DATAVALUE"].last()


def _managed(frame: pd.DataFrame) -> pd.Series:
    """Reasons per site why it does not stand for its class."""
    rows = frame[frame["VARIABLE"] == "DM_WATER"]
    reasons = rows["DATAVALUE"].str.lower().map(WATER)
    return reasons.dropna().groupby(rows["SITE_ID"]).agg(lambda found: ", ".join(sorted(set(found))))
