"""Figures of held-out towers themselves: predicted against observed, their means, and where they stand."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tamrl.evaluation import bootstrap
from tamrl.report import style
from tamrl.report.figures.maps import bar
from tamrl.report.figures.reference import density, note
from tamrl.report.figures.scores import SCALE_NAMES, present, split_label
from tamrl.report.projection import Basemap, frame, project
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

UNKNOWN = "climate not known"
KOPPEN_COLOURS = {
    "Tropical": "#d55e00",
    "Arid": "#e6b422",
    "Temperate": "#009e73",
    "Continental": "#0072b2",
    "Polar": "#7a7a9a",
    UNKNOWN: "#9aa5ab",
}


def observed_predicted(scored: pd.DataFrame, *, step: str) -> Figure:
    """Density of all scored steps, predicted against observed; one row a split (rows of the maps' model only)."""
    splits, fluxes = sorted(scored["split"].unique()), present(scored)
    with style.styled():
        figure = style.figure(11, 3.9 * len(splits))
        panels = style.cells(figure, splits, fluxes)
        for cell in panels:
            part = scored[(scored["split"] == cell.row) & (scored["flux"] == cell.column)]
            image = density(cell.axes, part["observed"].to_numpy(), part["predicted"].to_numpy())
            note(cell.axes, f"{len(part):,} {step}s\n{part['site'].nunique()} towers")
            _heads(cell)
        bar(figure, image, [cell.axes for cell in panels], f"{step}s at held-out towers (logarithmic)")
        style.plain_log(figure.axes[-1].xaxis)
    return figure


def _heads(cell: style.Cell) -> None:
    """The flux above the top row, axes of observed and predicted, and the inputs left of each row."""
    cell.axes.set_title(FLUX_LONG[cell.column] if cell.top else "")
    cell.axes.set(xlabel=f"observed ({FLUX_UNITS})")
    if cell.left:
        cell.axes.set_ylabel(f"predicted ({FLUX_UNITS})\n{split_label(cell.row)}", fontsize=8)


def site_means(means: pd.DataFrame, intervals: dict[tuple[str, str], bootstrap.Interval]) -> Figure:
    """Mean of each tower, predicted against observed, coloured by climate.

    Parameters
    ----------
    means : DataFrame
        split, flux, site, koppen, observed, predicted; the maps' model.
    intervals : dict
        (split, flux): R² with its bootstrap interval.
    """
    splits, fluxes = sorted(means["split"].unique()), present(means)
    colours = {zone: colour for zone, colour in KOPPEN_COLOURS.items() if zone in set(means["koppen"].fillna(UNKNOWN))}
    with style.styled():
        figure = style.figure(11, 3.7 * len(splits) + 0.3)
        for cell in style.cells(figure, splits, fluxes):
            part = means[(means["split"] == cell.row) & (means["flux"] == cell.column)]
            for zone, colour in colours.items():
                here = part[part["koppen"].fillna(UNKNOWN) == zone]
                look = {"s": 22, "color": colour, "edgecolor": "white", "linewidth": 0.5, "zorder": 3}
                cell.axes.scatter(here["observed"], here["predicted"], **look)
            _equality(cell.axes, part)
            if (cell.row, cell.column) in intervals:
                found = intervals[cell.row, cell.column]
                note(cell.axes, f"R² = {style.minus(found.text())}\n{found.n} towers")
            _heads(cell)
        handles = [Line2D([], [], color=c, marker="o", linestyle="", label=zone) for zone, c in colours.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _equality(axes: Axes, part: pd.DataFrame) -> None:
    values = part[["observed", "predicted"]].to_numpy()
    low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    pad = 0.06 * max(high - low, 0.1)
    span = (low - pad, high + pad)
    axes.plot(span, span, color=style.SOFT, linewidth=0.9, zorder=1)
    axes.set(xlim=span, ylim=span, box_aspect=1)


def tower_map(metrics: pd.DataFrame, towers: pd.DataFrame, base: Basemap, *, scale: str) -> Figure:
    """Where the held-out towers stand: by class, and the efficiency of each flux there (scores of one model and split)."""
    rows = metrics[metrics["scale"] == scale].merge(towers[["site", "lat", "lon"]], on="site")
    fluxes = present(rows)
    with style.styled():
        figure = style.figure(11, 6.0)
        panels = figure.subplots(2, 2).ravel()
        for axes in panels:
            frame(axes, base)
        handles = _by_class(panels[0], rows.drop_duplicates("site"))
        look = {"s": 20, "cmap": style.palette("score"), "norm": Normalize(-0.5, 1), "edgecolor": style.INK, "linewidth": 0.35}
        for flux, axes in zip(fluxes, panels[1:], strict=False):
            here = rows[(rows["flux"] == flux)].sort_values("nse", ascending=False)
            x, y = project(lat=here["lat"], lon=here["lon"])
            image = axes.scatter(x, y, c=here["nse"], zorder=6, **look)
            axes.set_title(f"{FLUX_NAMES[flux]}: NSE ({SCALE_NAMES[scale]})")
        bar(figure, image, list(panels), "Nash–Sutcliffe efficiency; below 0 worse than the tower's own mean", extend="min")
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), columnspacing=1.2, handletextpad=0.1)
    return figure


def _by_class(axes: Axes, sites: pd.DataFrame) -> list[Line2D]:
    """Draw the towers by class; returns what the legend shows."""
    handles = []
    for name, (members, colour, marker) in GROUPS.items():
        here = sites[sites["igbp"].isin(members)]
        if here.empty:
            continue
        x, y = project(lat=here["lat"], lon=here["lon"])
        axes.scatter(x, y, s=20, color=colour, marker=marker, edgecolor="white", linewidth=0.4, zorder=6)
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle="", markersize=5, label=f"{name} ({len(here)})"))
    axes.set_title(f"{len(sites)} held-out towers by class")
    return handles
