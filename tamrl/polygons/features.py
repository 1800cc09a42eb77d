"""Points and polygons of a file, with their names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tamrl.errors import InputError
from tamrl.polygons.shares import Polygons, Ring

NAMES = ("site", "id", "name")
"""Columns and properties that may name a place, in any case."""

Point = tuple[str, float, float]
"""Name, latitude and longitude."""

REPROJECT = "convert it to EPSG:4326 (ogr2ogr -t_srs EPSG:4326 new.geojson FILE)"


@dataclass(frozen=True)
class FeaturesOfFile:
    """What a file of places holds."""

    file: Path
    points: list[Point] = field(default_factory=list)
    polygons: Polygons = field(default_factory=dict)

    def add_polygon(self, name: str, rings: Sequence[Ring]) -> None:
        """Add the outlines of a polygon; raises `InputError` for a name that stands twice."""
        if name in self.polygons:
            raise InputError("a polygon stands twice", where=self.file, found=name, todo="name each polygon once")
        self.polygons[name] = list(rings)

    def refuse(self, name: str, kind: str) -> InputError:
        """Return the error of a feature that is neither a point nor a polygon."""
        todo = "give points, polygons or multipolygons"
        return InputError(f"{name} is no point and no polygon", where=self.file, found=kind, todo=todo)


def naming_values(values: Iterable[tuple[str, object]]) -> dict[str, str]:
    """Return those of the values of a feature that may name it, by lower-case key; empty ones are left out."""
    lower = {key.lower(): str(value) for key, value in values if value is not None}
    return {name: lower[name] for name in NAMES if lower.get(name)}
