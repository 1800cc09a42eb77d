"""Tower records in the networks' own formats: tables, metadata (BIF) and the names of files.

FLUXNET2015 (Pastorello et al. 2020, doi 10.1038/s41597-020-0534-3) gives one zip a site and one BIF table for all; the newer
FLUXNET product gives zips of its own naming with the BIF table inside.
"""

import io
from dataclasses import dataclass
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import pandas as pd

MISSING = -9999
OPTIONAL = (("PPFD_IN",), ("NETRAD",), ("LW_IN_F",), ("TS_F_MDS_1",), ("USTAR",))
"""Groups of columns that a site has or lacks, and that stand in an order of its own."""

FIRST = (
    "TA_F", "TA_F_QC", "SW_IN_POT", "SW_IN_F", "SW_IN_F_QC", "VPD_F", "VPD_F_QC", "PA_F", "PA_F_QC", "P_F", "P_F_QC", "WS_F",
    "WS_F_QC",
)  # fmt: skip
LAST = (
    "NEE_VUT_REF", "NEE_VUT_REF_QC", "NEE_VUT_REF_RANDUNC", "RECO_NT_VUT_REF", "GPP_NT_VUT_REF", "RECO_DT_VUT_REF",
    "GPP_DT_VUT_REF",
)  # fmt: skip
PERCENTILES = tuple(
    f"{flux}_VUT_{percentile}" for percentile in ("16", "84") for flux in ("NEE", "RECO_NT", "GPP_NT", "RECO_DT", "GPP_DT")
)
"""Percentiles over thresholds of friction velocity, which the newer product has."""
BIF_2015 = "FLX_AA-Flx_BIF_LATEST.csv"
BIF_COLUMNS = ("SITE_ID", "GROUP_ID", "VARIABLE_GROUP", "VARIABLE", "DATAVALUE")


@dataclass(frozen=True)
class ArchiveSite:
    """What the metadata say of a tower."""

    site: str
    lat: float
    lon: float
    elevation: float
    igbp: str
    mean_temperature: float
    """Degrees Celsius."""
    yearly_rain: float
    """mm."""
    irrigated: bool
    first_year: int
    last_year: int
    koppen: str = ""
    """Köppen-Geiger class such as `Dfb`, empty if not known."""

    @property
    def utc_offset(self) -> int:
        """Hours, by longitude."""
        return round(self.lon / 15)


def fluxnet2015_name(site: ArchiveSite, kind: str = "") -> str:
    """Stem of a FLUXNET2015 file; `kind` DD is the daily table within the zip."""
    middle = f"_{kind}" if kind else ""
    return f"FLX_{site.site}_FLUXNET2015_SUBSET{middle}_{site.first_year}-{site.last_year}_1-4"


def fluxnet_name(site: ArchiveSite, kind: str = "") -> str:
    """Stem of a file of the newer FLUXNET product; `kind` is FLUXMET_DD or BIF within the zip."""
    middle = f"_{kind}" if kind else ""
    return f"AMF_{site.site}_FLUXNET{middle}_{site.first_year}-{site.last_year}_v1.3_r1"


def columns(rng: np.random.Generator, *, reanalysis: bool) -> list[str]:
    """Columns of a site's daily table in its order; some are elsewhere or missing at some sites."""
    first = list(FIRST)
    if reanalysis:
        first += ["TA_ERA", "SW_IN_ERA", "VPD_ERA", "P_ERA"]
    groups = [g for g in OPTIONAL if rng.random() < 0.6]
    for k in rng.permutation(len(groups)):
        place = len(first) if rng.random() < 0.7 else int(rng.integers(1, len(first)))
        first[place:place] = groups[k]
    last = list(LAST)
    if rng.random() < 0.5:
        last = [n for n in last if "_DT_" in n] + [n for n in last if "_DT_" not in n]
    return first + last + [name for name in PERCENTILES if reanalysis]


def daily_csv(record: pd.DataFrame, days: pd.DatetimeIndex, names: list[str]) -> bytes:
    """The daily table: TIMESTAMP as YYYYMMDD, six significant digits, -9999 for missing."""
    table = record[names].set_axis(pd.Index(days.strftime("%Y%m%d"), name="TIMESTAMP"))
    return str(table.to_csv(float_format="%.6g", na_rep=str(MISSING), lineterminator="\n")).encode()


def bif(sites: list[ArchiveSite]) -> pd.DataFrame:
    """Metadata in BADM interchange format, one row per value; values that belong together share a group number."""
    rows: list[tuple[str, int, str, str, str]] = []
    for number, site in enumerate(sites):
        for offset, (group, content) in enumerate(_groups(site)):
            rows += [(site.site, 100 * (number + 1) + offset, group, name, str(value)) for name, value in content.items()]
    return pd.DataFrame(rows, columns=list(BIF_COLUMNS))


def _groups(site: ArchiveSite) -> list[tuple[str, dict[str, object]]]:
    place: dict[str, object] = {"LOCATION_LAT": site.lat, "LOCATION_LONG": site.lon, "LOCATION_ELEV": round(site.elevation)}
    climate: dict[str, object] = {"MAT": round(site.mean_temperature, 1), "MAP": round(site.yearly_rain)}
    groups: list[tuple[str, dict[str, object]]] = [
        ("GRP_CLIM_AVG", climate | ({"CLIMATE_KOEPPEN": site.koppen} if site.koppen else {})),
        ("GRP_COUNTRY", {"COUNTRY": "Virtual Earth"}),
        ("GRP_IGBP", {"IGBP": site.igbp}),
        ("GRP_LOCATION", place),
        ("GRP_NETWORK", {"NETWORK": "Unaffiliated"}),
        ("GRP_UTC_OFFSET", {"UTC_OFFSET": site.utc_offset}),
    ]
    if site.irrigated:
        groups.append(("GRP_DM_WATER", {"DM_WATER": "Irrigation", "DM_DATE": f"{site.first_year}0601"}))
    return groups


def bif_csv(table: pd.DataFrame, *, separator: str) -> bytes:
    """A BIF table as bytes, latin-1."""
    return str(table.to_csv(sep=separator, index=False, lineterminator="\n")).encode("latin-1")


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip of named members without a clock in it, so that equal content gives equal bytes."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = ZipInfo(name, date_time=(2020, 1, 1, 0, 0, 0))
            info.compress_type = ZIP_DEFLATED
            archive.writestr(info, content, compresslevel=1)
    return buffer.getvalue()
