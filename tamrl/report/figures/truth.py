"""Figure of the coverage of the known truth of virtual Earths, in one run or over many."""

import pandas as pd
from matplotlib.figure import Figure

from tamrl.carbon import FLUXES
from tamrl.report import style
from tamrl.report.style import FLUX_COLOURS, FLUX_LONG

LIMITS = (0.85, 0.95)
"""Coverage that is asked of intervals of 90 %."""


@style.styled
def plot_truth_coverage(table: pd.DataFrame) -> Figure:
    """Plot which share of the truth lies in each kind of interval: a row a scale, calibrated intervals filled.

    Parameters
    ----------
    table : `contracts.TRUTH_COVERAGE`
        With columns `low` and `high`, as pooled over worlds, the interval of the share is drawn too.
    """
    scales = list(dict.fromkeys(table["scale"]))
    kinds = sorted(set(table["intervals"]), key=lambda kind: kind != "calibrated")
    figure = style.new_figure(11, 1.4 + 0.24 * len(scales))
    row = style.panels(figure, len(FLUXES), sharey=True)
    for axes, flux in zip(row, FLUXES, strict=True):
        axes.axvspan(*(100 * limit for limit in LIMITS), color=style.INK, alpha=0.08, linewidth=0)
        for kind in kinds:
            part = table[(table["flux"] == flux) & (table["intervals"] == kind)]
            at, colour = [scales.index(scale) for scale in part["scale"]], FLUX_COLOURS[flux]
            if "low" in part:
                axes.hlines(at, 100 * part["low"], 100 * part["high"], color=colour, linewidth=1.0)
            mark = {"markersize": 4, "zorder": 3} if kind == "calibrated" else {"markersize": 8, "markerfacecolor": "white"}
            axes.plot(100 * part["coverage"], at, "o", color=colour, label=kind, **mark)  # the small ones lie on the large ones
        axes.set(xlim=(-2, 102), title=FLUX_LONG[flux], xlabel="truth inside (%)", yticks=range(len(scales)), yticklabels=scales)
    row[0].invert_yaxis()
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure
