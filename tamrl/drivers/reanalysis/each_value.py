"""Functions of each hour, taken before means over time: the mean of a curve is not the curve of the mean."""

import xarray as xr

from tamrl import humidity
from tamrl.drivers.formats import netcdf
from tamrl.variables import Alias

FUNCTIONS = {"saturation_vapour_pressure": humidity.saturation_vapour_pressure}
"""What `of_each` in `tamrl/data/variables.yaml` may name."""


def of_each_value(raw: xr.DataArray, alias: Alias, where: object) -> xr.DataArray:
    """A raw series (time, lat, lon) as the alias asks for it, lazy: its values, or a function of each of them.

    Fill values are missing before the function is taken. `where` is the file or source that the log names.
    """
    if alias.of_each is None:
        return raw
    raw = netcdf.mask_fill_values(raw, name=alias.name, where=where)
    function = FUNCTIONS[alias.of_each]
    values: xr.DataArray = xr.apply_ufunc(function, raw, dask="parallelized", output_dtypes=["float32"], keep_attrs=True)
    return values.assign_attrs(units=alias.units)
