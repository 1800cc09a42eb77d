"""JapanFlux2024 (Ueyama et al. 2025, doi 10.5194/essd-17-3807-2025, CC-BY-4.0): towers of Japan and East Asia.

A folder of `FLX_XX-Xxx_JapanFLUX2024_{COREVARS,ALLVARS}_…` zips or CSV files, with the metadata (BADM) in the zip, beside it, or
in one table of many towers. The files are those of FLUXNET2015 but for two things: the reference of the variable u* threshold
is called `_vUT`, and quality runs from 0 (best) to 3 (worst) in days too, as the mean flag of the half hours.
"""

import re
from typing import TYPE_CHECKING

from tamrl.plugins import NetworkCapabilities
from tamrl.towers.networks._oneflux import ArchiveOptions, OnefluxNetwork
from tamrl.towers.product import SITE_PATTERN

if TYPE_CHECKING:
    import pandas as pd


FILES = re.compile(
    rf"^FLX_{SITE_PATTERN}_JapanFLUX2024_(?:(?P<kind>COREVARS|ALLVARS)_)?(?:(?:HH|HR|DD|MM)_)?\d{{4}}-\d{{4}}_"
    r"(?P<version>\d+-\d+)\.(?:zip|csv)$"
)
CITATION = {
    "title": "The JapanFlux2024 dataset for eddy covariance observations covering Japan and East Asia from 1990 to 2023",
    "author": "Ueyama, Masahito and others",
    "year": "2025",
    "doi": "10.5194/essd-17-3807-2025",
}
_QC = re.compile(r"^NEE_[VC]UT_[A-Z0-9]+_QC$")
CAPABILITIES = NetworkCapabilities(archives=True)


class Options(ArchiveOptions):
    """Where the files lie."""

    path: str = "{data}/towers/japanflux"
    """Folder of the archives or CSV files."""


def to_oneflux(raw: "pd.DataFrame") -> "pd.DataFrame":
    """Return the columns under their ONEFlux names, with the quality of days as a share of good half hours.

    Flags 0 and 1 are good, 2 and 3 are not. With a mean flag m at least 1 - m / 2 of the half hours are good; this is taken.
    """
    renamed = raw.rename(columns=_name)
    if "TIMESTAMP" not in renamed:
        return renamed  # half hours: the flags themselves
    qc = [c for c in renamed.select_dtypes("number") if _QC.match(c)]
    flags = renamed[qc].where(renamed[qc] >= 0)
    return renamed.assign(**(1 - flags / 2).clip(lower=0)) if len(raw) else renamed


def _name(column: str) -> str:
    """`NEE_vUT_QC` is `NEE_VUT_REF_QC`, `GPP_NT_vUT_USTAR50` is `GPP_NT_VUT_USTAR50`; `_cUT` alike."""
    column = re.sub(r"_([vc])UT(?=$|_QC$)", lambda m: f"_{m[1].upper()}UT_REF", column)
    return re.sub(r"_([vc])UT(?=_USTAR)", lambda m: f"_{m[1].upper()}UT", column)


NETWORK = OnefluxNetwork("japanflux", FILES, "FLX_*_JapanFLUX2024_*.zip", rename=to_oneflux)
inputs, archives, read_archive = NETWORK.inputs, NETWORK.archives, NETWORK.read_archive
