"""Shapefiles give the same points, polygons and cells as GeoJSON, and bad ones are refused by what is wrong with them."""

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pyproj
import pytest
import shapefile

from tamrl.api.extraction import read_places
from tamrl.drivers.mapped import MappedRegion
from tamrl.errors import InputError
from tamrl.grid import Grid
from tamrl.polygons.reading import read_polygons
from tamrl.polygons.shares import polygon_share

GRID = Grid(1.0)
WGS = (
    'GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],'
    'UNIT["Degree",0.0174532925199433]]'
)


def square(west, south, east, north):
    """Corners, clockwise as shapefiles have outlines."""
    return [(west, south), (west, north), (east, north), (east, south), (west, south)]


OUTER, HOLE, ISLAND = square(0.2, 10.2, 6.8, 15.8), square(2, 11.5, 5, 14)[::-1], square(20, 10, 23, 13)
SHAPES = {"Ödland": [OUTER, HOLE, ISLAND], "second": [square(-30, -40, -20, -35)]}


def write(folder: Path, shapes=SHAPES, *, kind=shapefile.POLYGON, projection: str | None = WGS, column="NAME", **options) -> Path:
    path = folder / "land.shp"
    with shapefile.Writer(path, shapeType=kind, **options) as writer:
        writer.field(column, "C", 40)
        for name, shape in shapes.items():
            writer.record(name)
            if shape is None:
                writer.null()
            elif kind in shapefile.Polygon_shapeTypes:
                writer.shape(shapefile.Polygon(lines=shape) if kind == shapefile.POLYGON else polygon_z(shape))
            elif kind in shapefile.Point_shapeTypes:
                writer.point(*shape)
            else:
                writer.line(shape)
    if projection is not None:
        path.with_suffix(".prj").write_text(projection)
    return path


def polygon_z(lines):
    return shapefile.PolygonZ(lines=[[(*corner, 100.0, 0.0) for corner in line] for line in lines])


def packed(path: Path, folder: str = "") -> Path:
    archive = path.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for part in sorted(path.parent.glob(f"{path.stem}.*")):
            if part != archive:
                target.write(part, folder + part.name)
        target.writestr(f"__MACOSX/{folder}._{path.name}", b"resource fork")
    return archive


def as_geojson(folder: Path, shapes=SHAPES) -> Path:
    features = []
    for name, (outer, *others) in shapes.items():
        holes = [ring for ring in others if ring == HOLE]
        parts = [[outer, *holes], *([ring] for ring in others if ring != HOLE)]
        features.append(
            {"type": "Feature", "properties": {"name": name}, "geometry": {"type": "MultiPolygon", "coordinates": parts}}
        )
    path = folder / "same.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def shares(path) -> dict[str, np.ndarray]:
    return {name: polygon_share(rings, GRID.lat, GRID.lon) for name, rings in read_polygons(path).items()}


@pytest.mark.parametrize("form", ["files", "zip", "folder in a zip", "heights", "capitals"])
def test_a_shapefile_is_the_same_as_geojson(tmp_path, form):
    path = write(tmp_path, kind=shapefile.POLYGONZ if form == "heights" else shapefile.POLYGON)
    if "zip" in form:
        path = packed(path, "all of it/" if "folder" in form else "")
    if form == "capitals":
        for part in list(tmp_path.glob("land.*")):
            part.rename(tmp_path / part.name.upper())
        path = tmp_path / "LAND.SHP"
    found, expected = shares(path), shares(as_geojson(tmp_path))
    assert list(found) == list(expected) == list(SHAPES)
    for name, share in expected.items():
        np.testing.assert_array_equal(found[name], share)
    row, column = GRID.index(lat=np.array([12.5, 14.5, 11.5]), lon=np.array([3.5, 1.5, 21.5]))
    assert expected["Ödland"][row, column].tolist() == [0, 1, 1], "hole, outline, second part"
    region = MappedRegion.of(str(path), GRID)
    np.testing.assert_array_equal(region.cells, MappedRegion.of(str(tmp_path / "same.geojson"), GRID).cells)
    assert region.name == f"polygons of {path.name}"


@pytest.mark.parametrize("turned", ["outline", "hole", "both", "hole first"])
def test_the_order_of_corners_and_rings_does_not_matter(tmp_path, turned):
    outer, hole = OUTER[:: -1 if turned in ("outline", "both") else 1], HOLE[:: -1 if turned in ("hole", "both") else 1]
    rings = [hole, outer] if turned == "hole first" else [outer, hole]
    write(tmp_path, {"a": rings})
    np.testing.assert_array_equal(shares(tmp_path / "land.shp")["a"], shares(as_geojson(tmp_path, {"a": [OUTER, HOLE]}))["a"])


