"""Figures of the towers themselves: where they stand and for how long, what was left out, and their records at a glance."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tamrl.report import style
from tamrl.report.figures.maps import bar
from tamrl.report.figures.towers import GROUPS
from tamrl.report.pages.html import Table
from tamrl.report.projection import Basemap, frame, project
from tamrl.report.style import FLUX_UNITS

FINGERPRINTS = 4
"""Towers shown day by day."""

STEPS = {"day": (366, "day of the year"), "month": (12, "month")}
PER_YEAR = {"day": 365.25, "month": 12.0}
_OUT = "left out"


def stations(kept: pd.DataFrame, every: pd.DataFrame, *, step: str, base: Basemap) -> Figure:
    """All towers of the networks: by class, and by the years of good steps that each has.

    Parameters
    ----------
    kept : table of `contracts.SITES` with `n`, the number of good steps
    every : site, lat, lon of all towers that were read, the kept ones too
    """
    out = every[~every["site"].isin(kept["site"])].drop_duplicates("site")
    with style.styled():
        figure = style.figure(11, 3.6)
        panels = figure.subplots(1, 2)
        for axes in panels:
            frame(axes, base)
        handles = _by_class(panels[0], kept)
        if len(out):
            x, y = project(lat=out["lat"], lon=out["lon"])
            panels[0].scatter(x, y, s=16, color=style.SOFT, marker="x", linewidth=0.9, zorder=5)
            handles.append(Line2D([], [], color=style.SOFT, marker="x", linestyle="", label=f"{_OUT} ({len(out)})"))
        years = (kept["n"].astype(float) / PER_YEAR[step]).sort_values()
        x, y = project(lat=kept.loc[years.index, "lat"], lon=kept.loc[years.index, "lon"])
        look = {"s": 20, "cmap": style.palette("density"), "norm": Normalize(0, max(years.max(), 1)), "linewidth": 0.35}
        image = panels[1].scatter(x, y, c=years, edgecolor=style.INK, zorder=6, **look)
        panels[1].set_title(f"years of good {step}s: {years.sum():,.0f} in all")
        bar(figure, image, list(panels), "years", extend="neither")
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 10), handletextpad=0.1)
    return figure


def _by_class(axes: Axes, kept: pd.DataFrame) -> list[Line2D]:
    """Draw the towers kept by class; returns what the legend shows."""
    handles = []
    known = {name: kept["igbp"].isin(members) for name, (members, _, _) in GROUPS.items()}
    for name, (_, colour, marker) in GROUPS.items():
        here = kept[known[name] if name != "other" else known[name] | kept["igbp"].isna()]
        if here.empty:
            continue
        x, y = project(lat=here["lat"], lon=here["lon"])
        axes.scatter(x, y, s=20, color=colour, marker=marker, edgecolor="white", linewidth=0.4, zorder=6)
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle="", markersize=5, label=f"{name} ({len(here)})"))
    axes.set_title(f"{len(kept)} towers by class")
    return handles


def choose(kept: pd.DataFrame) -> list[str]:
    """The towers with most good steps of different classes, as many as `FINGERPRINTS`; then the next longest."""
    order = kept.sort_values(["n", "site"], ascending=[False, True])
    first = order.drop_duplicates("igbp")["site"]
    return list(dict.fromkeys([*first[:FINGERPRINTS], *order["site"]]))[:FINGERPRINTS]


def fingerprint(dates: pd.Series, values: pd.Series, *, step: str) -> tuple[np.ndarray, int]:
    """Values by year and day of the year (or month), and the first year; NaN where there is none."""
    width, _ = STEPS[step]
    first = int(dates.dt.year.min())
    found = np.full((int(dates.dt.year.max()) - first + 1, width), np.nan)
    column = dates.dt.day_of_year if step == "day" else dates.dt.month
    found[dates.dt.year.to_numpy() - first, column.to_numpy() - 1] = values.to_numpy(float)
    return found, first


def fingerprints(records: pd.DataFrame, kept: pd.DataFrame, *, step: str) -> Figure:
    """NEE of a few towers, one row a year: what was measured well is coloured, what is missing or failed a test is grey.

    Parameters
    ----------
    records : table of `contracts.TOWERS`, after the tests
    kept : table of `contracts.SITES` with `n`
    """
    chosen = choose(kept)
    shown = records[records["site"].isin(chosen)]
    norm = style.limits(shown["nee"].to_numpy(float), centred=True)
    width, label = STEPS[step]
    with style.styled():
        figure = style.figure(11, 2.5 * ((len(chosen) + 1) // 2))
        panels = figure.subplots((len(chosen) + 1) // 2, 2, squeeze=False).ravel()
        for axes in panels[len(chosen) :]:
            axes.set_visible(False)
        for axes, site in zip(panels, chosen, strict=False):
            rows = shown[shown["site"] == site]
            values, first = fingerprint(rows["date"], rows["nee"], step=step)
            extent = (0.5, width + 0.5, first + len(values) - 0.5, first - 0.5)
            axes.set_facecolor(style.FAINT)
            image = axes.imshow(
                values, aspect="auto", interpolation="none", extent=extent, cmap=style.palette("nee"), norm=norm, zorder=2
            )
            igbp = kept.set_index("site").loc[site, "igbp"]
            missing = f"{100 * np.isnan(rows['nee'].to_numpy(float)).mean():.0f} % of the {step}s missing"
            axes.set_title(f"{site}{f', {igbp}' if pd.notna(igbp) else ''}: {missing}")
            axes.yaxis.get_major_locator().set_params(integer=True, nbins=6)
            axes.set(xlabel=label)
            axes.grid(visible=False)
        bar(figure, image, list(panels[: len(chosen)]), f"NEE ({FLUX_UNITS})", extend="both")
    return figure


def networks(kept: pd.DataFrame, every: pd.DataFrame, quality: pd.DataFrame) -> Table:
    """Towers read, kept and also held by other networks, archives set aside, and remarks on the data, by network."""
    aside = quality[quality["test"] == "set_aside"]
    also = kept["also_in"].notna() if "also_in" in kept else pd.Series(False, index=kept.index)
    rows = []
    for name in dict.fromkeys(every["network"]):
        mine = kept["network"] == name
        numbers = (every["network"].eq(name).sum(), mine.sum(), (mine & also).sum())
        rows.append([name, *(f"{v}" for v in numbers)])
    caption = f"Networks: towers; {len(aside)} archives could not be read or were not needed, and were set aside"
    if "remark" in every:
        remarks = every.drop_duplicates("network").set_index("network")["remark"].dropna()
        caption = ". ".join([caption, *(f"{name}: {text}" for name, text in remarks.items() if text)])
    return Table(caption, ["network", "towers read", "towers kept", "of these also in another network"], rows)
