"""Figures of what the model gains on its rivals, and of where it fails: relative changes with targets, error by dissimilarity."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import rankdata

from tamrl.evaluation import bootstrap
from tamrl.report import style
from tamrl.report.figures.scores import present, split_label
from tamrl.report.style import FLUX_COLOURS, FLUX_LONG, FLUX_UNITS

BINS = 5
"""Bins of equally many towers that the mean error is drawn for."""


def changes(comparisons: pd.DataFrame, *, scale: str, map_model: str) -> Figure | None:
    """Change of RMSE against each rival (of the median, at the same tower, of the tail), with intervals and targets.

    `comparisons` by `contracts.COMPARISONS`; None where nothing was compared.
    """
    rows = comparisons[(comparisons["scale"] == scale) & (comparisons["towers"] > 0)]
    rivals = sorted(rows["rival"].unique())
    if not rivals:
        return None
    splits, fluxes = sorted(rows["split"].unique()), present(rows)
    with style.styled():
        figure = style.figure(11, (0.6 * len(rivals) + 1.0) * len(splits) + 0.5)
        for cell in style.cells(figure, splits, fluxes, sharey=True):
            part = rows[(rows["split"] == cell.row) & (rows["flux"] == cell.column)].set_index("rival")
            for k, rival in enumerate(r for r in rivals if r in part.index):
                _change(cell.axes, k, part.loc[rival], FLUX_COLOURS[cell.column])
            cell.axes.axvline(0, color=style.INK, linewidth=0.9)
            cell.axes.set_yticks(range(len(rivals)), rivals)
            cell.axes.set_ylim(len(rivals) - 0.5, -0.5)
            cell.axes.set_title(FLUX_LONG[cell.column] if cell.top else "")
            if cell.left and len(splits) > 1:
                cell.axes.set_ylabel(split_label(cell.row), fontsize=8)
            if cell.bottom:
                cell.axes.set_xlabel(f"change of RMSE (%)\n← {map_model} better · rival better →")
        handles = figure.axes[0].get_legend_handles_labels()
        unique = dict(zip(handles[1], handles[0], strict=True))
        figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=4)
    return figure


def _change(axes: Axes, at: int, row: pd.Series, colour: str) -> None:
    """One rival: the median, the same tower, the 90th percentile, one below the other, and the target where there is one."""
    for offset, names, marker, label in (
        (-0.22, ("change", "low", "high"), "o", "median over towers"),
        (0.0, ("tower_change", "tower_low", "tower_high"), "s", "at the same tower (geometric mean)"),
        (0.22, ("p90_change", "p90_low", "p90_high"), "D", "90th percentile over towers"),
    ):
        estimate, low, high = row[list(names)].astype(float)
        axes.plot([low, high], [at + offset] * 2, color=colour, linewidth=2, alpha=0.75, solid_capstyle="round")
        face = colour if low > 0 or high < 0 else style.PAPER
        axes.plot(
            estimate, at + offset, marker=marker, markersize=5, color=colour, markerfacecolor=face, label=label, linestyle=""
        )
    if np.isfinite(row["target"]):
        axes.plot(
            [row["target"]] * 2, [at - 0.35, at + 0.35], color=style.INK, linewidth=1.6, linestyle=(0, (3, 2)), label="target"
        )


def by_dissimilarity(metrics: pd.DataFrame, unlike: pd.DataFrame, *, scale: str, threshold: float | None) -> Figure:
    """Error of each held-out tower against how unlike it is to the towers that trained without it.

    `metrics` holds the maps' model and one split. Line: medians of `BINS` bins of towers; the title gives Spearman's rank
    correlation with its bootstrap interval.
    """
    rows = metrics[metrics["scale"] == scale].merge(unlike[["site", "dissimilarity"]].dropna(), on="site")
    fluxes = present(rows)
    with style.styled():
        figure = style.figure(11, 3.3)
        for axes, flux in zip(np.atleast_1d(figure.subplots(1, max(len(fluxes), 1))), fluxes, strict=False):
            part = rows[rows["flux"] == flux]
            pairs = part[["dissimilarity", "rmse"]].to_numpy(float)
            axes.scatter(*pairs.T, s=14, color=FLUX_COLOURS[flux], alpha=0.6, linewidths=0)
            for middle in [np.median(bin_, axis=0) for bin_ in np.array_split(pairs[np.argsort(pairs[:, 0])], BINS) if len(bin_)]:
                axes.plot(*middle, marker="_", markersize=22, markeredgewidth=2.2, color=style.INK)
            if threshold is not None:
                axes.axvline(threshold, color=style.INK, linewidth=1, linestyle=(0, (4, 2)))
            found = bootstrap.resample(pairs, rank_correlation)
            axes.set(ylim=(0, None), xlim=(0, None), xlabel="dissimilarity index", title=f"{FLUX_LONG[flux]}\nρ = {found.text()}")
            axes.set_ylabel(f"RMSE of a tower ({FLUX_UNITS})")
    return figure


def rank_correlation(rows: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation (1904, doi 10.2307/1412159) of two columns: rows (repeats, n, 2) to (repeats,)."""
    ranks = rankdata(rows, axis=-2)
    ranks -= ranks.mean(-2, keepdims=True)
    product = (ranks[..., 0] * ranks[..., 1]).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return product / np.sqrt((ranks**2).sum(-2).prod(-1))
