"""ESRI shapefiles, as files beside each other or in one zip archive."""

import io
import logging
import math
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyproj
import shapefile

from tamrl.errors import InputError
from tamrl.intake import zips
from tamrl.polygons.features import NAMES, REPROJECT, FeaturesOfFile, naming_values

_log = logging.getLogger(__name__)

PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
"""Shapes, their positions, their table, their reference system and the encoding of the table."""

RATIO = 100
"""Most bytes that a byte of an archive may unpack to."""

SEMI_MAJOR, INVERSE_FLATTENING = 6378137.0, 298.25722
"""Ellipsoid of WGS 84, and of GRS 80 within a millimetre: positions in ETRS89, NAD83 and their like differ by metres."""


def read_shapefile(file: Path) -> FeaturesOfFile:
    """Return the points and polygons of a shapefile.

    Raises `InputError` for another geometry, another reference system, shapes and rows of the table of unlike number, or a name
    that stands twice; what else is wrong raises as it comes.
    """
    parts = _of_archive(file) if file.suffix.lower() == ".zip" else _beside(file)
    _check_reference(parts.get(".prj"), file)
    shapes, rows = _shapes(parts), _rows(parts)
    if rows is not None and len(rows) != len(shapes):
        numbers = f"{len(shapes)} shapes and {len(rows)} rows in the .dbf"
        todo = "export the shapefile again: its parts do not belong together"
        raise InputError("each shape needs one row of the table", where=file, found=numbers, todo=todo)
    pairs = [(shape, row) for shape, row in zip(shapes, rows or [{}] * len(shapes), strict=True) if row is not None]
    result = FeaturesOfFile(file)
    for (shape, _), name in zip(pairs, _names([row for _, row in pairs]), strict=True):
        corners = np.array(shape.points, dtype=float).reshape(-1, 2)
        if shape.shapeType in shapefile.Point_shapeTypes:
            result.points.append((name, float(corners[0, 1]), float(corners[0, 0])))
        elif shape.shapeType in shapefile.Polygon_shapeTypes:
            result.add_polygon(name, np.split(corners, list(shape.parts)[1:]))
        else:
            raise result.refuse(name, shape.shapeTypeName)
    return result


def _beside(file: Path) -> dict[str, bytes]:
    """Contents of the parts of a shapefile by suffix; all but the shapes may be missing."""
    paths = {suffix: [file.with_suffix(suffix), file.with_suffix(suffix.upper())] for suffix in PARTS} | {".shp": [file]}
    present = {suffix: [path for path in ways if path.is_file()] for suffix, ways in paths.items()} | {".shp": [file]}
    return {suffix: ways[0].read_bytes() for suffix, ways in present.items() if ways}


def _of_archive(file: Path) -> dict[str, bytes]:
    """Contents of the parts of the one shapefile of an archive by suffix."""
    with zips.open_zip(file, where=file) as archive:
        paths = {PurePosixPath(info.filename): info for info in archive.infolist()}
        paths = {path: info for path, info in paths.items() if path.parts[:1] != ("__MACOSX",) and path.name[:2] != "._"}
        if len(shapes := [path for path in paths if path.suffix.lower() == ".shp"]) != 1:
            held = ", ".join(sorted(map(str, shapes or paths))[:5]) or "nothing"
            todo = "pack the .shp, .shx, .dbf and .prj of one shapefile"
            raise InputError("the archive must hold one shapefile", where=file, found=held, todo=todo)
        count = zips.UnpackedBytes(file.stat().st_size, ratio=RATIO, where=file)
        same = {path.suffix.lower(): info for path, info in paths.items() if path.with_suffix("") == shapes[0].with_suffix("")}
        return {suffix: b"".join(count.blocks(archive, same[suffix])) for suffix in PARTS if suffix in same}


def _check_reference(projection: bytes | None, file: Path) -> None:
    """Refuse another coordinate reference system than degrees east and north of WGS 84, or one that is equal to it."""
    if projection is None:
        _log.warning("%s has no .prj, which names its reference system: taken as degrees east and north (WGS 84)", file)
        return
    system = pyproj.CRS.from_wkt(projection.decode("utf-8-sig", errors="replace"))
    if not (system.is_geographic and _has_degrees_of_wgs(system)):
        asked = "the file must be in degrees east and north (WGS 84)"
        raise InputError(asked, where=f"{file}, .prj", found=system.name, todo=REPROJECT)


def _has_degrees_of_wgs(system: Any) -> bool:
    """Whether a geographic system counts degrees from Greenwich, on the ellipsoid of WGS 84 or GRS 80."""
    degrees = all(abs(axis.unit_conversion_factor - math.radians(1)) < 1e-9 for axis in system.axis_info[:2])
    shape = (system.ellipsoid.semi_major_metre, round(system.ellipsoid.inverse_flattening, 5))
    return degrees and system.prime_meridian.longitude == 0 and shape == (SEMI_MAJOR, INVERSE_FLATTENING)


def _shapes(parts: dict[str, bytes]) -> list[shapefile.Shape]:
    """Shapes in the order of the rows; without positions (.shx) they are read one after the other."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", shapefile.PossiblyCorruptFileHeader)  # a file that breaks off
        files = {suffix[1:]: io.BytesIO(parts[suffix]) for suffix in (".shp", ".shx") if suffix in parts}
        reader = shapefile.Reader(**files)
        return [reader.shape(k) for k in range(len(reader))]


def _rows(parts: dict[str, bytes]) -> list[dict[str, str] | None] | None:
    """What may name each row of the table, by column, None for a deleted row; None without a table."""
    if ".dbf" not in parts:
        return None
    errors = []
    for encoding in _encodings(parts.get(".cpg", b"")):
        try:
            reader = shapefile.Reader(shp=None, dbf=io.BytesIO(parts[".dbf"]), encoding=encoding)
            columns = [field.name for field in reader.data_fields if field.name.lower() in NAMES]
            rows = reader.iterRecords(columns, deleted_as_None=True)
            return [None if row is None else naming_values(row.as_dict().items()) for row in rows]
        except (UnicodeError, LookupError, shapefile.dbfFileException) as error:
            errors.append(error)
    raise errors[0]


def _encodings(declared: bytes) -> Iterator[str]:
    """Encodings of a table, the likeliest first: that of the .cpg, then UTF-8, then Latin-1, which takes any byte."""
    if name := declared.decode("ascii", errors="replace").strip():
        yield f"cp{name}" if name.isdigit() else name.lower().replace("ansi ", "cp")
    yield from ("utf-8", "latin-1")


def _names(rows: list[dict[str, str]]) -> list[str]:
    """Names of all rows: the first column for names whose values all differ, for many tables hold an `Id` of zeros."""
    columns = [column for column in (rows[0] if rows else {}) if all(column in row for row in rows)]
    unique = [column for column in columns if len({row[column] for row in rows}) == len(rows)]
    if chosen := (unique or columns)[:1]:
        return [row[chosen[0]] for row in rows]
    return [f"place-{k + 1}" for k in range(len(rows))]
