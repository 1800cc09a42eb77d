"""Monthly records of 206 towers, published with MetaFlux (Nathaniel et al. 2023, doi 10.1038/s41597-023-02349-y).

From the public repository leap-stc/metaflux (MIT; data from FLUXNET2015, CC-BY-4.0, doi 10.1038/s41597-020-0534-3): one CSV a
tower with fluxes, drivers at the tower and from reanalysis, and vegetation indices. Nothing has to be asked for, so these are
the towers that a fresh checkout can download. `RECO` there is NEE + GPP of night-time partitioning, by construction.

`LAI` and `EVI` of these files stand in the text order of the months (1, 10, 11, 12, 2, 3, ... 9) within each year of a tower,
while all other columns stand in calendar order. They are put right on reading. The sign of the fault: the median over towers
of the correlation between the mean seasonal cycles of EVI and GPP is -0.23 as published, and 0.89 in calendar order.
"""

from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd

from tamrl.errors import ConfigError, InputError
from tamrl.intake import completeness, text
from tamrl.layout import DOWNLOADS
from tamrl.options import Strict
from tamrl.towers import sites
from tamrl.towers.reader import bif, columns, oneflux, records

DOWNLOAD = "metaflux"
CITATION = {
    "title": "MetaFlux: Meta-learning global carbon fluxes from sparse spatiotemporal observations",
    "author": "Nathaniel, Juan and Liu, Jiangong and Gentine, Pierre",
    "year": "2023",
    "doi": "10.1038/s41597-023-02349-y",
}
GREENNESS = ("LAI", "EVI")
PLACE = {"Lat": "lat", "Lon": "lon", "PFT": "igbp", "Climate": "koppen"}


class Options(Strict):
    """Where the files lie and which drivers to take from them."""

    path: str = "{data}/towers/metaflux"
    """Folder of `XX-Xxx_MM.csv`; where it does not exist, the files are downloaded."""
    bif: str | None = "{data}/archives/metadata/FLX_AA-Flx_BIF_LATEST.csv"
    """BIF table for UTC offset, elevation and management; used only if the file exists."""
    drivers: Literal["tower", "era"] = "tower"
    """`tower`: measured, gaps filled (TA_F, VPD_F, SW_IN_F, P_F; of P_F a quarter comes from reanalysis, as gauges often fail);
    `era`: reanalysis brought to the tower (TA_ERA, ...), which has no gaps and resembles what a map is made from."""
    greenness: Literal["text_order", "calendar"] = "text_order"
    """Order of the months in LAI and EVI of the files: `text_order` as in the public files (commit 088f93b of the repository),
    put right on reading; `calendar` for files in which that was corrected."""


def inputs(options: Options) -> list[str]:
    """The folder, or where the download puts it; the BIF table if it exists."""
    folder = options.path if Path(options.path).is_dir() else DOWNLOADS.network(DOWNLOAD)
    return [folder, *([options.bif] if options.bif and Path(options.bif).is_file() else [])]


def remark(options: Options) -> str:
    """What is done to LAI and EVI; see the contract in `networks`."""
    if options.greenness == "calendar":
        return ""
    return (
        "LAI and EVI of the public files stand in the text order of the months within each year of a tower "
        "(1, 10, 11, 12, 2 to 9); they were put into calendar order on reading"
    )


def archives(paths: list[Path], options: Options, *, step: records.Step) -> list[oneflux.Product]:
    """The file of each tower, at any depth of the folder; see the contract in `networks`."""
    if step != "month":
        raise ConfigError("metaflux has monthly records only", where="time.step", found=step, todo="set time.step: month")
    files = sorted(paths[0].rglob("[!.]*_MM.csv"), key=lambda p: p.name)
    if not files:
        raise records.no_files(paths[0], "delete the folder to have it downloaded again, or set towers.metaflux.path")
    return [oneflux.Product(file.name.removesuffix("_MM.csv"), file) for file in files]


