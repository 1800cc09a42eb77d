"""First-order conservative regridding between any two grids of latitude and longitude: means weighted by the area of overlap.

Jones (1999, doi 10.1175/1520-0493(1999)127<2204:FASOCR>2.0.CO;2), first order; on such grids the overlaps of cells are products
of overlaps of rows and of columns.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from tamrl.grid import EARTH_RADIUS


@dataclass(frozen=True, eq=False)
class CellGrid:
    """Cells of a grid of latitude and longitude, regular or not, which may cover a part of the globe."""

    lat: np.ndarray
    """Array (lat): centres, degrees north, in either order."""
    lon: np.ndarray
    """Array (lon): centres, degrees east, rising."""

    @property
    def shape(self) -> tuple[int, int]:
        """(lat, lon) sizes."""
        return self.lat.size, self.lon.size

    @cached_property
    def lat_edges(self) -> np.ndarray:
        """Edges (lat + 1): half-way between centres, within the poles."""
        return np.asarray(np.clip(_edges(self.lat), -90.0, 90.0))

    @cached_property
    def lon_edges(self) -> np.ndarray:
        """Edges (lon + 1): half-way between centres."""
        return _edges(self.lon)

    @cached_property
    def area(self) -> np.ndarray:
        """Areas (lat, lon), m2, on the authalic sphere."""
        height = np.abs(np.diff(np.sin(np.deg2rad(self.lat_edges))))
        width = np.deg2rad(np.diff(self.lon_edges))
        return np.asarray(EARTH_RADIUS**2 * height[:, None] * width[None])


def _edges(centres: np.ndarray) -> np.ndarray:
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def coarser(a: CellGrid, b: CellGrid) -> CellGrid:
    """The grid with the larger cells; the first where they are equal."""
    return b if b.area.max() > a.area.max() * (1 + 1e-6) else a


@dataclass(frozen=True, eq=False)
class Regridder:
    """From the cells of a grid to those of another."""

    source: CellGrid
    target: CellGrid

    @cached_property
    def rows(self) -> csr_array:
        """Overlaps (target lat, source lat) in sines of latitude."""
        a, b = (np.sin(np.deg2rad(grid.lat_edges)) for grid in (self.target, self.source))
        return _overlaps(a, b)

    @cached_property
    def columns(self) -> csr_array:
        """Overlaps (source lon, target lon) in radians; the globe is round."""
        a, b = self.source.lon_edges, self.target.lon_edges
        return np.deg2rad(sum(_overlaps(a + turn, b) for turn in (-360.0, 0.0, 360.0)))

    def sums(self, values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return Σa·w·x and Σa·w over the parts of source cells within each target cell, two arrays (lat, lon), float64.

        Parameters
        ----------
        values : (lat, lon) of the source; missing values have no weight
        weights : (lat, lon) of the source, such as the land fraction; `a` is the area of the part in m2
        """
        known = np.isfinite(values) & np.isfinite(weights)
        weight = np.where(known, weights, 0.0)
        return self._spread(np.where(known, values, 0.0) * weight), self._spread(weight)

    def _spread(self, field: np.ndarray) -> np.ndarray:
        return np.asarray(EARTH_RADIUS**2 * (self.rows @ field.astype("float64") @ self.columns))

    def mean(self, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the weighted mean Σa·w·x / Σa·w of each target cell (lat, lon), NaN where nothing weighs; see `sums`."""
        total, weight = self.sums(values, weights)
        return np.asarray(np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0))


def _overlaps(a: np.ndarray, b: np.ndarray) -> csr_array:
    """Lengths (a, b) that intervals between the edges `a` share with those between `b`; edges rise or fall."""
    (low_a, high_a), (low_b, high_b) = (
        (np.minimum(e[:-1], e[1:]), np.maximum(e[:-1], e[1:])) for e in (np.asarray(a, float), np.asarray(b, float))
    )
    shared = np.minimum(high_a[:, None], high_b[None]) - np.maximum(low_a[:, None], low_b[None])
    return csr_array(np.where(shared > 1e-12, shared, 0.0))
