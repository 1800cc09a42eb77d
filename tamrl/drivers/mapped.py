"""Which cells a run maps: the globe, the cells of a box, or those of polygons (`grid.bounds`, docs/regional.md)."""

from dataclasses import dataclass

import numpy as np

from tamrl.errors import ConfigError
from tamrl.grid import Bounds, Grid, describe_bounds
from tamrl.polygons.reading import read_polygons
from tamrl.polygons.shares import polygon_share


@dataclass(frozen=True)
class MappedRegion:
    """A part of the globe that is mapped."""

    cells: np.ndarray
    """Array of bool (lat, lon) on the global grid: cells whose centre lies in the region."""
    name: str
    """What it is, in words."""

    @classmethod
    def of(cls, bounds: Bounds, grid: Grid) -> "MappedRegion | None":
        """Return the region that `grid.bounds` names on a global grid, None for the globe.

        Raises `ConfigError` or `InputError` for a box or polygons that cannot be, or hold too few cells.
        """
        name = describe_bounds(bounds)
        if bounds is None or name is None:
            return None
        if isinstance(bounds, str):
            shares = [polygon_share(rings, grid.lat, grid.lon, points=1) for rings in read_polygons(bounds).values()]
            region = cls(np.any(shares, axis=0), name)
            region._require_size(grid, bounds)
            return region
        window = Grid.within(bounds, grid.resolution)
        return cls(window.on_globe(np.ones(window.shape, dtype=bool), fill=False), name)

    def _require_size(self, grid: Grid, where: str) -> None:
        """Refuse polygons with fewer than two rows or columns of cells."""
        rows, columns = (int(self.cells.any(axis).sum()) for axis in (1, 0))
        if min(rows, columns) < 2:
            held = f"{rows} rows and {columns} columns of cells of {grid.resolution:g}° have their centre in them"
            todo = "give larger polygons, in degrees east and north, or a finer grid.resolution"
            raise ConfigError("the polygons hold fewer than two rows or columns", where=where, found=held, todo=todo)

    def require_land(self, land_fraction: np.ndarray) -> None:
        """Refuse a region over sea only; `land_fraction` (lat, lon) is that of the global grid."""
        if not (land_fraction[self.cells] > 0).any():
            todo = "check longitude and latitude of grid.bounds, or take a larger region"
            raise ConfigError("no land in the region", where="grid.bounds", found=self.name, todo=todo)
