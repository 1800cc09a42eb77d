"""Figures of the maps: mean and spread, applicability, seasonal cycles and latitude against time."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm
from matplotlib.figure import Figure

from tamrl.report import style
from tamrl.report.fields import FluxSums
from tamrl.report.projection import Basemap, draw
from tamrl.report.style import FLUX_LONG, FLUX_NAMES, FLUX_UNITS

MONTHS = "JFMAMJJASOND"
BAND_NAMES = {
    "90S-60S": "90–60° S",
    "60S-23S": "60–23° S",
    "23S-0": "23–0° S",
    "0-23N": "0–23° N",
    "23N-50N": "23–50° N",
    "50N-90N": "50–90° N",
}


def bar(figure: Figure, image: ScalarMappable, axes: Axes | list[Axes], label: str, *, extend: str = "max") -> None:
    """A slim horizontal colour bar below a map, or below a row of them."""
    shape = {"shrink": 0.34, "aspect": 42} if isinstance(axes, list) else {"shrink": 0.62, "aspect": 34}
    colourbar = figure.colorbar(image, ax=axes, orientation="horizontal", pad=0.03, extend=extend, **shape)
    colourbar.set_label(label, fontsize=8)
    colourbar.outline.set_linewidth(0.4)
    colourbar.ax.tick_params(labelsize=7, width=0.5, length=2.5)
    colourbar.ax.grid(False)


def overview(fluxes: Mapping[str, FluxSums], base: Basemap) -> Figure:
    """Mean of each flux (left) and the mean predictive standard deviation of a step (right), one row a flux."""
    with style.styled():
        figure = style.figure(11, 3.15 * len(fluxes))
        rows = figure.subplots(len(fluxes), 2, squeeze=False)
        spreads = {name: sums.std.mean(sums.land) for name, sums in fluxes.items()}
        norm = style.limits(np.stack(list(spreads.values())), centred=False)
        for (left, right), (name, sums) in zip(rows, fluxes.items(), strict=True):
            values, centred = sums.mean.mean(sums.land), name == "nee"
            image = draw(left, values, base, cmap=style.palette(name), norm=style.limits(values, centred=centred))
            left.set_title(f"{FLUX_LONG[name]} ({FLUX_NAMES[name]})")
            note = "   ← sink · source →" if centred else ""
            bar(figure, image, left, f"{FLUX_NAMES[name]} ({FLUX_UNITS}){note}", extend="both")
            step = "month" if sums.step == "month" else "day"
            image = draw(right, spreads[name], base, cmap=style.palette("spread"), norm=norm)
            right.set_title(f"Uncertainty of one {step}'s {FLUX_NAMES[name]}")
            bar(figure, image, right, f"predictive standard deviation ({FLUX_UNITS})")
    return figure


def member_spread(fluxes: Mapping[str, FluxSums], base: Basemap) -> Figure:
    """Standard deviation over the members of each flux's mean over time."""
    with style.styled():
        figure = style.figure(11, 2.35)
        spreads = {name: sums.member_spread() for name, sums in fluxes.items()}
        norm = style.limits(np.stack(list(spreads.values())), centred=False)
        row = figure.subplots(1, len(fluxes), squeeze=False)[0]
        for axes, (name, values) in zip(row, spreads.items(), strict=True):
            image = draw(axes, values, base, cmap=style.palette("spread"), norm=norm, width=600)
            axes.set_title(f"{FLUX_NAMES[name]}: members' mean")
        bar(figure, image, list(row), f"standard deviation over the members of the mean over time ({FLUX_UNITS})")
    return figure


def applicability(dissimilarity: np.ndarray, inside: np.ndarray, base: Basemap, *, threshold: float | None) -> Figure:
    """How unlike the towers a cell is (left), and where the models may be applied (right); fields (lat, lon)."""
    with style.styled():
        figure = style.figure(11, 3.3)
        left, right = figure.subplots(1, 2)
        finite = dissimilarity[np.isfinite(dissimilarity) & (dissimilarity > 0)]
        low, high = np.percentile(finite, [2, 98]) if finite.size else (0.1, 1.0)
        image = draw(left, dissimilarity, base, cmap=style.palette("spread"), norm=LogNorm(low, max(high, low * 1.5)))
        left.set_title("Dissimilarity to the towers")
        bar(figure, image, left, "distance to the nearest tower / mean distance among towers", extend="both")
        style.plain_log(figure.axes[-1].xaxis)
        if threshold is not None and low < threshold < high:
            figure.axes[-1].axvline(threshold, color=style.INK, linewidth=1.4)
        mask = np.where(np.isfinite(dissimilarity), inside, np.nan)
        colours = ListedColormap(["#c98b43", "#2f8f88"])
        image = draw(right, mask, base, cmap=colours, norm=BoundaryNorm([-0.5, 0.5, 1.5], 2))
        right.set_title("Area of applicability")
        bar(figure, image, right, "", extend="neither")
        figure.axes[-1].tick_params(length=0)
        figure.axes[-1].set_xticks([0, 1], ["outside: the towers say little", "inside"])
    return figure


