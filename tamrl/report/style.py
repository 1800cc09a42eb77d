"""Common style of all figures: fonts, colours and colour limits.

Colour maps are straight or bent paths through OKLab (Ottosson 2020, https://bottosson.github.io/posts/oklab), in which equal
steps look equal: lightness falls evenly along a sequential map and on both arms of the diverging one. Sources of NEE are
brown and sinks teal, a pair that red-green blindness does not confuse.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from typing import Literal, ParamSpec, TypeVar

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.typing import RcKeyType

from tamrl import classes

P = ParamSpec("P")
R = TypeVar("R")
Share = bool | Literal["none", "all", "row", "col"]
Extend = Literal["neither", "both", "min", "max"]

INK, SOFT, FAINT, PAPER = "#22303a", "#5f6f79", "#c9d1d6", "#ffffff"
"""Text, secondary text, lines, background."""

OCEAN, BARE_LAND = "#eef2f4", "#dcdcd8"
"""Water, and land without a value."""

LEGEND_SIZE = 8
"""Points of the text of legends."""

LEGEND_HANDLE = 5.0
"""Width of a mark of a legend and of the gaps beside it, in sizes of its text."""

DPI = 160
"""Pixels per inch of the figures; a full width of 11 inches is twice the width of a page."""

LEAST = 3
"""Groups of fewer towers have no median in a figure."""

COMPLETE = 0.999
"""Share of the land from which on a reference counts as complete."""

FLUX_UNITS = "gC m⁻² d⁻¹"
FLUX_NAMES = {"gpp": "GPP", "reco": "RECO", "nee": "NEE"}
FLUX_LONG = {"gpp": "Gross primary production", "reco": "Ecosystem respiration", "nee": "Net ecosystem exchange"}
BAND_NAMES = {
    "90S-60S": "90–60° S",
    "60S-23S": "60–23° S",
    "23S-0": "23–0° S",
    "0-23N": "0–23° N",
    "23N-50N": "23–50° N",
    "50N-90N": "50–90° N",
}
FLUX_COLOURS = {"gpp": "#2b8a57", "reco": "#c2662d", "nee": "#3d6fb0"}

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7a7a")
"""Models and other unordered series (Okabe & Ito 2008)."""

_RC: dict[RcKeyType, object] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6eaec",
    "grid.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a label is one
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": LEGEND_SIZE,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
}


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Make the figures of a function in the style of the report."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in this style."""
        with rc_context(_RC):
            return function(*args, **kwargs)

    return call


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure with constrained layout, inches; not registered with pyplot, so it frees its memory."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    constrained(figure).set(w_pad=0.07, h_pad=0.07)
    return figure


def constrained(figure: Figure) -> ConstrainedLayoutEngine:
    """Return the layout of a figure of `new_figure`."""
    layout = figure.get_layout_engine()
    assert isinstance(layout, ConstrainedLayoutEngine)
    return layout


def legend_columns(figure: Figure, labels: Iterable[str], *, most: int) -> int:
    """Columns of a legend below the panels: at most `most`, and no more than the width of the figure has room for.

    A wider legend leaves the panels no width, and the figure cannot be drawn.
    """
    texts = [TextPath((0, 0), label, size=LEGEND_SIZE).get_extents().width for label in labels]
    column = max(texts, default=0.0) + LEGEND_HANDLE * LEGEND_SIZE
    room = int(0.96 * 72 * figure.get_figwidth() / column)
    return max(1, min(most, len(texts), room))


def panels(figure: Figure, count: int, *, sharey: bool = False) -> list[Axes]:
    """Make one row of panels, at least one."""
    return list(figure.subplots(1, max(count, 1), sharey=sharey, squeeze=False)[0])


