"""Drivers of the grid against those measured at towers: a limit to what upscaling can reach."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tamrl import variables
from tamrl.layout import File
from tamrl.report import style
from tamrl.report.pages.html import ReportTable

FAR = 2.0
"""Widest axis of biases, in standard deviations of the tower's record; those beyond are drawn at the edge."""


def order_drivers(comparison: pd.DataFrame) -> list[str]:
    """Order variables by how many towers have them, then by name."""
    counts = comparison["variable"].value_counts()
    return sorted(counts.index, key=lambda name: (-counts[name], name))


@style.styled
def plot_driver_comparison(comparison: pd.DataFrame) -> Figure:
    """Plot the bias (in standard deviations of the tower's record) and correlation of each variable, one point per tower."""
    names = order_drivers(comparison)
    relative = (comparison["bias"] / comparison["std_tower"]).where(comparison["std_tower"] > 0)
    widest = min(FAR, style.round_up(float(relative.abs().quantile(0.98))))
    shown: dict[str, tuple[pd.Series, tuple[float, float]]] = {
        "bias": (relative, (-widest, widest)),
        "r": (comparison["r"], (-1.0 if (comparison["r"] < 0).any() else 0.0, 1.0)),
    }
    figure = style.new_figure(11, 0.42 * len(names) + 1.1)
    panels = style.panels(figure, 2, sharey=True)
    for axes, (key, (values, ends)) in zip(panels, shown.items(), strict=True):
        for at, name in enumerate(names):
            biases = values[comparison["variable"] == name].dropna().to_numpy()
            style.draw_strip(axes, at, biases, style.SERIES[at % len(style.SERIES)], low=ends[0], high=ends[1])
        margin = 0.04 * (ends[1] - ends[0])
        axes.set(xlim=(ends[0] - margin, ends[1] + margin), ylim=(len(names) - 0.5, -0.5))
        axes.axvline(0, color=style.SOFT, linewidth=0.8)
        axes.grid(axis="y", visible=False)
        axes.set_title({"bias": "grid − tower", "r": "correlation"}[key])
        axes.set_xlabel({"bias": "mean difference / standard deviation at the tower", "r": "r of a tower"}[key])
    counts = comparison["variable"].value_counts()
    panels[0].set_yticks(range(len(names)), [f"{variables.get(name).long_name} ({counts[name]})" for name in names])
    panels[0].tick_params(axis="y", length=0)
    return figure


def driver_table(comparison: pd.DataFrame) -> ReportTable:
    """List medians over towers, and the range of 80 % of them, by variable."""
    rows = []
    for name in order_drivers(comparison):
        part = comparison[comparison["variable"] == name]
        low, middle, high = part["bias"].quantile([0.1, 0.5, 0.9])
        share = (part["rmse"] / part["std_tower"]).where(part["std_tower"] > 0).median()
        text = style.format_number
        values = [
            text(middle),
            f"{text(low)} to {text(high)}",
            text(part["rmse"].median()),
            text(share),
            text(part["r"].median()),
        ]
        elsewhere = f"{int((part['distance_km'] > 0).sum())}"
        rows.append([variables.get(name).long_name, part["units"].iloc[0], f"{len(part)}", *values, elsewhere])
    columns = ["driver", "unit", "towers", "bias", "bias, 10th to 90th pct.", "RMSE", "RMSE / std.", "r", "in another cell"]
    caption = "Drivers of the grid minus those measured at the towers: medians over towers"
    return ReportTable(caption, columns, rows, labels=2, source=File.DRIVER_COMPARISON)


def has_biases(comparison: pd.DataFrame | None) -> bool:
    """Whether there is anything to compare: the run has grids, and towers measured some of their drivers."""
    return comparison is not None and bool(np.isfinite(comparison["bias"]).any())


def sensor_table(sensors: pd.DataFrame) -> ReportTable:
    """List means of both sensors, their difference, RMSE and correlation by variable, region and season (`contracts.SENSORS`)."""
    text = style.format_number
    rows = []
    for row in sensors[sensors["n"] > 0].itertuples():
        numbers = [text(v) for v in (row.mean_before, row.mean_after, row.difference, row.rmse, row.r, row.bound)]
        place = [variables.get(row.variable).long_name, row.units, row.region, row.season]
        rows.append([*place, f"{row.n:,}", *numbers, "jump" if row.jump else ""])
    first = sensors.iloc[0]
    columns = ["driver", "unit", "region", "season", "cells × times", first["before"], first["after"], "difference", "RMSE", "r"]
    caption = f"{first['after']} minus {first['before']}, which it follows, in the months that both are read for"
    return ReportTable(caption, [*columns, "bound", ""], rows, labels=4, source=File.SENSOR_COMPARISON)
