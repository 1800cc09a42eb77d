"""Functions of the value of each hour, applied before means over time: the mean of a curve is not the curve of the mean."""

import numpy as np
import xarray as xr

from tamrl import humidity, variables
from tamrl.drivers.formats import netcdf
from tamrl.variables import Alias

FUNCTIONS = {"saturation_vapour_pressure": humidity.saturation_vapour_pressure}
"""What `function` in `tamrl/data/variables.yaml` may name."""


def apply_function(raw: xr.DataArray, alias: Alias, where: object) -> xr.DataArray:
    """A raw series (time, lat, lon) as the alias asks for it, lazy: its values, or a function of each of them.

    Fill values are missing before the function is applied. Values outside the valid range of the raw variable are refused when
    they are read (`UnitError`): those of a function may look right. `where` is the file or source that errors and log name.
    """
    if alias.function is None:
        return raw
    function, name = FUNCTIONS[alias.function], variables.name_without_function(alias)

    def of_valid(block: np.ndarray) -> np.ndarray:
        """The function of a block whose unit was looked at."""
        variables.check_range(block, name=name, where=where)
        return function(block)

    raw = netcdf.mask_fill_values(raw, name=name, where=where)
    values: xr.DataArray = xr.apply_ufunc(of_valid, raw, dask="parallelized", output_dtypes=["float32"], keep_attrs=True)
    return values.assign_attrs(units=alias.units)