@pytest.mark.skipif(shutil.which("ogr2ogr") is None, reason="GDAL is not installed")
def test_what_gdal_writes_is_read(tmp_path):
    geojson = as_geojson(tmp_path)
    subprocess.run(["ogr2ogr", "-lco", "ENCODING=ISO-8859-1", tmp_path / "gdal.shp", geojson], check=True)
    found, expected = shares(tmp_path / "gdal.shp"), shares(geojson)
    assert list(found) == list(expected)
    for name, share in expected.items():
        np.testing.assert_array_equal(found[name], share)
    subprocess.run(["ogr2ogr", "-t_srs", "EPSG:3035", tmp_path / "metres.shp", geojson], check=True)
    with pytest.raises(InputError, match=r"ETRS.*[\s\S]*ogr2ogr -t_srs EPSG:4326"):
        read_polygons(tmp_path / "metres.shp")
    todo = ["ogr2ogr", "-t_srs", "EPSG:4326", tmp_path / "back.geojson", tmp_path / "metres.shp"]
    subprocess.run(todo, check=True)
    np.testing.assert_allclose(shares(tmp_path / "back.geojson")["second"], expected["second"], atol=0.02)


@pytest.mark.parametrize("absent", [[".shx"], [".dbf"], [".prj"], [".shx", ".dbf", ".prj", ".cpg"]])
def test_parts_that_are_not_needed_may_be_missing(tmp_path, absent, caplog):
    path = write(tmp_path)
    for suffix in absent:
        path.with_suffix(suffix).unlink(missing_ok=True)
    found, expected = shares(path), shares(as_geojson(tmp_path))
    assert list(found) == (["place-1", "place-2"] if ".dbf" in absent else list(SHAPES))
    for share, right in zip(found.values(), expected.values(), strict=True):
        np.testing.assert_array_equal(share, right)
    assert ("land.shp has no .prj" in caplog.text) is (".prj" in absent)


@pytest.mark.parametrize("code", [4326, 4258, 4269, 4283, 4674, 4979])
def test_systems_that_are_equal_to_wgs_84_are_read(tmp_path, code):
    write(tmp_path, projection=pyproj.CRS.from_epsg(code).to_wkt("WKT1_ESRI" if code != 4979 else "WKT2_2019"))
    assert list(shares(tmp_path / "land.shp")) == list(SHAPES)


@pytest.mark.parametrize("code", [3857, 25832, 3035, 4267, 4230, 4807, 4047])
def test_other_systems_are_refused_with_their_name(tmp_path, code):
    """Metres, other ellipsoids (NAD27, ED50), degrees from Paris, a sphere."""
    system = pyproj.CRS.from_epsg(code)
    path = packed(write(tmp_path, projection=system.to_wkt("WKT1_ESRI")))
    with pytest.raises(InputError, match="degrees east and north") as caught:
        read_polygons(path)
    assert "ogr2ogr -t_srs EPSG:4326" in caught.value.todo and caught.value.found
    assert re.sub(r"\W", "", pyproj.CRS.from_wkt(system.to_wkt("WKT1_ESRI")).name) == re.sub(r"\W", "", caught.value.found)


def test_points_are_places_and_no_polygons(tmp_path):
    path = write(tmp_path, {"a": (3.5, 12.5), "b": (-70.0, -20.0)}, kind=shapefile.POINT, column="site")
    places = read_places(path)
    assert places.points.values.tolist() == [["a", 12.5, 3.5], ["b", -20.0, -70.0]] and not places.polygons
    with pytest.raises(InputError, match=r"polygons alone[\s\S]*2 points and 0 polygons"):
        read_polygons(path)
    assert list(read_places(packed(write(tmp_path))).polygons) == list(SHAPES)


def cut(path: Path, by: int) -> None:
    path.write_bytes(path.read_bytes()[:-by])


