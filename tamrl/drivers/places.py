"""Drivers of a run that reads no grid: what follows from a tower's place and the date; the rest only its own sensors know."""

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import variables
from tamrl.calendar import TimeAxis
from tamrl.drivers import derived
from tamrl.drivers.co2 import Series


def at_places(
    sites: pd.DataFrame,
    time: pd.DatetimeIndex,
    *,
    dynamic: tuple[str, ...],
    static: tuple[str, ...],
    step: str,
    co2: Series | None = None,
) -> xr.Dataset:
    """Drivers of towers in the form of collocated ones, missing where neither place nor date tells them.

    Parameters
    ----------
    sites : table of `contracts.SITES`
    time : starts of the steps
    dynamic, static : names of the vocabulary
    step : "day" or "month"
    co2 : annual means, for the driver `co2`

    Returns
    -------
    Dataset (site, time), statics (site) or (site, class).
    """
    ds = xr.Dataset(coords={"site": ("site", sites["site"].to_numpy(object)), "time": ("time", time.values)})
    ds = ds.assign_coords({name: ("site", sites[name].to_numpy(float)) for name in ("lat", "lon")})
    at = derived.Coordinates(TimeAxis(time.values, step), ds["lat"].values, co2)
    for name in dynamic:
        ds[name] = (("site", "time"), _dynamic(name, at), variables.attributes(name))
    for name in static:
        entry = variables.get(name)
        if entry.classes:
            ds = ds.assign_coords({entry.classes: list(entry.members)})
            ds[name] = (("site", entry.classes), np.full((len(sites), len(entry.members)), np.nan, "f4"))
        else:
            ds[name] = ("site", sites[name].to_numpy("f4") if name in sites else np.full(len(sites), np.nan, "f4"))
        ds[name].attrs = variables.attributes(name)
    return ds


def _dynamic(name: str, at: derived.Coordinates) -> np.ndarray:
    """(site, time), float32."""
    function = derived.get(name) if variables.get(name).derived else None
    if function is None or function.needs:
        return np.full((at.lat.size, len(at.time)), np.nan, "f4")
    return function.compute({}, at)[:, :, 0].T.astype("f4")
