"""Read a file of places, whatever its kind: the one way in for all users of polygons."""

from collections.abc import Sequence
from pathlib import Path

from tamrl.errors import InputError
from tamrl.intake import border
from tamrl.polygons.countries import PACKAGE, read_countries
from tamrl.polygons.features import FeaturesOfFile
from tamrl.polygons.geojson import read_geojson
from tamrl.polygons.kinds import ACCEPTED, SHAPEFILE
from tamrl.polygons.shapefiles import read_shapefile
from tamrl.polygons.shares import Polygons, check_outlines


def read_features(path: str | Path) -> FeaturesOfFile:
    """Read the points and polygons of a shapefile, or of any other file as GeoJSON.

    Raises `InputError` if it cannot be read, or holds anything else.
    """
    file = Path(path)
    with border.reading("the places cannot be read", where=file, todo=f"give {ACCEPTED}, in degrees east and north"):
        return read_shapefile(file) if file.suffix.lower() in SHAPEFILE else read_geojson(file)


def read_polygons(path: str | Path) -> Polygons:
    """Read the polygons of a file.

    Raises `InputError` if it cannot be read, or holds anything but polygons with possible corners.
    """
    features = read_features(path)
    if features.points or not features.polygons:
        held = f"{len(features.points)} points and {len(features.polygons)} polygons"
        raise InputError("the file must hold polygons alone", where=path, found=held, todo="give polygons or multipolygons")
    check_outlines(features.polygons, where=path)
    return features.polygons


def read_outlines(bounds: object, countries: Sequence[str]) -> list[Polygons]:
    """Return the polygons of the file that `grid.bounds` names, and those of `grid.countries`; either may be absent."""
    groups = [read_polygons(bounds)] if isinstance(bounds, str) else []
    if countries:
        groups.append(read_countries(countries, where="grid.countries"))
        check_outlines(groups[-1], where=PACKAGE)
    return groups
