"""Outlines, and the share of each cell that lies in them."""

from collections.abc import Mapping, Sequence

import numpy as np

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
    corners = np.concatenate(rings)
    (west, south), (east, north) = corners.min(axis=0), corners.max(axis=0)
    ends = ((lat, south, north), (lon, west, east))
    inside = [np.flatnonzero((axis + size / 2 > first) & (axis - size / 2 < last)) for axis, first, last in ends]
    if not (inside[0].size and inside[1].size):
        return share
    y, x = ((axis[cells][:, None] + offsets).ravel() for axis, cells in zip((lat, lon), inside, strict=True))
    within = _points_within(rings, np.sort(y), x)
    if y[0] > y[-1]:
        within = within[::-1]
    cells = within.reshape(inside[0].size, points, inside[1].size, points).mean(axis=(1, 3))
    share[np.ix_(*inside)] = cells
    return share


def _points_within(rings: Sequence[Ring], y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Which points (y, x) of a raster lie within outlines: an odd number of edges is crossed on the way to them from the west.

    `y` and `x` rise. A point on an edge belongs to the area east or north of it, so that neighbours that share the edge do not
    share the point.
    """
    edges = np.stack([np.concatenate(rings), np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])], axis=1)
    falls = edges[:, 0, 1] > edges[:, 1, 1]
    edges[falls] = edges[falls, ::-1]  # neighbours go along their edge in two directions: the same bits for both
    first, last = (np.searchsorted(y, edges[:, which, 1]) for which in (0, 1))
    count = last - first
    edge = np.repeat(np.arange(len(edges)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    (x0, y0), (x1, y1) = edges[edge].transpose(1, 2, 0)
    column = np.searchsorted(x, x0 + (y[row] - y0) / (y1 - y0) * (x1 - x0))
    crossed = np.zeros((y.size, x.size + 1), dtype=np.uint8)  # its numbers may wrap around: odd stays odd
    np.add.at(crossed, (row, column), 1)
    return np.asarray(np.add.accumulate(crossed[:, :-1], axis=1, dtype=np.uint8) & 1, dtype=bool)


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