def to_oklab(rgb: np.ndarray) -> np.ndarray:
    """Convert sRGB in 0..1, (..., 3), to OKLab, whose first component is the lightness."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _RGB_TO_LMS.T) @ _LMS_TO_LAB.T)


_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def _ramp(anchors: Sequence[str], size: int = 256) -> np.ndarray:
    """Return sRGB colours (size, 3) through `anchors` (hex), with even steps of lightness."""
    lab = to_oklab(np.array([[int(a[i : i + 2], 16) / 255 for i in (1, 3, 5)] for a in anchors]))
    at = np.linspace(0, 1, size)
    levels = np.linspace(0, 1, len(anchors))
    path = np.stack([np.interp(at, levels, lab[:, k]) for k in range(3)], 1)
    path[:, 0] = np.linspace(lab[0, 0], lab[-1, 0], size)
    linear = (path @ np.linalg.inv(_LMS_TO_LAB).T) ** 3 @ np.linalg.inv(_RGB_TO_LMS).T
    linear = np.clip(linear, 0, 1)
    return np.asarray(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


@cache
def palette(name: str) -> ListedColormap:
    """Colour map `gpp`, `reco`, `nee` (diverging), `spread`, `error` (diverging), `score`, `coverage` or `density`."""
    ramps = {
        "gpp": ("#f7f3d6", "#b9d88a", "#4fae6b", "#11766a", "#0b3c49"),
        "reco": ("#fbf1d9", "#f6c37a", "#dd7f3f", "#a3432f", "#4a1c2c"),
        "spread": ("#f3f1f7", "#c6c1e2", "#9388c6", "#6650a0", "#3a1f66"),
        "score": ("#2c2f73", "#2f7ca0", "#58b98f", "#f3e58b"),
        "coverage": ("#4a1c2c", "#a3432f", "#e08a45", "#f0d9a0", "#d9ecdf"),
        "density": ("#eef3f7", "#9dc3dc", "#3f87b5", "#1d4f86", "#101f4d"),
    }
    arms = {
        "nee": (("#0a4a52", "#2f9c95", "#a5d6cd", "#f5f4ef"), ("#5c3310", "#c07a2c", "#e9c893", "#f5f4ef")),
        "error": (("#1b3f86", "#5b8fd0", "#b9d2ee", "#f5f4f2"), ("#7d1d33", "#d4645f", "#f1bdb2", "#f5f4f2")),
    }
    if name in arms:
        low, high = (_ramp(anchors, 128) for anchors in arms[name])
        colours = np.concatenate([low, high[::-1]])
    else:
        colours = _ramp(ramps[name])
    return ListedColormap(colours, name=name)


def round_up(value: float) -> float:
    """Return the next of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten at or above `value` (> 0)."""
    if not np.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    steps = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
    return float(steps[np.argmax(steps >= value / power - 1e-9)] * power)


def colour_limits(values: np.ndarray, *, centred: bool, share: float = 98.0) -> Normalize:
    """Take colour limits from the central `share` of the finite values: 0 to a round number, or symmetric about zero."""
    finite = np.abs(values[np.isfinite(values)])
    top = round_up(float(np.percentile(finite, share))) if finite.size else 1.0
    return Normalize(-top if centred else 0.0, top)


def label_log(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers, at 1, 2 and 5 where there is room."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 80 else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def signed_number(value: float, digits: int = 2) -> str:
    """Format a number with a true minus sign, `+` where positive."""
    return true_minus(f"{value:+z.{digits}f}")


def format_number(value: float, digits: int = 2) -> str:
    """Format a number with a true minus sign, zero without one; a dash where it is missing."""
    return true_minus(f"{value:z.{digits}f}") if np.isfinite(value) else "–"


def format_total(value: float, name: str) -> str:
    """Format a total in PgC of all land, by its name: one decimal for the globe, three digits for a region."""
    size = int(np.floor(np.log10(abs(value)))) if value and np.isfinite(value) else 0
    return format_number(value, 1 if name == classes.GLOBE else max(0, 2 - size))


def covered_note(share: float) -> str:
    """State the share of the land that is compared, with a space before it, unless it is all."""
    return "" if share >= COMPLETE else f" (on {100 * share:.3g} % of the land)"


def true_minus(text: str) -> str:
    """Turn hyphens before digits into minus signs."""
    return re.sub(r"(?<!\w)-(?=[\d.])", "−", text)


def series_colours(names: Sequence[str], first: str | None = None) -> dict[str, str]:
    """Give each name a colour, `first` (our model) always the first one."""
    order = sorted(names, key=lambda n: (n != first, n))
    return {name: SERIES[k % len(SERIES)] for k, name in enumerate(order)}


@dataclass(frozen=True)
class Panel:
    """A panel of a figure of several rows and columns, with its position."""

    row: str
    column: str
    axes: Axes
    top: bool
    bottom: bool
    left: bool


def panel_grid(
    figure: Figure, rows: Sequence[str], columns: Sequence[str], *, sharex: Share = False, sharey: Share = False
) -> list[Panel]:
    """Make one panel per row and column, row by row.

    Parameters
    ----------
    rows, columns : names of the rows and columns
    sharex, sharey : which panels share an axis, as in `Figure.subplots`
    """
    grid = figure.subplots(len(rows), len(columns), squeeze=False, sharex=sharex, sharey=sharey)
    return [
        Panel(row, column, grid[i, j], i == 0, i == len(rows) - 1, j == 0)
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    ]


def draw_strip(axes: Axes, at: float, values: np.ndarray, colour: str, *, low: float = -np.inf, high: float = np.inf) -> None:
    """Draw one point per value, and the median of `LEAST` values or more.

    Parameters
    ----------
    at : row of the points
    values : array (n)
    low, high : limits of the values; those beyond are drawn at the limit
    """
    jitter = np.random.default_rng(0).uniform(-0.18, 0.18, values.size)
    axes.scatter(np.clip(values, low, high), at + jitter, s=9, color=colour, alpha=0.4, linewidths=0)
    if values.size >= LEAST:
        middle = np.clip(np.median(values), low, high)
        axes.plot([middle] * 2, [at - 0.36, at + 0.36], color=colour, linewidth=2.4, solid_capstyle="butt")


def draw_interval(axes: Axes, low: float, high: float, at: float, colour: str, *, alpha: float) -> None:
    """Draw the bar of an interval.

    Parameters
    ----------
    low, high : ends on the horizontal axis
    at : position on the vertical axis
    """
    axes.plot([low, high], [at] * 2, color=colour, linewidth=2, alpha=alpha, solid_capstyle="round")


def colour_bar(figure: Figure, image: ScalarMappable, axes: Axes | list[Axes], label: str, *, extend: Extend = "max") -> None:
    """Add a slim horizontal colour bar below a map, or below a row of them.

    Parameters
    ----------
    figure, image : the figure, and the drawing whose colours are explained
    axes : panel, or panels of a row
    label : quantity and unit
    extend : ends of the bar that stand for values beyond it
    """
    shrink, aspect = (0.34, 42) if isinstance(axes, list) else (0.62, 34)
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", pad=0.03, extend=extend, shrink=shrink, aspect=aspect)
    bar.set_label(label, fontsize=8)
    bar.outline.set_linewidth(0.4)
    bar.ax.tick_params(labelsize=7, width=0.5, length=2.5)
    bar.ax.grid(False)


def draw_note(axes: Axes, text: str) -> None:
    """Write a few numbers into the upper left corner."""
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 2}
    axes.text(0.04, 0.96, text, transform=axes.transAxes, va="top", ha="left", fontsize=8, bbox=box, zorder=6)


def draw_density(axes: Axes, x: np.ndarray, y: np.ndarray) -> PolyCollection:
    """Draw the density of pairs as hexagons with the line of equality, on equal axes that hold 99.8 % of them."""
    low, high = np.percentile(np.concatenate([x, y]), [0.1, 99.9]) if x.size else (0.0, 1.0)
    pad = 0.03 * max(high - low, 0.1)
    span = (low - pad, high + pad)
    image = axes.hexbin(x, y, gridsize=55, extent=(*span, *span), mincnt=1, bins="log", cmap=palette("density"), linewidths=0)
    axes.plot(span, span, color=SOFT, linewidth=0.9, zorder=5)
    axes.set(xlim=span, ylim=span, box_aspect=1)
    return image


def present_fluxes(rows: pd.DataFrame) -> list[str]:
    """Fluxes of a table, in the usual order."""
    return [flux for flux in FLUX_NAMES if flux in set(rows["flux"])]
