"""Monthly records of 206 towers, published with MetaFlux (Nathaniel et al. 2023, doi 10.1038/s41597-023-02349-y).

From the public repository leap-stc/metaflux (MIT; data from FLUXNET2015, CC-BY-4.0, doi 10.1038/s41597-020-0534-3): one CSV per
tower with fluxes, drivers at the tower and from reanalysis, and vegetation indices. No account is needed, so a
fresh checkout can download these towers. `RECO` there is NEE + GPP of night-time partitioning, by construction.

`LAI` and `EVI` of these files are in the text order of the months (1, 10, 11, 12, 2, 3, ... 9) within each year of a tower,
while all other columns are in calendar order. The reader corrects the order. Evidence: the median over towers
of the correlation between the mean seasonal cycles of EVI and GPP is -0.23 as published, and 0.89 in calendar order.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tamrl.calendar import Step
from tamrl.layout import DOWNLOADS
from tamrl.options import Strict
from tamrl.plugins import NetworkCapabilities
from tamrl.towers.product import Product

if TYPE_CHECKING:
    import pandas as pd

    from tamrl.towers.reader.records import RecordChoice
    from tamrl.towers.sites import Site

DOWNLOAD = "metaflux"
CITATION = {
    "title": "MetaFlux: Meta-learning global carbon fluxes from sparse spatiotemporal observations",
    "author": "Nathaniel, Juan and Liu, Jiangong and Gentine, Pierre",
    "year": "2023",
    "doi": "10.1038/s41597-023-02349-y",
}
CAPABILITIES = NetworkCapabilities(archives=True, remarks=True, download=DOWNLOAD)


class Options(Strict):
    """Folder of the files, and the drivers to read."""

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
    """Return the folder, or that of the download if it does not exist, and the BIF table if it exists."""
    folder = options.path if Path(options.path).is_dir() else DOWNLOADS.network(DOWNLOAD)
    return [folder, *([options.bif] if options.bif and Path(options.bif).is_file() else [])]


def remark(options: Options) -> str:
    """Return how the reader changes LAI and EVI; see the contract in `networks`."""
    if options.greenness == "calendar":
        return ""
    return (
        "LAI and EVI of the public files stand in the text order of the months within each year of a tower "
        "(1, 10, 11, 12, 2 to 9); they were put into calendar order on reading"
    )


def archives(paths: list[Path], options: Options, *, step: Step) -> list[Product]:
    """List the file of each tower, at any depth of the folder; see the contract in `networks`."""
    from tamrl.towers.reader import metaflux

    return metaflux.find_monthly_files(paths[0], step)


def read_archive(product: Product, *, paths: list[Path], options: Options, how: "RecordChoice") -> "tuple[pd.DataFrame, Site]":
    """Read the records and the site of one tower; see the contract in `networks`.

    Parameters
    ----------
    product : the tower's entry of `archives`
    paths : the result of `inputs`
    how : step, partitioning and u* threshold
    """
    from tamrl.towers.reader import metaflux

    return metaflux.read_monthly_file(product, paths, options, how)