def read_archive(
    product: oneflux.Product, *, paths: list[Path], options: Options, how: records.RecordChoice
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Records and place of one tower; see the contract in `networks`."""
    if how.ustar != "REF":
        raise ConfigError("metaflux has fluxes of one u* threshold only", where="towers.ustar", found=how.ustar, todo="set REF")
    file = product.path
    raw = _rows(file)
    mapping = columns.map_columns(raw.columns, partitioning=how.partitioning, drivers=options.drivers)
    derived = how.partitioning == "DT" and mapping.pop("reco", None)
    columns.require_columns(
        mapping, ("gpp", "nee", columns.QC, *([] if derived else ["reco"])), available=raw.columns, where=file
    )
    place = _place(raw, product)
    if options.greenness == "text_order":
        raw = calendar_order(raw, where=file)
    table, fills = records.build_records(raw, mapping, site=product.site, date=raw["TIMESTAMP"], step="month", where=file)
    if derived:
        table["reco"] = table["nee"] + table["gpp"]  # as the file itself does for night-time partitioning
    metadata = bif.read_bif_sites(paths[1]).set_index("site") if len(paths) > 1 else pd.DataFrame()
    if product.site in metadata.index:
        place |= metadata.loc[product.site, ["elevation", "utc_offset", "managed"]].to_dict()
    return table, {**place, **fills.loc[product.site]}


def calendar_order(raw: pd.DataFrame, *, where: object) -> pd.DataFrame:
    """The rows with LAI and EVI in the months to which they belong.

    Of a year of n months, the p-th value stored belongs to the p-th of these months sorted as text.

    Parameters
    ----------
    raw : DataFrame
        Rows of one tower with TIMESTAMP (YYYYMM), and LAI and EVI or one of them.

    Raises
    ------
    InputError
        For time stamps that are no months, or two rows of a month that differ in LAI or EVI.
    """
    months = records.parse_step_starts(raw["TIMESTAMP"], step="month", where=where)
    stored_at = {}
    for _, year in months.drop_duplicates().sort_values().groupby(months.dt.year):
        stored_at |= dict(zip(sorted(year, key=lambda month: str(month.month)), year, strict=True))
    stored_at = months.map(stored_at)
    put_right = {}
    for name in (n for n in GREENNESS if n in raw):
        rows = pd.DataFrame({"month": months, "value": raw[name]}).drop_duplicates()
        if (again := rows["month"].duplicated()).any():
            month = rows.loc[again, "month"].iloc[0]
            raise InputError(
                f"two rows of a month differ in {name}", where=where, found=f"{month:%Y%m}", todo="remove one of them"
            )
        put_right[name] = stored_at.map(rows.set_index("month")["value"])
    return raw.assign(**put_right)


def _rows(file: Path) -> pd.DataFrame:
    """The table of a file; refuses one that breaks off, or whose rows are of other widths than its header (`InputError`)."""
    content = partial(open, file, "rb")
    header = text.read_header(content, where=file)
    completeness.check_text_end(file)
    wanted, texts = [name for name in header if name], ("TIMESTAMP", "Site", "PFT", "Climate")
    return text.read_columns(content, columns=header, wanted=wanted, texts=texts, where=file)


def _place(raw: pd.DataFrame, product: oneflux.Product) -> dict[str, object]:
    """The tower's constants; refuses a file of several towers or of another than its name says."""
    file, site = product.path, product.site
    if missing := {"TIMESTAMP", "Site", *PLACE} - set(raw.columns):
        raise InputError(f"no column {', '.join(sorted(missing))}", where=file, found=", ".join(raw.columns[:8]))
    constants = raw[["Site", *PLACE]].drop_duplicates()
    if len(constants) != 1 or constants["Site"].iloc[0] != site:
        raise InputError(
            f"the file must be of tower {site} alone", where=file, found=f"\n{constants.head(3).to_string(index=False)}"
        )
    row = constants.rename(columns=PLACE).iloc[0]
    return {
        "site": site,
        "network": "metaflux",
        "lat": row["lat"],
        "lon": row["lon"],
        "igbp": sites.igbp_class(row["igbp"]),
        "koppen": sites.koppen_group(row["koppen"]),
    }
