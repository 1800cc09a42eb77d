"""Figures of scores: distributions over towers, paired differences, scales and classes. Tables by `contracts.METRICS`."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tamrl.classes import IGBP, KOPPEN
from tamrl.evaluation import bootstrap
from tamrl.report import style
from tamrl.report.style import FLUX_COLOURS, FLUX_LONG, FLUX_NAMES, FLUX_UNITS

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
    """What the column `split` says of the inputs."""
    return "inputs measured at the tower" if split.endswith(":tower") else "inputs from the grid, as the map has them"


def present(rows: pd.DataFrame) -> list[str]:
    """Fluxes of a table, in the usual order."""
    return [flux for flux in FLUX_NAMES if flux in set(rows["flux"])]


def rmse_distributions(metrics: pd.DataFrame, *, scale: str, map_model: str) -> Figure:
    """RMSE of every held-out tower by model: box of the quartiles, a point a tower, median written."""
    rows = metrics[metrics["scale"] == scale]
    splits, fluxes = sorted(rows["split"].unique()), present(rows)
    colours = style.series_colours(sorted(rows["model"].unique()), map_model)
    with style.styled():
        figure = style.figure(11, 3.4 * len(splits))
        for cell in style.cells(figure, splits, fluxes):
            part = rows[(rows["split"] == cell.row) & (rows["flux"] == cell.column)]
            _boxes(cell.axes, [part.loc[part["model"] == model, "rmse"].to_numpy() for model in colours], colours)
            _heads(cell, f"RMSE of a tower ({FLUX_UNITS})")
    return figure


def _heads(cell: style.Cell, label: str) -> None:
    """The flux above the top row; quantity and inputs left of each row."""
    cell.axes.set_title(FLUX_LONG[cell.column] if cell.top else "")
    if cell.left:
        cell.axes.set_ylabel(f"{label}\n{split_label(cell.row)}".strip(), fontsize=8)


def _boxes(axes: Axes, samples: list[np.ndarray], colours: dict[str, str]) -> None:
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
    crowded = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if len(colours) > 3 else {}
    axes.set_xticks(range(len(colours)), list(colours), **crowded)
    axes.set_xlim(-0.6, len(colours) - 0.4)
    axes.set_ylim(0, top)
    axes.grid(axis="x", visible=False)


def differences(metrics: pd.DataFrame, *, map_model: str) -> Figure | None:
    """Paired differences of RMSE, the maps' model minus each rival: median over towers with its 95 % bootstrap interval.

    None where there is no rival.
    """
    colours = style.series_colours(sorted(metrics["model"].unique()), map_model)
    rivals = [m for m in colours if m != map_model]
    if not rivals:
        return None
    scales = [s for s in SCALE_NAMES if s in set(metrics["scale"])]
    splits, fluxes = sorted(metrics["split"].unique()), present(metrics)
    with style.styled():
        figure = style.figure(11, (0.28 * len(scales) * max(1, 0.6 * len(rivals)) + 1.2) * len(splits) + 0.4)
        for cell in style.cells(figure, splits, fluxes, sharey=True):
            part = metrics[(metrics["split"] == cell.row) & (metrics["flux"] == cell.column)]
            for k, rival in enumerate(rivals):
                offset = (k - (len(rivals) - 1) / 2) * 0.7 / len(rivals)
                _forest(cell.axes, part, scales, (map_model, rival), offset, colours[rival])
            cell.axes.axvline(0, color=style.INK, linewidth=0.9)
            cell.axes.set_yticks(range(len(scales)), [SCALE_NAMES[s] for s in scales])
            cell.axes.set_ylim(len(scales) - 0.5, -0.5)
            cell.axes.xaxis.set_major_locator(MaxNLocator(5))
            _heads(cell, "")
            if cell.bottom:
                cell.axes.set_xlabel(f"difference of RMSE ({FLUX_UNITS})\n← {map_model} better · rival better →")
        handles = [Line2D([], [], color=colours[r], marker="o", linewidth=1.6) for r in rivals]
        figure.legend(handles, [f"{map_model} − {r}" for r in rivals], loc="outside lower center", ncols=min(len(rivals), 4))
    return figure


def _forest(axes: Axes, part: pd.DataFrame, scales: Sequence[str], pair: tuple[str, str], offset: float, colour: str) -> None:
    for k, scale in enumerate(scales):
        found = paired(part[part["scale"] == scale], *pair)
        if found.n == 0:
            continue
        axes.plot([found.low, found.high], [k + offset] * 2, color=colour, linewidth=2, solid_capstyle="round", alpha=0.75)
        face = colour if found.excludes_zero else style.PAPER
        axes.plot(found.estimate, k + offset, marker="o", markersize=5, color=colour, markerfacecolor=face)


def paired(rows: pd.DataFrame, ours: str, theirs: str) -> bootstrap.Interval:
    """Median paired difference of RMSE over towers of one split, flux and scale."""
    a, b = (rows[rows["model"] == model].set_index("site")["rmse"] for model in (ours, theirs))
    return bootstrap.paired_median(a, b)


def scales(metrics: pd.DataFrame, *, map_model: str) -> Figure:
    """Efficiency (NSE) by scale: median over towers and its interquartile range, per model and flux."""
    shown = [s for s in SCALE_NAMES if s in set(metrics.loc[metrics["nse"].notna(), "scale"])]
    colours = style.series_colours(sorted(metrics["model"].unique()), map_model)
    splits, fluxes = sorted(metrics["split"].unique()), present(metrics)
    with style.styled():
        figure = style.figure(11, 2.9 * len(splits) + 0.3)
        panels = style.cells(figure, splits, fluxes, sharey=True)
        for cell in panels:
            part = metrics[(metrics["split"] == cell.row) & (metrics["flux"] == cell.column)]
            for k, (model, colour) in enumerate(colours.items()):
                at = np.arange(len(shown)) + (k - (len(colours) - 1) / 2) * min(0.16, 0.8 / len(colours))
                values = [part.loc[(part["model"] == model) & (part["scale"] == s), "nse"].dropna() for s in shown]
                _quartiles(cell.axes, at, values, colour, model)
            cell.axes.axhline(0, color=style.SOFT, linewidth=0.8)
            cell.axes.set_xticks(range(len(shown)), [SCALE_NAMES[s].replace(" ", "\n") for s in shown], fontsize=7)
            cell.axes.set_ylim(-1.05, 1.02)
            _heads(cell, "NSE of a tower")
        figure.legend(*panels[0].axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(colours))
    return figure


def _quartiles(axes: Axes, at: np.ndarray, values: list[pd.Series], colour: str, name: str) -> None:
    found = np.array([np.quantile(v, [0.25, 0.5, 0.75]) if len(v) else [np.nan] * 3 for v in values]).reshape(-1, 3)
    axes.vlines(at, found[:, 0], found[:, 2], color=colour, alpha=0.45, linewidth=2)
    axes.plot(at, found[:, 1], color=colour, marker="o", markersize=4.5, linewidth=0, label=name)


def classes(metrics: pd.DataFrame, *, scale: str, map_model: str, split: str) -> Figure:
    """Efficiency by IGBP class and climate at one scale, maps' model: a point a tower, median; EBF and Tropical marked."""
    rows = metrics[(metrics["scale"] == scale) & (metrics["model"] == map_model) & (metrics["split"] == split)]
    names = [c for c in IGBP if c in set(rows["igbp"])], [c for c in KOPPEN if c in set(rows["koppen"])]
    order = [("igbp", c) for c in names[0]] + [None] + [("koppen", c) for c in names[1]]
    fluxes = present(rows)
    with style.styled():
        figure = style.figure(11, 0.27 * len(order) + 1.1)
        line = figure.subplots(1, len(fluxes), sharey=True, squeeze=False)[0]
        for flux, axes in zip(fluxes, line, strict=True):
            for k, entry in enumerate(order):
                if entry is not None:
                    here = rows[(rows["flux"] == flux) & (rows[entry[0]] == entry[1])]
                    style.strip(axes, k, here["nse"].dropna().to_numpy(), FLUX_COLOURS[flux], low=-1)
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
        line[0].set_yticks(range(len(order)), [f"{e[1]} ({n})" if e else "" for e, n in zip(order, counts, strict=True)])
        line[0].tick_params(axis="y", length=0)
    return figure
