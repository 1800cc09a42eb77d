"""A later sensor against an earlier one, on the cells of the maps and at the composites that both have.

Where the record of a source changes from one sensor to the next, a difference of their means is a step in time that no model can
tell from a change of the vegetation. Values are compared, never adjusted. Pure functions on arrays.
"""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import variables
from tamrl.drivers import regrid
from tamrl.drivers.succession import SensorPair
from tamrl.errors import InputError
from tamrl.grid import Grid

_log = logging.getLogger(__name__)

COLUMNS = (
    "variable", "units", "region", "season", "before", "after", "n", "mean_before", "mean_after", "difference", "rmse", "r",
    "bound", "jump",
)  # fmt: skip
REGIONS = {"globe": (-90.0, 90.0), "north": (23.5, 90.0), "tropics": (-23.5, 23.5), "south": (-90.0, -23.5)}
"""Latitudes of the centres of cells."""
SEASONS = {"year": range(1, 13), "DJF": (12, 1, 2), "MAM": (3, 4, 5), "JJA": (6, 7, 8), "SON": (9, 10, 11)}
"""Months of a composite's middle."""
LEAST_WEIGHT = 0.5
"""Least mean quality of a cell, 1 where all its pixels are good: what clouds and snow do is no difference of sensors."""


def sensor_differences(pairs: Mapping[str, SensorPair], grid: Grid, land: np.ndarray) -> pd.DataFrame:
    """Compare two sensors by variable, region and season: a table with `COLUMNS`, weighed by the area of cells.

    A mean difference beyond the bound is a jump, which the log names. Raise `InputError` if nothing can be compared.

    Parameters
    ----------
    pairs : variables by both sensors at the same times
    grid : of the maps
    land : bool (lat, lon), cells that count
    """
    rows = [row for name, pair in pairs.items() for row in _rows(name, pair, grid, land)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for row in table[table["jump"]].itertuples():
        _log.warning(
            "%s jumps where %s follows %s: %s, %s: mean difference %.4g %s, beyond %.4g",
            row.variable, row.after, row.before, row.region, row.season, row.difference, row.units, row.bound,
        )  # fmt: skip
    return table


def _rows(name: str, pair: SensorPair, grid: Grid, land: np.ndarray) -> list[dict[str, object]]:
    before, after = (np.stack([_cells(name, da, k, grid) for k in range(da.sizes["time"])]) for da in (pair.before, pair.after))
    area = np.broadcast_to(np.where(land, grid.area(), 0.0), before.shape)
    weight = np.where(np.isfinite(before) & np.isfinite(after), area, 0.0)
    if not weight.any():
        todo = "look at the quality of both products in the overlap, or choose another `overlap`"
        raise InputError(f"no cell has {name} of good quality by both sensors", where=pair.after.attrs["source"], todo=todo)
    months = pd.DatetimeIndex(pair.before["time"].values).month
    bound = pair.bound * _moments(before, after, weight)["spread"]
    shared = {"variable": name, "units": variables.get(name).units, "bound": bound}
    shared |= {"before": pair.before.attrs["product"], "after": pair.after.attrs["product"]}
    rows = []
    for region, (south, north) in REGIONS.items():
        inside = (grid.lat >= south) & (grid.lat <= north)
        for season, of_season in SEASONS.items():
            steps = np.isin(months, list(of_season))
            moments = _moments(*(values[steps][:, inside] for values in (before, after, weight)))
            moments.pop("spread")
            jump = bool(abs(moments["difference"]) > bound)
            rows.append({**shared, "region": region, "season": season, **moments, "jump": jump})
    return rows


def _cells(name: str, da: xr.DataArray, index: int, grid: Grid) -> np.ndarray:
    """One composite on the cells, missing where its quality is too low."""
    native = Grid.from_dataset(da)
    k = regrid.native_per_cell(target=grid.resolution, native=native.resolution, name=name)
    step = da.isel(time=index)
    pixels, quality = (np.asarray(part.compute()) for part in (step.drop_vars("weight"), step["weight"]))
    variables.check_range(pixels, name=name, where=da.attrs.get("source"))
    sums, weight = regrid.pixel_sums(pixels, native.area(), k, quality)
    _, ideal = regrid.pixel_sums(np.ones_like(pixels), native.area(), k)
    enough = weight >= LEAST_WEIGHT * ideal
    cells: np.ndarray = np.where(enough, regrid.mean(sums, weight), np.nan)
    return cells


def _moments(before: np.ndarray, after: np.ndarray, weight: np.ndarray) -> dict[str, float]:
    """Number of pairs, weighted means, their difference, RMSE, correlation, and the spread of the first; NaN without pairs."""
    chosen = weight > 0
    x, y, w = (values[chosen].astype("float64") for values in (before, after, weight))
    if not w.size:
        return {"n": 0} | dict.fromkeys(("mean_before", "mean_after", "difference", "rmse", "r", "spread"), np.nan)
    w /= w.sum()
    means = float((w * x).sum()), float((w * y).sum())
    spread = [float(np.sqrt((w * (values - mean) ** 2).sum())) for values, mean in zip((x, y), means, strict=True)]
    together = float((w * (x - means[0]) * (y - means[1])).sum())
    r = np.clip(together / (spread[0] * spread[1]), -1, 1) if min(spread) > 0 else np.nan
    rmse = float(np.sqrt((w * (y - x) ** 2).sum()))
    moments = {"mean_before": means[0], "mean_after": means[1], "difference": means[1] - means[0], "rmse": rmse}
    return {"n": int(w.size), **moments, "r": float(r), "spread": spread[0]}
