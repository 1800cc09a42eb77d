"""Figure of the season of each driver at a few towers: a column in the wrong order shows at a glance."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tamrl import contracts, variables
from tamrl.report import style
from tamrl.report.pages.html import ReportTable
from tamrl.report.style import FLUX_NAMES, FLUX_UNITS
from tamrl.seasons import compare_seasons, mean_years

TOWERS = 10
MONTHS = 12


def driver_names(records: pd.DataFrame) -> list[str]:
    """Names of the drivers among the columns of `contracts.TOWERS` that have a value."""
    names = (n for n in records if n not in contracts.TOWERS.columns and n in variables.vocabulary())
    return [name for name in names if records[name].notna().any()]


def choose_seasons(records: pd.DataFrame, towers: pd.DataFrame) -> pd.DataFrame:
    """Choose up to `TOWERS` towers with GPP in all months, evenly from south to north; returns site and lat in that order."""
    months = records.loc[records["gpp"].notna()].groupby("site")["date"].agg(lambda dates: dates.dt.month.nunique())
    complete = towers[towers["site"].isin(months.index[months == MONTHS])].sort_values(["lat", "site"])
    at = np.unique(np.linspace(0, len(complete) - 1, min(TOWERS, len(complete))).round().astype(int))
    return complete[["site", "lat"]].iloc[at]


@style.styled
def plot_seasons(records: pd.DataFrame, chosen: pd.DataFrame) -> Figure:
    """Plot the mean seasonal cycles of GPP and of each driver, a line for each tower.

    Parameters
    ----------
    records : table of `contracts.TOWERS` with drivers
    chosen : output of `choose_seasons`, at least one tower
    """
    names = ["gpp", *driver_names(records)]
    rows = -(-len(names) // 4)
    figure = style.new_figure(11, 2.1 * rows + 0.5)
    panels = figure.subplots(rows, 4, squeeze=False).ravel()
    part = records[records["site"].isin(chosen["site"])]
    cycles = part.groupby(["site", part["date"].dt.month])[names].mean()
    colours = style.palette("density")(np.linspace(0.25, 1, len(chosen)))
    for axes, name in zip(panels, names, strict=False):
        for colour, (site, lat) in zip(colours, chosen.itertuples(index=False), strict=True):
            cycle = cycles.loc[site, name].reindex(range(1, MONTHS + 1))
            axes.plot(cycle.index, cycle, color=colour, linewidth=1.2, linestyle="--" if lat < 0 else "-")
        variable = variables.get(name)
        axes.set_title(textwrap.fill(FLUX_NAMES.get(name, variable.long_name), 26), fontsize=8)
        axes.set_ylabel(FLUX_UNITS if name in FLUX_NAMES else variable.units)
        axes.set_xticks([1, 4, 7, 10], ["Jan", "Apr", "Jul", "Oct"])
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    labels = [f"{site} ({abs(lat):.0f}° {'S' if lat < 0 else 'N'})" for site, lat in chosen.itertuples(index=False)]
    handles = [
        Line2D([], [], color=colour, linestyle="--" if lat < 0 else "-", label=label)
        for colour, lat, label in zip(colours, chosen["lat"], labels, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


def season_table(records: pd.DataFrame, towers: pd.DataFrame) -> ReportTable:
    """List the median correlation of the season of each driver with that of its physical partner."""
    table = compare_seasons(mean_years(records, towers.set_index("site")["lat"]))
    rows = []
    for row in table[np.isfinite(table["r"])].itertuples():
        names = [variables.get(name).long_name for name in (row.covariate, row.partner)]
        rows.append([*names, f"{row.towers}", style.format_number(row.r), style.format_number(row.least), row.fault or "–"])
    columns = ["driver", "partner", "towers", "r of seasons", "expected at least", "fault"]
    caption = "Mean seasonal cycles of drivers against those of their partners: medians over towers"
    return ReportTable(caption, columns, rows, labels=2)
