"""Which cells a box or polygons map, and what is refused."""

import json

import numpy as np
import pytest

from tamrl.drivers.mapped import MappedRegion
from tamrl.errors import ConfigError, InputError
from tamrl.grid import Grid

GRID = Grid(1.0)


def save(path, *rings, kind="Polygon"):
    coordinates = [list(map(list, ring)) for ring in rings]
    geometry = {"type": kind, "coordinates": coordinates if kind == "Polygon" else [coordinates]}
    features = [{"type": "Feature", "properties": {"name": "place"}, "geometry": geometry}]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(path)


def square(west, south, east, north):
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]


def test_the_globe_has_no_region():
    assert MappedRegion.of(None, GRID) is None


def test_a_box_holds_the_cells_of_its_window():
    region = MappedRegion.of((-12, 34, 42, 72), GRID)
    rows, columns = np.nonzero(region.cells)
    assert region.cells.sum() == 54 * 38 and region.cells.shape == GRID.shape
    assert GRID.lat[rows].min() == 34.5 and GRID.lon[columns].max() == 41.5
    assert region.name == "-12 to 42 degrees east, 34 to 72 degrees north"


def test_polygons_hold_the_cells_of_their_centres_without_their_holes(tmp_path):
    path = save(tmp_path / "land.geojson", square(0.2, 10.2, 6.8, 15.8), square(2, 12, 4, 14))
    region = MappedRegion.of(path, GRID)
    rows, columns = np.nonzero(region.cells)
    assert region.cells.sum() == 7 * 6 - 4
    assert (GRID.lon[columns].min(), GRID.lon[columns].max()) == (0.5, 6.5)
    assert (GRID.lat[rows].min(), GRID.lat[rows].max()) == (10.5, 15.5)
    assert region.name == "polygons of land.geojson"


def test_polygons_with_too_few_cells_or_none_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="fewer than two rows or columns"):
        MappedRegion.of(save(tmp_path / "a.json", square(0, 0, 1, 8)), GRID)
    with pytest.raises(InputError, match="impossible corners"):
        MappedRegion.of(save(tmp_path / "b.json", square(30, -120, 50, -100)), GRID)
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(InputError, match="places cannot be read"):
        MappedRegion.of(str(tmp_path / "c.json"), GRID)
    point = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [1, 2]}}
    (tmp_path / "d.json").write_text(json.dumps(point))
    with pytest.raises(InputError, match="polygons alone"):
        MappedRegion.of(str(tmp_path / "d.json"), GRID)


def test_outlines_of_any_length_are_read(tmp_path):
    """The coast of one large country has more corners than a file of settings may have values."""
    turn = np.linspace(0, 2 * np.pi, 60_001)[:-1]
    path = save(tmp_path / "coast.json", np.stack([20 * np.cos(turn), 20 * np.sin(turn)], axis=1).tolist())
    assert MappedRegion.of(path, GRID).cells.sum() == pytest.approx(np.pi * 400, rel=0.01)


def test_an_outline_that_crosses_180_degrees_is_not_taken_for_the_rest_of_the_globe(tmp_path):
    with pytest.raises(InputError, match=r"crosses 180°[\s\S]*\[170\.0, -20\.0\], \[-170\.0, -20\.0\]"):
        MappedRegion.of(save(tmp_path / "fiji.json", square(170, -20, -170, -10)), GRID)


def test_a_region_over_sea_is_refused():
    land = np.zeros(GRID.shape)
    land[:90] = 1.0
    MappedRegion.of((0, 10, 20, 30), GRID).require_land(land)
    with pytest.raises(ConfigError, match=r"(?s)no land in the region.*0 to 20 degrees east"):
        MappedRegion.of((0, -30, 20, -10), GRID).require_land(land)
