"""Drivers of the grid against those measured at towers: what upscaling cannot do better than."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tamrl import variables
from tamrl.report import style
from tamrl.report.pages.html import Table
from tamrl.report.style import number

FAR = 2.0
"""Standard deviations of the tower's own record beyond which a bias is drawn at the edge."""


def order(comparison: pd.DataFrame) -> list[str]:
    """Variables by how many towers have them, then by name."""
    return comparison["variable"].value_counts().rename_axis("name").reset_index().sort_values(
        ["count", "name"], ascending=[False, True]
    )["name"].tolist()  # fmt: skip


def figure(comparison: pd.DataFrame) -> Figure:
    """Bias (in standard deviations of the tower's record) and correlation of each variable, a point a tower.

    Parameters
    ----------
    comparison : table of `contracts.COMPARISON`
    """
    names = order(comparison)
    relative = (comparison["bias"] / comparison["std_tower"]).where(comparison["std_tower"] > 0)
    shown = {"bias": (relative, (-FAR, FAR)), "r": (comparison["r"], (-1.0, 1.0))}
    with style.styled():
        found = style.figure(11, 0.42 * len(names) + 1.1)
        panels = found.subplots(1, 2, sharey=True)
        for axes, (key, (values, ends)) in zip(panels, shown.items(), strict=True):
            for at, name in enumerate(names):
                here = values[comparison["variable"] == name].dropna().to_numpy()
                style.strip(axes, at, here, style.SERIES[at % len(style.SERIES)], low=ends[0], high=ends[1])
            margin = 0.04 * (ends[1] - ends[0])
            axes.set(xlim=(ends[0] - margin, ends[1] + margin), ylim=(len(names) - 0.5, -0.5))
            axes.axvline(0, color=style.SOFT, linewidth=0.8)
            axes.grid(axis="y", visible=False)
            axes.set_title({"bias": "grid − tower", "r": "correlation"}[key])
            axes.set_xlabel({"bias": "mean difference / standard deviation at the tower", "r": "r of a tower"}[key])
        counts = comparison["variable"].value_counts()
        panels[0].set_yticks(range(len(names)), [f"{_long(name)} ({counts[name]})" for name in names])
        panels[0].tick_params(axis="y", length=0)
    return found


def table(comparison: pd.DataFrame) -> Table:
    """Medians over towers and the range that 80 % of them keep, by variable."""
    rows = []
    for name in order(comparison):
        part = comparison[comparison["variable"] == name]
        low, middle, high = part["bias"].quantile([0.1, 0.5, 0.9])
        share = (part["rmse"] / part["std_tower"]).where(part["std_tower"] > 0).median()
        values = [number(middle), f"{number(low)} to {number(high)}", number(part["rmse"].median()), number(share)]
        away = f"{int((part['distance_km'] > 0).sum())}"
        rows.append([_long(name), part["units"].iloc[0], f"{len(part)}", *values, number(part["r"].median()), away])
    columns = ["driver", "unit", "towers", "bias", "bias, 10th to 90th pct.", "RMSE", "RMSE / std.", "r", "in another cell"]
    return Table("Drivers of the grid minus those measured at the towers: medians over towers", columns, rows, labels=2)


def _long(name: str) -> str:
    """How the vocabulary calls a variable."""
    return variables.get(name).long_name


def nothing(comparison: pd.DataFrame | None) -> bool:
    """Whether there is nothing to compare: a run without grids, or towers that measured none of its drivers."""
    return comparison is None or not np.isfinite(comparison["bias"]).any()
