"""The Biological, Ancillary, Disturbance and Metadata (BADM) of towers in the FLUXNET interchange format (BIF).

A BIF table has one row per value (SITE_ID, GROUP_ID, VARIABLE_GROUP, VARIABLE, DATAVALUE); rows of one group belong together.
Published tables differ in separator, encoding and order of columns, so all three are looked up in the file. Workbooks (xlsx)
and wide tables (one row per site, one column per variable) can be read as well.
"""

import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd

from tamrl import files
from tamrl.errors import InputError
from tamrl.intake import border, completeness, text
from tamrl.towers import sites
from tamrl.towers.reader import workbook

_log = logging.getLogger(__name__)

COLUMNS = ("SITE_ID", "GROUP_ID", "VARIABLE_GROUP", "VARIABLE", "DATAVALUE")

WATER = {"irrigation": "irrigated", "human induced flooding": "flooded"}
"""Values of DM_WATER that make a tower unlike its land cover class, and the reported reason."""

_FIELDS = {
    "lat": ("GRP_LOCATION", "LOCATION_LAT"),
    "lon": ("GRP_LOCATION", "LOCATION_LONG"),
    "elevation": ("GRP_LOCATION", "LOCATION_ELEV"),
    "igbp": ("GRP_IGBP", "IGBP"),
    "koppen": ("GRP_CLIM_AVG", "CLIMATE_KOEPPEN"),
    "utc_offset": ("GRP_UTC_OFFSET", "UTC_OFFSET"),
}
_VARIABLES = tuple(variable for _, variable in _FIELDS.values())

_HEIGHT_OF = ("NEE", "FC", "CO2", "SC", "LE", "H", "WS", "TA")
"""Variables whose height of measurement represents the tower, best first."""


def read_bif(content: bytes, *, where: object) -> pd.DataFrame:
    """Read the rows of a BIF table (CSV or xlsx, long or wide) as text, with the columns `COLUMNS` and without blank rows.

    Raises `InputError` if columns are missing or the table cannot be read.
    """
    if workbook.is_workbook(content):
        frame = workbook.read_workbook(content, where=where)
    else:
        # a value that holds separators without quotes (a comment) is read to its end, as values stand last
        frame = text.read_small_table(content, where=where, separators=";,\t", free="DATAVALUE", rows=False)
    frame.columns = text.column_names([str(c).upper() for c in frame.columns], where=where)
    if "VARIABLE" not in frame.columns and "SITE_ID" in frame.columns and set(_VARIABLES) & set(frame.columns):
        names = [c for c in frame.columns if c in _VARIABLES]
        frame = frame.reset_index(drop=True).melt("SITE_ID", names, var_name="VARIABLE", value_name="DATAVALUE")
        frame = frame[frame["DATAVALUE"].str.strip() != ""].assign(GROUP_ID="", VARIABLE_GROUP="")
    if "VARIABLE_GROUP" not in frame.columns and {"SITE_ID", "VARIABLE"} <= set(frame.columns):
        frame["VARIABLE_GROUP"] = ""  # as in SITEINFO files
    if "GROUP_ID" not in frame.columns and "VARIABLE" in frame.columns:
        frame["GROUP_ID"] = ""
    if missing := [c for c in COLUMNS if c not in frame.columns]:
        raise InputError(
            f"the metadata table lacks {', '.join(missing)}",
            where=where,
            found=", ".join(frame.columns[:8]),
            todo="give a BIF table",
        )
    frame = frame[list(COLUMNS)].apply(lambda column: column.str.strip())
    return frame[frame["SITE_ID"] != ""].reset_index(drop=True)


def shared_bif_path(paths: list[Path]) -> Path | None:
    """Return the BIF table of many sites among a network's inputs, or None.

    It is the second of `paths`, else the last by name in the folder `paths[0]`, such as `FLX_AA-Flx_BIF_LATEST.csv`.
    """
    if len(paths) > 1:
        return paths[1]
    tables = [p for p in paths[0].glob("[!.]*_AA-Flx_BIF*") if p.suffix in (".csv", ".xlsx")]
    return max(tables, default=None, key=lambda path: path.name)


def read_bif_sites(path: Path) -> pd.DataFrame:
    """Return `bif_sites` of a BIF file; raise `InputError` if it cannot be read."""
    with border.reading("the metadata table cannot be read", where=path):
        status = path.stat()
        return _read_once(path, status.st_mtime_ns, status.st_size).copy()


def read_shared_bif(paths: list[Path]) -> pd.DataFrame | None:
    """Return `bif_sites` of the BIF table of many sites among a network's inputs, or None without such a table."""
    path = shared_bif_path(paths)
    return None if path is None else read_bif_sites(path)


@lru_cache(maxsize=8)
def _read_once(path: Path, changed: int, size: int) -> pd.DataFrame:
    """Read a table once for hundreds of archives; `changed` and `size` only serve the cache."""
    content = files.verified(path).read_bytes()
    if not workbook.is_workbook(content) and content[-1:].isdigit():  # it may have been cut within this number
        completeness.check_text_end(path)
    return bif_sites(read_bif(content, where=path), where=path)


