"""FLUXNET2015 (Pastorello et al. 2020, doi 10.1038/s41597-020-0534-3, CC-BY-4.0), archives as downloaded by the user.

A folder of `FLX_XX-Xxx_FLUXNET2015_{SUBSET,FULLSET}_YYYY-YYYY_V-V.zip` (or the daily or monthly CSV files out of them), and
one BIF table for all towers with coordinates, classes and management.
"""

import re
from pathlib import Path

import pandas as pd

from tamrl.errors import InputError
from tamrl.options import Strict
from tamrl.towers import bif, columns, oneflux, records, sites

FILES = re.compile(
    rf"^FLX_{oneflux.SITE}_FLUXNET2015_(?P<kind>SUBSET|FULLSET)_(?:(?:DD|MM)_)?\d{{4}}-\d{{4}}_(?P<version>\d+-\d+)\.(?:zip|csv)$"
)


class Options(Strict):
    """Where the archives lie."""

    path: str = "{results}/inputs/towers/fluxnet2015"
    """Folder of the archives."""
    bif: str | None = None
    """BIF table of the towers; null takes `FLX_AA-Flx_BIF*.csv` from the folder."""


def inputs(options: Options) -> list[str]:
    """The folder, and the BIF table if it lies elsewhere."""
    return [options.path, *([options.bif] if options.bif else [])]


def read(
    paths: list[Path], options: Options, *, partitioning: columns.Partitioning, step: records.Step
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Records and sites of all archives in the folder; see the contract in `networks`."""
    folder, metadata = paths[0], paths[1] if len(paths) > 1 else bif.find(paths[0])
    products = oneflux.products(folder, FILES, step)
    if not products:
        raise records.empty(folder, "put FLX_*_FLUXNET2015_*.zip there, or set towers.fluxnet2015.path")
    if metadata is None:
        raise InputError("no BIF table", where=folder, todo="put FLX_AA-Flx_BIF_LATEST.csv there, or set towers.fluxnet2015.bif")
    tables, fills, _ = zip(*(oneflux.read(p, partitioning=partitioning, step=step) for p in products), strict=True)
    places = pd.concat(fills).reset_index().merge(bif.read_file(metadata), on="site", how="left").assign(network="fluxnet2015")
    if lost := list(places.loc[places["lat"].isna(), "site"]):
        raise InputError(f"no coordinates of {', '.join(lost[:5])}", where=metadata, todo="add them to the BIF table")
    return pd.concat(tables, ignore_index=True), sites.table(places.to_dict("records"))
