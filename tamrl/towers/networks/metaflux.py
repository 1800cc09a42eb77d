"""Monthly records of 206 towers, published with MetaFlux (Nathaniel et al. 2023, doi 10.1038/s41597-023-02349-y).

From the public repository leap-stc/metaflux (MIT; data from FLUXNET2015, CC-BY-4.0, doi 10.1038/s41597-020-0534-3): one CSV a
tower with fluxes, drivers at the tower and from reanalysis, and vegetation indices. Nothing has to be asked for, so these are
the towers that a fresh checkout can download. `RECO` there is NEE + GPP of night-time partitioning, by construction.
"""

from pathlib import Path
from typing import Literal

import pandas as pd

from tamrl.errors import ConfigError, InputError
from tamrl.options import Strict
from tamrl.towers import bif, columns, records, sites

DOWNLOAD = "metaflux"
CITATION = {
    "title": "MetaFlux: Meta-learning global carbon fluxes from sparse spatiotemporal observations",
    "author": "Nathaniel, Juan and Liu, Jiangong and Gentine, Pierre",
    "year": "2023",
    "doi": "10.1038/s41597-023-02349-y",
}
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


def inputs(options: Options) -> list[str]:
    """The folder, or where the download puts it; the BIF table if it exists."""
    folder = options.path if Path(options.path).is_dir() else f"downloads/{DOWNLOAD}"
    return [folder, *([options.bif] if options.bif and Path(options.bif).is_file() else [])]


def read(
    paths: list[Path],
    options: Options,
    *,
    partitioning: columns.Partitioning,
    step: records.Step,
    ustar: columns.Ustar = "REF",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Records and sites of all files below the folder; see the contract in `networks`."""
    if step != "month":
        raise ConfigError("metaflux has monthly records only", where="time.step", found=step, todo="set time.step: month")
    if ustar != "REF":
        raise ConfigError("metaflux has fluxes of one u* threshold only", where="towers.ustar", found=ustar, todo="set REF")
    folder, metadata = paths[0], bif.read_file(paths[1]) if len(paths) > 1 else None
    files = sorted(folder.rglob("[!.]*_MM.csv"), key=lambda p: p.name)
    if not files:
        raise records.empty(folder, "delete the folder to have it downloaded again, or set towers.metaflux.path")
    tables, rows = zip(*(_read(file, options.drivers, partitioning) for file in files), strict=True)
    places = pd.DataFrame(rows)
    if metadata is not None:
        places = places.merge(metadata[["site", "elevation", "utc_offset", "managed"]], on="site", how="left")
    return pd.concat(tables, ignore_index=True), sites.table(places.to_dict("records"))


def _read(file: Path, drivers: columns.Drivers, partitioning: columns.Partitioning) -> tuple[pd.DataFrame, dict[str, object]]:
    """Records and place of one tower."""
    raw = pd.read_csv(file, keep_default_na=False, na_values={c: ["", "NA"] for c in _header(file) if c not in ("Site", *PLACE)})
    mapping = columns.choose(raw.columns, partitioning=partitioning, drivers=drivers)
    derived = partitioning == "DT" and mapping.pop("reco", None)
    columns.require(mapping, ("gpp", "nee", columns.QC, *([] if derived else ["reco"])), available=raw.columns, where=file)
    place = _place(raw, file)
    table, fills = records.build(raw, mapping, site=place["site"], date=raw["TIMESTAMP"], step="month", where=file)
    if derived:
        table["reco"] = table["nee"] + table["gpp"]  # as the file itself does for night-time partitioning
    return table, {**place, **fills.loc[place["site"]]}


def _header(file: Path) -> list[str]:
    with open(file, encoding="utf-8-sig") as lines:
        return lines.readline().strip().split(",")


def _place(raw: pd.DataFrame, file: Path) -> dict[str, object]:
    """The tower's constants; refuses a file of several towers or of another than its name says."""
    if missing := {"TIMESTAMP", "Site", *PLACE} - set(raw.columns):
        raise InputError(f"no column {', '.join(sorted(missing))}", where=file, found=", ".join(raw.columns[:8]))
    constants = raw[["Site", *PLACE]].drop_duplicates()
    site = file.name.removesuffix("_MM.csv")
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
        "igbp": sites.igbp(row["igbp"]),
        "koppen": sites.koppen(row["koppen"]),
    }
