"""Figures of the gains of the model on its rivals, and of its failures: relative changes with targets, error by dissimilarity."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tamrl.evaluation.bootstrap import TowerGroups, rank_correlation, resample_groups
from tamrl.evaluation.compare import CHANGE, P90_CHANGE, TOWER_CHANGE
from tamrl.report import style
from tamrl.report.figures.scores import split_label
from tamrl.report.style import FLUX_COLOURS, FLUX_LONG, FLUX_UNITS

BINS = 5
"""Bins of equally many towers that the mean error is drawn for."""


@style.styled
def plot_relative_changes(comparisons: pd.DataFrame, *, scale: str, map_model: str) -> Figure | None:
    """Plot the change of RMSE against each rival (of the median, at the same tower, of the tail), with intervals and targets.

    `comparisons` by `contracts.COMPARISONS`; None where nothing was compared.
    """
    rows = comparisons[(comparisons["scale"] == scale) & (comparisons["towers"] > 0)]
    rivals = sorted(rows["rival"].unique())
    if not rivals:
        return None
    splits, fluxes = sorted(rows["split"].unique()), style.present_fluxes(rows)
    figure = style.new_figure(11, (0.6 * len(rivals) + 1.0) * len(splits) + 0.5)
    for panel in style.panel_grid(figure, splits, fluxes, sharey=True):
        part = rows[(rows["split"] == panel.row) & (rows["flux"] == panel.column)].set_index("rival")
        for k, rival in enumerate(r for r in rivals if r in part.index):
            _plot_change(panel.axes, k, part.loc[rival], FLUX_COLOURS[panel.column])
        panel.axes.axvline(0, color=style.INK, linewidth=0.9)
        panel.axes.set_yticks(range(len(rivals)), rivals)
        panel.axes.set_ylim(len(rivals) - 0.5, -0.5)
        panel.axes.set_title(FLUX_LONG[panel.column] if panel.top else "")
        if panel.left and len(splits) > 1:
            panel.axes.set_ylabel(split_label(panel.row), fontsize=8)
        if panel.bottom:
            panel.axes.set_xlabel(f"change of RMSE (%)\n← {map_model} better · rival better →")
    handles = figure.axes[0].get_legend_handles_labels()
    unique = dict(zip(handles[1], handles[0], strict=True))
    figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=4)
    return figure


def _plot_change(axes: Axes, at: int, row: pd.Series, colour: str) -> None:
    """Draw one rival: the median, the same tower, the 90th percentile, one below the other, and the target where there is one."""
    for offset, names, marker, label in (
        (-0.22, CHANGE, "o", "median over towers"),
        (0.0, TOWER_CHANGE, "s", "at the same tower (geometric mean)"),
        (0.22, P90_CHANGE, "D", "90th percentile over towers"),
    ):
        estimate, low, high = row[list(names)].astype(float)
        style.draw_interval(axes, low, high, at + offset, colour, alpha=0.75)
        face = colour if low > 0 or high < 0 else style.PAPER
        axes.plot(
            estimate, at + offset, marker=marker, markersize=5, color=colour, markerfacecolor=face, label=label, linestyle=""
        )
    if np.isfinite(row["target"]):
        axes.plot(
            [row["target"]] * 2, [at - 0.35, at + 0.35], color=style.INK, linewidth=1.6, linestyle=(0, (3, 2)), label="target"
        )


@style.styled
def plot_error_by_dissimilarity(
    metrics: pd.DataFrame, dissimilarity: pd.DataFrame, groups: TowerGroups, *, scale: str, threshold: float | None
) -> Figure:
    """Plot the error of each held-out tower against how unlike it is to the towers of its training set.

    Lines are medians of `BINS` bins of towers; the title gives Spearman's rank correlation with its bootstrap interval.

    Parameters
    ----------
    metrics : table by `contracts.METRICS`, the maps' model and one split
    dissimilarity : table by `contracts.DISSIMILARITY`
    groups : of neighbouring towers, which are resampled
    threshold : dissimilarity at the border of the area of applicability
    """
    rows = metrics[metrics["scale"] == scale].merge(dissimilarity[["site", "dissimilarity"]].dropna(), on="site")
    fluxes = style.present_fluxes(rows)
    figure = style.new_figure(11, 3.3)
    for axes, flux in zip(style.panels(figure, len(fluxes)), fluxes, strict=False):
        part = rows[rows["flux"] == flux]
        pairs = part[["dissimilarity", "rmse"]].to_numpy(float)
        axes.scatter(pairs[:, 0], pairs[:, 1], s=14, color=FLUX_COLOURS[flux], alpha=0.6, linewidths=0)
        for middle in [np.median(bin_, axis=0) for bin_ in np.array_split(pairs[np.argsort(pairs[:, 0])], BINS) if len(bin_)]:
            axes.plot(*middle, marker="_", markersize=22, markeredgewidth=2.2, color=style.INK)
        if threshold is not None:
            axes.axvline(threshold, color=style.INK, linewidth=1, linestyle=(0, (4, 2)))
        correlation = style.true_minus(resample_groups(pairs, groups.of(part["site"]), rank_correlation).text())
        axes.set(
            ylim=(0, None),
            xlim=(0, None),
            xlabel="dissimilarity index",
            title=f"{FLUX_LONG[flux]}\nρ = {correlation}",
        )
        axes.set_ylabel(f"RMSE of a tower ({FLUX_UNITS})")
    return figure
