"""Kinds of files that are read, by the end of their name."""

GEOJSON = (".geojson", ".json")
SHAPEFILE = (".shp", ".zip")

ACCEPTED = "GeoJSON (.geojson, .json) or a shapefile (.shp, or .zip with its parts)"


def is_read(path: str) -> bool:
    """Whether a file is of a kind that is read."""
    return path.lower().endswith(GEOJSON + SHAPEFILE)
