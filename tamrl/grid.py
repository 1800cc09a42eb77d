"""The global grid: cell centres, areas and tiles.

Conventions: `lat` runs from north to south, `lon` from west to east in [-180, 180); both are cell centres
(0.25°: ±89.875, ±179.875). Areas are exact on the authalic sphere of the WGS84 ellipsoid.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tamrl.errors import ConfigError, ContractError

if TYPE_CHECKING:
    import xarray as xr

EARTH_RADIUS = 6371007.181
"""Authalic radius of WGS84 in m (Snyder 1987, doi 10.3133/pp1395)."""


@dataclass(frozen=True)
class Grid:
    """A regular global grid of `resolution` degrees (a divisor of 180)."""

    resolution: float

    def __post_init__(self) -> None:
        rows = 180.0 / self.resolution
        if self.resolution <= 0 or abs(rows - round(rows)) > 1e-9:
            raise ConfigError(
                f"a grid of {self.resolution}° does not divide 180°",
                where="grid.resolution",
                todo="take a divisor of 180, such as 0.25, 0.5, 1 or 2",
            )

    @classmethod
    def from_dataset(cls, ds: "xr.Dataset | xr.DataArray") -> "Grid":
        """Return the grid whose cell centres are the coordinates `lat` and `lon` of a dataset.

        Raises `ContractError` if the coordinates are not those of a global grid, north to south and west to east.
        """
        lat, lon = ds["lat"].values, ds["lon"].values
        grid = cls(180.0 / max(lat.size, 1))
        within = grid.resolution / 1000
        if grid.shape != (lat.size, lon.size) or np.abs(lat - grid.lat).max() > within or np.abs(lon - grid.lon).max() > within:
            raise ContractError(f"the coordinates are not those of the global grid of {grid.resolution:g}°", found=lat[:2])
        return grid

    @property
    def shape(self) -> tuple[int, int]:
        """(lat, lon) sizes."""
        rows = round(180.0 / self.resolution)
        return rows, 2 * rows

    @property
    def lat(self) -> np.ndarray:
        """Latitudes of the cell centres, north to south (float64, degrees north)."""
        return 90.0 - (np.arange(self.shape[0]) + 0.5) * self.resolution

    @property
    def lon(self) -> np.ndarray:
        """Longitudes of the cell centres, west to east (float64, degrees east)."""
        return -180.0 + (np.arange(self.shape[1]) + 0.5) * self.resolution

    def index(self, *, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return row and column of the cells that contain the points (degrees; any longitude convention)."""
        rows, columns = self.shape
        row = np.clip(np.floor((90.0 - np.asarray(lat)) / self.resolution).astype(int), 0, rows - 1)
        column = np.floor(((np.asarray(lon) + 180.0) % 360.0) / self.resolution).astype(int) % columns
        return row, column

    def area(self) -> np.ndarray:
        """Return the cell areas, m2, shape (lat, 1)."""
        edge = np.deg2rad(90.0 - np.arange(self.shape[0] + 1) * self.resolution)
        band = np.sin(edge[:-1]) - np.sin(edge[1:])
        areas: np.ndarray = EARTH_RADIUS**2 * np.deg2rad(self.resolution) * band
        return areas[:, None]

    def tiles(self, size: int) -> Iterator["Tile"]:
        """Yield tiles of at most `size` x `size` cells, row by row."""
        rows, columns = self.shape
        for top in range(0, rows, size):
            for left in range(0, columns, size):
                yield Tile(slice(top, min(top + size, rows)), slice(left, min(left + size, columns)))


@dataclass(frozen=True)
class Tile:
    """A block of cells: rows and columns of the grid."""

    rows: slice
    columns: slice

    @property
    def name(self) -> str:
        """A name that sorts in grid order, e.g. `r0030c0060`."""
        return f"r{self.rows.start:04d}c{self.columns.start:04d}"

    @property
    def region(self) -> dict[str, slice]:
        """For `isel` and Zarr regions."""
        return {"lat": self.rows, "lon": self.columns}


def coarsen(values: np.ndarray, weights: np.ndarray, ratio: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums Σw·x and Σw over blocks of `ratio` x `ratio` pixels; missing pixels (NaN) have no weight.

    `values` is (..., lat, lon), and `weights`, such as pixel areas, is broadcast to it. The sums are (..., lat / ratio,
    lon / ratio), float64: add them over any parts, then divide.
    """
    weights = np.where(np.isfinite(values), weights, 0.0)
    values = np.where(np.isfinite(values), values, 0.0)
    *rest, rows, columns = values.shape
    blocks = (*rest, rows // ratio, ratio, columns // ratio, ratio)
    return (values * weights).reshape(blocks).sum((-3, -1)), weights.reshape(blocks).sum((-3, -1))


def great_circle_km(*, lat1: float | np.ndarray, lon1: float | np.ndarray, lat2: np.ndarray, lon2: np.ndarray) -> np.ndarray:
    """Return the great-circle distance in km by the haversine formula (Sinnott 1984).

    Parameters
    ----------
    lat1, lon1, lat2, lon2 : degrees, any longitude convention; shapes are broadcast
    """
    p1, p2 = np.deg2rad(lat1), np.deg2rad(lat2)
    dp, dl = p2 - p1, np.deg2rad(np.asarray(lon2) - np.asarray(lon1))
    a = np.sin(dp / 2) ** 2 + np.cos(p1) * np.cos(p2) * np.sin(dl / 2) ** 2
    distance: np.ndarray = 2 * EARTH_RADIUS / 1000 * np.arcsin(np.sqrt(np.clip(a, 0, 1)))
    return distance
