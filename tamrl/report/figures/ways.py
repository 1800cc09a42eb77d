"""Figure of the share of the way that the model comes from its rivals to what the towers' own fluxes tell."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tamrl.evaluation.ceilings import OWN_SEASON
from tamrl.report import style
from tamrl.report.figures.scores import split_label
from tamrl.report.style import FLUX_COLOURS, FLUX_LONG
from tamrl.sections.results import BEST

EDGE = 150.0
"""Percent beyond which a share is drawn at the edge."""


def ceiling_name(ceiling: str, months: int) -> str:
    """Say in words what a ceiling is."""
    return "own season of other years" if ceiling == OWN_SEASON else f"adapted with {months} months"


@style.styled
def plot_way_shares(shares: pd.DataFrame) -> Figure | None:
    """Plot the share of the way from the best rival to each ceiling with its interval, and targets.

    `shares` by `contracts.SHARES`; None where nothing was compared.
    """
    rows = shares[(shares["against"] == BEST) & np.isfinite(shares["share"])]
    if rows.empty:
        return None
    kinds = rows[["ceiling", "months"]].drop_duplicates().itertuples(index=False)
    labels = [ceiling_name(kind.ceiling, kind.months) for kind in kinds]
    splits, fluxes = sorted(rows["split"].unique()), style.present_fluxes(rows)
    figure = style.new_figure(11, (0.5 * len(labels) + 1.1) * len(splits) + 0.2)
    for panel in style.panel_grid(figure, splits, fluxes, sharey=True):
        for r in rows[(rows["split"] == panel.row) & (rows["flux"] == panel.column)].itertuples(index=False):
            at, colour = labels.index(ceiling_name(r.ceiling, r.months)), FLUX_COLOURS[panel.column]
            low, share, high = np.clip([r.low, r.share, r.high], -EDGE, EDGE)
            style.draw_interval(panel.axes, low, high, at, colour, alpha=0.75)
            face = colour if r.low > 0 or r.high < 0 else style.PAPER
            panel.axes.plot(share, at, marker="o", markersize=6, color=colour, markerfacecolor=face, linestyle="")
            panel.axes.annotate(f"from {r.rival}", (share, at), (0, 6), textcoords="offset points", ha="center", fontsize=7)
            if np.isfinite(r.target):
                panel.axes.plot([r.target] * 2, [at - 0.35, at + 0.35], color=style.INK, linewidth=1.6, linestyle=(0, (3, 2)))
        for place in (0, 100):
            panel.axes.axvline(place, color=style.INK, linewidth=0.9)
        panel.axes.set_yticks(range(len(labels)), labels)
        panel.axes.set(ylim=(len(labels) - 0.5, -0.5), title=FLUX_LONG[panel.column] if panel.top else "")
        if panel.left and len(splits) > 1:
            panel.axes.set_ylabel(split_label(panel.row), fontsize=8)
        if panel.bottom:
            panel.axes.set_xlabel("share of the way (%)\n0: the best rival · 100: the ceiling")
    return figure
