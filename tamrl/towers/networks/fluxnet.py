"""FLUXNET products of AmeriFlux, ICOS, TERN and other hubs (ONEFlux, CC-BY-4.0): one archive a tower, metadata inside.

A folder of `AMF_XX-Xxx_FLUXNET_YYYY-YYYY_v1.3_r1.zip` (any hub's prefix), as the FLUXNET shuttle fetches them, or of the older
`AMF_XX-Xxx_FLUXNET_{SUBSET,FULLSET}_YYYY-YYYY_V-V.zip` of AmeriFlux, whose BIF table comes as a file of its own.
"""

import re
from pathlib import Path

import pandas as pd

from tamrl.errors import InputError
from tamrl.options import Strict
from tamrl.towers import bif, columns, oneflux, records, sites

FILES = re.compile(
    rf"^[A-Za-z0-9]+_{oneflux.SITE}_FLUXNET_(?:(?P<kind>FLUXMET|SUBSET|FULLSET)_)?(?:(?:DD|MM)_)?\d{{4}}-\d{{4}}_"
    r"(?P<version>v?\d+[\d.]*[-_]r?\d+)\.(?:zip|csv)$"
)


class Options(Strict):
    """Where the archives lie."""

    path: str = "{results}/inputs/towers/fluxnet"
    """Folder of the archives."""
    bif: str | None = None
    """BIF table for towers whose archive has none; null takes `*_AA-Flx_BIF*.csv` from the folder, if there is one."""


def inputs(options: Options) -> list[str]:
    """The folder, and the BIF table if it lies elsewhere."""
    return [options.path, *([options.bif] if options.bif else [])]


def read(
    paths: list[Path], options: Options, *, partitioning: columns.Partitioning, step: records.Step
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Records and sites of all archives in the folder; see the contract in `networks`."""
    folder, shared = paths[0], paths[1] if len(paths) > 1 else bif.find(paths[0])
    others = bif.read_file(shared) if shared else None
    tables, rows = [], []
    for product in oneflux.products(folder, FILES, step):
        table, fills, metadata = oneflux.read(product, partitioning=partitioning, step=step)
        tables.append(table)
        rows.append({**_place(product, metadata, others), "network": "fluxnet", **fills.loc[product.site]})
    if not tables:
        raise records.empty(folder, "put *_FLUXNET_*.zip there, or set towers.fluxnet.path")
    return pd.concat(tables, ignore_index=True), sites.table(rows)


def _place(product: oneflux.Product, metadata: tuple[str, bytes] | None, others: pd.DataFrame | None) -> dict[str, object]:
    """The tower's row of the metadata in its archive, else of the shared table."""
    if metadata:
        where = f"{product.path} ({metadata[0]})"
        found = bif.places(bif.read(metadata[1], where=where), where=where)
    else:
        where, found = product.path, others
    row = found[found["site"] == product.site] if found is not None else ()
    if len(row) != 1 or row["lat"].isna().any():
        raise InputError(
            f"no coordinates of {product.site}", where=where, todo="set towers.fluxnet.bif to a BIF table (CSV) that has them"
        )
    return row.iloc[0].to_dict()
