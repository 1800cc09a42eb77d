"""Figures that compare the maps with a reference: the truth of a virtual world, or another product."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from tamrl.report import style
from tamrl.report.projection import Basemap, draw_map
from tamrl.report.style import BAND_NAMES, FLUX_LONG, FLUX_NAMES, FLUX_UNITS
from tamrl.report.sums import FluxSums, is_bare

NOMINAL = 0.90
"""Coverage that the interval from q05 to q95 promises."""


@style.styled
def plot_reference_errors(fluxes: Mapping[str, FluxSums], base: Basemap, *, label: str) -> Figure:
    """Plot one column per flux: error of the mean estimate (above), and coverage of the 90 % interval (below).

    Parameters
    ----------
    fluxes : sums with a reference
    label : name of the reference
    """
    figure = style.new_figure(11, 4.7)
    above, below = figure.subplots(2, len(fluxes), squeeze=False)
    for top, low, (name, sums) in zip(above, below, fluxes.items(), strict=True):
        error = sums.compared.error()
        limits = style.colour_limits(error, centred=True)
        image = draw_map(top, error, base, cmap=style.palette("error"), norm=limits, width=700)
        top.set_title(f"{FLUX_NAMES[name]}: estimate − {label}")
        style.colour_bar(figure, image, top, f"{FLUX_UNITS}   ← too low · too high →", extend="both")
        coverage = 100 * sums.compared.coverage()
        image = draw_map(low, coverage, base, cmap=style.palette("coverage"), norm=Normalize(50, 100), width=700)
        low.set_title(f"{FLUX_NAMES[name]}: {label} in the 90 % interval")
        style.colour_bar(figure, image, low, "% of the steps inside (90 is right)", extend="min")
        figure.axes[-1].axvline(100 * NOMINAL, color=style.INK, linewidth=1.2)
    return figure


@style.styled
def plot_reference_scatter(fluxes: Mapping[str, FluxSums], *, label: str) -> Figure:
    """Plot the density of the cells' means, estimate against reference, with scores weighted by land area."""
    figure = style.new_figure(11, 3.8)
    row = style.panels(figure, len(fluxes))
    for axes, (name, sums) in zip(row, fluxes.items(), strict=True):
        x, y, _ = compared_cells(sums)
        r2, rmse, bias = weighted_scores(*compared_cells(sums))
        image = style.draw_density(axes, x, y)
        axes.set(xlabel=f"{label} ({FLUX_UNITS})", ylabel=f"estimate ({FLUX_UNITS})", title=FLUX_LONG[name])
        style.draw_note(axes, f"NSE = {style.format_number(r2)}\nRMSE = {rmse:.2f}\nbias = {style.signed_number(bias)}")
    style.colour_bar(figure, image, list(row), "cells (logarithmic)")
    style.label_log(figure.axes[-1].xaxis)
    return figure


def compared_cells(sums: FluxSums) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return reference, estimate (means over time, gC m-2 d-1) and land area (m2) of the cells with a flux, (n,) each."""
    x, y, std = (sums.land.take(s.mean()) for s in (sums.compared.mean, sums.compared.estimate, sums.std))
    good = np.isfinite(x) & np.isfinite(y) & ~is_bare(std=std, reference=x)
    return x[good], y[good], sums.land.area[good]


def weighted_scores(reference: np.ndarray, estimate: np.ndarray, weight: np.ndarray) -> tuple[float, float, float]:
    """Compute NSE = 1 - SSE / SST, RMSE and bias of cells (n,), weighted by their land area; NaN without cells."""
    if not weight.size:
        return np.nan, np.nan, np.nan
    share = weight / weight.sum()
    error = estimate - reference
    total = (share * (reference - (share * reference).sum()) ** 2).sum()
    square = (share * error**2).sum()
    return float(1 - square / total) if total > 0 else np.nan, float(square**0.5), float((share * error).sum())


@style.styled
def plot_reference_totals(fluxes: Mapping[str, FluxSums], *, label: str) -> Figure:
    """Plot totals by latitude band, where there is a reference: the estimate with the members' deviation, and the reference."""
    figure = style.new_figure(11, 3.2)
    row = style.panels(figure, len(fluxes))
    for axes, (name, sums) in zip(row, fluxes.items(), strict=True):
        ours, theirs = (sums.common_totals(part) for part in (sums.compared.estimate, sums.compared.mean))
        members = [sums.common_totals(member) for member in sums.members]
        at = np.arange(len(ours))
        spread = [np.std([m[band] for m in members], ddof=1) if len(members) > 1 else 0.0 for band in ours]
        axes.bar(
            at - 0.2,
            list(ours.values()),
            0.38,
            yerr=spread,
            color=style.FLUX_COLOURS[name],
            label="estimate ± members",
            error_kw={"lw": 1, "capsize": 2},
        )
        axes.bar(at + 0.2, list(theirs.values()), 0.38, color="#8b98a1", label=label)
        axes.axhline(0, color=style.SOFT, linewidth=0.7)
        axes.set_xticks(at, [BAND_NAMES.get(band, band).replace(" ", "\n", 1) for band in ours], fontsize=7)
        every, reference = (style.format_total(totals[sums.land.name], sums.land.name) for totals in (ours, theirs))
        axes.set_title(f"{FLUX_NAMES[name]}: {every}, {label} {reference}{style.covered_note(sums.covered()[sums.land.name])}")
        axes.grid(axis="x", visible=False)
        axes.legend()
    row[0].set_ylabel("PgC yr⁻¹")
    return figure


