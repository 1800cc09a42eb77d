"""Stages of the comparison with products of others: `comparison/{compared}/`."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pandera.pandas as pa
import xarray as xr

from tamrl import contracts, escaping, files, simulated
from tamrl.layout import File, RunFiles
from tamrl.reference import tables
from tamrl.reference.compare import GriddedComparison, compare_budget, compare_gridded
from tamrl.reference.maps import RunMaps, monthly_paths
from tamrl.workflow import stage

_log = logging.getLogger(__name__)


@stage
def compare_product(
    *,
    maps: Sequence[str],
    cube: str,
    scores: str,
    cycles: str,
    totals: str,
    fields: str,
    paths: Sequence[str],
    plugin: str,
    compared: str,
    folder: str,
    labels: Sequence[str],
    virtual: bool = False,
) -> None:
    """Compare the maps of a run with a gridded product of others.

    Parameters
    ----------
    maps : monthly maps and budgets of the run
    scores, cycles, totals, fields : outputs, `tables.COMPARED_SCORES` and so on, and maps of the differences
    paths : files of the product
    plugin : the file of `tamrl/reference/products`
    compared : name of the product in tables
    labels : years of the maps, or `climatology`
    virtual : whether the inputs of the run were simulated
    """
    run = RunFiles.of(folder, maps)
    mine = RunMaps.read(monthly_paths(run, labels), cube)
    result = compare_gridded(mine, read_budgets(run), [Path(path) for path in paths], plugin, name=compared)
    write_comparison(result, scores=scores, cycles=cycles, totals=totals, fields=fields, virtual=virtual)


def write_comparison(
    result: GriddedComparison, *, scores: str, cycles: str, totals: str, fields: str, virtual: bool = False, sealed: bool = True
) -> None:
    """Write the tables and maps of a comparison.

    Parameters
    ----------
    scores, cycles, totals, fields : paths of CSV files and of a NetCDF file
    virtual : whether the inputs of the run were simulated
    sealed : whether the files have seals, as products of rules do
    """
    _write_table(scores, result.scores, tables.COMPARED_SCORES, virtual, sealed)
    _write_table(cycles, result.cycles, tables.COMPARED_CYCLES, virtual, sealed)
    write_totals(totals, result.totals, virtual=virtual, sealed=sealed)
    with files.atomic(fields, sealed=sealed) as part:
        _labelled(result.maps, virtual).to_netcdf(part, engine="netcdf4", encoding={name: {"zlib": True} for name in result.maps})


def write_totals(path: str, table: pd.DataFrame, *, virtual: bool = False, sealed: bool = True) -> None:
    """Write totals (`tables.COMPARED_TOTALS`); for the other arguments see `write_comparison`.

    Parameters
    ----------
    path : of the CSV file
    table : totals of one product
    virtual, sealed : as for `write_comparison`
    """
    _write_table(path, table, tables.COMPARED_TOTALS, virtual, sealed)


def _write_table(path: str, frame: pd.DataFrame, schema: pa.DataFrameSchema, virtual: bool, sealed: bool) -> None:
    checked = contracts.check_table(simulated.label_table(frame, virtual), schema, where=path)
    with files.atomic(path, sealed=sealed) as part:
        escaping.write_csv(checked, part, float_format="%.6g")


def _labelled(ds: xr.Dataset, virtual: bool) -> xr.Dataset:
    return ds.assign_attrs(simulated.label_attributes(ds.attrs | {"Conventions": "CF-1.11"}, virtual))


@stage
def compare_totals_table(
    *, maps: Sequence[str], totals: str, paths: Sequence[str], plugin: str, compared: str, folder: str, virtual: bool = False
) -> None:
    """Compare the totals of a run with a published table of totals.

    Parameters
    ----------
    maps : files of the run, of which the budgets are read
    totals : output, `tables.COMPARED_TOTALS`
    paths : the table
    plugin, compared : as for `compare_product`
    virtual : whether the inputs of the run were simulated
    """
    table = compare_budget(read_budgets(RunFiles.of(folder, maps)), [Path(path) for path in paths], plugin, name=compared)
    write_totals(totals, table, virtual=virtual)


def read_budgets(run: RunFiles) -> pd.DataFrame:
    """Budgets of a run, `contracts.BUDGETS`."""
    return contracts.read_csv(run(File.BUDGETS), contracts.BUDGETS)
