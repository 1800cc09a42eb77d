"""Figures of the budgets with published ranges and defensible choices, and of the values that quality tests removed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tamrl import classes, contracts
from tamrl.report import style
from tamrl.report.style import BAND_NAMES, FLUX_COLOURS, FLUX_LONG


@dataclass(frozen=True)
class Published:
    """A published global total, PgC yr-1."""

    low: float
    high: float
    source: str


PUBLISHED = {
    "gpp": Published(106.0, 130.0, "range of published products"),
    "nee": Published(-5.75 - 0.33, -5.75 + 0.33, "X-BASE (Nelson & Walther et al. 2024, doi 10.5194/bg-21-5079-2024)"),
}
"""Totals of other products. Respiration has no comparable upscaled product: X-BASE gives none."""

QUALITY_TESTS = {
    "fill_left": "fill values left in the file",
    "fill_values": "fill values of the file",
    "valid_range": "outside the possible range",
    "nee_qc": "too few measured half hours",
    "flat": "same value on successive days",
    "spikes": "spike",
    "residual": "NEE far from RECO − GPP",
    "energy_balance": "energy balance not closed",
    "alternatives": "alternative fluxes far from a balance",
    "driver_range": "driver outside the possible range",
    "radiation": "more radiation than at the top of the atmosphere",
    "implausible": "mean outside published bounds",
    "time_shift": "clock of the tower shifted",
    "min_steps": "too short a record",
    "months": "too few calendar months",
    "managed": "managed site",
    "exclude": "excluded by the configuration",
    "water": "water",
    "set_aside": "archive not readable",
}
"""Quality tests of `contracts.QUALITY` in words."""


def mean_budgets(budgets: pd.DataFrame) -> pd.DataFrame:
    """Average budgets over the mapped years: one row per flux and region (table by `contracts.BUDGETS`)."""
    values = [name for name in contracts.BUDGETS.columns if name not in ("flux", "year", "region")]
    return budgets.groupby(["flux", "region"], sort=False)[values].mean().reset_index()


@style.styled
def plot_budgets(budgets: pd.DataFrame, *, truth: Mapping[str, Mapping[str, float]] | None, label: str) -> Figure:
    """Plot totals by region with their 90 % intervals, beside a reference, or those of the globe beside published ranges.

    Parameters
    ----------
    budgets : table by `contracts.BUDGETS`
    truth : totals of the reference (PgC yr-1) by flux and region; None draws published ranges
    label : name of the reference
    """
    table = mean_budgets(budgets)
    every = classes.name_of_all(table["region"])
    fluxes = style.present_fluxes(table)
    carrying = set(table.loc[(table["mean"] != 0) & (table["area_m2"] > 0), "region"])
    regions = [r for r in table["region"].unique() if r in BAND_NAMES and r in carrying]
    figure = style.new_figure(11, 3.5)
    panels = style.panels(figure, len(fluxes))
    for flux, axes in zip(fluxes, panels, strict=True):
        rows = table[table["flux"] == flux].set_index("region")
        _region_bars(axes, rows.reindex([every, *regions]), FLUX_COLOURS[flux])
        if truth is None and every == classes.GLOBE:
            _draw_published(axes, flux)
        elif truth is not None:
            values = [truth[flux].get(region, np.nan) for region in (every, *regions)]
            at = np.arange(len(values)) + 0.38
            axes.plot(at, values, "D", color=style.INK, markerfacecolor="#f2c14e", markersize=5, zorder=4, label=label)
            axes.legend(loc="upper right" if flux != "nee" else "lower right")
        axes.set_title(FLUX_LONG[flux])
    panels[0].set_ylabel("PgC yr⁻¹")
    return figure


def _region_bars(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    at = np.arange(len(rows))
    axes.bar(at, rows["mean"], 0.62, color=colour, zorder=2)
    ends = [rows["mean"] - rows["q05"], rows["q95"] - rows["mean"]]
    axes.errorbar(at, rows["mean"], yerr=ends, fmt="none", ecolor=style.INK, elinewidth=1.1, capsize=3, zorder=3)
    for k, (_, row) in enumerate(rows.iterrows()):
        if np.isfinite(row["mean"]):
            down = row["mean"] < 0
            end = row["q05"] if down else row["q95"]
            axes.annotate(
                style.format_total(row["mean"], rows.index[0]), (k, end), (0, -4 if down else 4), textcoords="offset points",
                ha="center", va="top" if down else "bottom", fontsize=7,
            )  # fmt: skip
    axes.axhline(0, color=style.SOFT, linewidth=0.7)
    axes.set_xticks(at, [rows.index[0], *(BAND_NAMES[r].replace("° ", "°\n") for r in rows.index[1:])], fontsize=7)
    axes.grid(axis="x", visible=False)
    axes.margins(y=0.14)


def _draw_published(axes: Axes, flux: str) -> None:
    """Draw a yellow range next to the bar of the globe."""
    if total := PUBLISHED.get(flux):
        label = f"published {style.format_number(total.low, 1)} to {style.format_number(total.high, 1)}"
        axes.bar(0.45, total.high - total.low, 0.16, bottom=total.low, color="#f2c14e", zorder=3, label=label)
        axes.legend(loc="upper right" if flux != "nee" else "lower right")


@style.styled
def plot_choices(run: pd.DataFrame, others: dict[str, pd.DataFrame]) -> Figure:
    """Plot totals of all mapped land of the run and of its defensible alternatives, each with its 90 % interval."""
    tables = {"this run": mean_budgets(run)} | {name: mean_budgets(frame) for name, frame in others.items()}
    fluxes = style.present_fluxes(tables["this run"])
    every = classes.name_of_all(tables["this run"]["region"])
    figure = style.new_figure(11, 0.3 * len(tables) + 1.3)
    for flux, axes in zip(fluxes, style.panels(figure, len(fluxes), sharey=True), strict=True):
        for k, (name, table) in enumerate(tables.items()):
            row = table[(table["flux"] == flux) & (table["region"] == every)].squeeze()
            colour = FLUX_COLOURS[flux] if name == "this run" else style.SOFT
            axes.plot([row["q05"], row["q95"]], [k, k], color=colour, alpha=0.45, linewidth=4, solid_capstyle="round")
            axes.plot(row["mean"], k, marker="o", color=colour, markersize=6)
        if flux in PUBLISHED and every == classes.GLOBE:
            axes.axvspan(PUBLISHED[flux].low, PUBLISHED[flux].high, color="#f2c14e", alpha=0.25, zorder=0)
        axes.set_title(FLUX_LONG[flux])
        axes.set(xlabel="PgC yr⁻¹", yticks=range(len(tables)), yticklabels=list(tables), ylim=(len(tables) - 0.5, -0.5))
    return figure


@style.styled
def plot_removed_values(table: pd.DataFrame) -> Figure:
    """Plot how many records each quality test removed, and the number of towers it touched (table by `contracts.QUALITY`)."""
    hit = table[table["dropped"] > 0]
    sums = hit.groupby("test").agg(dropped=("dropped", "sum"), towers=("site", "nunique")).sort_values("dropped")
    figure = style.new_figure(11, 0.32 * max(len(sums), 1) + 0.9)
    axes = figure.subplots()
    axes.barh(range(len(sums)), sums["dropped"], color="#8fa3ad", height=0.62)
    for k, (_, row) in enumerate(sums.iterrows()):
        text = f"{row['dropped']:,} at {row['towers']} tower{'s' if row['towers'] > 1 else ''}"
        axes.annotate(text, (row["dropped"], k), (5, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(sums)), [QUALITY_TESTS.get(name, name) for name in sums.index])
    axes.set(xlabel="values removed", xlim=(0, 1.25 * max(sums["dropped"].max() if len(sums) else 1, 1)))
    axes.grid(axis="y", visible=False)
    return figure
