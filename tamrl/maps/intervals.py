"""Predictive deviation and quantiles of a flux, alike in every file: of the mean that one value of the file is."""

from collections.abc import Mapping

import numpy as np

from tamrl import calendar, classes
from tamrl.errors import ContractError
from tamrl.maps import cf
from tamrl.maps.products import Context
from tamrl.uncertainty import conformal, ensemble
from tamrl.uncertainty.strata import PlaceStrata

QUANTILES = {"q05": 5, "q95": 95}
"""Ends of the interval by the suffix of their variables, %."""


def interval_fields(members: np.ndarray, context: Context, months: np.ndarray | None, lat: np.ndarray) -> dict[str, np.ndarray]:
    """Return `<flux>_std`, `<flux>_q05` and `<flux>_q95` as they are delivered, float32 (time, lat, lon).

    Parameters
    ----------
    members : array (member, time, lat, lon), gC m-2 d-1 of vegetated land
    context : of the block, with the calibration of the scale of the file
    months : array (time) of int, calendar months, 1 to 12; None for means of years, which have no season
    lat : array (lat), degrees north
    """
    if context.calibration is None:
        raise ContractError(f"intervals of {context.flux} need a calibration")
    mean, spread = ensemble.moments(members)
    calibration, _ = context.calibration
    places = map_strata(months, lat, context.igbp)
    q05, q95, sigma = conformal.interval(calibration, mean, spread, places=places, of_flux=True)
    values = {"std": sigma, "q05": q05, "q95": q95}
    return {f"{context.flux}_{name}": context.deliver(field) for name, field in values.items()}


def map_strata(months: np.ndarray | None, lat: np.ndarray, igbp: np.ndarray | None) -> PlaceStrata | None:
    """Strata of the cells and steps of a map, (time, lat, lon); None where the classes `igbp` (class, lat, lon) are unknown."""
    if igbp is None:
        return None
    lat = lat[:, None]
    season = np.zeros(1, int) if months is None else calendar.season(months[:, None, None], lat)  # as `map_means` counts years
    return PlaceStrata(season, calendar.season_weight(lat), dict(zip(classes.IGBP, igbp, strict=True)))


def interval_attributes(context: Context) -> Mapping[str, dict[str, object]]:
    """Return the attributes of the variables of `interval_fields` that say what they are and where they were tested.

    CF has no standard name for the deviation of a prediction: its modifier `standard_error` is that of an estimate. What a tower
    in the cell would measure deviates by `tower_std_over_std` times as much.
    """
    if context.calibration is None:
        raise ContractError(f"intervals of {context.flux} need a calibration")
    long_name, (calibration, scale) = cf.flux_names(context.flux)["long_name"], context.calibration
    of = "8 days" if scale == "8 days" else f"a {scale}"
    units = "towers" if calibration.groups is None else f"towers in {calibration.groups} groups"
    tested: dict[str, object] = {
        "interval_of": "the flux of the land of the cell, without the noise of a measurement",
        "interval_tested_on": f"means over {of} at {calibration.towers} held-out {units}",
        "tower_std_over_std": 1 / calibration.flux_share,
    }
    quantiles = {
        f"{context.flux}_{name}": {"long_name": f"calibrated {level} % quantile of {long_name}"} | tested
        for name, level in QUANTILES.items()
    }
    return {f"{context.flux}_std": {"long_name": f"predictive standard deviation of {long_name}"} | tested} | quantiles
