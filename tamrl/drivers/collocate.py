"""Which cell stands for a tower: its own, or the nearest one with drivers if that is sea. Opens no file itself."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import variables
from tamrl.drivers.cube.plan import CHUNK
from tamrl.grid import Grid, great_circle_km


def distance_to_cells(*, lat: float, lon: float, grid: Grid, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Distance in km from a point to the nearest point of cells given by rows and columns; 0 in the point's own cell."""
    half = grid.resolution / 2
    away = (lon - grid.lon[columns] + 180.0) % 360.0 - 180.0
    near_lat = np.clip(lat, grid.lat[rows] - half, grid.lat[rows] + half)
    near_lon = lon - away + np.clip(away, -half, half)
    return great_circle_km(lat1=lat, lon1=lon, lat2=near_lat, lon2=near_lon)


def candidates(
    usable: np.ndarray, *, lat: float, lon: float, grid: Grid, max_distance_km: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells that may stand for a tower: its own if usable, else usable ones within reach, nearest first.

    Parameters
    ----------
    usable : bool array (lat, lon)

    Returns
    -------
    rows, columns, distances in km; ties go to the nearer centre, then to the northern, then to the western cell.
    """
    row, column = (int(v) for v in grid.index(lat=np.array(lat), lon=np.array(lon)))
    reach = int(np.ceil(max_distance_km / 111.0 / grid.resolution)) + 1
    rows, columns = np.nonzero(usable[max(row - reach, 0) : row + reach + 1])
    rows = rows + max(row - reach, 0)
    distance = distance_to_cells(lat=lat, lon=lon, grid=grid, rows=rows, columns=columns)
    own = (rows == row) & (columns == column)
    keep = own | (distance <= max_distance_km)
    rows, columns, distance, own = rows[keep], columns[keep], distance[keep], own[keep]
    centre = great_circle_km(lat1=lat, lon1=lon, lat2=grid.lat[rows], lon2=grid.lon[columns])
    order = np.lexsort((columns, rows, centre, distance, ~own))
    return rows[order], columns[order], distance[order]


def choose(
    places: list[tuple[np.ndarray, np.ndarray, np.ndarray]], has_drivers: Callable[[int, int], bool]
) -> list[tuple[int, int, float] | None]:
    """The first candidate of each tower that has drivers, as (row, column, distance in km), or None.

    Towers of one chunk are looked at one after the other, so that a chunk is read once.
    """
    found: list[tuple[int, int, float] | None] = [None] * len(places)
    nearest = [chunk(rows[0], columns[0]) if rows.size else () for rows, columns, _ in places]
    for k in sorted(range(len(places)), key=nearest.__getitem__):
        cells = zip(*(values.tolist() for values in places[k]), strict=True)
        found[k] = next((cell for cell in cells if has_drivers(cell[0], cell[1])), None)
    return found


def chunk(row: int, column: int) -> tuple[int, int]:
    """The chunk of the cube that holds a cell."""
    return int(row) // CHUNK[1], int(column) // CHUNK[2]


class Series:
    """Drivers of single cells, each kept once read, and the last chunk they were read from."""

    def __init__(self, ds: xr.Dataset):
        self.ds = ds
        self.dynamic = [str(n) for n in ds if variables.get(str(n)).role == "dynamic"]
        statics = ds[[str(n) for n in ds if variables.get(str(n)).role == "static"]].load()
        whole = [statics[n].notnull().all([d for d in statics[n].dims if d in ("igbp", "koppen")]) for n in statics]
        self.usable = ((statics["land_fraction"] > 0) & np.logical_and.reduce(whole)).values
        self._cells: dict[tuple[int, int], xr.Dataset] = {}
        self._last: tuple[tuple[int, int] | None, xr.Dataset] = (None, statics)

    def at(self, row: int, column: int) -> xr.Dataset:
        """All variables of one cell."""
        if (row, column) not in self._cells:
            (_, height, width), key = CHUNK, chunk(row, column)
            if key != self._last[0]:
                rows, columns = (slice(k * size, (k + 1) * size) for k, size in zip(key, (height, width), strict=True))
                self._last = (key, self.ds.isel(lat=rows, lon=columns).load())
            cell = self._last[1].isel(lat=row % height, lon=column % width, drop=True)
            self._cells[row, column] = cell.copy(deep=True)  # a view would hold its whole chunk in memory
        return self._cells[row, column]

    def has_drivers(self, row: int, column: int) -> bool:
        """Whether each dynamic variable has at least one value there."""
        cell = self.at(row, column)
        return all(bool(np.isfinite(cell[n].values).any()) for n in self.dynamic)


def at_towers(series: Series, sites: pd.DataFrame, chosen: list, grid: Grid) -> xr.Dataset:
    """Drivers of the chosen cells as a dataset (site, time), with where they come from."""
    columns = [series.at(row, column) for row, column, _ in chosen]
    found = xr.concat(columns, pd.Index(sites["site"], name="site"), combine_attrs="override")
    rows, cols = np.array([c[0] for c in chosen]), np.array([c[1] for c in chosen])
    found = found.assign_coords(lat=("site", sites["lat"].to_numpy()), lon=("site", sites["lon"].to_numpy()))
    found["distance_km"] = ("site", np.array([c[2] for c in chosen]), {"units": "km", "long_name": "distance to the cell used"})
    found["cell_lat"] = ("site", grid.lat[rows], {"units": "degrees_north"})
    found["cell_lon"] = ("site", grid.lon[cols], {"units": "degrees_east"})
    return found.transpose("site", ...)
