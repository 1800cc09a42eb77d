"""Figure of the yearly sums of towers that the models of the maps never saw."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tamrl.report import style
from tamrl.report.style import FLUX_COLOURS, FLUX_LONG

MARKS = {"unseen": ("o", "never in training: the map"), "held_out": ("s", "in training: the models that held it out")}
"""Marker and words by role."""


@style.styled
def plot_independent(places: pd.DataFrame) -> Figure:
    """Plot yearly sums against the map or the models that held a place out, with 90 % intervals; the tropics are filled.

    `places` by `independent.PLACES`, without places in training.
    """
    fluxes = style.present_fluxes(places)
    figure = style.new_figure(11, 4.0)
    for axes, flux in zip(style.panels(figure, len(fluxes)), fluxes, strict=True):
        part = places[places["flux"] == flux]
        ends = np.concatenate([part["observed"], part["predicted"]])
        low, high = np.array([ends.min(), ends.max()]) + np.array([-0.05, 0.05]) * np.ptp(ends)
        axes.plot([low, high], [low, high], color=style.INK, linewidth=0.9)
        for role, (marker, words) in MARKS.items():
            rows = part[part["role"] == role]
            if rows.empty:
                continue
            half = np.abs(rows[["q05", "q95"]].to_numpy() - rows[["predicted"]].to_numpy()).T
            axes.errorbar(
                rows["observed"], rows["predicted"], half, fmt="none", ecolor=FLUX_COLOURS[flux], elinewidth=0.6, alpha=0.25
            )
            for zone, face in ((rows["tropical"], FLUX_COLOURS[flux]), (~rows["tropical"], style.PAPER)):
                axes.plot(
                    rows["observed"][zone],
                    rows["predicted"][zone],
                    marker,
                    markersize=3.6,
                    color=FLUX_COLOURS[flux],
                    markerfacecolor=face,
                    markeredgewidth=0.8,
                    label=f"{words}; {'tropics' if face != style.PAPER else 'elsewhere'}",
                )
        axes.set(title=FLUX_LONG[flux], xlim=(low, high), ylim=(low, high), xlabel="towers (gC m⁻² yr⁻¹)")
    figure.axes[0].set_ylabel("predicted (gC m⁻² yr⁻¹)")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
