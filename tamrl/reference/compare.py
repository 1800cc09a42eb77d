"""Compare the maps of a run with one product: all quantities whose files are present."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr

from tamrl import registry
from tamrl.errors import InputError
from tamrl.reference.layouts import BudgetLayout, GriddedLayout
from tamrl.reference.maps import RunMaps
from tamrl.reference.names import available_quantities, name_files
from tamrl.reference.pairs import pair_up
from tamrl.reference.reader import open_product
from tamrl.reference.regions import ComparedRegions
from tamrl.reference.scores import cell_maps, mean_cycles, score_pair
from tamrl.reference.totals import compare_budget_table, compare_totals, read_budget_table

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GriddedComparison:
    """Tables (`tables`) and maps of a comparison."""

    scores: pd.DataFrame
    cycles: pd.DataFrame
    totals: pd.DataFrame
    maps: xr.Dataset


def compare_gridded(maps: RunMaps, budgets: pd.DataFrame, files: Sequence[Path], plugin: str, *, name: str) -> GriddedComparison:
    """Compare the maps of a run with a gridded product.

    Parameters
    ----------
    maps, budgets : of the run; budgets as `contracts.BUDGETS`
    files : of the product
    plugin : the file of `tamrl/reference/products`
    name : of the product in tables

    Raises `InputError` or `UnitError` if the files contradict what the product declares, or it shares no full year with the run.
    """
    product = registry.load_compared(plugin)
    if not isinstance(layout := product.LAYOUT, GriddedLayout):
        raise InputError(f"{product.TITLE} is a table of totals without maps", where=name)
    quantities = available_quantities(name_files(files, layout), layout)
    scores, cycles, totals, fields = [], [], [], []
    for quantity in quantities:
        _log.info("%s: %s", product.TITLE, quantity)
        ds = open_product(files, layout, quantity, title=product.TITLE)
        pair = pair_up(ds, layout, quantity, maps)
        regions = ComparedRegions.of(pair, maps.land)
        scores.append(score_pair(pair, regions, product=name))
        cycles.append(mean_cycles(pair, regions, product=name))
        totals.append(compare_totals(pair, budgets, product=name))
        fields.append(cell_maps(pair))
    attrs = {"title": f"maps of the run beside {product.TITLE}", "product": product.TITLE, "source": product.SOURCE}
    joined = xr.merge(fields, join="exact", compat="override").assign_attrs(attrs)
    return GriddedComparison(_join(scores), _join(cycles), _join(totals), joined)


def _join(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True)


def compare_budget(budgets: pd.DataFrame, files: Sequence[Path], plugin: str, *, name: str) -> pd.DataFrame:
    """Compare the totals of a run with a published table (`tables.COMPARED_TOTALS`).

    Parameters
    ----------
    budgets : of the run, `contracts.BUDGETS`
    files : the table, one file
    plugin : the file of `tamrl/reference/products`
    name : of the product in tables
    """
    product = registry.load_compared(plugin)
    if not isinstance(layout := product.LAYOUT, BudgetLayout):
        raise InputError(f"{product.TITLE} is no table of totals", where=name)
    if len(files) != 1:
        raise InputError("a budget is one table", where=name, found=f"{len(files)} files", todo="name one file")
    table = compare_budget_table(read_budget_table(files[0], layout), budgets, product=name)
    if table.empty:
        years = ", ".join(sorted(budgets["year"].unique())[:5])
        raise InputError("the table has none of the run's years", where=files[0], found=f"the run has {years}")
    return table