def declare(path: Path) -> None:
    """A file that breaks off, with a header that was written last."""
    content = bytearray(path.read_bytes()[:-40])
    content[24:28] = (len(content) // 2).to_bytes(4, "big")
    path.write_bytes(content)


FAULTS = {
    "shapes break off": (lambda p: cut(p, 40), "not equal to actual file size"),
    "shapes break off within the header": (lambda p: p.write_bytes(p.read_bytes()[:60]), "cannot be read"),
    "no bytes": (lambda p: p.write_bytes(b""), "cannot be read"),
    "another size": (declare, "cannot be read"),
    "positions break off": (lambda p: cut(p.with_suffix(".shx"), 8), "cannot be read"),
    "table breaks off": (lambda p: cut(p.with_suffix(".dbf"), 60), "cannot be read"),
    "no table": (lambda p: p.with_suffix(".dbf").write_bytes(b"no table at all"), "cannot be read"),
    "no reference system": (lambda p: p.with_suffix(".prj").write_text("WGS 84?"), "cannot be read"),
    "no shapefile": (lambda p: p.write_text("<html>log in</html>"), "cannot be read"),
    "missing": (lambda p: p.unlink(), "no such file"),
    "a row too few": (lambda p: fewer_rows(p), "2 shapes and 1 rows"),
}


def fewer_rows(path: Path) -> None:
    other = path.parent / "other"
    other.mkdir()
    write(other, {"alone": [OUTER]}).with_suffix(".dbf").replace(path.with_suffix(".dbf"))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("form", ["files", "zip"])
def test_broken_parts_are_named_errors(tmp_path, fault, form):
    path = write(tmp_path)
    FAULTS[fault][0](path)
    where, said = (path, FAULTS[fault][1]) if form == "files" else (packed(path), FAULTS[fault][1])
    if form == "zip" and fault == "missing":
        said = "must hold one shapefile"
    with pytest.raises(InputError) as caught:
        read_polygons(where)
    assert said in str(caught.value) and str(where) in str(caught.value) and caught.value.todo


def test_an_archive_holds_one_shapefile(tmp_path):
    path = write(tmp_path)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as target:
        for name in ("a", "b"):
            target.write(path, f"{name}.shp")
    with pytest.raises(InputError, match=r"one shapefile[\s\S]*a\.shp, b\.shp"):
        read_polygons(tmp_path / "two.zip")
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as target:
        target.write(as_geojson(tmp_path), "same.geojson")
    with pytest.raises(InputError, match=r"one shapefile[\s\S]*same\.geojson"):
        read_polygons(tmp_path / "none.zip")
    (tmp_path / "broken.zip").write_bytes(packed(path).read_bytes()[:-30])
    with pytest.raises(InputError, match="breaks off"):
        read_polygons(tmp_path / "broken.zip")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("land.shp", bytes(1 << 25))
    with pytest.raises(InputError, match="unpacks to more than"):
        read_polygons(tmp_path / "bomb.zip")


@pytest.mark.parametrize(
    ("shapes", "kind", "said"),
    [
        ({"a": [OUTER[:2]]}, shapefile.POLYLINE, "a is no point and no polygon[\\s\\S]*POLYLINE"),
        ({"a": [OUTER], "b": None}, shapefile.POLYGON, "b is no point and no polygon[\\s\\S]*NULL"),
        ({"fiji": [square(170, -20, 190, -10)]}, shapefile.POLYGON, "fiji has impossible corners[\\s\\S]*190"),
        ({"fiji": [square(170, -20, -170, -10)]}, shapefile.POLYGON, "fiji has an edge that crosses 180°"),
        ({"metres": [square(4e6, 3e6, 5e6, 4e6)]}, shapefile.POLYGON, "metres has impossible corners"),
        ({"a": [OUTER, square(np.nan, 0, 1, 1)]}, shapefile.POLYGON, "a has impossible corners"),
    ],
)
def test_shapes_that_are_no_polygons_of_the_maps_are_refused(tmp_path, shapes, kind, said):
    with pytest.raises(InputError, match=said):
        read_polygons(write(tmp_path, shapes, kind=kind))


def test_polygons_cut_at_180_degrees_lie_on_both_sides(tmp_path):
    write(tmp_path, {"fiji": [square(170, -20, 180, -10), square(-180, -20, -170, -10)], "arctic": [square(-180, 80, 180, 90)]})
    found = shares(tmp_path / "land.shp")
    assert found["fiji"].sum() == 2 * 10 * 10 and found["fiji"][:, [0, -1]].sum() == 20 and found["arctic"].sum() == 360 * 10


def test_names_are_those_of_the_first_column_that_tells_shapes_apart(tmp_path):
    path = tmp_path / "land.shp"
    for numbers, names, expected in (
        ((0, 0), ("north", "south"), ["north", "south"]),
        ((7, 8), ("north", "south"), ["7", "8"]),
        ((0, 0), ("north", "north"), None),
        ((0, None), ("north", ""), ["place-1", "place-2"]),
    ):
        with shapefile.Writer(path, shapeType=shapefile.POLYGON) as writer:
            writer.field("Id", "N", 6)
            writer.field("Name", "C", 20)
            for number, name, shape in zip(numbers, names, SHAPES.values(), strict=True):
                writer.record(number, name)
                writer.poly(shape)
        if expected:
            assert list(read_polygons(path)) == expected
            continue
        with pytest.raises(InputError, match="stands twice"):
            read_polygons(path)


def test_a_row_marked_as_deleted_takes_its_shape_with_it(tmp_path):
    path = write(tmp_path)
    table = bytearray(path.with_suffix(".dbf").read_bytes())
    table[int.from_bytes(table[8:10], "little")] = ord("*")
    path.with_suffix(".dbf").write_bytes(table)
    assert list(read_polygons(path)) == ["second"]


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("utf-8", None), ("cp1252", "ANSI 1252"), ("cp1252", "1252"), ("latin-1", None), ("latin-1", "nonsense")],
)
def test_names_are_read_in_the_encoding_of_their_table(tmp_path, encoding, declared):
    path = write(tmp_path, encoding=encoding)
    path.with_suffix(".cpg").unlink(missing_ok=True)
    if declared:
        path.with_suffix(".cpg").write_text(declared)
    assert list(read_polygons(path)) == list(SHAPES)
