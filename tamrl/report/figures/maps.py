"""Figures of the maps: mean and spread, applicability, seasonal cycles and latitude against time."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm
from matplotlib.figure import Figure

from tamrl.report import style
from tamrl.report.projection import Basemap, draw_frame, draw_map, project
from tamrl.report.results import Applicability
from tamrl.report.style import FLUX_LONG, FLUX_NAMES, FLUX_UNITS
from tamrl.report.sums import BARE, FluxSums

MONTHS = "JFMAMJJASOND"


@style.styled
def plot_flux_maps(fluxes: Mapping[str, FluxSums], base: Basemap, *, reference: str | None, towers: pd.DataFrame) -> Figure:
    """Plot one row per flux: mean estimate, what it can be compared with, and mean predictive standard deviation of a step.

    Parameters
    ----------
    fluxes, base : sums by flux, and the background
    reference : name of the reference, which is then drawn in the middle; None draws the errors at held-out towers
    towers : means of held-out towers, columns flux, lat, lon, observed and predicted (gC m-2 d-1)
    """
    figure = style.new_figure(11, 2.25 * len(fluxes))
    rows = figure.subplots(len(fluxes), 3, squeeze=False)
    spreads = {name: sums.std.mean() for name, sums in fluxes.items()}
    norm = style.colour_limits(np.stack(list(spreads.values())), centred=False)
    for (left, middle, right), (name, sums) in zip(rows, fluxes.items(), strict=True):
        values, centred = sums.mean.mean(), name == "nee"
        truth = sums.compared.mean.mean() if reference else None
        limits = style.colour_limits(values if truth is None else np.stack([values, truth]), centred=centred)
        label = f"{FLUX_NAMES[name]} ({FLUX_UNITS}){'   ← sink · source →' if centred else ''}"
        image = draw_map(left, values, base, cmap=style.palette(name), norm=limits, width=700)
        left.set_title(f"{FLUX_NAMES[name]}: estimate")
        style.colour_bar(figure, image, left, label, extend="both")
        if truth is None:
            _draw_tower_errors(figure, middle, towers[towers["flux"] == name], base)
            middle.set_title(f"{FLUX_NAMES[name]}: error at held-out towers")
        else:
            image = draw_map(middle, truth, base, cmap=style.palette(name), norm=limits, width=700)
            middle.set_title(f"{FLUX_NAMES[name]}: {reference}")
            style.colour_bar(figure, image, middle, label, extend="both")
        image = draw_map(right, spreads[name], base, cmap=style.palette("spread"), norm=norm, width=700)
        right.set_title(f"{FLUX_NAMES[name]}: uncertainty of one {sums.step}")
        style.colour_bar(figure, image, right, f"standard deviation ({FLUX_UNITS})")
    return figure


def _draw_tower_errors(figure: Figure, axes: Axes, towers: pd.DataFrame, base: Basemap) -> None:
    """Draw predicted minus measured mean of each tower as a point."""
    draw_frame(axes, base, width=700)
    errors = (towers["predicted"] - towers["observed"]).to_numpy(float)
    x, y = project(lat=towers["lat"], lon=towers["lon"])
    limits = style.colour_limits(errors, centred=True)
    image = axes.scatter(
        x, y, c=errors, s=16, cmap=style.palette("error"), norm=limits, edgecolor=style.INK, linewidth=0.4, zorder=6
    )
    style.colour_bar(figure, image, axes, f"{FLUX_UNITS}   ← too low · too high →", extend="both")


@style.styled
def plot_member_spread(fluxes: Mapping[str, FluxSums], base: Basemap) -> Figure:
    """Plot the standard deviation over the members of each flux's mean over time."""
    figure = style.new_figure(11, 2.35)
    spreads = {name: sums.member_spread() for name, sums in fluxes.items()}
    norm = style.colour_limits(np.stack(list(spreads.values())), centred=False)
    row = style.panels(figure, len(fluxes))
    for axes, (name, values) in zip(row, spreads.items(), strict=True):
        image = draw_map(axes, values, base, cmap=style.palette("spread"), norm=norm, width=600)
        axes.set_title(f"{FLUX_NAMES[name]}: members' mean")
    style.colour_bar(figure, image, list(row), f"standard deviation over the members of the mean over time ({FLUX_UNITS})")
    return figure


@style.styled
def plot_applicability(area: Applicability, base: Basemap) -> Figure:
    """Plot how unlike the towers each cell is (left), and where the models may be applied (right)."""
    dissimilarity, threshold = area.dissimilarity, area.threshold
    figure = style.new_figure(11, 3.3)
    left, right = figure.subplots(1, 2)
    finite = dissimilarity[np.isfinite(dissimilarity) & (dissimilarity > 0)]
    low, high = np.percentile(finite, [2, 98]) if finite.size else (0.1, 1.0)
    image = draw_map(left, dissimilarity, base, cmap=style.palette("spread"), norm=LogNorm(low, max(high, low * 1.5)))
    left.set_title("Dissimilarity to the towers")
    style.colour_bar(figure, image, left, "distance to the nearest tower / mean distance among towers", extend="both")
    style.label_log(figure.axes[-1].xaxis)
    if threshold is not None and low < threshold < high:
        figure.axes[-1].axvline(threshold, color=style.INK, linewidth=1.4)
    mask = np.where(np.isfinite(dissimilarity), area.inside, np.nan)
    colours = ListedColormap(["#c98b43", "#2f8f88"])
    image = draw_map(right, mask, base, cmap=colours, norm=BoundaryNorm([-0.5, 0.5, 1.5], 2))
    right.set_title("Area of applicability")
    style.colour_bar(figure, image, right, "", extend="neither")
    figure.axes[-1].tick_params(length=0)
    figure.axes[-1].set_xticks([0, 1], ["outside: the towers say little", "inside"])
    return figure


