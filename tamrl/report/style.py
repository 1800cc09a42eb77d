"""One look for all figures: fonts, colours and colour limits.

Colour maps are straight or bent paths through OKLab (Ottosson 2020, https://bottosson.github.io/posts/oklab), in which equal
steps look equal: lightness falls evenly along a sequential map and on both arms of the diverging one. Sources of NEE are
brown and sinks teal, a pair that red-green blindness does not confuse.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

INK, SOFT, FAINT, PAPER = "#22303a", "#5f6f79", "#c9d1d6", "#ffffff"
"""Text, secondary text, lines, background."""

OCEAN, BARE_LAND = "#eef2f4", "#dcdcd8"
"""Water, and land without a value."""

DPI = 160
"""Pixels per inch of the figures; a full width of 11 inches is twice what a page shows."""

FLUX_UNITS = "gC m⁻² d⁻¹"
FLUX_NAMES = {"gpp": "GPP", "reco": "RECO", "nee": "NEE"}
FLUX_LONG = {"gpp": "Gross primary production", "reco": "Ecosystem respiration", "nee": "Net ecosystem exchange"}
FLUX_COLOURS = {"gpp": "#2b8a57", "reco": "#c2662d", "nee": "#3d6fb0"}

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7a7a")
"""Models and other unordered series (Okabe & Ito 2008)."""

_RC = {
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
    "legend.fontsize": 8,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
}


def styled() -> rc_context:
    """A context in which figures are made, for `with`."""
    return rc_context(_RC)


def figure(width: float, height: float) -> Figure:
    """An empty figure with constrained layout, inches; not registered with pyplot, so it frees its memory."""
    made = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    made.get_layout_engine().set(w_pad=0.07, h_pad=0.07)
    return made


def _to_oklab(rgb: np.ndarray) -> np.ndarray:
    """SRGB in 0..1, (..., 3), to OKLab."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _RGB_TO_LMS.T) @ _LMS_TO_LAB.T


def _from_oklab(lab: np.ndarray) -> np.ndarray:
    """OKLab (..., 3) to sRGB, clipped to 0..1."""
    linear = (lab @ np.linalg.inv(_LMS_TO_LAB).T) ** 3 @ np.linalg.inv(_RGB_TO_LMS).T
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


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


def lightness(colours: np.ndarray) -> np.ndarray:
    """OKLab lightness of sRGB colours (..., 3)."""
    return _to_oklab(np.asarray(colours, dtype="f8")[..., :3])[..., 0]


def _ramp(anchors: Sequence[str], size: int = 256) -> np.ndarray:
    """Colours (size, 3) through `anchors` (hex), lightness evenly from the first to the last."""
    rgb = np.array([[int(a[i : i + 2], 16) / 255 for i in (1, 3, 5)] for a in anchors])
    lab = _to_oklab(rgb)
    at = np.linspace(0, 1, size)
    levels = np.linspace(0, 1, len(anchors))
    path = np.stack([np.interp(at, levels, lab[:, k]) for k in range(3)], 1)
    path[:, 0] = np.linspace(lab[0, 0], lab[-1, 0], size)
    return _from_oklab(path)


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


def nice(value: float) -> float:
    """The next of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten at or above `value` (> 0)."""
    if not np.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    steps = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
    return float(steps[np.argmax(steps >= value / power - 1e-9)] * power)


def limits(values: np.ndarray, *, centred: bool, share: float = 98.0) -> Normalize:
    """Colour limits from the central `share` of the finite values: 0 to a round number, or symmetric about zero."""
    finite = np.abs(values[np.isfinite(values)])
    top = nice(float(np.percentile(finite, share))) if finite.size else 1.0
    return Normalize(-top if centred else 0.0, top)


def plain_log(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers, at 1, 2 and 5 where there is room."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 80 else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def signed(value: float, digits: int = 2) -> str:
    """A number with a true minus sign, `+` where positive."""
    return minus(f"{value:+z.{digits}f}")


def number(value: float, digits: int = 2) -> str:
    """A number with a true minus sign, zero without one; a dash where it is missing."""
    return minus(f"{value:z.{digits}f}") if np.isfinite(value) else "–"


def minus(text: str) -> str:
    """Hyphens before digits become minus signs."""
    return re.sub(r"(?<!\w)-(?=[\d.])", "−", text)


def series_colours(names: Sequence[str], first: str | None = None) -> dict[str, str]:
    """A colour per name, `first` (our model) always with the first one."""
    order = sorted(names, key=lambda n: (n != first, n))
    return {name: SERIES[k % len(SERIES)] for k, name in enumerate(order)}


@dataclass(frozen=True)
class Cell:
    """A panel of a figure of several rows and columns, and where it stands."""

    row: str
    column: str
    axes: Axes
    top: bool
    bottom: bool
    left: bool


def cells(figure: Figure, rows: Sequence[str], columns: Sequence[str], **options: Any) -> list[Cell]:
    """One panel per row and column, row by row; `options` as of `Figure.subplots`."""
    grid = figure.subplots(len(rows), len(columns), squeeze=False, **options)
    return [
        Cell(row, column, grid[i, j], i == 0, i == len(rows) - 1, j == 0)
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    ]


def strip(axes: Axes, at: float, values: np.ndarray, colour: str, *, low: float = -np.inf, high: float = np.inf) -> None:
    """A point a value along the row `at`, and the median; what lies beyond `low` or `high` is drawn there."""
    jitter = np.random.default_rng(0).uniform(-0.18, 0.18, values.size)
    axes.scatter(np.clip(values, low, high), at + jitter, s=9, color=colour, alpha=0.4, linewidths=0)
    if values.size:
        middle = np.clip(np.median(values), low, high)
        axes.plot([middle] * 2, [at - 0.36, at + 0.36], color=colour, linewidth=2.4, solid_capstyle="butt")
