"""The global grid and windows of it: cell centres, areas and tiles.

A window has the cells of the global grid of its resolution: the same centres and areas to the last bit.

Conventions: `lat` runs from north to south, `lon` from west to east in [-180, 180); both are cell centres
(0.25°: ±89.875, ±179.875). Areas are exact on the authalic sphere of the WGS84 ellipsoid.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tamrl.errors import ConfigError, ContractError

if TYPE_CHECKING:
    import xarray as xr

EARTH_RADIUS = 6371007.181
"""Authalic radius of WGS84 in m (Snyder 1987, doi 10.3133/pp1395)."""


Box = tuple[float, float, float, float]
"""West, south, east and north, degrees."""

Bounds = Box | str | None
"""What is mapped: a box, the path of polygons, or None for the globe."""


class Window(NamedTuple):
    """Rows and columns of a global grid, from its north-west corner."""

    top: int
    left: int
    rows: int
    columns: int

    @property
    def region(self) -> dict[str, slice]:
        """For `isel` on the global grid."""
        return {"lat": slice(self.top, self.top + self.rows), "lon": slice(self.left, self.left + self.columns)}


@dataclass(frozen=True)
class Grid:
    """A regular grid of `resolution` degrees (a divisor of 180): the globe, or a window of it."""

    resolution: float
    window: Window | None = None
    """None: the globe."""

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
        """Return the global grid whose cell centres are the coordinates `lat` and `lon` of a dataset.

        Raises `ContractError` if the coordinates are not those of a global grid, north to south and west to east.
        """
        grid = cls(180.0 / max(ds["lat"].size, 1))
        grid._require_centres(ds)
        return grid

    @classmethod
    def of_cells(cls, ds: "xr.Dataset | xr.DataArray") -> "Grid":
        """Return the grid whose cell centres are the coordinates `lat` and `lon` of a dataset: the globe, or a window of it.

        Raises `ContractError` if the coordinates are those of neither, north to south and west to east.
        """
        lat, lon = ds["lat"].values, ds["lon"].values
        spacing = float(lat[0] - lat[-1]) / (lat.size - 1) if lat.size > 1 else 0.0
        globe = cls(180.0 / round(180.0 / spacing)) if spacing > 0 else cls(180.0)
        top, left = (round(offset / globe.resolution - 0.5) for offset in (90.0 - float(lat[0]), 180.0 + float(lon[0])))
        window = Window(top, left, lat.size, lon.size)
        grid = globe if globe.shape == window[2:] else cls(globe.resolution, window)
        grid._require_centres(ds)
        return grid

    def _require_centres(self, ds: "xr.Dataset | xr.DataArray") -> None:
        """Refuse coordinates that are not those of the grid."""
        lat, lon = ds["lat"].values, ds["lon"].values
        within = self.resolution / 1000
        same = (self.lat.size, self.lon.size) == self.shape == (lat.size, lon.size)
        if not same or np.abs(lat - self.lat).max() > within or np.abs(lon - self.lon).max() > within:
            raise ContractError(f"the coordinates are not those of the global grid of {self.resolution:g}°", found=lat[:2])

    @classmethod
    def within(cls, box: Box, resolution: float) -> "Grid":
        """Return the window of the cells whose centres lie in a box of west, south, east and north, degrees.

        Raises `ConfigError` if the box is empty, crosses 180°, leaves the globe, or holds fewer than two rows or columns.
        """
        west, south, east, north = box
        _check_box(box)
        globe = cls(resolution)
        rows = np.flatnonzero((globe.lat > south) & (globe.lat < north))
        columns = np.flatnonzero((globe.lon > west) & (globe.lon < east))
        if min(rows.size, columns.size) < 2:
            held = f"{rows.size} rows and {columns.size} columns of cells of {resolution:g}° have their centre in {list(box)}"
            todo = "take a larger box or a finer grid.resolution"
            raise ConfigError("the box holds fewer than two rows or columns", where="grid.bounds", found=held, todo=todo)
        return cls(resolution, Window(int(rows[0]), int(columns[0]), int(rows.size), int(columns.size)))

    @property
    def globe(self) -> "Grid":
        """The global grid that these cells belong to."""
        return Grid(self.resolution)

    @property
    def _part(self) -> dict[str, slice]:
        """Rows and columns of the global grid."""
        return self.window.region if self.window else {"lat": slice(None), "lon": slice(None)}

    @property
    def _globe_shape(self) -> tuple[int, int]:
        rows = round(180.0 / self.resolution)
        return rows, 2 * rows

    @property
    def shape(self) -> tuple[int, int]:
        """(lat, lon) sizes."""
        return (self.window.rows, self.window.columns) if self.window else self._globe_shape

    @property
    def lat(self) -> np.ndarray:
        """Latitudes of the cell centres, north to south (float64, degrees north)."""
        return (90.0 - (np.arange(self._globe_shape[0]) + 0.5) * self.resolution)[self._part["lat"]]

    @property
    def lon(self) -> np.ndarray:
        """Longitudes of the cell centres, west to east (float64, degrees east)."""
        return (-180.0 + (np.arange(self._globe_shape[1]) + 0.5) * self.resolution)[self._part["lon"]]

    def index(self, *, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return row and column of the cells that contain the points (degrees; any longitude convention).

        Points outside of a window have a row or column below 0 or beyond its last one; see `contains`.
        """
        rows, columns = self._globe_shape
        row = np.clip(np.floor((90.0 - np.asarray(lat)) / self.resolution).astype(int), 0, rows - 1)
        column = np.floor(((np.asarray(lon) + 180.0) % 360.0) / self.resolution).astype(int) % columns
        return (row - self.window.top, column - self.window.left) if self.window else (row, column)

    def contains(self, *, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        """Return whether points (degrees; any longitude convention) lie in a cell of the grid."""
        row, column = self.index(lat=lat, lon=lon)
        inside: np.ndarray = (row >= 0) & (row < self.shape[0]) & (column >= 0) & (column < self.shape[1])
        return inside

    def on_globe(self, values: np.ndarray, fill: float = np.nan) -> np.ndarray:
        """Return a field (..., lat, lon) on the global grid, with `fill` outside of the window."""
        if self.window is None:
            return values
        placed = np.full((*values.shape[:-2], *self._globe_shape), fill, values.dtype)
        placed[..., self._part["lat"], self._part["lon"]] = values
        return placed

    def area(self) -> np.ndarray:
        """Return the cell areas, m2, shape (lat, 1)."""
        edge = np.deg2rad(90.0 - np.arange(self._globe_shape[0] + 1) * self.resolution)
        band = np.sin(edge[:-1]) - np.sin(edge[1:])
        areas: np.ndarray = EARTH_RADIUS**2 * np.deg2rad(self.resolution) * band
        return areas[self._part["lat"], None]

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


def describe_bounds(bounds: Bounds, countries: Sequence[str] = ()) -> str | None:
    """Return what is mapped in words, None for the globe."""
    parts = [", ".join(countries)] if countries else []
    if isinstance(bounds, str):
        parts.append(f"polygons of {PurePath(bounds).name}")
    elif bounds is not None:
        west, south, east, north = bounds
        parts.append(f"{west:g} to {east:g} degrees east, {south:g} to {north:g} degrees north")
    return " within ".join(parts) or None


def _check_box(box: Box) -> None:
    """Refuse a box that is none, or that names its edges in another order."""
    west, south, east, north = box
    order = "give west, south, east and north, in this order"
    if max(abs(south), abs(north)) > 90:
        asked = "a latitude beyond 90°: longitude and latitude are exchanged"
        raise ConfigError(asked, where="grid.bounds", found=list(box), todo=order)
    if max(abs(west), abs(east)) > 180:
        raise ConfigError(
            "a longitude beyond 180°", where="grid.bounds", found=list(box), todo="give longitudes within -180 and 180"
        )
    if west > east:
        todo = f"make two runs, [{west:g}, {south:g}, 180, {north:g}] and [-180, {south:g}, {east:g}, {north:g}], or {order}"
        raise ConfigError("the box crosses 180°, or west and east are exchanged", where="grid.bounds", found=list(box), todo=todo)
    if west == east or south >= north:
        raise ConfigError("the box is empty", where="grid.bounds", found=list(box), todo=order)


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
