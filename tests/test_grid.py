"""The grid covers the sphere once, and block sums do not depend on how the globe is cut."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tamrl.errors import ConfigError, ContractError
from tamrl.grid import EARTH_RADIUS, Grid, coarsen, great_circle_km

DIVISORS = st.sampled_from([0.25, 0.5, 1.0, 1.5, 2.0, 5.0])


@given(DIVISORS)
def test_areas_add_up_to_the_sphere(resolution):
    grid = Grid(resolution)
    total = grid.area().sum() * grid.shape[1]
    assert total == pytest.approx(4 * np.pi * EARTH_RADIUS**2, rel=1e-12)


def test_quarter_degree_centres_are_those_of_the_conventions():
    grid = Grid(0.25)
    assert grid.shape == (720, 1440)
    assert (grid.lat[0], grid.lat[-1], grid.lon[0], grid.lon[-1]) == (89.875, -89.875, -179.875, 179.875)


@given(DIVISORS, st.floats(-90, 90), st.floats(-360, 720))
def test_a_point_lies_in_the_cell_it_is_given(resolution, lat, lon):
    grid = Grid(resolution)
    row, column = grid.index(lat=np.array(lat), lon=np.array(lon))
    assert abs(grid.lat[row] - lat) <= resolution / 2 + 1e-9
    apart = (grid.lon[column] - lon + 180) % 360 - 180
    assert abs(apart) <= resolution / 2 + 1e-9


@given(DIVISORS, st.integers(1, 200))
@settings(max_examples=25, deadline=None)
def test_tiles_cover_every_cell_once(resolution, size):
    grid = Grid(resolution)
    seen = np.zeros(grid.shape, int)
    names = [tile.name for tile in grid.tiles(size) if not np.add.at(seen, (tile.rows, tile.columns), 1)]
    assert (seen == 1).all()
    assert len(set(names)) == len(names)


def test_a_resolution_that_divides_nothing_is_refused():
    with pytest.raises(ConfigError, match="divide"):
        Grid(0.7)


def test_coarsening_ignores_missing_pixels_and_keeps_sums():
    values = np.arange(16.0).reshape(4, 4)
    values[0, 0] = np.nan
    total, weight = coarsen(values, np.ones((4, 1)), 2)
    assert weight[0, 0] == 3
    assert total[0, 0] == 1 + 4 + 5
    assert total.sum() == np.nansum(values)


def test_distance_from_pole_to_equator():
    quarter = np.pi / 2 * EARTH_RADIUS / 1000
    assert great_circle_km(lat1=90.0, lon1=0.0, lat2=0.0, lon2=77.0) == pytest.approx(quarter)


def test_a_dataset_says_its_grid_and_another_one_is_refused():
    grid = Grid(2.0)
    ds = xr.Dataset(coords={"lat": grid.lat.astype("float32"), "lon": grid.lon})
    assert Grid.from_dataset(ds) == grid
    for odd in (ds.isel(lat=slice(1, None)), ds.isel(lat=slice(None, None, -1)), ds.assign_coords(lon=grid.lon + 180)):
        with pytest.raises(ContractError, match="global grid"):
            Grid.from_dataset(odd)


def test_a_window_has_the_cells_of_the_globe_to_the_last_bit():
    globe, window = Grid(0.1), Grid.within((-12, 34, 42, 72), 0.1)
    rows, columns = window.window.region.values()
    assert window.shape == (380, 540)
    for name in ("lat", "lon"):
        part = rows if name == "lat" else columns
        assert getattr(window, name).tobytes() == getattr(globe, name)[part].tobytes()
    assert window.area().tobytes() == globe.area()[rows].tobytes()
    assert (window.lat.min() > 34) and (window.lat.max() < 72) and (window.lon.min() > -12) and (window.lon.max() < 42)
    assert window.globe == globe


@pytest.mark.parametrize("box", [(-12, 34, 42, 72), (-180, -90, 180, 90), (-180, -90, -170, 90), (3, -4, 8, 1)])
@pytest.mark.parametrize("resolution", [0.05, 0.125, 1.0, 2.0])
def test_coordinates_say_which_window_they_are(box, resolution):
    window = Grid.within(box, resolution)
    ds = xr.Dataset(coords={"lat": window.lat.astype("float32"), "lon": window.lon})
    found = Grid.of_cells(ds)
    assert found.resolution == pytest.approx(resolution, rel=1e-6) and found.shape == window.shape
    np.testing.assert_allclose(found.lat, window.lat, atol=1e-9)
    np.testing.assert_allclose(found.lon, window.lon, atol=1e-9)
    for odd in (ds.isel(lat=slice(None, None, -1)), ds.assign_coords(lon=window.lon + resolution / 3)):
        with pytest.raises(ContractError, match="global grid"):
            Grid.of_cells(odd)


def test_points_are_found_in_a_window_and_told_from_those_beside_it():
    window = Grid.within((-12, 34, 42, 72), 2.0)
    lat, lon = np.array([35.5, 70.0, 33.0, 50.0, 50.0]), np.array([-11.0, 371.0, 0.0, 43.0, 170.0])
    assert window.contains(lat=lat, lon=lon).tolist() == [True, True, False, False, False]
    row, column = window.index(lat=lat[:2], lon=lon[:2])
    assert (window.lat[row] == [35, 71]).all() or np.abs(window.lat[row] - lat[:2]).max() <= 1
    placed = window.on_globe(np.arange(19 * 27.0).reshape(19, 27))
    globe_row, globe_column = Grid(2.0).index(lat=lat[:2], lon=lon[:2])
    assert (placed[globe_row, globe_column] == row * 27 + column).all() and np.isnan(placed).sum() == placed.size - 19 * 27


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((34, -120, 72, 42), "latitude beyond 90°: longitude and latitude are exchanged"),
        ((-190, 0, 10, 20), "longitude beyond 180°"),
        ((170, -50, -170, -30), r"(?s)crosses 180°.*make two runs, \[170, -50, 180, -30\] and \[-180, -50, -170, -30\]"),
        ((10, 50, 10, 60), "empty"),
        ((10, 60, 20, 50), "empty"),
        ((10, 50, 10.5, 60), "(?s)fewer than two rows or columns.*0 columns"),
        ((10, 50, 13, 51.4), "(?s)fewer than two rows or columns.*1 rows"),
    ],
)
def test_a_box_that_cannot_be_mapped_is_refused_by_name(box, message):
    with pytest.raises(ConfigError, match=message):
        Grid.within(box, 1.0)
