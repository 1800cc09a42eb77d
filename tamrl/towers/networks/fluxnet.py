"""FLUXNET products of AmeriFlux, ICOS, TERN and other hubs (ONEFlux, CC-BY-4.0): one archive a tower, metadata inside.

A folder of `AMF_XX-Xxx_FLUXNET_YYYY-YYYY_v1.3_r1.zip` (any hub's prefix), as the FLUXNET shuttle fetches them, of the older
`AMF_XX-Xxx_FLUXNET_{SUBSET,FULLSET}_YYYY-YYYY_V-V.zip` of AmeriFlux, whose BIF table comes as a file of its own, or of the files
`ICOSETC_XX-Xxx_FLUXNET_DD_L2.csv` of the ICOS thematic centre with `ICOSETC_XX-Xxx_SITEINFO_L2.csv` beside them, or zips of both.
"""

import re
from pathlib import Path

import pandas as pd

from tamrl.options import Strict
from tamrl.towers.reader import bif, oneflux, records

FILES = re.compile(
    rf"^(?:[A-Za-z0-9]+_{oneflux.SITE}_FLUXNET_(?:(?P<kind>FLUXMET|SUBSET|FULLSET)_)?(?:(?:HH|HR|DD|MM)_)?\d{{4}}-\d{{4}}_"
    rf"(?P<version>v?\d+[\d.]*[-_]r?\d+)|ICOSETC_{oneflux.SITE.replace('<site>', '<icos>')}_"
    r"(?:ARCHIVE|FLUXNET(?:_(?:HH|DD|MM))?)(?:_INTERIM)?_L2)\.(?:zip|csv)$"
)
CITATION = oneflux.CITATION


class Options(Strict):
    """Where the archives lie."""

    path: str = "{results}/inputs/towers/fluxnet"
    """Folder of the archives."""
    bif: str | None = None
    """BIF table for towers whose archive has none; null takes `*_AA-Flx_BIF*.csv` from the folder, if there is one."""


def inputs(options: Options) -> list[str]:
    """The folder, and the BIF table if it lies elsewhere."""
    return [options.path, *([options.bif] if options.bif else [])]


def archives(paths: list[Path], options: Options, *, step: records.Step) -> list[oneflux.Product]:
    """The newest archive of each tower; see the contract in `networks`."""
    bif.read_shared_bif(paths)  # a table that cannot be read is one error, not one of each archive
    if found := oneflux.find_products(paths[0], FILES, step):
        return found
    raise records.no_files(paths[0], "put *_FLUXNET_*.zip there, or set towers.fluxnet.path")


def read_archive(
    product: oneflux.Product, *, paths: list[Path], options: Options, how: records.RecordChoice
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Records and place of one tower, from the metadata in its archive or else the shared table; see `networks`."""
    table, by_site, metadata = oneflux.read_oneflux(product, **vars(how))
    known = [metadata, bif.read_shared_bif(paths)]
    todo = "set towers.fluxnet.bif to a BIF table that has them"
    place = bif.locate_site(known, product.site, where=bif.shared_bif_path(paths) or product.path, todo=todo)
    return table, {**place, "network": "fluxnet", **by_site.loc[product.site]}
