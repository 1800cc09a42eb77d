"""Figures of the towers: where they are and for how long they measured, which were left out, and their records at a glance."""

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tamrl.layout import File
from tamrl.report import style
from tamrl.report.figures.towers import draw_towers_by_class
from tamrl.report.pages.html import ReportTable
from tamrl.report.projection import Basemap, draw_frame, project
from tamrl.report.style import FLUX_UNITS

FINGERPRINTS = 4
"""Towers shown day by day."""

STEPS = {"day": (366, "day of the year"), "month": (12, "month")}
PER_YEAR = {"day": 365.25, "month": 12.0}
_OUT = "left out"


@style.styled
def plot_stations(towers: pd.DataFrame, sites: pd.DataFrame, *, step: str, base: Basemap) -> Figure:
    """Plot all towers of the networks: by class, and by the years of good steps that each has.

    Parameters
    ----------
    towers : table of `contracts.SITES` with `n`, the number of good steps
    sites : site, lat, lon of all towers that were read, those left out too
    """
    out = sites[~sites["site"].isin(towers["site"])].drop_duplicates("site")
    figure = style.new_figure(11, 3.6)
    panels = figure.subplots(1, 2)
    for axes in panels:
        draw_frame(axes, base)
    handles = draw_towers_by_class(panels[0], towers, title=f"{len(towers)} towers by class", unknown=True)
    if len(out):
        x, y = project(lat=out["lat"], lon=out["lon"])
        panels[0].scatter(x, y, s=16, color=style.SOFT, marker="x", linewidth=0.9, zorder=5)
        handles.append(Line2D([], [], color=style.SOFT, marker="x", linestyle="", label=f"{_OUT} ({len(out)})"))
    years = (towers["n"].astype(float) / PER_YEAR[step]).sort_values()
    x, y = project(lat=towers.loc[years.index, "lat"], lon=towers.loc[years.index, "lon"])
    cmap, norm = style.palette("density"), Normalize(0, max(years.max(), 1))
    image = panels[1].scatter(x, y, c=years, edgecolor=style.INK, zorder=6, s=20, cmap=cmap, norm=norm, linewidth=0.35)
    panels[1].set_title(f"years of good {step}s: {years.sum():,.0f} in all")
    style.colour_bar(figure, image, list(panels), "years", extend="neither")
    columns = style.legend_columns(figure, (str(handle.get_label()) for handle in handles), most=10)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handletextpad=0.1)
    return figure


def choose_fingerprints(towers: pd.DataFrame) -> list[str]:
    """Choose the towers with most good steps of different classes, as many as `FINGERPRINTS`; then the next longest."""
    order = towers.sort_values(["n", "site"], ascending=[False, True])
    first = order.drop_duplicates("igbp")["site"]
    return list(dict.fromkeys([*first[:FINGERPRINTS], *order["site"]]))[:FINGERPRINTS]


def arrange_by_year(dates: pd.Series, values: pd.Series, *, step: str) -> tuple[np.ndarray, int]:
    """Arrange values by year and day of the year (or month), NaN where there is none; and return the first year."""
    width, _ = STEPS[step]
    first = int(dates.dt.year.min())
    values_by_year = np.full((int(dates.dt.year.max()) - first + 1, width), np.nan)
    column = dates.dt.day_of_year if step == "day" else dates.dt.month
    values_by_year[dates.dt.year.to_numpy() - first, column.to_numpy() - 1] = values.to_numpy(float)
    return values_by_year, first


@style.styled
def plot_fingerprints(records: pd.DataFrame, towers: pd.DataFrame, *, step: str) -> Figure:
    """Plot NEE of a few towers, one row per year: good measurements in colour, missing or failed ones in grey.

    `records` is by `contracts.TOWERS`, after the tests; `towers` by `contracts.SITES` with `n`.
    """
    chosen = choose_fingerprints(towers)
    shown = records[records["site"].isin(chosen)]
    norm = style.colour_limits(shown["nee"].to_numpy(float), centred=True)
    width, label = STEPS[step]
    figure = style.new_figure(11, 2.5 * ((len(chosen) + 1) // 2))
    panels = figure.subplots((len(chosen) + 1) // 2, 2, squeeze=False).ravel()
    for axes in panels[len(chosen) :]:
        axes.set_visible(False)
    for axes, site in zip(panels, chosen, strict=False):
        rows = shown[shown["site"] == site]
        values, first = arrange_by_year(rows["date"], rows["nee"], step=step)
        extent = (0.5, width + 0.5, first + len(values) - 0.5, first - 0.5)
        axes.set_facecolor(style.FAINT)
        image = axes.imshow(
            values, aspect="auto", interpolation="none", extent=extent, cmap=style.palette("nee"), norm=norm, zorder=2
        )
        igbp = towers.set_index("site").loc[site, "igbp"]
        missing = f"{100 * np.isnan(rows['nee'].to_numpy(float)).mean():.0f} % of the {step}s missing"
        axes.set_title(f"{site}{f', {igbp}' if pd.notna(igbp) else ''}: {missing}")
        axes.yaxis.get_major_locator().set_params(integer=True, nbins=6)
        axes.set(xlabel=label)
        axes.grid(visible=False)
    style.colour_bar(figure, image, list(panels[: len(chosen)]), f"NEE ({FLUX_UNITS})", extend="both")
    return figure


def network_table(towers: pd.DataFrame, sites: pd.DataFrame, quality: pd.DataFrame) -> ReportTable:
    """Count by network: towers read, used and also held by other networks, with archives set aside and remarks on the data."""
    aside = quality[quality["test"] == "set_aside"]
    also = towers["also_in"].notna() if "also_in" in towers else pd.Series(False, index=towers.index)
    rows = []
    for name in dict.fromkeys(sites["network"]):
        mine = towers["network"] == name
        numbers = (sites["network"].eq(name).sum(), mine.sum(), (mine & also).sum())
        rows.append([name, *(f"{v}" for v in numbers)])
    caption = f"Networks: towers; {len(aside)} archives could not be read or were not needed, and were set aside"
    if "remark" in sites:
        remarks = sites.drop_duplicates("network").set_index("network")["remark"].dropna()
        caption = ". ".join([caption, *(f"{name}: {text}" for name, text in remarks.items() if text)])
    return ReportTable(
        caption, ["network", "towers read", "towers kept", "of these also in another network"], rows, 1, File.TOWERS
    )
