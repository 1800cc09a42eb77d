"""The main product: mean of the members, predictive standard deviation and calibrated 5 % and 95 % quantiles."""

import numpy as np
import xarray as xr

from tamrl import calendar, classes
from tamrl.errors import ContractError
from tamrl.maps import cf
from tamrl.maps.products import Context
from tamrl.uncertainty import conformal, ensemble

TITLE = "{flux} {label}: ensemble mean and calibrated uncertainty"
SUMMARY = "The main product: mean of the members, predictive standard deviation and calibrated 5 % and 95 % quantiles."
CALIBRATED = True


def build(members: xr.DataArray, context: Context) -> xr.Dataset:
    """Fields `<flux>`, `<flux>_std`, `<flux>_q05` and `<flux>_q95`, each (time, lat, lon)."""
    flux = context.flux
    mean, std = ensemble.moments(members.values)
    if context.calibration is None:
        raise ContractError(f"the ensemble of {flux} needs a calibration")
    q05, q95, sigma = conformal.interval(context.calibration, mean, std, season=_season(members), shares=_class_shares(context))
    names = cf.flux_names(flux)
    ancillary = f"{flux}_std {flux}_q05 {flux}_q95 applicability"
    spread = cf.flux_names(flux, modifier="standard_error") | {
        "long_name": f"predictive standard deviation of {names['long_name']}"
    }
    central = context.balanced(members, lambda values: ensemble.moments(values)[0])
    fields = {flux: context.field(members, central, **names, ancillary_variables=ancillary)}
    fields[f"{flux}_std"] = context.field(members, context.deliver(sigma), **spread)
    for level, values in (("05", q05), ("95", q95)):
        long_name = f"calibrated {int(level)} % quantile of {names['long_name']}"
        fields[f"{flux}_q{level}"] = context.field(members, context.deliver(values), long_name=long_name)
    return xr.Dataset(fields)


def _season(members: xr.DataArray) -> np.ndarray:
    """Season (time, lat, 1) of the steps of a block."""
    month = calendar.month(members["time"].values)[:, None, None]
    return calendar.season(month, members["lat"].values[:, None])


def _class_shares(context: Context) -> dict[str, np.ndarray] | None:
    """Return the land share per class (lat, lon); None if the classes are unknown (then seasons are not used either)."""
    return None if context.igbp is None else dict(zip(classes.IGBP, context.igbp, strict=True))
