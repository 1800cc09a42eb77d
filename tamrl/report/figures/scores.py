"""Figures of scores: distributions over towers, paired differences, scales and classes. Tables by `contracts.METRICS`."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tamrl.classes import IGBP, KOPPEN
from tamrl.evaluation.bootstrap import Interval, TowerGroups, paired_median
from tamrl.report import style
from tamrl.report.style import FLUX_COLOURS, FLUX_LONG, FLUX_UNITS

SCALE_NAMES = {
    "day": "day",
    "week": "week",
    "month": "month",
    "season": "mean seasonal cycle",
    "anomaly": "monthly anomaly",
    "year": "yearly anomaly",
    "site": "site mean",
}


def split_label(split: str) -> str:
    """Say in words which inputs the column `split` means."""
    return "inputs measured at the tower" if split.endswith(":tower") else "inputs from the grid, as the map has them"


@style.styled
def plot_rmse_distributions(metrics: pd.DataFrame, *, scale: str, map_model: str) -> Figure:
    """Plot the RMSE of every held-out tower by model: quartiles as a box, one point per tower, the median as text."""
    rows = metrics[metrics["scale"] == scale]
    splits, fluxes = sorted(rows["split"].unique()), style.present_fluxes(rows)
    colours = style.series_colours(sorted(rows["model"].unique()), map_model)
    figure = style.new_figure(11, 3.4 * len(splits))
    for panel in style.panel_grid(figure, splits, fluxes):
        part = rows[(rows["split"] == panel.row) & (rows["flux"] == panel.column)]
        _draw_boxes(panel.axes, [part.loc[part["model"] == model, "rmse"].to_numpy() for model in colours], colours)
        label_panel(panel, f"RMSE of a tower ({FLUX_UNITS})")
    return figure


def label_panel(panel: style.Panel, label: str) -> None:
    """Write the flux above the top row, and quantity and inputs left of each row."""
    panel.axes.set_title(FLUX_LONG[panel.column] if panel.top else "")
    if panel.left:
        panel.axes.set_ylabel(f"{label}\n{split_label(panel.row)}".strip(), fontsize=8)


def _draw_boxes(axes: Axes, samples: list[np.ndarray], colours: dict[str, str]) -> None:
    samples = [s[np.isfinite(s)] for s in samples]
    top = max((float(np.percentile(s, 99)) for s in samples if s.size), default=1.0) * 1.15
    rng = np.random.default_rng(0)
    for k, (name, values) in enumerate(zip(colours, samples, strict=True)):
        if not values.size:
            continue
        shown = np.minimum(values, top)
        axes.scatter(
            k + rng.uniform(-0.22, 0.22, values.size), shown, s=7, color=colours[name], alpha=0.45, linewidths=0, zorder=2
        )
        box = axes.boxplot(
            [values], positions=[k], widths=0.55, whis=(10, 90), showfliers=False, patch_artist=True, manage_ticks=False
        )
        for part in (*box["boxes"], *box["whiskers"], *box["caps"], *box["medians"]):
            part.set(color=style.INK, linewidth=0.9, zorder=3)
        box["boxes"][0].set(facecolor=(1, 1, 1, 0.35))
        box["medians"][0].set(color=colours[name], linewidth=2.2)
        axes.annotate(f"{np.median(values):.2f}", (k + 0.3, np.median(values)), va="center", fontsize=8, color=style.INK)
    axes.set_xticks(range(len(colours)), list(colours))
    if len(colours) > 3:
        for text in axes.get_xticklabels():
            text.set(rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, len(colours) - 0.4)
    axes.set_ylim(0, top)
    axes.grid(axis="x", visible=False)


@style.styled
def plot_paired_differences(metrics: pd.DataFrame, groups: TowerGroups, *, map_model: str) -> Figure | None:
    """Plot paired differences of RMSE, the maps' model minus each rival: median over towers with its 95 % bootstrap interval.

    None without a rival.
    """
    colours = style.series_colours(sorted(metrics["model"].unique()), map_model)
    rivals = [m for m in colours if m != map_model]
    if not rivals:
        return None
    scales = [s for s in SCALE_NAMES if s in set(metrics["scale"])]
    splits, fluxes = sorted(metrics["split"].unique()), style.present_fluxes(metrics)
    figure = style.new_figure(11, (0.28 * len(scales) * max(1, 0.6 * len(rivals)) + 1.2) * len(splits) + 0.4)
    for panel in style.panel_grid(figure, splits, fluxes, sharey=True):
        part = metrics[(metrics["split"] == panel.row) & (metrics["flux"] == panel.column)]
        for k, rival in enumerate(rivals):
            offset = (k - (len(rivals) - 1) / 2) * 0.7 / len(rivals)
            changes = [paired_rmse_difference(part[part["scale"] == s], groups, map_model, rival) for s in scales]
            _draw_differences(panel.axes, changes, offset, colours[rival])
        panel.axes.axvline(0, color=style.INK, linewidth=0.9)
        panel.axes.set_yticks(range(len(scales)), [SCALE_NAMES[s] for s in scales])
        panel.axes.set_ylim(len(scales) - 0.5, -0.5)
        panel.axes.xaxis.set_major_locator(MaxNLocator(5))
        label_panel(panel, "")
        if panel.bottom:
            panel.axes.set_xlabel(f"difference of RMSE ({FLUX_UNITS})\n← {map_model} better · rival better →")
    handles = [Line2D([], [], color=colours[r], marker="o", linewidth=1.6) for r in rivals]
    labels = [f"{map_model} − {r}" for r in rivals]
    figure.legend(handles, labels, loc="outside lower center", ncols=style.legend_columns(figure, labels, most=4))
    return figure


def _draw_differences(axes: Axes, changes: Sequence[Interval], offset: float, colour: str) -> None:
    for k, change in enumerate(changes):
        if change.n == 0:
            continue
        style.draw_interval(axes, change.low, change.high, k + offset, colour, alpha=0.75)
        face = colour if change.excludes_zero else style.PAPER
        axes.plot(change.estimate, k + offset, marker="o", markersize=5, color=colour, markerfacecolor=face)


def paired_rmse_difference(rows: pd.DataFrame, groups: TowerGroups, ours: str, theirs: str) -> Interval:
    """Compute the median paired difference of RMSE over towers.

    Parameters
    ----------
    rows : table by `contracts.METRICS`, one split, flux and scale
    groups : of neighbouring towers, which are resampled
    ours, theirs : models
    """
    a, b = (rows[rows["model"] == model].set_index("site")["rmse"] for model in (ours, theirs))
    return paired_median(a, b, groups)


@style.styled
def plot_nse_by_scale(metrics: pd.DataFrame, *, map_model: str) -> Figure:
    """Plot the efficiency (NSE) by scale: median over towers and its interquartile range, per model and flux."""
    shown = [s for s in SCALE_NAMES if s in set(metrics.loc[metrics["nse"].notna(), "scale"])]
    colours = style.series_colours(sorted(metrics["model"].unique()), map_model)
    splits, fluxes = sorted(metrics["split"].unique()), style.present_fluxes(metrics)
    figure = style.new_figure(11, 2.9 * len(splits) + 0.3)
    panels = style.panel_grid(figure, splits, fluxes, sharey=True)
    for panel in panels:
        part = metrics[(metrics["split"] == panel.row) & (metrics["flux"] == panel.column)]
        for k, (model, colour) in enumerate(colours.items()):
            at = np.arange(len(shown)) + (k - (len(colours) - 1) / 2) * min(0.16, 0.8 / len(colours))
            values = [part.loc[(part["model"] == model) & (part["scale"] == s), "nse"].dropna() for s in shown]
            _draw_quartiles(panel.axes, at, values, colour, model)
        panel.axes.axhline(0, color=style.SOFT, linewidth=0.8)
        panel.axes.set_xticks(range(len(shown)), [SCALE_NAMES[s].replace(" ", "\n") for s in shown], fontsize=7)
        panel.axes.set_ylim(-1.05, 1.02)
        label_panel(panel, "NSE of a tower")
    columns = style.legend_columns(figure, colours, most=len(colours))
    figure.legend(*panels[0].axes.get_legend_handles_labels(), loc="outside lower center", ncols=columns)
    return figure


def _draw_quartiles(axes: Axes, at: np.ndarray, values: list[pd.Series], colour: str, name: str) -> None:
    quartiles = np.array([np.quantile(v, [0.25, 0.5, 0.75]) if len(v) else [np.nan] * 3 for v in values]).reshape(-1, 3)
    axes.vlines(at, quartiles[:, 0], quartiles[:, 2], color=colour, alpha=0.45, linewidth=2)
    axes.plot(at, quartiles[:, 1], color=colour, marker="o", markersize=4.5, linewidth=0, label=name)


@style.styled
def plot_nse_by_class(metrics: pd.DataFrame, *, scale: str, map_model: str, split: str) -> Figure:
    """Plot the efficiency of the maps' model by IGBP class and climate: one point per tower, median; EBF and Tropical marked.

    Parameters
    ----------
    metrics : table by `contracts.METRICS`
    scale, map_model, split : the scores that are drawn
    """
    rows = metrics[(metrics["scale"] == scale) & (metrics["model"] == map_model) & (metrics["split"] == split)]
    names = [c for c in IGBP if c in set(rows["igbp"])], [c for c in KOPPEN if c in set(rows["koppen"])]
    order = [("igbp", c) for c in names[0]] + [None] + [("koppen", c) for c in names[1]]
    fluxes = style.present_fluxes(rows)
    figure = style.new_figure(11, 0.27 * len(order) + 1.1)
    panels = style.panels(figure, len(fluxes), sharey=True)
    for flux, axes in zip(fluxes, panels, strict=True):
        for k, entry in enumerate(order):
            if entry is not None:
                part = rows[(rows["flux"] == flux) & (rows[entry[0]] == entry[1])]
                style.draw_strip(axes, k, part["nse"].dropna().to_numpy(), FLUX_COLOURS[flux], low=-1)
                if entry[1] in ("EBF", "Tropical"):
                    axes.axhspan(k - 0.5, k + 0.5, color="#fdf0d5", zorder=0)
        axes.axvline(0, color=style.SOFT, linewidth=0.8)
        axes.set(
            xlim=(-1.08, 1.02),
            ylim=(len(order) - 0.5, -0.5),
            title=FLUX_LONG[flux],
            xlabel="NSE of a tower (≤ −1 at the edge)",
        )
        axes.grid(axis="y", visible=False)
    counts = [rows.loc[(rows[e[0]] == e[1]), "site"].nunique() if e else 0 for e in order]
    panels[0].set_yticks(range(len(order)), [f"{e[1]} ({n})" if e else "" for e, n in zip(order, counts, strict=True)])
    panels[0].tick_params(axis="y", length=0)
    return figure
