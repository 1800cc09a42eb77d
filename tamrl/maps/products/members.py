"""The members of the ensemble, one by one."""

import numpy as np
import xarray as xr

from tamrl.maps import cf
from tamrl.maps.products import Context

TITLE = "{flux} {label}: members of the ensemble"
SUMMARY = "The members of the ensemble one by one, so that covariances and closure can be checked: NEE = RECO - GPP in each."
CALIBRATED = False
"""Members carry no interval, so neither calibration nor applicability is needed."""


def build(members: xr.DataArray, context: Context) -> xr.Dataset:
    """Field `<flux>` (time, member, lat, lon)."""
    values = members.copy(data=context.balanced(members, lambda values: values)).transpose("time", "member", "lat", "lon")
    realization = {"standard_name": "realization", "long_name": "member of the ensemble", "units": "1"}
    number = ("member", np.arange(members.sizes["member"], dtype="int32"), realization)
    field = values.assign_attrs(dict(context.attributes) | cf.flux_names(context.flux)).assign_coords(member=number)
    return xr.Dataset({context.flux: field})
