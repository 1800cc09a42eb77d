"""Polygons of GeoJSON files (RFC 7946), and the share of each cell that lies in them."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.path import Path as Outline

from tamrl.errors import InputError
from tamrl.intake import border, document

NAMES = ("site", "id", "name")
"""Columns and properties that may name a place."""

DEGREES = re.compile(r"CRS:?84|EPSG:{1,2}4326\b", re.IGNORECASE)
"""Names of degrees of longitude and latitude in WGS 84, in that order."""

POINTS = 10
"""Points per side of a cell that say how much of it lies in a polygon."""

Ring = np.ndarray
"""Corners (corner, 2) of an outline: degrees east and north."""

Point = tuple[str, float, float]
"""Name, latitude and longitude."""

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
    lines = [(axis[cells][:, None] + offsets).ravel() for axis, cells in zip((lat, lon), inside, strict=True)]
    y, x = np.meshgrid(*lines, indexing="ij")
    raster = np.stack([x.ravel(), y.ravel()], axis=1)
    odd = np.zeros(len(raster), dtype=bool)
    for ring in rings:
        odd ^= Outline(ring).contains_points(raster)
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


def read_polygons(path: str | Path) -> Polygons:
    """Read the polygons of a GeoJSON file.

    Raises `InputError` if it cannot be read, or holds anything but polygons with possible corners.
    """
    file = Path(path)
    with border.reading("the polygons cannot be read", where=file, todo="give GeoJSON with polygons, in degrees east and north"):
        points, polygons = parse_geojson(file.read_bytes(), file)
    if points or not polygons:
        held = f"{len(points)} points and {len(polygons)} polygons"
        raise InputError("the file must hold polygons alone", where=file, found=held, todo="give polygons or multipolygons")
    check_outlines(polygons, where=file)
    return polygons


def parse_geojson(content: bytes, file: Path) -> tuple[list[Point], Polygons]:
    """Return points and polygons of GeoJSON; `file` is for errors.

    Raises `InputError` for another geometry, or a name that stands twice; what else is wrong raises as it comes.
    """
    document.check_size(collection := json.loads(content), where=file)
    _check_reference(collection.get("crs"), file)
    features = collection["features"] if collection["type"] == "FeatureCollection" else [collection]
    points: list[Point] = []
    polygons: Polygons = {}
    for k, feature in enumerate(features):
        name, geometry = _name(feature, k), feature["geometry"]
        kind, corners = geometry["type"], geometry["coordinates"]
        if kind == "Point":
            points.append((name, float(corners[1]), float(corners[0])))
        elif kind in ("Polygon", "MultiPolygon"):
            if name in polygons:
                raise InputError("a polygon stands twice", where=file, found=name, todo="name each polygon once")
            parts = [corners] if kind == "Polygon" else corners
            polygons[name] = [np.array(ring, dtype=float)[:, :2] for part in parts for ring in part]
        else:
            todo = "give points, polygons or multipolygons"
            raise InputError(f"{name} is no point and no polygon", where=file, found=kind, todo=todo)
    return points, polygons


def _check_reference(reference: object, file: Path) -> None:
    """Refuse another coordinate reference system than degrees, which files of before RFC 7946 may name."""
    if reference is not None and not DEGREES.search(str(reference)):
        todo = "convert it to EPSG:4326 (ogr2ogr -t_srs EPSG:4326), or export it as RFC 7946"
        raise InputError("the file must be in degrees east and north (WGS 84)", where=file, found=str(reference)[:120], todo=todo)


def _name(feature: Any, k: int) -> str:
    """Name of a feature: its id, or a property that names it."""
    properties = feature.get("properties") or {}
    named = [feature.get("id"), *(properties.get(name) for name in NAMES)]
    return next((str(name) for name in named if name is not None), f"place-{k + 1}")