def set_year_axis(axes: Axes, bins: int, *, label: bool = True) -> np.ndarray:
    """Set a month axis and return the positions of the bins of a year, in months from 0 to 12."""
    axes.set_xlim(0, 12)
    axes.set_xticks(np.arange(12) + 0.5, MONTHS if label else [""] * 12)
    axes.tick_params(axis="x", length=0)
    return (np.arange(bins) + 0.5) * 12 / bins


@style.styled
def plot_seasonal_cycles(fluxes: Mapping[str, FluxSums], *, reference: str | None) -> Figure:
    """Plot seasonal cycles by latitude band (columns) and flux (rows): mean, range of the members, reference dashed."""
    bands = next(iter(fluxes.values())).bands()
    figure = style.new_figure(11, 2.0 * len(fluxes) + 0.4)
    grid = figure.subplots(len(fluxes), len(bands), sharex=True, sharey="row", squeeze=False)
    for row, (name, sums) in zip(grid, fluxes.items(), strict=True):
        for axes, (band, edges) in zip(row, bands.items(), strict=True):
            _cycle(axes, name, sums, edges, reference)
            if name == next(iter(fluxes)):
                axes.set_title(style.BAND_NAMES.get(band, band), loc="center")
        row[0].set_ylabel(f"{FLUX_NAMES[name]}\n({FLUX_UNITS})")
    _cycle_legend(figure, next(iter(fluxes.values())), reference)
    return figure


def _cycle(axes: Axes, name: str, sums: FluxSums, edges: tuple[float, float], reference: str | None) -> None:
    mean = sums.mean.cycle(*edges)
    x = set_year_axis(axes, mean.size)
    colour = style.FLUX_COLOURS[name]
    if len(sums.members) > 1:
        axes.fill_between(x, *_member_band(sums, edges), color=colour, alpha=0.28, linewidth=0)
    axes.plot(x, mean, color=colour, linewidth=1.6)
    if reference:
        axes.plot(x, sums.filled_cycle(*edges), color=style.INK, linewidth=1.1, linestyle=(0, (4, 2)))
        if (inside := band_share(sums, edges)) is not None:
            axes.annotate(f"{100 * inside:.0f} % in the band", (0.03, 0.99), xycoords="axes fraction", va="top", fontsize=6.5)
    if name == "nee":
        axes.axhline(0, color=style.SOFT, linewidth=0.7, zorder=1)


def _member_band(sums: FluxSums, edges: tuple[float, float]) -> np.ndarray:
    """5th and 95th percentile of the members in each bin of the year, (2, bin)."""
    cycles = np.stack([member.cycle(*edges) for member in sums.members])
    return np.asarray(np.quantile(cycles, [0.05, 0.95], axis=0))


def band_share(sums: FluxSums, edges: tuple[float, float]) -> float | None:
    """Share of the year in which the reference lies in the band of the members; None without members or a reference with flux."""
    if sums.reference is None or len(sums.members) < 2:
        return None
    low, high = _member_band(sums, edges)
    truth = sums.filled_cycle(*edges)
    known = np.isfinite(truth) & np.isfinite(low)
    return float(((truth >= low) & (truth <= high))[known].mean()) if (np.abs(truth[known]) > BARE).any() else None


def _cycle_legend(figure: Figure, sums: FluxSums, reference: str | None) -> None:
    handles: list[Artist] = [figure.axes[0].lines[0]]
    names = ["mean of the members"]
    if len(sums.members) > 1:
        handles.append(figure.axes[0].collections[0])
        names.append(f"5–95 % of the {len(sums.members)} members")
    if reference:
        handles.append(figure.axes[0].lines[1])
        names.append(reference)
    figure.legend(handles, names, loc="outside lower center", ncols=3)


@style.styled
def plot_hovmoeller(fluxes: Mapping[str, FluxSums]) -> Figure:
    """Plot the mean over the land of each latitude against the time of the year."""
    figure = style.new_figure(11, 3.7)
    row = style.panels(figure, len(fluxes), sharey=True)
    for axes, (name, sums) in zip(row, fluxes.items(), strict=True):
        values = sums.mean.hovmoeller()  # (bin, lat)
        norm = style.colour_limits(values, centred=name == "nee", share=99)
        lat = sums.land.lat
        half = abs(lat[0] - lat[1]) / 2
        extent = (0, 12, lat[-1] - half, lat[0] + half)
        axes.set_facecolor(style.OCEAN)
        image = axes.imshow(values.T, extent=extent, aspect="auto", cmap=style.palette(name), norm=norm, interpolation="nearest")
        axes.grid(False)
        set_year_axis(axes, len(values))
        axes.set_ylim(-60 if not np.isfinite(values[:, lat < -60]).any() else -90, 85)
        axes.set_yticks([-60, -30, 0, 30, 60], ["60° S", "30° S", "0°", "30° N", "60° N"])
        axes.set_title(FLUX_LONG[name])
        style.colour_bar(figure, image, axes, f"{FLUX_NAMES[name]} ({FLUX_UNITS})", extend="both")
    return figure
