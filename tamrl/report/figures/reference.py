"""Figures that compare the maps with a reference: the truth of a virtual world, or another product."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from tamrl.report import style
from tamrl.report.fields import FluxSums, Sums, is_bare
from tamrl.report.figures.maps import BAND_NAMES, bar
from tamrl.report.projection import Basemap, draw
from tamrl.report.style import FLUX_LONG, FLUX_NAMES, FLUX_UNITS

NOMINAL = 0.90
"""Coverage that the interval from q05 to q95 promises."""

GRAMS_PER_PETAGRAM = 1e15


def four_maps(name: str, sums: FluxSums, base: Basemap, *, label: str) -> Figure:
    """Reference, estimate, error and coverage of the 90 % interval of one flux."""
    truth, mean = sums.comparison.truth.mean(sums.land), sums.mean.mean(sums.land)
    error, coverage = mean - truth, sums.comparison.coverage(sums.land)
    both = style.limits(np.stack([truth, mean]), centred=name == "nee")
    with style.styled():
        figure = style.figure(11, 6.4)
        (a, b), (c, d) = figure.subplots(2, 2)
        for axes, values, title in ((a, truth, f"{FLUX_NAMES[name]}: {label}"), (b, mean, f"{FLUX_NAMES[name]}: estimate")):
            image = draw(axes, values, base, cmap=style.palette(name), norm=both)
            axes.set_title(title)
            bar(figure, image, axes, f"mean ({FLUX_UNITS})", extend="both")
        image = draw(c, error, base, cmap=style.palette("error"), norm=style.limits(error, centred=True))
        c.set_title(f"Error: estimate − {label}")
        bar(figure, image, c, f"{FLUX_UNITS}   ← too low · too high →", extend="both")
        image = draw(d, 100 * coverage, base, cmap=style.palette("coverage"), norm=Normalize(50, 100))
        d.set_title(f"Coverage of the 90 % interval by the {label}")
        bar(figure, image, d, "% of the steps inside (90 is right)", extend="min")
        figure.axes[-1].axvline(100 * NOMINAL, color=style.INK, linewidth=1.2)
    return figure


def scatter(fluxes: Mapping[str, FluxSums], *, label: str) -> Figure:
    """Density of the cells' means, estimate against reference, with scores weighted by land area."""
    with style.styled():
        figure = style.figure(11, 3.8)
        row = figure.subplots(1, len(fluxes), squeeze=False)[0]
        for axes, (name, sums) in zip(row, fluxes.items(), strict=True):
            x, y, std = (sums.land.take(s.mean(sums.land)) for s in (sums.comparison.truth, sums.mean, sums.std))
            good = np.isfinite(x) & np.isfinite(y) & ~is_bare(std=std, truth=x)
            found = weighted_scores(x[good], y[good], sums.land.area[good])
            image = density(axes, x[good], y[good])
            axes.set(xlabel=f"{label} ({FLUX_UNITS})", ylabel=f"estimate ({FLUX_UNITS})", title=FLUX_LONG[name])
            text = f"R² = {style.number(found['r2'])}\nRMSE = {found['rmse']:.2f}\nbias = {style.signed(found['bias'])}"
            note(axes, text)
        bar(figure, image, list(row), "cells (logarithmic)")
        style.plain_log(figure.axes[-1].xaxis)
    return figure


def weighted_scores(truth: np.ndarray, estimate: np.ndarray, weight: np.ndarray) -> dict[str, float]:
    """R² = 1 - SSE / SST, RMSE and bias of cells (n,), weighted by their land area."""
    if not weight.size:
        return dict.fromkeys(("r2", "rmse", "bias"), np.nan)
    share = weight / weight.sum()
    error = estimate - truth
    total = (share * (truth - (share * truth).sum()) ** 2).sum()
    square = (share * error**2).sum()
    return {
        "r2": float(1 - square / total) if total > 0 else np.nan,
        "rmse": float(square**0.5),
        "bias": float((share * error).sum()),
    }


def note(axes: Axes, text: str) -> None:
    """A few numbers in the upper left corner."""
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 2}
    axes.text(0.04, 0.96, text, transform=axes.transAxes, va="top", ha="left", fontsize=8, bbox=box, zorder=6)


def density(axes: Axes, x: np.ndarray, y: np.ndarray) -> object:
    """Hexagons of the pairs' density with the line of equality, on equal axes that hold 99.8 % of them."""
    low, high = np.percentile(np.concatenate([x, y]), [0.1, 99.9]) if x.size else (0.0, 1.0)
    pad = 0.03 * max(high - low, 0.1)
    span = (low - pad, high + pad)
    image = axes.hexbin(
        x, y, gridsize=55, extent=(*span, *span), mincnt=1, bins="log", cmap=style.palette("density"), linewidths=0
    )
    axes.plot(span, span, color=style.SOFT, linewidth=0.9, zorder=5)
    axes.set(xlim=span, ylim=span, box_aspect=1)
    return image


