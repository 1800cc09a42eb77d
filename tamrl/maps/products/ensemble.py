"""The main product: mean of the members, predictive standard deviation and calibrated 5 % and 95 % quantiles."""

import xarray as xr

from tamrl import calendar, classes
from tamrl.maps import cf
from tamrl.maps.products import Context
from tamrl.uncertainty import conformal, ensemble

TITLE = "{flux} {label}: ensemble mean and calibrated uncertainty"


def build(members: xr.DataArray, context: Context) -> xr.Dataset:
    """Fields `<flux>`, `<flux>_std`, `<flux>_q05` and `<flux>_q95`, each (time, lat, lon)."""
    flux = context.flux
    mean, std = ensemble.moments(members.values)
    q05, q95, sigma = conformal.interval(context.calibration, mean, std, **_strata(members, context))
    names = cf.names(flux)
    extra = {"ancillary_variables": f"{flux}_std {flux}_q05 {flux}_q95 applicability"}
    spread = cf.names(flux, modifier="standard_error") | {"long_name": f"predictive standard deviation of {names['long_name']}"}
    central = context.balanced(members, lambda values: ensemble.moments(values)[0])
    fields = {flux: context.field(members, central, **names, **extra)}
    fields[f"{flux}_std"] = context.field(members, context.deliver(sigma), **spread)
    for level, values in (("05", q05), ("95", q95)):
        long_name = f"calibrated {int(level)} % quantile of {names['long_name']}"
        fields[f"{flux}_q{level}"] = context.field(members, context.deliver(values), long_name=long_name)
    return xr.Dataset(fields)


def _strata(members: xr.DataArray, context: Context) -> dict:
    """Season (time, lat, 1) and class shares (lat, lon) of the block; nothing where the classes are unknown."""
    if context.igbp is None:
        return {}
    month = calendar.month(members["time"].values)[:, None, None]
    season = calendar.season(month, members["lat"].values[:, None])
    return {"season": season, "shares": dict(zip(classes.IGBP, context.igbp, strict=True))}
