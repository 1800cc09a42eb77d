"""FLUXNET2015 (Pastorello et al. 2020, doi 10.1038/s41597-020-0534-3, CC-BY-4.0), archives as downloaded by the user.

A folder of `FLX_XX-Xxx_FLUXNET2015_{SUBSET,FULLSET}_YYYY-YYYY_V-V.zip` (or the CSV files out of them, down to half hours), and
one BIF table for all towers with coordinates, classes and management. Version `beta-3` is the same format of the later
Warm Winter 2020 release (doi 10.18160/2G60-ZHAK).
"""

import re
from pathlib import Path

import pandas as pd

from tamrl.errors import InputError
from tamrl.options import Strict
from tamrl.towers.reader import bif, oneflux, records

FILES = re.compile(
    rf"^FLX_{oneflux.SITE}_FLUXNET2015_(?P<kind>SUBSET|FULLSET)_(?:(?:HH|HR|DD|MM)_)?\d{{4}}-\d{{4}}_(?P<version>(?:\d+|beta)-\d+)\.(?:zip|csv)$"
)
CITATION = oneflux.CITATION


class Options(Strict):
    """Where the archives lie."""

    path: str = "{results}/inputs/towers/fluxnet2015"
    """Folder of the archives."""
    bif: str | None = None
    """BIF table of the towers; null takes `FLX_AA-Flx_BIF*.csv` from the folder."""


def inputs(options: Options) -> list[str]:
    """The folder, and the BIF table if it lies elsewhere."""
    return [options.path, *([options.bif] if options.bif else [])]


def archives(paths: list[Path], options: Options, *, step: records.Step) -> list[oneflux.Product]:
    """The newest archive of each tower; see the contract in `networks`."""
    bif.read_shared_bif(paths)  # a table that cannot be read is one error, not one of each archive
    if found := oneflux.find_products(paths[0], FILES, step):
        return found
    raise records.no_files(paths[0], "put FLX_*_FLUXNET2015_*.zip there, or set towers.fluxnet2015.path")


def read_archive(
    product: oneflux.Product, *, paths: list[Path], options: Options, how: records.RecordChoice
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Records and place of one tower; see the contract in `networks`."""
    metadata = bif.shared_bif_path(paths)
    if metadata is None:
        where = paths[0]
        raise InputError("no BIF table", where=where, todo="put FLX_AA-Flx_BIF_LATEST.csv there, or set towers.fluxnet2015.bif")
    table, by_site, _ = oneflux.read_oneflux(product, **vars(how))
    place = bif.locate_site([bif.read_bif_sites(metadata)], product.site, where=metadata, todo="add it to the BIF table")
    return table, {**place, "network": "fluxnet2015", **by_site.loc[product.site]}