def totals(sums: FluxSums, quantity: Sums) -> dict[str, float]:
    """Totals of a quantity by latitude band and for the `globe`, PgC yr-1: mean of each cell, its land area, days of a year.

    Only cells with an estimate count, so that estimate and reference cover the same land.
    """
    land = sums.land
    there = np.isfinite(land.take(sums.mean.mean(land)))
    mean = land.take(quantity.mean(land))
    cells = np.where(there, mean, 0.0) * land.area * sums.days_of_year / GRAMS_PER_PETAGRAM
    lat = land.lat[land.rows]
    parts = {band: float(cells[(lat >= south) & (lat < north)].sum()) for band, (south, north) in sums.bands().items()}
    return parts | {"globe": float(cells.sum())}


def budgets(fluxes: Mapping[str, FluxSums], *, label: str) -> Figure:
    """Totals by latitude band: estimate with the members' standard deviation, and the reference."""
    with style.styled():
        figure = style.figure(11, 3.2)
        row = figure.subplots(1, len(fluxes), squeeze=False)[0]
        for axes, (name, sums) in zip(row, fluxes.items(), strict=True):
            ours, theirs = totals(sums, sums.mean), totals(sums, sums.comparison.truth)
            members = [totals(sums, member) for member in sums.members]
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
            axes.set_xticks(
                at,
                [BAND_NAMES.get(band, band).replace(" ", "\n", 1) if band != "globe" else "globe" for band in ours],
                fontsize=7,
            )
            axes.set_title(f"{FLUX_NAMES[name]}: {style.number(ours['globe'], 1)}, {label} {style.number(theirs['globe'], 1)}")
            axes.grid(axis="x", visible=False)
            axes.legend()
        row[0].set_ylabel("PgC yr⁻¹")
    return figure


def reliability(fluxes: Mapping[str, FluxSums], *, label: str) -> Figure:
    """Coverage by latitude, where the reference falls outside, and error found against spread predicted."""
    with style.styled():
        figure = style.figure(11, 3.6)
        left, middle, right = figure.subplots(1, 3)
        for name, sums in fluxes.items():
            shares, colour = sums.comparison.shares(sums.land), style.FLUX_COLOURS[name]
            smooth = _smooth(shares["inside"])
            left.plot(100 * smooth, sums.land.lat, color=colour, linewidth=1.5, label=FLUX_NAMES[name])
            _reliability(right, sums, colour, FLUX_NAMES[name])
        left.axvline(100 * NOMINAL, color=style.INK, linewidth=1, linestyle=(0, (4, 2)))
        left.set(xlim=(max(0, min(60, left.get_xlim()[0])), 101), ylim=(-60, 85), title="Coverage by latitude")
        left.set(xlabel="% inside the 90 % interval", ylabel="latitude")
        left.set_yticks([-60, -30, 0, 30, 60], ["60° S", "30° S", "0°", "30° N", "60° N"])
        left.legend(loc="best")
        _tails(middle, fluxes, label)
        right.set(xscale="log", yscale="log", box_aspect=1, title="Error against spread")
        right.set(xlabel=f"predicted standard deviation ({FLUX_UNITS})", ylabel=f"error found, RMS ({FLUX_UNITS})")
        span = np.array([min(right.get_xlim()[0], right.get_ylim()[0]), max(right.get_xlim()[1], right.get_ylim()[1])])
        right.plot(span, span, color=style.SOFT, linewidth=0.9, zorder=1)
        right.set(xlim=span, ylim=span)
        style.plain_log(right.xaxis)
        style.plain_log(right.yaxis)
        right.legend(loc="upper left")
    return figure


def _smooth(values: np.ndarray) -> np.ndarray:
    """Running mean over about five degrees of latitude; rows without land stay missing."""
    width = max(1, round(5 * values.size / 180))
    there = np.isfinite(values).astype("f8")
    kernel = np.ones(width)
    total = np.convolve(np.where(there > 0, values, 0.0), kernel, "same")
    weight = np.convolve(there, kernel, "same")
    return np.where(there > 0, total / np.maximum(weight, 1), np.nan)


def _tails(axes: Axes, fluxes: Mapping[str, FluxSums], label: str) -> None:
    for k, sums in enumerate(fluxes.values()):
        comparison, area = sums.comparison, sums.land.area
        total = (comparison.pairs * area).sum()
        start, shares = 0.0, []
        for part, colour in (("below", "#c07a2c"), ("inside", "#d8dfe2"), ("above", "#2f9c95")):
            share = 100 * (getattr(comparison, part) * area).sum() / total if total else 0.0
            axes.barh(k, share, left=start, color=colour, height=0.6)
            start += share
            shares.append(f"{share:.1f}")
        axes.text(50, k, " · ".join(shares), ha="center", va="center", fontsize=8)
    for line in (5, 95):
        axes.axvline(line, color=style.INK, linewidth=1, linestyle=(0, (4, 2)), zorder=0)
    axes.set_yticks(range(len(fluxes)), [FLUX_NAMES[name] for name in fluxes])
    axes.set(
        xlim=(0, 100), xlabel=f"% of land and time: {label} below · inside · above", title="Where it falls (5 · 90 · 5 is right)"
    )
    axes.invert_yaxis()
    axes.grid(visible=False)


def _reliability(axes: Axes, sums: FluxSums, colour: str, name: str) -> None:
    spread, error, share = sums.comparison.reliability()
    shown = np.isfinite(spread) & np.isfinite(error) & (share > 0.005)
    axes.plot(spread[shown], error[shown], color=colour, linewidth=1, marker="o", markersize=3, label=name)
