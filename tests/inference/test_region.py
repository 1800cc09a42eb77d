"""A map of a region has the bits of the same cells of the map of the globe."""

from types import SimpleNamespace

import numpy as np
import pytest

from tamrl import files, stores
from tamrl.errors import ContractError
from tamrl.inference.stage import predict_tiles

ENGINE = {"batch": 64, "spinup": 12, "device": "cpu"}
BOX = {"lat": slice(2, 9), "lon": slice(5, 20)}


def predicted(cube, models, folder, *, tile=5, label="2011", previous=None, **changes):
    folder.mkdir(exist_ok=True)
    manifest = folder / f"{label}.json"
    names = {"manifest": str(manifest), "predictions": str(folder / f"{label}.zarr")}
    sizes = {"tile": tile, "min_land_fraction": 0.02, "threads": 1}
    engine = ENGINE | changes
    predict_tiles(cube=str(cube), models=models, label=label, engine=engine, previous=previous, **names, **sizes)
    return SimpleNamespace(ds=stores.open_sealed(folder / f"{label}.zarr").load(), manifest=manifest)


@pytest.fixture(scope="module")
def globe(cube, models, tmp_path_factory):
    return predicted(cube, models, tmp_path_factory.mktemp("globe")).ds


@pytest.fixture
def regional_cube(world, save_cube, tmp_path):
    """Save the cube of a run that maps the cells where an array (lat, lon) is true."""

    def save(cells):
        marked = world.assign_coords({stores.MAPPED: (("lat", "lon"), cells.astype("int8"))}).assign_attrs(region="a test")
        return save_cube(marked, tmp_path / "cube.zarr")

    return save


def box_cells(world):
    cells = np.zeros(world["land_fraction"].shape, dtype=bool)
    cells[tuple(BOX.values())] = True
    return cells


def same_bits(region, globe, cells):
    """Compare a regional map, in which other cells are missing, with the globe's."""
    inside = cells[tuple(BOX.values())]
    for flux in ("gpp", "reco"):
        expected = np.where(inside, globe[flux].isel(BOX).values, np.float32(np.nan))
        assert region[flux].values.tobytes() == expected.tobytes()
        assert np.isfinite(expected).any()


@pytest.mark.parametrize("tile", [1, 5, 7, 500])
def test_a_box_has_the_bits_of_the_globe(world, models, globe, regional_cube, tmp_path, tile):
    cells = box_cells(world)
    region = predicted(regional_cube(cells), models, tmp_path / "out", tile=tile)
    assert (region.ds["lat"] == world["lat"][BOX["lat"]]).all() and (region.ds["lon"] == world["lon"][BOX["lon"]]).all()
    same_bits(region.ds, globe, cells)
    land = world["land_fraction"].values >= 0.02
    assert files.read_json(region.manifest)["cells"] == (land & cells).sum()


def test_polygons_map_their_cells_alone(world, models, globe, regional_cube, tmp_path):
    cells = box_cells(world)
    y, x = np.mgrid[: cells.shape[0], : cells.shape[1]]
    cells &= (y + x) % 3 > 0
    cells[[2, 8], 5] = cells[2, [5, 19]] = True  # the corners keep the window
    same_bits(predicted(regional_cube(cells), models, tmp_path / "out").ds, globe, cells)


def test_a_carried_memory_has_the_bits_of_the_globe_too(world, cube, models, regional_cube, tmp_path):
    cells, maps = box_cells(world), {}
    for name, path in {"globe": cube, "region": regional_cube(cells)}.items():
        before = predicted(path, models, tmp_path / name, label="2010", memory="carried")
        maps[name] = predicted(path, models, tmp_path / name, memory="carried", previous=str(before.manifest)).ds
    same_bits(maps["region"], maps["globe"], cells)


def test_a_window_without_mapped_land_is_refused(world, models, regional_cube, tmp_path):
    cells = (world["land_fraction"].values == 0) & box_cells(world)
    with pytest.raises(ContractError, match="no cell of the cube is land"):
        predicted(regional_cube(cells), models, tmp_path / "out")


def test_towers_take_their_drivers_from_the_globe(world, regional_cube):
    path = regional_cube(box_cells(world))
    assert dict(stores.open_cube(path).sizes)["lat"] == 7
    every = stores.open_cube(path, globe=True)
    assert (
        every["land_fraction"].values.tobytes() == world["land_fraction"].values.tobytes() and stores.MAPPED not in every.coords
    )
