"""Figures that compare the maps with products of others."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes
from matplotlib.ticker import MaxNLocator

from tamrl.classes import LATITUDE_BANDS
from tamrl.reference.layouts import QUANTITIES
from tamrl.reference.totals import on_land_of_run
from tamrl.report import style
from tamrl.report.style import BAND_NAMES, FLUX_COLOURS, FLUX_NAMES, FLUX_UNITS

QUANTITY_NAMES = FLUX_NAMES | {"nbe": "NBE (of the run: NEE)"}
"""Quantities of products; NBE is named, as it is not NEE."""

MARKS = {"globe": "o", "climate": "^"}
"""Markers of the Taylor diagram by kind of region."""


def present_quantities(rows: pd.DataFrame) -> list[str]:
    """Quantities of a table, in the usual order."""
    return [quantity for quantity in QUANTITIES if quantity in set(rows["quantity"])]


@style.styled
def plot_taylor(scores: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Plot Taylor diagrams (2001, doi 10.1029/2000JD900719), one a quantity; the product is the point at 1 on the axis.

    The distance from the origin is the standard deviation of the run over that of the product, over months and cells.

    Parameters
    ----------
    scores : `COMPARED_SCORES` of one or more products
    titles : names of the products for people
    """
    quantities, colours = present_quantities(scores), style.series_colours(list(titles))
    figure = style.new_figure(11, 4.2)
    for position, quantity in enumerate(quantities):
        axes = figure.add_subplot(1, len(quantities), position + 1, projection="polar")
        assert isinstance(axes, PolarAxes)
        rows = scores[(scores["quantity"] == quantity) & scores["kind"].isin(MARKS) & scores["correlation"].notna()]
        ratio = (rows["run_std"] / rows["product_std"]).to_numpy()
        widest = 180 if (rows["correlation"] < 0).any() else 90
        for row, radius in zip(rows.itertuples(index=False), ratio, strict=True):
            size = 7 if row.kind == "globe" else 4
            axes.plot(
                np.arccos(row.correlation), radius, MARKS[row.kind], color=colours[row.product], markersize=size, alpha=0.85
            )
        axes.plot(0, 1, "*", color=style.INK, markersize=11, clip_on=False)
        ticks = np.array([t for t in (1, 0.95, 0.9, 0.8, 0.6, 0.4, 0.2, 0, -0.4, -0.8) if np.degrees(np.arccos(t)) <= widest])
        axes.set_thetagrids(np.degrees(np.arccos(ticks)), [style.format_number(t, 2) for t in ticks], fontsize=7)
        axes.set_thetamax(widest)
        axes.set_ylim(0, max(1.5, float(np.nanmax(ratio, initial=1.0)) * 1.05))
        axes.tick_params(axis="y", labelsize=7)
        axes.set_title(QUANTITY_NAMES[quantity])
    handles = [figure.axes[0].plot([], [], "o", color=colours[name], label=title)[0] for name, title in titles.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=style.legend_columns(figure, titles.values(), most=4))
    return figure


