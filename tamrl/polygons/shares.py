"""Outlines, and the share of each cell that lies in them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.path import Path as Outline

from tamrl.errors import InputError

POINTS = 10
"""Points per side of a cell that say how much of it lies in a polygon."""

Ring = np.ndarray
"""Corners (corner, 2) of an outline: degrees east and north."""

Polygons = dict[str, list[Ring]]
"""Outlines by name; holes are outlines too."""


def polygon_share(rings: Sequence[Ring], lat: np.ndarray, lon: np.ndarray, *, points: int = POINTS) -> np.ndarray:
    """Share of each cell (lat, lon) that lies within outlines, of a raster of points.

    Parameters
    ----------
    rings : outlines (corner, 2), degrees east and north
    lat, lon : centres of the cells of a regular grid
    points : per side of a cell; 1 is the centre alone
    """
    size = abs(float(lat[1] - lat[0]))
    offsets = ((np.arange(points) + 0.5) / points - 0.5) * size
    share = np.zeros((lat.size, lon.size))
    low, high = (np.array([f(ring, axis=0) for ring in rings]) for f in (np.min, np.max))
    ends = ((lat, low[:, 1].min(), high[:, 1].max()), (lon, low[:, 0].min(), high[:, 0].max()))
    inside = [np.flatnonzero((axis + size / 2 > first) & (axis - size / 2 < last)) for axis, first, last in ends]
    if not (inside[0].size and inside[1].size):
        return share
    y, x = ((axis[cells][:, None] + offsets).ravel() for axis, cells in zip((lat, lon), inside, strict=True))
    odd = np.zeros((y.size, x.size), dtype=bool)
    for ring, (west, south), (east, north) in zip(rings, low, high, strict=True):
        part = np.ix_((y >= south) & (y <= north), (x >= west) & (x <= east))
        raster = np.stack(np.broadcast_arrays(x[part[1]], y[part[0]]), axis=-1)
        odd[part] ^= Outline(ring).contains_points(raster.reshape(-1, 2)).reshape(raster.shape[:2])
    cells = odd.reshape(inside[0].size, points, inside[1].size, points).mean(axis=(1, 3))
    share[np.ix_(*inside)] = cells
    return share


def check_outlines(polygons: Mapping[str, Sequence[Ring]], *, where: object) -> None:
    """Refuse outlines that are none, or of which a part would be lost beyond the edge of the maps."""
    for name, rings in polygons.items():
        if not rings or any(ring.ndim != 2 or len(ring) < 3 for ring in rings):
            raise InputError(f"{name} has no outline", where=where, todo="give three corners or more of each ring")
        corners = np.concatenate(rings)
        if wrong := [tuple(corner) for corner in corners.tolist() if not (abs(corner[0]) <= 180 and abs(corner[1]) <= 90)]:
            todo = "give degrees east within -180 and 180 and degrees north; cut polygons at 180° (RFC 7946)"
            raise InputError(f"{name} has impossible corners", where=where, found=wrong[0], todo=todo)
        if leaps := [ends for ring in rings for ends in _leaps(ring)]:
            todo = "cut polygons at 180° (RFC 7946, ogr2ogr -wrapdateline); give a wide edge more corners"
            raise InputError(f"{name} has an edge that crosses 180°, or the globe", where=where, found=leaps[0], todo=todo)


def _leaps(ring: Ring) -> list[list[list[float]]]:
    """Edges that span more than 180° of longitude, but for those between the edges of the maps, and along a pole."""
    ends = np.stack([ring, np.roll(ring, -1, axis=0)], axis=1)
    inside = (np.abs(ends) < (180, 90)).any(axis=1).all(axis=1)
    wide = np.abs(ends[:, 1, 0] - ends[:, 0, 0]) > 180
    leaps: list[list[list[float]]] = ends[inside & wide].tolist()
    return leaps
