"""Which cell stands for a tower: its own, or the nearest one with drivers if that is sea. Opens no file itself."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import variables
from tamrl.drivers.cube.plan import CHUNK
from tamrl.grid import Grid, great_circle_km


class Candidates(NamedTuple):
    """Cells that may stand for a tower, the preferred one first: rows, columns and distances in km, each (cell)."""

    rows: np.ndarray
    columns: np.ndarray
    distances: np.ndarray


class TowerCell(NamedTuple):
    """The cell that stands for a tower, and its distance in km (0 in the tower's own cell)."""

    row: int
    column: int
    distance_km: float


def distance_to_cells(*, lat: float, lon: float, grid: Grid, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Distance in km from a point to the nearest point of cells given by rows and columns; 0 in the point's own cell.

    Parameters
    ----------
    lat, lon : of the point, degrees
    grid : of the cells
    rows, columns : (cell,) indices of the cells
    """
    half = grid.resolution / 2
    away = (lon - grid.lon[columns] + 180.0) % 360.0 - 180.0
    near_lat = np.clip(lat, grid.lat[rows] - half, grid.lat[rows] + half)
    near_lon = lon - away + np.clip(away, -half, half)
    return great_circle_km(lat1=lat, lon1=lon, lat2=near_lat, lon2=near_lon)


def candidate_cells(usable: np.ndarray, *, lat: float, lon: float, grid: Grid, max_distance_km: float) -> Candidates:
    """Cells that may stand for a tower: its own if usable, else usable ones within reach, nearest first.

    Ties go to the nearer centre, then to the northern, then to the western cell.

    Parameters
    ----------
    usable : bool array (lat, lon)
    """
    row, column = (int(v) for v in grid.index(lat=np.array(lat), lon=np.array(lon)))
    reach = int(np.ceil(max_distance_km / 111.0 / grid.resolution)) + 1
    rows, columns = np.nonzero(usable[max(row - reach, 0) : row + reach + 1])
    rows = rows + max(row - reach, 0)
    distance = distance_to_cells(lat=lat, lon=lon, grid=grid, rows=rows, columns=columns)
    same = (rows == row) & (columns == column)
    keep = same | (distance <= max_distance_km)
    rows, columns, distance, same = rows[keep], columns[keep], distance[keep], same[keep]
    centre = great_circle_km(lat1=lat, lon1=lon, lat2=grid.lat[rows], lon2=grid.lon[columns])
    order = np.lexsort((columns, rows, centre, distance, ~same))
    return Candidates(rows[order], columns[order], distance[order])


def choose_cells(places: Sequence[Candidates], has_drivers: Callable[[int, int], bool]) -> list[TowerCell | None]:
    """The first candidate of each tower that has drivers, or None.

    Towers of one chunk are looked at one after the other, so that a chunk is read once.
    """
    chosen: list[TowerCell | None] = [None] * len(places)
    nearest = [chunk_of(place.rows[0], place.columns[0]) if place.rows.size else () for place in places]
    for k in sorted(range(len(places)), key=nearest.__getitem__):
        cells = map(TowerCell, *(values.tolist() for values in places[k]))
        chosen[k] = next((cell for cell in cells if has_drivers(cell.row, cell.column)), None)
    return chosen


def chunk_of(row: int, column: int) -> tuple[int, int]:
    """The chunk of the cube that holds a cell."""
    return int(row) // CHUNK[1], int(column) // CHUNK[2]


class CellSeries:
    """Drivers of single cells, each kept once read, and the last chunk they were read from."""

    def __init__(self, ds: xr.Dataset) -> None:
        self.ds = ds
        self.dynamic = [str(n) for n in ds if variables.get(str(n)).role == "dynamic"]
        statics = ds[[str(n) for n in ds if variables.get(str(n)).role == "static"]].load()
        complete = [statics[n].notnull().all([d for d in statics[n].dims if d in ("igbp", "koppen")]) for n in statics]
        self.usable = ((statics["land_fraction"] > 0) & np.logical_and.reduce(complete)).values
        self._cells: dict[tuple[int, int], xr.Dataset] = {}
        self._last: tuple[tuple[int, int] | None, xr.Dataset] = (None, statics)

    def at(self, row: int, column: int) -> xr.Dataset:
        """All variables of one cell."""
        if (row, column) not in self._cells:
            (_, height, width), key = CHUNK, chunk_of(row, column)
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


def drivers_at_towers(series: CellSeries, sites: pd.DataFrame, cells: Sequence[TowerCell], grid: Grid) -> xr.Dataset:
    """Drivers of the chosen cells as a dataset (site, time), with where they come from.

    Parameters
    ----------
    series : series of the cells, read once
    sites : table of `contracts.SITES`
    cells : cell of each tower, in the order of `sites`
    grid : of the cells
    """
    columns = [series.at(cell.row, cell.column) for cell in cells]
    drivers = xr.concat(columns, pd.Index(sites["site"], name="site"), combine_attrs="override")
    rows, cols = np.array([cell.row for cell in cells]), np.array([cell.column for cell in cells])
    distance = np.array([cell.distance_km for cell in cells])
    drivers = drivers.assign_coords(lat=("site", sites["lat"].to_numpy()), lon=("site", sites["lon"].to_numpy()))
    drivers["distance_km"] = ("site", distance, {"units": "km", "long_name": "distance to the cell used"})
    drivers["cell_lat"] = ("site", grid.lat[rows], {"units": "degrees_north"})
    drivers["cell_lon"] = ("site", grid.lon[cols], {"units": "degrees_east"})
    return drivers.transpose("site", ...)
