"""Figures of all models side by side: errors with their intervals, errors by class and climate, and coverage by class."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tamrl.calendar import TROPICS
from tamrl.classes import IGBP, KOPPEN
from tamrl.evaluation.bootstrap import Interval, TowerGroups, counted_quantile, resample_groups
from tamrl.report import style
from tamrl.report.style import FLUX_COLOURS, FLUX_LONG, FLUX_UNITS

HARD = ("EBF", "Tropical", "tropics")
"""Groups of towers where upscaling usually fails."""


def tower_quantile(values: pd.Series, groups: TowerGroups, level: float) -> Interval:
    """Compute a quantile over towers (series indexed by site) with its bootstrap interval over groups."""
    values = values[np.isfinite(values)]
    return resample_groups(
        values.to_numpy(), groups.of(values.index), lambda rows, counts: counted_quantile(rows[:, 0], counts, level)
    )


@style.styled
def plot_model_errors(metrics: pd.DataFrame, groups: TowerGroups, *, scale: str, map_model: str) -> Figure:
    """Plot median and 90th percentile over towers of each model's RMSE with bootstrap intervals.

    Parameters
    ----------
    metrics : table by `contracts.METRICS`, one split
    groups : of neighbouring towers, which are resampled
    scale : time scale of the scores
    map_model : the model that comes first
    """
    rows = metrics[metrics["scale"] == scale]
    colours = style.series_colours(sorted(rows["model"].unique()), map_model)
    fluxes = style.present_fluxes(rows)
    figure = style.new_figure(11, 0.42 * len(colours) + 1.2)
    for axes, flux in zip(style.panels(figure, len(fluxes), sharey=True), fluxes, strict=True):
        for k, (model, colour) in enumerate(colours.items()):
            values = rows[(rows["flux"] == flux) & (rows["model"] == model)].set_index("site")["rmse"]
            for offset, level, marker in ((-0.12, 0.5, "o"), (0.18, 0.9, "D")):
                _plot_quantile(axes, k + offset, tower_quantile(values, groups, level), marker, colour)
        axes.set_yticks(range(len(colours)), list(colours))
        axes.set(ylim=(len(colours) - 0.5, -0.5), title=FLUX_LONG[flux], xlabel=f"RMSE ({FLUX_UNITS})")
    handles = [Line2D([], [], marker=marker, color=style.SOFT, linestyle="") for marker in "oD"]
    figure.legend(handles, ["median over towers", "90th percentile"], loc="outside lower center", ncols=2)
    return figure


def _plot_quantile(axes: Axes, at: float, value: Interval, marker: str, colour: str) -> None:
    style.draw_interval(axes, value.low, value.high, at, colour, alpha=0.6)
    axes.plot(value.estimate, at, marker=marker, markersize=5, color=colour)
    axes.annotate(f"{value.estimate:.2f}", (value.estimate, at), (0, 5), textcoords="offset points", ha="center", fontsize=7)


def tower_groups(metrics: pd.DataFrame, towers: pd.DataFrame) -> dict[str, pd.Index]:
    """List the sites of each IGBP class, climate and of the tropics, of `style.LEAST` towers or more, in the usual order."""
    sites = metrics.drop_duplicates("site").set_index("site")
    groups = {name: sites.index[sites["igbp"] == name] for name in IGBP}
    groups |= {name: sites.index[sites["koppen"] == name] for name in KOPPEN}
    tropical = set(towers.loc[towers["lat"].abs() < TROPICS, "site"])
    groups["tropics"] = sites.index[sites.index.isin(tropical)]
    return {name: index for name, index in groups.items() if len(index) >= style.LEAST}


@style.styled
def plot_errors_by_group(metrics: pd.DataFrame, towers: pd.DataFrame, *, scale: str, map_model: str) -> Figure | None:
    """Plot the median RMSE of each model by class, by climate and in the tropics; None where no group has enough towers.

    Parameters
    ----------
    metrics : table by `contracts.METRICS`, one split
    towers : table by `contracts.SITES`
    scale : time scale of the scores
    map_model : the model that is drawn on top
    """
    rows = metrics[metrics["scale"] == scale]
    groups, fluxes = tower_groups(rows, towers), style.present_fluxes(rows)
    if not groups:
        return None
    colours = style.series_colours(sorted(rows["model"].unique()), map_model)
    figure = style.new_figure(11, 0.33 * len(groups) + 1.3)
    for axes, flux in zip(style.panels(figure, len(fluxes), sharey=True), fluxes, strict=True):
        table = rows[rows["flux"] == flux].pivot(index="site", columns="model", values="rmse")
        for k, (name, sites) in enumerate(groups.items()):
            middle = table.reindex(sites).median()
            axes.plot([middle.min(), middle.max()], [k] * 2, color=style.FAINT, linewidth=1.5, zorder=1)
            for model in reversed(colours):  # ours on top
                big = 7 if model == map_model else 5
                axes.plot(middle.get(model, np.nan), k, marker="o", markersize=big, color=colours[model], label=model)
            if name in HARD:
                axes.axhspan(k - 0.5, k + 0.5, color="#fdf0d5", zorder=0)
        axes.set_yticks(range(len(groups)), [f"{name} ({len(sites)})" for name, sites in groups.items()])
        axes.set(ylim=(len(groups) - 0.5, -0.5), xlim=(0, None), title=FLUX_LONG[flux], xlabel=f"median RMSE ({FLUX_UNITS})")
    handles = [Line2D([], [], color=c, marker="o", linestyle="") for c in colours.values()]
    columns = style.legend_columns(figure, colours, most=8)
    figure.legend(handles, list(colours), loc="outside lower center", ncols=columns)
    return figure


@style.styled
def plot_class_coverage(reliability: pd.DataFrame, *, model: str) -> Figure | None:
    """Plot the share of observed steps inside the 90 % intervals, of all towers, by class and by season, with their limits.

    `reliability` by `contracts.RELIABILITY`, one split; None where the model has no row.
    """
    finest = "day" if (reliability["scale"] == "day").any() else "month"
    of_steps = (reliability["scale"] == finest) & (reliability["towers"] >= style.LEAST)
    rows = reliability[of_steps & (reliability["model"] == model)]
    kind = "members" if (rows["intervals"] == "members").any() else "residuals"
    rows, fluxes = rows[rows["intervals"] == kind], style.present_fluxes(rows)
    if rows.empty:
        return None
    order = list(dict.fromkeys(rows.sort_values("kind", kind="stable")["group"]))
    figure = style.new_figure(11, 0.27 * len(order) + 0.9)
    for axes, flux in zip(style.panels(figure, len(fluxes), sharey=True), fluxes, strict=True):
        for r in rows[rows["flux"] == flux].itertuples(index=False):
            k = order.index(r.group)
            if np.isfinite(r.least):
                axes.plot([100 * r.least, 100 * r.most], [k] * 2, color=style.FAINT, linewidth=7, solid_capstyle="butt")
            face = style.PAPER if r.met == "no" else FLUX_COLOURS[flux]
            axes.plot(100 * r.coverage, k, marker="o", markersize=6, color=FLUX_COLOURS[flux], markerfacecolor=face)
        axes.axvline(90, color=style.INK, linewidth=1, linestyle=(0, (4, 2)))
        axes.set_yticks(range(len(order)), order)
        axes.set(ylim=(len(order) - 0.5, -0.5), xlim=(None, 101), title=FLUX_LONG[flux], xlabel="% inside the 90 % interval")
    return figure