def year_axis(axes: Axes, bins: int, *, label: bool = True) -> np.ndarray:
    """Set a month axis and give the positions of the bins of a year, in months from 0 to 12."""
    axes.set_xlim(0, 12)
    axes.set_xticks(np.arange(12) + 0.5, MONTHS if label else [""] * 12)
    axes.tick_params(axis="x", length=0)
    return (np.arange(bins) + 0.5) * 12 / bins


def seasonal(fluxes: Mapping[str, FluxSums], *, reference: str | None) -> Figure:
    """Seasonal cycles by latitude band (columns) and flux (rows): mean, band of the members, reference dashed."""
    bands = next(iter(fluxes.values())).bands()
    with style.styled():
        figure = style.figure(11, 2.0 * len(fluxes) + 0.4)
        grid = figure.subplots(len(fluxes), len(bands), sharex=True, sharey="row", squeeze=False)
        for row, (name, sums) in zip(grid, fluxes.items(), strict=True):
            for axes, (band, edges) in zip(row, bands.items(), strict=True):
                _cycle(axes, name, sums, edges, reference)
                if name == next(iter(fluxes)):
                    axes.set_title(BAND_NAMES.get(band, band), loc="center")
            row[0].set_ylabel(f"{FLUX_NAMES[name]}\n({FLUX_UNITS})")
        _cycle_legend(figure, next(iter(fluxes.values())), reference)
    return figure


def _cycle(axes: Axes, name: str, sums: FluxSums, edges: tuple[float, float], reference: str | None) -> None:
    mean = sums.mean.band(sums.land.lat, *edges)
    x = year_axis(axes, mean.size)
    colour = style.FLUX_COLOURS[name]
    if len(sums.members) > 1:
        cycles = np.stack([m.band(sums.land.lat, *edges) for m in sums.members])
        axes.fill_between(x, *np.quantile(cycles, [0.05, 0.95], axis=0), color=colour, alpha=0.28, linewidth=0)
    axes.plot(x, mean, color=colour, linewidth=1.6)
    if reference and sums.comparison is not None:
        axes.plot(x, sums.comparison.truth.band(sums.land.lat, *edges), color=style.INK, linewidth=1.1, linestyle=(0, (4, 2)))
    if name == "nee":
        axes.axhline(0, color=style.SOFT, linewidth=0.7, zorder=1)


def _cycle_legend(figure: Figure, sums: FluxSums, reference: str | None) -> None:
    handles = [figure.axes[0].lines[0]]
    names = ["mean of the members"]
    if len(sums.members) > 1:
        handles.append(figure.axes[0].collections[0])
        names.append(f"5–95 % of the {len(sums.members)} members")
    if reference and sums.comparison is not None:
        handles.append(figure.axes[0].lines[1])
        names.append(reference)
    figure.legend(handles, names, loc="outside lower center", ncols=3)


def hovmoeller(fluxes: Mapping[str, FluxSums]) -> Figure:
    """Mean over the land of each latitude against the time of the year."""
    with style.styled():
        figure = style.figure(11, 3.7)
        row = figure.subplots(1, len(fluxes), sharey=True, squeeze=False)[0]
        for axes, (name, sums) in zip(row, fluxes.items(), strict=True):
            values = sums.mean.hovmoeller()  # (bin, lat)
            norm = style.limits(values, centred=name == "nee", share=99)
            lat = sums.land.lat
            half = abs(lat[0] - lat[1]) / 2
            extent = (0, 12, lat[-1] - half, lat[0] + half)
            axes.set_facecolor(style.OCEAN)
            image = axes.imshow(
                values.T, extent=extent, aspect="auto", cmap=style.palette(name), norm=norm, interpolation="nearest"
            )
            axes.grid(False)
            year_axis(axes, len(values))
            axes.set_ylim(-60 if not np.isfinite(values[:, lat < -60]).any() else -90, 85)
            axes.set_yticks([-60, -30, 0, 30, 60], ["60° S", "30° S", "0°", "30° N", "60° N"])
            axes.set_title(FLUX_LONG[name])
            bar(figure, image, axes, f"{FLUX_NAMES[name]} ({FLUX_UNITS})", extend="both")
    return figure