def bif_sites(frame: pd.DataFrame, *, where: object) -> pd.DataFrame:
    """Return one row per site: site, lat, lon, elevation and height of measurement (m), igbp, koppen, utc_offset (h) and managed
    (reason or None).

    If several periods have a value, the newest counts. Towers that FLUXNET2015 renamed are listed under both ids.
    """
    sites.check_ids(frame["SITE_ID"].unique(), where=where)
    rows = pd.DataFrame({name: _newest(frame, group, variable) for name, (group, variable) in _FIELDS.items()})
    rows = rows.reindex(pd.Index(frame["SITE_ID"].unique(), name="site"))
    rows["igbp"] = [sites.igbp_class(v) for v in rows["igbp"]]
    rows["koppen"] = [sites.koppen_group(v) for v in rows["koppen"]]
    rows["managed"] = _managed(frame).reindex(rows.index)
    rows["height"] = _height(frame).reindex(rows.index)
    new = {old: new for old, new in sites.RENAMED.items() if old in rows.index and new not in rows.index}
    rows = pd.concat([rows, rows.loc[list(new)].rename(index=new)])
    return sites.site_table(rows.rename_axis("site").reset_index().to_dict("records")).drop(columns=["network", *sites.READING])


def locate_site(frames: Sequence[pd.DataFrame | None], site: str, *, where: object, todo: str) -> dict[str, object]:
    """Return the row of a site from the first table that has its coordinates.

    Parameters
    ----------
    frames : results of `bif_sites`, the preferred one first
    where, todo : file and advice of the error

    Raises `InputError` if no table has the coordinates.
    """
    for frame in (f for f in frames if f is not None):
        row = frame[frame["site"] == site]
        if len(row) == 1 and row[["lat", "lon"]].notna().all(axis=None):
            return dict(row.iloc[0].to_dict())
    raise InputError(f"no coordinates of {site}", where=where, todo=todo)


def _newest(frame: pd.DataFrame, group: str, variable: str) -> pd.Series:
    """Return the value of `variable` per site, from the group with the latest start."""
    rows = frame[frame["VARIABLE_GROUP"].isin((group, ""))]
    starts = rows[rows["VARIABLE"].str.endswith("_DATE_START")].drop_duplicates(["SITE_ID", "GROUP_ID"])
    values = rows[rows["VARIABLE"] == variable]
    values = values[~values["DATAVALUE"].map(sites.is_missing).astype(bool)].merge(
        starts[["SITE_ID", "GROUP_ID", "DATAVALUE"]], on=["SITE_ID", "GROUP_ID"], how="left", suffixes=("", "_START")
    )
    # dates are digits, YYYY to YYYYMMDDHHMM, so they sort as text; none at all is the oldest
    order = values["DATAVALUE_START"].fillna("").astype(str)
    several = values.groupby("SITE_ID")["DATAVALUE"].transform("nunique") > 1
    odd = several & ~order.str.fullmatch(r"(?:[0-9]{4}(?:[0-9]{2}){0,4})?")
    for row in values[odd].itertuples():
        _log.warning("%s: %s is taken as missing: the date %r is no digits", row.SITE_ID, variable, row.DATAVALUE_START)
    values, order = (part[~values["SITE_ID"].isin(values["SITE_ID"][odd])] for part in (values, order))
    return values.assign(order=order).sort_values("order", kind="stable").groupby("SITE_ID")["DATAVALUE"].last()


def _managed(frame: pd.DataFrame) -> pd.Series:
    """Return the reason per site why it does not represent its class."""
    rows = frame[frame["VARIABLE"] == "DM_WATER"]
    reasons = rows["DATAVALUE"].str.lower().map(WATER)
    return reasons.dropna().groupby(rows["SITE_ID"]).agg(lambda values: ", ".join(sorted(set(values))))


def _height(frame: pd.DataFrame) -> pd.Series:
    """Return the newest height of measurement (m) per site, from the metadata of single variables (`GRP_VAR_INFO`)."""
    rows = frame[frame["VARIABLE"].isin(("VAR_INFO_VARNAME", "VAR_INFO_HEIGHT", "VAR_INFO_DATE"))]
    if rows.empty:
        return pd.Series(dtype=object)
    groups = rows.drop_duplicates(["SITE_ID", "GROUP_ID", "VARIABLE"]).pivot(
        index=["SITE_ID", "GROUP_ID"], columns="VARIABLE", values="DATAVALUE"
    )
    groups = groups.reindex(columns=["VAR_INFO_VARNAME", "VAR_INFO_HEIGHT", "VAR_INFO_DATE"])
    groups = groups[~groups["VAR_INFO_HEIGHT"].map(sites.is_missing).astype(bool)]
    stem = groups["VAR_INFO_VARNAME"].fillna("").str.split("_").str[0]
    groups = groups.assign(order=stem.map({name: -k for k, name in enumerate(_HEIGHT_OF)})).dropna(subset="order")
    groups = groups.assign(date=groups["VAR_INFO_DATE"].astype(object).fillna("")).sort_values(["order", "date"], kind="stable")
    return groups.groupby("SITE_ID")["VAR_INFO_HEIGHT"].last()
