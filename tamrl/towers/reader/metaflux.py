"""Read the monthly CSV files of MetaFlux and put LAI and EVI into calendar order (see `networks.metaflux`)."""

from pathlib import Path

import pandas as pd

from tamrl.calendar import Step
from tamrl.errors import ConfigError, InputError
from tamrl.intake import completeness, text
from tamrl.towers import sites
from tamrl.towers.networks.metaflux import Options
from tamrl.towers.product import Product
from tamrl.towers.reader import bif, columns, records
from tamrl.towers.sites import Site

GREENNESS = ("LAI", "EVI")
PLACE = {"Lat": "lat", "Lon": "lon", "PFT": "igbp", "Climate": "koppen"}


def find_monthly_files(folder: Path, step: Step) -> list[Product]:
    """List the file of each tower at any depth of a folder; raise `ConfigError` for days, `InputError` if there is none."""
    if step != "month":
        raise ConfigError("metaflux has monthly records only", where="time.step", found=step, todo="set time.step: month")
    files = sorted(folder.rglob("[!.]*_MM.csv"), key=lambda p: p.name)
    if not files:
        raise records.no_files(folder, "delete the folder to have it downloaded again, or set towers.metaflux.path")
    return [Product(file.name.removesuffix("_MM.csv"), file) for file in files]


def read_monthly_file(
    product: Product, paths: list[Path], options: Options, how: records.RecordChoice
) -> tuple[pd.DataFrame, Site]:
    """Read the records and the site of one tower.

    Parameters
    ----------
    paths : the folder of the files, and the BIF table where there is one

    Raises `ConfigError` if fluxes of another u* threshold are wanted; `InputError` if the file is not that of the tower, or
    cannot be read.
    """
    if how.ustar != "REF":
        raise ConfigError("metaflux has fluxes of one u* threshold only", where="towers.ustar", found=how.ustar, todo="set REF")
    file = product.path
    raw = _rows(file)
    mapping = columns.map_columns(raw.columns, partitioning=how.partitioning, drivers=options.drivers)
    mapping |= columns.map_alternatives(raw.columns, how.alternatives, partitioning=how.partitioning, ustar=how.ustar)
    derived = how.partitioning == "DT" and mapping.pop("reco", None) is not None
    columns.require_columns(
        mapping, ("gpp", "nee", columns.QC, *([] if derived else ["reco"])), available=raw.columns, where=file
    )
    row = _site_row(raw, product)
    if options.greenness == "text_order":
        raw = calendar_order(raw, where=file)
    table, fills = records.build_records(raw, mapping, site=product.site, date=raw["TIMESTAMP"], step="month", where=file)
    if derived:
        table["reco"] = table["nee"] + table["gpp"]  # as the file itself does for night-time partitioning
    metadata = bif.read_bif_sites(paths[1]).set_index("site") if len(paths) > 1 else pd.DataFrame()
    if product.site in metadata.index:
        row |= metadata.loc[product.site, ["elevation", "utc_offset", "managed"]].to_dict()
    return table, Site.from_row({**row, **fills.loc[product.site]})


def calendar_order(raw: pd.DataFrame, *, where: object) -> pd.DataFrame:
    """Return rows of one tower (TIMESTAMP as YYYYMM, LAI, EVI) with LAI and EVI in their months.

    In a year of n months, the p-th stored value belongs to the p-th of these months sorted as text. Raises `InputError` for
    invalid months, or two rows of a month that differ in LAI or EVI.
    """
    months = records.parse_step_starts(raw["TIMESTAMP"], step="month", where=where)
    position: dict[pd.Timestamp, pd.Timestamp] = {}
    for _, year in months.drop_duplicates().sort_values().groupby(months.dt.year):
        position |= dict(zip(sorted(year, key=lambda month: str(month.month)), year, strict=True))
    stored_at = months.map(position)
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
    """Read the table of a file; refuse one that breaks off, or whose rows and header differ in length (`InputError`)."""
    content: text.Content = lambda: open(file, "rb")  # noqa: E731, SIM115 (closed by the reader)
    header = text.read_header(content, where=file)
    completeness.check_text_end(file)
    wanted, texts = [name for name in header if name], ("TIMESTAMP", "Site", "PFT", "Climate")
    return text.read_columns(content, columns=header, wanted=wanted, texts=texts, where=file)


def _site_row(raw: pd.DataFrame, product: Product) -> dict[str, object]:
    """Return the constants of the tower; refuse a file of several towers, or of another tower than its name says."""
    file, site = product.path, product.site
    if missing := {"TIMESTAMP", "Site", *PLACE} - set(raw.columns):
        raise InputError(f"no column {', '.join(sorted(missing))}", where=file, found=", ".join(raw.columns[:8]))
    constants = raw[["Site", *PLACE]].drop_duplicates()
    if len(constants) != 1 or constants["Site"].iloc[0] != site:
        raise InputError(
            f"the file must be of tower {site} alone", where=file, found=f"\n{constants.head(3).to_string(index=False)}"
        )
    row: dict[str, object] = constants[list(PLACE)].rename(columns=PLACE).iloc[0].to_dict()
    classes = {"igbp": sites.igbp_class(row["igbp"]), "koppen": sites.koppen_group(row["koppen"])}
    return row | classes | {"site": site, "network": "metaflux"}