@style.styled
def plot_product_cycles(cycles: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Plot mean seasonal cycles by quantity (rows) and latitude band: the run (thick, on the cells of each product) and products.

    Parameters
    ----------
    cycles : `COMPARED_CYCLES` of one or more products
    titles : names of the products for people
    """
    quantities, colours = present_quantities(cycles), style.series_colours(list(titles))
    bands = [band for band in reversed(LATITUDE_BANDS) if band in set(cycles["region"])]
    figure = style.new_figure(11, 1.0 + 1.7 * len(quantities))
    grid = style.panel_grid(figure, quantities, bands, sharex=True, sharey="row")
    for panel in grid:
        rows = cycles[(cycles["quantity"] == panel.row) & (cycles["region"] == panel.column)]
        for name, part in rows.groupby("product", observed=True):
            panel.axes.plot(part["month"], part["run"], color=FLUX_COLOURS[QUANTITIES[panel.row]], linewidth=2.2, alpha=0.5)
            panel.axes.plot(part["month"], part["product_flux"], color=colours[str(name)], linewidth=1.2)
        panel.axes.set_xticks([1, 4, 7, 10], ["J", "A", "J", "O"])
        panel.axes.set_title(BAND_NAMES[panel.column] if panel.top else "")
        if panel.left:
            panel.axes.set_ylabel(f"{panel.row.upper()} ({FLUX_UNITS})", fontsize=7)
    handles = [figure.axes[0].plot([], [], color=colours[name], label=title)[0] for name, title in titles.items()]
    handles.append(figure.axes[0].plot([], [], color=style.SOFT, linewidth=2.2, alpha=0.5, label="run")[0])
    figure.legend(handles=handles, loc="outside lower center", ncols=style.legend_columns(figure, titles.values(), most=4))
    return figure


@style.styled
def plot_product_totals(totals: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Plot global totals by year: the run with its 90 % interval, and products.

    Parameters
    ----------
    totals : `COMPARED_TOTALS` of one or more products
    titles : names of the products for people
    """
    rows = totals[totals["region"] == "globe"]
    quantities, colours = present_quantities(rows), style.series_colours(list(titles))
    figure = style.new_figure(11, 3.4)
    for axes, quantity in zip(style.panels(figure, len(quantities)), quantities, strict=False):
        part = rows[rows["quantity"] == quantity]
        years = sorted(part["year"].unique())
        mine, flux = part.drop_duplicates("year").set_index("year").loc[years], QUANTITIES[quantity]
        at = np.arange(len(years))
        error = np.abs(np.stack([mine["run_total"] - mine["run_q05"], mine["run_q95"] - mine["run_total"]]))
        axes.errorbar(at, mine["run_total"], error, fmt="o", color=FLUX_COLOURS[flux], capsize=2, label="run, 90 % interval")
        for name, theirs in part.groupby("product", observed=True):
            place = [years.index(year) for year in theirs["year"]]
            axes.plot(place, theirs["product_total"], "D", markersize=5, color=colours[str(name)], fillstyle="none")
            axes.plot(place, on_land_of_run(theirs), "D", markersize=5, color=colours[str(name)])
        axes.set_xticks(at, years, rotation=90 if len(years) > 4 else 0, fontsize=7)
        axes.set(title=QUANTITY_NAMES[quantity], xlim=(-0.6, len(years) - 0.4))
    figure.axes[0].set_ylabel("PgC yr⁻¹")
    handles = [figure.axes[0].plot([], [], "D", color=colours[name], label=title)[0] for name, title in titles.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=style.legend_columns(figure, titles.values(), most=4))
    return figure


FEWEST_YEARS = 3
"""Years from which on anomalies are drawn."""


def yearly_anomalies(totals: pd.DataFrame) -> pd.DataFrame:
    """Global totals less their means over the years that run and product have: quantity, product, year, run, theirs (PgC yr-1).

    Mean years, and products with fewer than `FEWEST_YEARS` of them, have none. `totals` by `COMPARED_TOTALS`.
    """
    rows = totals[(totals["region"] == "globe") & totals["year"].str.fullmatch(r"\d{4}")]
    rows = rows.dropna(subset=["run_total", "product_total"])
    rows = rows[rows.groupby(["quantity", "product"])["year"].transform("nunique") >= FEWEST_YEARS]
    means = rows.groupby(["quantity", "product"])[["run_total", "product_total"]].transform("mean")
    anomalies = rows[["quantity", "product"]].assign(year=rows["year"].astype(int))
    return anomalies.assign(run=rows["run_total"] - means["run_total"], theirs=rows["product_total"] - means["product_total"])


@style.styled
def plot_product_anomalies(totals: pd.DataFrame, titles: Mapping[str, str]) -> Figure | None:
    """Plot anomalies of the global totals by year: the run (thick) and products; None without years.

    Parameters
    ----------
    totals : `COMPARED_TOTALS` of one or more products
    titles : names of the products for people
    """
    table = yearly_anomalies(totals)
    if table.empty:
        return None
    quantities, colours = present_quantities(table), style.series_colours(list(titles))
    figure = style.new_figure(11, 3.2)
    for axes, quantity in zip(style.panels(figure, len(quantities)), quantities, strict=False):
        part = table[table["quantity"] == quantity]
        mine = part.sort_values("year").drop_duplicates("year")
        axes.axhline(0, color=style.INK, linewidth=0.8)
        axes.plot(mine["year"], mine["run"], color=FLUX_COLOURS[QUANTITIES[quantity]], linewidth=2.4, alpha=0.6)
        for name, theirs in part.groupby("product", observed=True):
            ordered = theirs.sort_values("year")
            axes.plot(ordered["year"], ordered["theirs"], "o-", markersize=3, color=colours[str(name)], linewidth=1.2)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(QUANTITY_NAMES[quantity])
    figure.axes[0].set_ylabel("anomaly (PgC yr⁻¹)")
    shown = [name for name in titles if name in set(table["product"])]
    handles = [figure.axes[0].plot([], [], "o-", markersize=3, color=colours[name], label=titles[name])[0] for name in shown]
    handles.append(figure.axes[0].plot([], [], color=style.SOFT, linewidth=2.4, alpha=0.6, label="run")[0])
    figure.legend(handles=handles, loc="outside lower center", ncols=style.legend_columns(figure, titles.values(), most=4))
    return figure
