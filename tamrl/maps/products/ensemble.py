"""The main product: mean of the members, predictive standard deviation and calibrated 5 % and 95 % quantiles."""

import xarray as xr

from tamrl import calendar
from tamrl.maps import cf
from tamrl.maps.intervals import interval_attributes, interval_fields
from tamrl.maps.products import Context
from tamrl.uncertainty import ensemble

TITLE = "{flux} {label}: ensemble mean and calibrated uncertainty"
SUMMARY = "The main product: mean of the members, predictive standard deviation and calibrated 5 % and 95 % quantiles."
CALIBRATED = True


def build(members: xr.DataArray, context: Context) -> xr.Dataset:
    """Fields `<flux>`, `<flux>_std`, `<flux>_q05` and `<flux>_q95`, each (time, lat, lon)."""
    flux = context.flux
    months, lat = calendar.month(members["time"].values), members["lat"].values
    intervals, attributes = interval_fields(members.values, context, months, lat), interval_attributes(context)
    central = context.balanced(members, lambda values: ensemble.moments(values)[0])
    ancillary = " ".join([*intervals, "applicability"])
    fields = {flux: context.field(members, central, **cf.flux_names(flux), ancillary_variables=ancillary)}
    fields |= {name: context.field(members, values, **attributes[name]) for name, values in intervals.items()}
    return xr.Dataset(fields)
