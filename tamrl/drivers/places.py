"""Drivers at towers of a run without grids: computed from place and date where that suffices, else missing."""

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import variables
from tamrl.calendar import Step, TimeAxis
from tamrl.drivers import derived
from tamrl.drivers.co2 import AnnualCo2


def at_places(
    sites: pd.DataFrame,
    time: pd.DatetimeIndex,
    *,
    dynamic: tuple[str, ...],
    static: tuple[str, ...],
    step: Step,
    co2: AnnualCo2 | None = None,
) -> xr.Dataset:
    """Drivers of towers in the form of collocated ones; missing where place and date do not determine them.

    Return a Dataset (site, time) with statics (site) or (site, class).

    Parameters
    ----------
    sites : table of `contracts.SITES`
    time : starts of the steps
    dynamic, static : names of the vocabulary
    step : "day" or "month"
    co2 : annual means, for the driver `co2`
    """
    ds = xr.Dataset(coords={"site": ("site", sites["site"].to_numpy(object)), "time": ("time", time.values)})
    ds = ds.assign_coords({name: ("site", sites[name].to_numpy(float)) for name in ("lat", "lon")})
    at = derived.Coordinates(TimeAxis(time.values, step), ds["lat"].values, co2)
    for name in dynamic:
        derivation = derived.derivation(name) if variables.get(name).derived else None
        values = np.full((at.lat.size, len(at.time)), np.nan, "f4")
        if derivation and not derivation.needs:
            values = derivation.compute({}, at)[:, :, 0].T.astype("f4")
        ds[name] = (("site", "time"), values, variables.attributes(name))
    for name in static:
        entry = variables.get(name)
        if entry.classes:
            ds = ds.assign_coords({entry.classes: list(entry.members)})
            ds[name] = (("site", entry.classes), np.full((len(sites), len(entry.members)), np.nan, "f4"))
        else:
            ds[name] = ("site", sites[name].to_numpy("f4") if name in sites else np.full(len(sites), np.nan, "f4"))
        ds[name].attrs = variables.attributes(name)
    return ds
