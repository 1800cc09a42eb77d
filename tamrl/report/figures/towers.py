"""Figures of held-out towers themselves: predicted against observed, their means, and where they stand."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tamrl.evaluation.bootstrap import Interval
from tamrl.report import style
from tamrl.report.figures.scores import SCALE_NAMES, split_label
from tamrl.report.projection import Basemap, draw_frame, project
from tamrl.report.style import FLUX_LONG, FLUX_NAMES, FLUX_UNITS

GROUPS = {
    "ENF": (("ENF",), "#1b5e3b", "^"),
    "EBF": (("EBF",), "#e69f00", "^"),
    "DBF, DNF, MF": (("DBF", "DNF", "MF"), "#7fb069", "^"),
    "CSH, OSH": (("CSH", "OSH"), "#a0522d", "D"),
    "WSA, SAV": (("WSA", "SAV"), "#d55e00", "D"),
    "GRA": (("GRA",), "#56b4e9", "o"),
    "CRO, CVM": (("CRO", "CVM"), "#cc79a7", "s"),
    "WET": (("WET",), "#0072b2", "o"),
    "other": (("URB", "SNO", "BSV", "WAT"), "#7a7a7a", "s"),
}
"""IGBP classes as the maps of towers show them: classes, colour, marker."""

SKILL_MARKERS = {(-np.inf, 0.0): ("v", 34), (0.0, 0.5): ("s", 18), (0.5, np.inf): ("o", 18)}
"""Marker and its size for ranges of the NSE, so that colour is not needed to read them."""

UNKNOWN = "climate not known"
KOPPEN_COLOURS = {
    "Tropical": "#d55e00",
    "Arid": "#e6b422",
    "Temperate": "#009e73",
    "Continental": "#0072b2",
    "Polar": "#7a7a9a",
    UNKNOWN: "#9aa5ab",
}


@style.styled
def plot_observed_predicted(scored: pd.DataFrame, *, step: str) -> Figure:
    """Plot the density of all scored steps, predicted against observed; one row per split (rows of the maps' model only)."""
    splits, fluxes = sorted(scored["split"].unique()), style.present_fluxes(scored)
    figure = style.new_figure(11, 3.9 * len(splits))
    panels = style.panel_grid(figure, splits, fluxes)
    for panel in panels:
        part = scored[(scored["split"] == panel.row) & (scored["flux"] == panel.column)]
        image = style.draw_density(panel.axes, part["observed"].to_numpy(), part["predicted"].to_numpy())
        style.draw_note(panel.axes, f"{len(part):,} {step}s\n{part['site'].nunique()} towers")
        _label_axes(panel)
    style.colour_bar(figure, image, [panel.axes for panel in panels], f"{step}s at held-out towers (logarithmic)")
    style.label_log(figure.axes[-1].xaxis)
    return figure


def _label_axes(panel: style.Panel) -> None:
    """Write the flux above the top row, observed and predicted, and the inputs left of each row."""
    panel.axes.set_title(FLUX_LONG[panel.column] if panel.top else "")
    panel.axes.set(xlabel=f"observed ({FLUX_UNITS})")
    if panel.left:
        panel.axes.set_ylabel(f"predicted ({FLUX_UNITS})\n{split_label(panel.row)}", fontsize=8)


@style.styled
def plot_site_means(means: pd.DataFrame, intervals: dict[tuple[str, str], Interval]) -> Figure:
    """Plot the mean of each tower, predicted against observed, coloured by climate.

    `means` of the maps' model has the columns split, flux, site, koppen, observed, predicted; `intervals` has the NSE with its
    bootstrap interval by (split, flux).
    """
    splits, fluxes = sorted(means["split"].unique()), style.present_fluxes(means)
    colours = {zone: colour for zone, colour in KOPPEN_COLOURS.items() if zone in set(means["koppen"].fillna(UNKNOWN))}
    figure = style.new_figure(11, 3.7 * len(splits) + 0.3)
    for panel in style.panel_grid(figure, splits, fluxes):
        part = means[(means["split"] == panel.row) & (means["flux"] == panel.column)]
        for zone, colour in colours.items():
            rows = part[part["koppen"].fillna(UNKNOWN) == zone]
            panel.axes.scatter(
                rows["observed"], rows["predicted"], s=22, color=colour, edgecolor="white", linewidth=0.5, zorder=3
            )
        _draw_equality(panel.axes, part)
        if (panel.row, panel.column) in intervals:
            r2 = intervals[panel.row, panel.column]
            style.draw_note(panel.axes, f"NSE = {style.true_minus(r2.text())}\n{r2.n} towers")
        _label_axes(panel)
    handles = [Line2D([], [], color=c, marker="o", linestyle="", label=zone) for zone, c in colours.items()]
    columns = style.legend_columns(figure, colours, most=len(colours))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
    return figure


def _draw_equality(axes: Axes, part: pd.DataFrame) -> None:
    values = part[["observed", "predicted"]].to_numpy()
    low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    pad = 0.06 * max(high - low, 0.1)
    span = (low - pad, high + pad)
    axes.plot(span, span, color=style.SOFT, linewidth=0.9, zorder=1)
    axes.set(xlim=span, ylim=span, box_aspect=1)


@style.styled
def plot_tower_map(metrics: pd.DataFrame, towers: pd.DataFrame, base: Basemap, *, scale: str) -> Figure:
    """Map the held-out towers by class, and the efficiency of each flux at them.

    Parameters
    ----------
    metrics : table by `contracts.METRICS`, one model and split
    towers : table by `contracts.SITES`
    """
    rows = metrics[metrics["scale"] == scale].merge(towers[["site", "lat", "lon"]], on="site")
    fluxes = style.present_fluxes(rows)
    figure = style.new_figure(11, 6.0)
    panels = figure.subplots(2, 2).ravel()
    for axes in panels:
        draw_frame(axes, base)
    sites = rows.drop_duplicates("site")
    handles = draw_towers_by_class(panels[0], sites, title=f"{len(sites)} held-out towers by class")
    cmap, norm = style.palette("score"), Normalize(-0.5, 1)
    for flux, axes in zip(fluxes, panels[1:], strict=False):
        scored = rows[(rows["flux"] == flux)].sort_values("nse", ascending=False)
        x, y = project(lat=scored["lat"], lon=scored["lon"])
        for (low, high), (marker, size) in SKILL_MARKERS.items():
            part = scored["nse"].between(low, high, inclusive="left").to_numpy()
            image = axes.scatter(
                x[part], y[part], c=scored.loc[part, "nse"], marker=marker, s=size, cmap=cmap, norm=norm, zorder=6,
                edgecolor=style.INK, linewidth=0.35,
            )  # fmt: skip
        axes.set_title(f"{FLUX_NAMES[flux]}: NSE ({SCALE_NAMES[scale]})")
    style.colour_bar(
        figure,
        image,
        list(panels),
        "Nash–Sutcliffe efficiency: ▼ below 0, worse than the tower's own mean; ■ 0 to 0.5; ● above 0.5",
        extend="min",
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), columnspacing=1.2, handletextpad=0.1)
    return figure


def draw_towers_by_class(axes: Axes, sites: pd.DataFrame, *, title: str, unknown: bool = False) -> list[Line2D]:
    """Draw the towers by class.

    Parameters
    ----------
    axes : a frame of `projection.draw_frame`
    sites : table with lat, lon and igbp
    unknown : whether those without a class are drawn as "other"

    Returns the handles of the legend.
    """
    handles = []
    for name, (members, colour, marker) in GROUPS.items():
        inside = sites["igbp"].isin(members)
        rows = sites[inside | sites["igbp"].isna() if unknown and name == "other" else inside]
        if rows.empty:
            continue
        x, y = project(lat=rows["lat"], lon=rows["lon"])
        axes.scatter(x, y, s=20, color=colour, marker=marker, edgecolor="white", linewidth=0.4, zorder=6)
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle="", markersize=5, label=f"{name} ({len(rows)})"))
    axes.set_title(title)
    return handles
