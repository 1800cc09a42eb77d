"""Figure of how errors belong together in time and space, as held-out towers show it and as the error model takes it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tamrl.carbon import FLUXES
from tamrl.report import style
from tamrl.report.style import FLUX_COLOURS, FLUX_NAMES
from tamrl.uncertainty.error_model import FARTHEST, Correlogram, ErrorModel, FluxErrors, SpatialErrors

YEARS = 3
"""Longest lag that is drawn, years."""


@style.styled
def plot_error_structure(errors: ErrorModel) -> Figure:
    """Plot correlograms of the monthly errors of held-out towers (points) with the fitted model (lines).

    Left: in time, at one place. Middle: in space, of what lasts. Right: in space, of what passes, in the same month.
    Lines in space are those of places far from all towers, so they lie above the points of towers that have neighbours.
    """
    figure = style.new_figure(11, 3.4)
    time, place, weather = style.panels(figure, 3, sharey=True)
    for flux in FLUXES:
        of_flux, colour = errors.of_flux(flux), FLUX_COLOURS[flux]
        lags = np.linspace(0.25, 12 * YEARS, 400)
        time.plot(lags, of_flux.lasting(lags) + of_flux.passing(lags), color=colour, linewidth=1.4, label=FLUX_NAMES[flux])
        _draw_points(time, of_flux.correlogram, colour)
        for axes, space in ((place, of_flux.place), (weather, of_flux.weather)):
            km = np.geomspace(1, FARTHEST, 300)
            axes.plot(km, space.between(km), color=colour, linewidth=1.4)
            _draw_points(axes, space.correlogram, colour)
    time.set(xlim=(0, 12 * YEARS), ylim=(-0.3, 1), xlabel="lag (months)", ylabel="correlation of monthly errors", title="In time")
    time.set_xticks(range(0, 12 * YEARS + 1, 6))
    for axes, title in ((place, "Between towers: what lasts"), (weather, "Between towers: what passes")):
        axes.set(xscale="log", xlim=(1, FARTHEST), xlabel="distance (km)", title=title)
    time.legend(loc="upper right")
    return figure


def _draw_points(axes: Axes, correlogram: Correlogram, colour: str) -> None:
    """Draw what was found at lags or distances."""
    axes.plot(correlogram.at, correlogram.value, "o", color=colour, markersize=3.5, alpha=0.8)


def error_texts(errors: FluxErrors) -> list[str]:
    """Numbers of one flux for a table with the heads `ERROR_COLUMNS`."""
    month, year = (float(errors.lasting(np.asarray(lag)) + errors.passing(np.asarray(lag))) for lag in (1, 12))
    shares = [f"{errors.level:.2f}", f"{errors.season:.2f}", f"{errors.short:.2f}"]
    return [
        *shares,
        f"{errors.decay_months:g}",
        f"{month:.2f}",
        f"{year:.2f}",
        _length_text(errors.place),
        _length_text(errors.weather),
    ]


ERROR_COLUMNS = [
    "level",
    "season",
    "passing",
    "decay (months)",
    "after 1 month",
    "after 12",
    "between places, what lasts",
    "between places, what passes",
]
"""Heads of `error_texts`."""


def _length_text(space: SpatialErrors) -> str:
    """Both parts, far from towers that trained; the second only where there is one."""
    far = f" + {space.far:.2f} · exp(−d / {space.far_km:g} km)" if space.far > 0 else ""
    return f"{space.near:.2f} · exp(−d / {space.length_km:g} km){far}"
