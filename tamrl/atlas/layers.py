"""The layers of the atlas: names, units, steps, colours and colour limits."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from tamrl import calendar, units, variables
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.report import style
from tamrl.report.style import FLUX_LONG, FLUX_NAMES, FLUX_UNITS

QUANTITIES = {"mean": "", "std": "_std", "q05": "_q05", "q95": "_q95"}
"""Quantity: ending of its variable in the maps."""

INSIDE = "inside"
"""Quantity: share of the days of a month on which the reference lay in the 90 % range."""

PALETTES = ("gpp", "reco", "nee", "spread", "error", "score", "density", "coverage")
SHOWN_UNITS = {"K": "degC"}
"""Units that people read more easily than the canonical ones."""

POLAR = 60.0
"""Degrees north or south beyond which land does not set the colours of drivers."""

SIGNS = {"degC": "°C", "W m-2": "W m⁻²", "mm d-1": "mm d⁻¹", "1": "", "m2 m-2": "m² m⁻²"}


@dataclass(frozen=True)
class Layer:
    """A field of the atlas, monthly or constant."""

    name: str
    title: str
    unit: str
    group: str
    """`flux`, `trust`, `land` or `driver`."""
    quantum: float
    """Values are whole multiples of it."""
    palette: str
    low: float
    high: float
    steps: int
    """12 months, or 1."""
    classes: tuple[str, ...] = ()
    """Names of the values 0, 1, ... where the field is of classes."""


def flux_layer(name: str, quantity: str, *, quantum: float, limits: tuple[float, float], reference: str | None) -> Layer:
    """Return the layer of a flux.

    Parameters
    ----------
    name : {"gpp", "reco", "nee"}
    quantity : a key of `QUANTITIES`, `truth`, or `INSIDE`
    quantum, limits : gC m-2 d-1
    reference : name of the reference
    """
    if quantity == INSIDE:
        title = f"{FLUX_NAMES[name]}, share of days with the {reference} inside the 90 % range"
        return Layer(f"{name}.{INSIDE}", title, "", "flux", 1e-3, "coverage", 0.0, 1.0, calendar.MONTHS)
    titles = {"mean": "estimate", "std": "standard deviation", "q05": "5 % bound", "q95": "95 % bound", "truth": str(reference)}
    palette = "spread" if quantity == "std" else name
    title = f"{FLUX_NAMES[name]}, {titles[quantity]}"
    return Layer(f"{name}.{quantity}", title, FLUX_UNITS, "flux", quantum, palette, *limits, calendar.MONTHS)


def flux_limits(mean: np.ndarray, *, centred: bool) -> tuple[float, float]:
    """Return the colour limits of a flux, which do not apply to its spread, from its monthly means (any shape)."""
    norm = style.colour_limits(mean, centred=centred)
    low, high = norm.vmin, norm.vmax
    if low is None or high is None:
        raise ContractError("a colour scale without limits")
    return float(low), float(high)


def driver_layer(name: str, values: np.ndarray, lat: np.ndarray) -> tuple[Layer, np.ndarray]:
    """Return the layer of a driver, and its values in the units of the layer.

    Colours reach over the land that is not polar, so that ice sheets do not leave one colour for the rest.

    Parameters
    ----------
    values : array (step, cell)
    lat : array (cell), degrees north
    """
    entry = variables.get(name)
    unit = SHOWN_UNITS.get(entry.units, entry.units)
    shown = np.asarray(units.convert(values, source=entry.units, target=unit), "f4")
    mild = shown[:, np.abs(lat) < POLAR]
    low, high = central_range(mild if np.isfinite(mild).any() else shown)
    title = entry.long_name[0].upper() + entry.long_name[1:]
    sign = SIGNS.get(unit, unit)
    return Layer(name, title, sign, "driver", fine_quantum(shown), "score", low, high, len(values)), shown


def applicability_layers(threshold: float | None) -> dict[str, Layer]:
    """Return the layers of the area of applicability, under their names in `maps/applicability.nc`."""
    top = 2 * (threshold or 1.0)
    flags = ("outside: the towers say little", "inside: like the towers")
    return {
        "applicability": Layer("applicability", "Area of applicability", "", "trust", 1, "coverage", 0, 1, 1, flags),
        "dissimilarity": Layer("dissimilarity", "Dissimilarity to the towers", "", "trust", 0.005, "density", 0.0, top, 1),
    }


def class_layer(name: str, kinds: tuple[str, ...]) -> Layer:
    """Return the layer of the dominant class, `igbp` or `koppen`."""
    title = {"igbp": "Land cover (IGBP)", "koppen": "Climate (Köppen)"}[name]
    return Layer(name, title, "", "land", 1, "classes", 0, len(kinds) - 1, 1, kinds)


def vegetated_layer() -> Layer:
    """Return the layer of the share of the land that carries flux."""
    return Layer("vegetated", "Land with vegetation", "", "land", 0.001, "density", 0.0, 1.0, 1)


def central_range(values: np.ndarray) -> tuple[float, float]:
    """Return round colour limits around the central 96 % of the finite values."""
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [2, 98]) if finite.size else (0.0, 1.0)
    step = 10.0 ** np.floor(np.log10(max(high - low, 1e-9))) / 2
    bottom, top = step * np.floor(low / step + 1e-6), step * np.ceil(high / step - 1e-6)
    return float(bottom), float(top if top > bottom else bottom + 1)


def fine_quantum(values: np.ndarray) -> float:
    """Return a power of ten, at most a 500th of the range of the values, whose multiples fit in 16 bits."""
    finite = values[np.isfinite(values)]
    top = max(float(np.ptp(finite)) if finite.size else 1.0, 1e-6)
    least = float(np.abs(finite).max()) / 32000 if finite.size else 0.0
    wanted = 10.0 ** np.floor(np.log10(top / 500))
    return float(max(wanted, 10.0 ** np.ceil(np.log10(least)) if least else wanted))


def dominant(fractions: np.ndarray) -> np.ndarray:
    """Return the position of the largest fraction (class, lat, lon), NaN if any is missing or all are zero."""
    known = np.isfinite(fractions).all(0) & (fractions.sum(0) > 0)
    return np.where(known, np.where(known, fractions, 0.0).argmax(0), np.nan).astype("f4")


def palettes() -> dict[str, str]:
    """Return 256 colours of each palette of the report from low to high, six hexadecimal digits each."""
    ramps = {name: np.rint(255 * style.palette(name)(np.linspace(0, 1, 256))[:, :3]).astype("u1") for name in PALETTES}
    return {name: ramp.tobytes().hex() for name, ramp in ramps.items()}


def flux_styles() -> dict[str, dict[str, str]]:
    """Return the names of the fluxes, and the colours of their lines."""
    return {f: {"short": FLUX_NAMES[f], "long": FLUX_LONG[f], "colour": style.FLUX_COLOURS[f]} for f in FLUXES}


def by_month(values: xr.DataArray, pick: Callable[[np.ndarray], np.ndarray] = np.asarray) -> np.ndarray:
    """Return monthly means (12, ...) of the cells that `pick` takes from (lat, lon), missing if a step is missing.

    Each month is read by itself.
    """
    month, means = calendar.month(values["time"].values), []
    for m in range(calendar.MONTHS):
        part = values.isel(time=month == m + 1).values
        means.append(pick(part.mean(0, dtype="f4") if len(part) else np.full(part.shape[1:], np.nan, "f4")))
    return np.stack(means)
