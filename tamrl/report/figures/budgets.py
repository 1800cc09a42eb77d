"""Figures of the budgets beside published ranges and defensible choices, and of what the quality tests took away."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tamrl.report import style
from tamrl.report.figures.maps import BAND_NAMES
from tamrl.report.figures.scores import present
from tamrl.report.style import FLUX_COLOURS, FLUX_LONG

GLOBE = "globe"


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
"""What other products find. Respiration has no comparable upscaled product: X-BASE gives none."""


def years_mean(budgets: pd.DataFrame) -> pd.DataFrame:
    """Budgets averaged over the mapped years: one row a flux and region (table by `contracts.BUDGETS`)."""
    values = ["area_m2", "mean", "std", "minimum", "maximum"]
    return budgets.groupby(["flux", "region"], sort=False)[values].mean().reset_index()


def bars(budgets: pd.DataFrame) -> Figure:
    """Totals by region with the members' standard deviation, and global totals beside published ranges."""
    table = years_mean(budgets)
    fluxes = present(table)
    carrying = set(table.loc[(table["mean"] != 0) & (table["area_m2"] > 0), "region"])
    regions = [r for r in table["region"].unique() if r in BAND_NAMES and r in carrying]
    with style.styled():
        figure = style.figure(11, 3.5)
        line = figure.subplots(1, len(fluxes), squeeze=False)[0]
        for flux, axes in zip(fluxes, line, strict=True):
            rows = table[table["flux"] == flux].set_index("region")
            _region_bars(axes, rows.reindex([GLOBE, *regions]), FLUX_COLOURS[flux])
            _published(axes, flux)
            axes.set_title(FLUX_LONG[flux])
        line[0].set_ylabel("PgC yr⁻¹")
    return figure


def _region_bars(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    at = np.arange(len(rows))
    axes.bar(at, rows["mean"], 0.62, color=colour, zorder=2)
    axes.errorbar(at, rows["mean"], yerr=rows["std"], fmt="none", ecolor=style.INK, elinewidth=1.1, capsize=3, zorder=3)
    for k, (_, row) in enumerate(rows.iterrows()):
        if np.isfinite(row["mean"]):
            down = row["mean"] < 0
            end = row["mean"] - row["std"] if down else row["mean"] + row["std"]
            axes.annotate(
                style.number(row["mean"], 1), (k, end), (0, -4 if down else 4), textcoords="offset points",
                ha="center", va="top" if down else "bottom", fontsize=7,
            )  # fmt: skip
    axes.axhline(0, color=style.SOFT, linewidth=0.7)
    axes.set_xticks(at, ["globe", *(BAND_NAMES[r].replace("° ", "°\n") for r in rows.index[1:])], fontsize=7)
    axes.grid(axis="x", visible=False)
    axes.margins(y=0.14)


def _published(axes: Axes, flux: str) -> None:
    """A yellow range beside the bar of the globe."""
    if flux in PUBLISHED:
        found = PUBLISHED[flux]
        label = f"published {style.number(found.low, 1)} to {style.number(found.high, 1)}"
        axes.bar(0.45, found.high - found.low, 0.16, bottom=found.low, color="#f2c14e", zorder=3, label=label)
        axes.legend(loc="upper right" if flux != "nee" else "lower right")


def choices(run: pd.DataFrame, others: dict[str, pd.DataFrame]) -> Figure:
    """Global totals of the run and of its defensible alternatives, each with the range of its members."""
    tables = {"this run": years_mean(run)} | {name: years_mean(frame) for name, frame in others.items()}
    fluxes = present(tables["this run"])
    with style.styled():
        figure = style.figure(11, 0.3 * len(tables) + 1.3)
        line = figure.subplots(1, len(fluxes), squeeze=False, sharey=True)[0]
        for flux, axes in zip(fluxes, line, strict=True):
            for k, (name, table) in enumerate(tables.items()):
                row = table[(table["flux"] == flux) & (table["region"] == GLOBE)].squeeze()
                colour = FLUX_COLOURS[flux] if name == "this run" else style.SOFT
                axes.plot([row["minimum"], row["maximum"]], [k, k], color=colour, alpha=0.45, linewidth=4, solid_capstyle="round")
                axes.plot(row["mean"], k, marker="o", color=colour, markersize=6)
            if flux in PUBLISHED:
                axes.axvspan(PUBLISHED[flux].low, PUBLISHED[flux].high, color="#f2c14e", alpha=0.25, zorder=0)
            axes.set_title(FLUX_LONG[flux])
            axes.set(xlabel="PgC yr⁻¹", yticks=range(len(tables)), yticklabels=list(tables), ylim=(len(tables) - 0.5, -0.5))
    return figure


def quality(table: pd.DataFrame) -> Figure:
    """Records that each quality test took away, and the number of towers it touched (table by `contracts.QUALITY`)."""
    hit = table[table["dropped"] > 0]
    sums = hit.groupby("test").agg(dropped=("dropped", "sum"), towers=("site", "nunique")).sort_values("dropped")
    with style.styled():
        figure = style.figure(11, 0.32 * max(len(sums), 1) + 0.9)
        axes = figure.subplots()
        axes.barh(range(len(sums)), sums["dropped"], color="#8fa3ad", height=0.62)
        for k, (_, row) in enumerate(sums.iterrows()):
            text = f"{row['dropped']:,} at {row['towers']} tower{'s' if row['towers'] > 1 else ''}"
            axes.annotate(text, (row["dropped"], k), (5, 0), textcoords="offset points", va="center", fontsize=8)
        axes.set_yticks(range(len(sums)), list(sums.index))
        axes.set(xlabel="values taken away", xlim=(0, 1.25 * max(sums["dropped"].max() if len(sums) else 1, 1)))
        axes.grid(axis="y", visible=False)
    return figure
