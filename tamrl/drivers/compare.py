"""Gridded drivers against those measured at the towers: how far the weather of a cell is from that of the tower in it.

Upscaling cannot do better than its drivers let it. A tower's local day stands against the UTC day of the same date, so part
of the scatter is the hours between them; monthly values hardly feel it. Pure functions on tables.
"""

import numpy as np
import pandas as pd
import xarray as xr

COLUMNS = ("site", "variable", "units", "n", "bias", "rmse", "r", "std_tower", "std_grid", "distance_km", "utc_offset")
FEWEST = 10
"""Pairs from which on a correlation is given."""


def compare_with_towers(gridded: xr.Dataset, measured: pd.DataFrame, sites: pd.DataFrame) -> pd.DataFrame:
    """Compare drivers of cells with those of towers: a table with `COLUMNS` and a row for each tower and variable that both have.

    The bias is grid minus tower, in the vocabulary's unit; `r` is missing for fewer than `FEWEST` pairs.

    Parameters
    ----------
    gridded : Dataset (site, time), `drivers/towers.nc`
        With the attribute `climatology`, measured values are averaged over years for each month first.
    measured : table with site, date and drivers under their vocabulary names
    sites : table with site and utc_offset
    """
    names = sorted(str(n) for n in gridded if "time" in gridded[n].dims and n in measured.columns)
    offsets = sites.set_index("site")["utc_offset"]
    rows = []
    for site, table in measured.groupby("site", sort=True):
        if site not in gridded["site"].values:
            continue
        cell = gridded.sel(site=site)
        for name in names:
            pairs = _pairs(cell[name], table.set_index("date")[name], "climatology" in gridded.attrs)
            if len(pairs):
                names_of_row = {"site": site, "variable": name, "units": gridded[name].attrs.get("units")}
                place = {"distance_km": float(cell["distance_km"]), "utc_offset": offsets.get(site, np.nan)}
                rows.append(names_of_row | _statistics(pairs) | place)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _pairs(cell: xr.DataArray, tower: pd.Series, climatology: bool) -> pd.DataFrame:
    grid = pd.Series(cell.values.astype("float64"), index=pd.DatetimeIndex(cell["time"].values))
    if climatology:
        tower = tower.groupby(pd.DatetimeIndex(tower.index).month).mean()
        grid.index = grid.index.month
    return pd.DataFrame({"grid": grid, "tower": tower.astype("float64")}).dropna()


def _statistics(pairs: pd.DataFrame) -> dict[str, float]:
    difference = pairs["grid"] - pairs["tower"]
    spread = pairs.std(ddof=0)
    related = len(pairs) >= FEWEST and bool((spread > 0).all())
    return {
        "n": len(pairs),
        "bias": difference.mean(),
        "rmse": float(np.sqrt((difference**2).mean())),
        "r": pairs["grid"].corr(pairs["tower"]) if related else np.nan,
        "std_tower": spread["tower"],
        "std_grid": spread["grid"],
    }
