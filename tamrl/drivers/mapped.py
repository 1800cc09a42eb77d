"""Which cells a run maps: the globe, the cells of a box, or those of polygons (`grid.bounds`, docs/regional.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from tamrl.errors import ConfigError
from tamrl.grid import Bounds, Grid, describe_bounds
from tamrl.polygons.reading import read_outlines
from tamrl.polygons.shares import polygon_share


@dataclass(frozen=True)
class MappedRegion:
    """A part of the globe that is mapped."""

    cells: np.ndarray
    """Array of bool (lat, lon) on the global grid: cells whose centre lies in the region."""
    name: str
    """What it is, in words."""

    @classmethod
    def of(cls, bounds: Bounds, grid: Grid, countries: Sequence[str] = ()) -> "MappedRegion | None":
        """Return the region of `grid.bounds` and `grid.countries` on a global grid: what lies in both; None for the globe.

        Raises `ConfigError` or `InputError` for a box or polygons that cannot be, or hold too few cells.
        """
        name = describe_bounds(bounds, countries)
        if name is None:
            return None
        masks = []
        for polygons in read_outlines(bounds, countries):
            shares = (polygon_share(rings, grid.lat, grid.lon, points=1) > 0 for rings in polygons.values())
            masks.append(reduce(np.logical_or, shares))
        if bounds is not None and not isinstance(bounds, str):
            window = Grid.within(bounds, grid.resolution)
            masks.append(window.on_globe(np.ones(window.shape, dtype=bool), fill=False))
        region = cls(np.logical_and.reduce(masks), name)
        region._require_size(grid)
        return region

    def _require_size(self, grid: Grid) -> None:
        """Refuse a region with fewer than two rows or columns of cells."""
        rows, columns = (int(self.cells.any(axis).sum()) for axis in (1, 0))
        if min(rows, columns) < 2:
            held = f"{rows} rows and {columns} columns of cells of {grid.resolution:g}° have their centre in it"
            todo = "take a larger region, in degrees east and north, or a finer grid.resolution"
            raise ConfigError("the region holds fewer than two rows or columns", where=self.name, found=held, todo=todo)

    def require_land(self, land_fraction: np.ndarray) -> None:
        """Refuse a region over sea only; `land_fraction` (lat, lon) is that of the global grid."""
        if not (land_fraction[self.cells] > 0).any():
            todo = "check longitude and latitude of grid.bounds, or take a larger region"
            raise ConfigError("no land in the region", where="grid.bounds", found=self.name, todo=todo)
