"""GeoJSON (RFC 7946)."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from tamrl.errors import InputError
from tamrl.polygons.features import REPROJECT, FeaturesOfFile, naming_values

DEGREES = re.compile(r"CRS:?84|EPSG:{1,2}4326\b", re.IGNORECASE)
"""Names of degrees of longitude and latitude in WGS 84, in that order."""


def read_geojson(file: Path) -> FeaturesOfFile:
    """Return the points and polygons of a file.

    Raises `InputError` for another geometry, or a name that stands twice; what else is wrong raises as it comes.
    """
    collection = json.loads(file.read_bytes())
    _check_reference(collection.get("crs"), file)
    features = collection["features"] if collection["type"] == "FeatureCollection" else [collection]
    result = FeaturesOfFile(file)
    for k, feature in enumerate(features):
        name, geometry = _name(feature, k), feature["geometry"] or {"type": "no geometry", "coordinates": None}
        kind, corners = geometry["type"], geometry["coordinates"]
        if kind == "Point":
            result.points.append((name, float(corners[1]), float(corners[0])))
        elif kind in ("Polygon", "MultiPolygon"):
            parts = [corners] if kind == "Polygon" else corners
            result.add_polygon(name, [np.array(ring, dtype=float)[:, :2] for part in parts for ring in part])
        else:
            raise result.refuse(name, kind)
    return result


def _check_reference(reference: object, file: Path) -> None:
    """Refuse another coordinate reference system than degrees, which files of before RFC 7946 may name."""
    if reference is not None and not DEGREES.search(str(reference)):
        shown = str(reference)[:120]
        raise InputError("the file must be in degrees east and north (WGS 84)", where=file, found=shown, todo=REPROJECT)


def _name(feature: Any, k: int) -> str:
    """Name of a feature: its id, or a property that names it."""
    if (identity := feature.get("id")) is not None:
        return str(identity)
    return next(iter(naming_values((feature.get("properties") or {}).items()).values()), f"place-{k + 1}")