@style.styled
def plot_reference_coverage(fluxes: Mapping[str, FluxSums], *, label: str) -> Figure:
    """Plot coverage by latitude, where the reference falls outside, and actual error against predicted spread."""
    figure = style.new_figure(11, 3.6)
    left, middle, right = figure.subplots(1, 3)
    for name, sums in fluxes.items():
        colour = style.FLUX_COLOURS[name]
        left.plot(100 * _smooth(sums.compared.row_coverage()), sums.land.lat, color=colour, linewidth=1.5, label=FLUX_NAMES[name])
        _plot_spread_error(right, sums, colour, FLUX_NAMES[name])
    left.axvline(100 * NOMINAL, color=style.INK, linewidth=1, linestyle=(0, (4, 2)))
    left.set(xlim=(max(0, min(60, left.get_xlim()[0])), 101), ylim=(-60, 85), title="Coverage by latitude")
    left.set(xlabel="% inside the 90 % interval", ylabel="latitude")
    left.set_yticks([-60, -30, 0, 30, 60], ["60° S", "30° S", "0°", "30° N", "60° N"])
    left.legend(loc="best")
    _plot_shares(middle, fluxes, label)
    right.set(xscale="log", yscale="log", box_aspect=1, title="Error against spread")
    right.set(xlabel=f"predicted standard deviation ({FLUX_UNITS})", ylabel=f"error found, RMS ({FLUX_UNITS})")
    span = np.array([min(right.get_xlim()[0], right.get_ylim()[0]), max(right.get_xlim()[1], right.get_ylim()[1])])
    right.plot(span, span, color=style.SOFT, linewidth=0.9, zorder=1)
    right.set(xlim=span, ylim=span)
    style.label_log(right.xaxis)
    style.label_log(right.yaxis)
    right.legend(loc="upper left")
    return figure


def _smooth(values: np.ndarray) -> np.ndarray:
    """Take the running mean over about five degrees of latitude; rows without land stay missing."""
    width = max(1, round(5 * values.size / 180))
    known = np.isfinite(values).astype("f8")
    kernel = np.ones(width)
    total = np.convolve(np.where(known > 0, values, 0.0), kernel, "same")
    weight = np.convolve(known, kernel, "same")
    return np.where(known > 0, total / np.maximum(weight, 1), np.nan)


def _plot_shares(axes: Axes, fluxes: Mapping[str, FluxSums], label: str) -> None:
    for k, sums in enumerate(fluxes.values()):
        start, texts = 0.0, []
        for share, colour in zip(100 * sums.compared.shares(), ("#c07a2c", "#d8dfe2", "#2f9c95"), strict=True):
            axes.barh(k, share, left=start, color=colour, height=0.6)
            start += share
            texts.append(f"{share:.1f}")
        axes.text(50, k, " · ".join(texts), ha="center", va="center", fontsize=8)
    for line in (5, 95):
        axes.axvline(line, color=style.INK, linewidth=1, linestyle=(0, (4, 2)), zorder=0)
    axes.set_yticks(range(len(fluxes)), [FLUX_NAMES[name] for name in fluxes])
    axes.set(
        xlim=(0, 100), xlabel=f"% of land and time: {label} below · inside · above", title="Where it falls (5 · 90 · 5 is right)"
    )
    axes.invert_yaxis()
    axes.grid(visible=False)


def _plot_spread_error(axes: Axes, sums: FluxSums, colour: str, name: str) -> None:
    spread, error, share = sums.compared.reliability()
    shown = np.isfinite(spread) & np.isfinite(error) & (share > 0.005)
    axes.plot(spread[shown], error[shown], color=colour, linewidth=1, marker="o", markersize=3, label=name)
