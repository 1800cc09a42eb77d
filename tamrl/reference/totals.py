"""Totals of a product beside the run's totals with their intervals."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tamrl import carbon, units
from tamrl.calendar import CLIMATOLOGY
from tamrl.classes import GLOBE
from tamrl.errors import InputError, near
from tamrl.intake import border, completeness, text
from tamrl.reduce import COVERED
from tamrl.reference.layouts import QUANTITIES, BudgetLayout
from tamrl.reference.pairs import Pair, band_rows, month_days
from tamrl.reference.scores import RegionSeries
from tamrl.reference.tables import COMPARED_TOTALS

PETAGRAMS = "PgC yr-1"

COMPARED = ("run_compared", "product_compared", "compared_share")
"""Columns that a table of totals, which has no cells, leaves missing."""


def compare_totals(pair: Pair, budgets: pd.DataFrame, *, product: str) -> pd.DataFrame:
    """Totals of each year and band (`tables.COMPARED_TOTALS`).

    Parameters
    ----------
    pair : run and product; of a mean year, the product is the mean over its years
    budgets : of the run, `contracts.BUDGETS`
    product : its name in the table
    """
    compared, frames = _compared_totals(pair), []
    for region, totals in pair.totals.items():
        yearly = dict(zip(map(str, pair.years), totals.tolist(), strict=True))
        known = {CLIMATOLOGY: float(np.mean(totals))} if pair.climatology else yearly
        frames.append(beside_run(known, budgets, quantity=pair.quantity, region=region))
    table = pd.concat(frames, ignore_index=True).drop(columns=list(COMPARED)).merge(compared, on=["region", "year"], how="left")
    filled = on_land_of_run(table)
    inside = filled.between(table["run_q05"], table["run_q95"]).astype(float).where(filled.notna())
    return table.assign(product=product, inside=inside)[list(COMPARED_TOTALS.columns)]


def on_land_of_run(totals: pd.DataFrame) -> pd.Series:
    """Totals of a product on the land of the run, PgC yr-1, with the run's flux where they are not compared.

    Missing where less than `COVERED` of that land is compared, and for tables of totals. `totals` by `tables.COMPARED_TOTALS`.
    """
    filled = totals["run_total"] + totals["product_compared"] - totals["run_compared"]
    return filled.where(totals["compared_share"] >= COVERED)


def _compared_totals(pair: Pair) -> pd.DataFrame:
    """Totals of run and product over the compared land: `region`, `year` and `COMPARED`."""
    days, years = np.stack([month_days(year) for year in pair.years]), [str(year) for year in pair.years]
    area = {region: share * pair.area for region, share in pair.band_shares().items()}
    series = RegionSeries.of(pair, np.stack(list(area.values())))
    run, product = series.run, series.product
    if pair.climatology:
        days, product, years = days.mean(0, keepdims=True), product.mean(1, keepdims=True), [CLIMATOLOGY]
    land = {region: pair.land @ rows for region, rows in band_rows(pair.grid).items()}
    with np.errstate(invalid="ignore"):
        share = [np.float64(part.sum()) / land[region] for region, part in area.items()]
    totals = [(monthly * days).sum(2) / carbon.GRAMS_PER_PETAGRAM for monthly in (run, product)]
    columns = dict(zip(COMPARED, (*map(np.ravel, totals), np.repeat(share, len(years))), strict=True))
    return pd.DataFrame({"region": np.repeat(list(area), len(years)), "year": years * len(area), **columns})


def beside_run(totals: Mapping[str, float], budgets: pd.DataFrame, *, quantity: str, region: str) -> pd.DataFrame:
    """Rows of `tables.COMPARED_TOTALS` without `product`; a year that the run has no total of is left out.

    Parameters
    ----------
    totals : of the product by year, PgC yr-1
    budgets : of the run
    quantity, region : what the totals are of
    """
    flux = QUANTITIES[quantity]
    mine = budgets[(budgets["flux"] == flux) & (budgets["region"] == region)].set_index("year")
    rows = []
    for year, total in totals.items():
        if year not in mine.index:
            continue
        row = mine.loc[year]
        inside = float(row["q05"] <= total <= row["q95"])
        numbers = {"run_total": row["mean"], "run_std": row["std"], "run_q05": row["q05"], "run_q95": row["q95"]}
        keys = {"quantity": quantity, "flux": flux, "year": year, "region": region}
        rows.append(keys | numbers | {"product_total": total, **dict.fromkeys(COMPARED, np.nan), "inside": inside})
    columns = [name for name in COMPARED_TOTALS.columns if name != "product"]
    return pd.DataFrame(rows, columns=columns)


def read_budget_table(path: Path, layout: BudgetLayout) -> dict[str, dict[str, float]]:
    """Return the totals of a budget table, PgC yr-1, by quantity and year.

    The text above the table is skipped: the header is the first line whose first cell is that of the years.

    Raises
    ------
    InputError
        If the file is no such CSV, or lacks a column.
    """
    if path.suffix.lower() != ".csv":
        todo = f"save the sheet {layout.sheet!r} as CSV, such as {layout.example}"
        raise InputError("a budget is read from CSV", where=path, todo=todo)
    completeness.check_text_end(path)
    with border.reading("the table cannot be read", where=path):
        lines = path.read_bytes().splitlines(keepends=True)
    header = next((k for k, line in enumerate(lines) if _first_cell(line) == layout.year.lower()), None)
    if header is None:
        todo = f"save the sheet {layout.sheet!r} as CSV, with its header"
        raise InputError(f"no line begins with the column {layout.year}", where=path, todo=todo)
    table = text.read_small_table(b"".join(lines[header:]), where=path, separators=",;")
    table.columns = [str(name).strip().lower() for name in table.columns]
    table = table[table[layout.year.lower()].str.fullmatch(r"\s*\d{4}\s*")]
    factor = units.convert(1.0, source=layout.units.replace("GtC", "PgC"), target=PETAGRAMS)
    totals = {}
    for quantity, terms in layout.columns.items():
        for column in terms:
            if column.lower() not in table:
                raise InputError(f"no column {column!r}", where=path, todo=near(column.lower(), table.columns))
        numbers = sum(text.parse_numbers(table[name.lower()], where=path) * sign for name, sign in terms.items()) * factor
        years = table[layout.year.lower()].str.strip()
        totals[quantity] = {year: float(value) for year, value in zip(years, numbers, strict=True) if np.isfinite(value)}
    return totals


def _first_cell(line: bytes) -> str:
    return line.replace(b";", b",").split(b",")[0].strip().strip(b'"').decode("utf-8", "replace").strip("\ufeff ").lower()


def compare_budget_table(totals: Mapping[str, Mapping[str, float]], budgets: pd.DataFrame, *, product: str) -> pd.DataFrame:
    """Global totals of a table (`tables.COMPARED_TOTALS`); a run of a mean year is compared with the mean of all years.

    Parameters
    ----------
    totals : `read_budget_table`
    budgets : of the run
    product : its name in the table
    """
    frames = []
    for quantity, yearly in totals.items():
        mean_year = {CLIMATOLOGY: float(np.mean(list(yearly.values())))} if CLIMATOLOGY in set(budgets["year"]) else {}
        frames.append(beside_run({**yearly, **mean_year}, budgets, quantity=quantity, region=GLOBE))
    table = pd.concat(frames, ignore_index=True)
    table.insert(0, "product", product)
    return table
