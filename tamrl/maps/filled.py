"""How much of a map rests on satellite composites that were missing and filled in time."""

import numpy as np
import xarray as xr

from tamrl import georeference, variables
from tamrl.maps import blocks
from tamrl.variables import FILLED


def mean_number(cube: xr.Dataset, time: xr.DataArray) -> dict[str, xr.DataArray]:
    """`filled_drivers` (lat, lon): how many drivers rested on filled composites, in the mean over the steps `time`.

    Empty where no driver of the cube comes as composites. Missing off land.
    """
    if FILLED not in cube:
        return {}
    counted = cube[FILLED].sel(time=time)
    found = np.empty((cube.sizes["lat"], cube.sizes["lon"]), dtype="float32")
    for rows in blocks.strips(cube[FILLED]):
        found[rows] = counted.isel(lat=rows).values.mean(0, dtype=float)
    attributes = variables.attributes(FILLED) | {
        "grid_mapping": georeference.MAPPING,
        "comment": f"Of {cube[FILLED].attrs['of']} drivers that come as composites; the mean over all steps of this file.",
    }
    return {
        FILLED: xr.DataArray(np.where(cube["land_fraction"].values > 0, found, np.nan), dims=("lat", "lon"), attrs=attributes)
    }
