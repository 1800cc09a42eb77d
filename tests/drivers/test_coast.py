"""Towers that fall into the sea on the real mask of ERA5 get the values of land, and it is said how far away that is."""

import numpy as np
import pytest
import xarray as xr

from tamrl.drivers import collocate, regrid
from tamrl.grid import Grid, great_circle_km

GRID = Grid(0.25)
TOWERS = {
    "IT-Noe": (40.6062, 8.1517),
    "IT-SRo": (43.7279, 10.2844),
    "IT-SR2": (43.7320, 10.2909),
    "ES-Amo": (36.8336, -2.2523),
    "US-CRT": (41.6285, -83.3471),
    "IT-Cp2": (41.7043, 12.3573),
}


@pytest.fixture(scope="module")
def land(shared_data):
    """Nodes on land, lon from -180."""
    with xr.open_dataset(shared_data / "masks/era5_landmask_0.25_0.25.nc") as ds:
        mask = ds["land"].load()
    return np.roll((mask.notnull() & (mask > 0)).values, 720, axis=1)


def nearest_node(land, lat, lon):
    return land[round((90 - lat) / 0.25), round((lon + 180) / 0.25) % 1440]


@pytest.mark.parametrize("site", TOWERS)
def test_the_nearest_node_is_sea_indeed(land, site):
    assert not nearest_node(land, *TOWERS[site])


@pytest.fixture(scope="module")
def cells(land):
    """Cell means of a field that is 300 K over land and missing at sea, as in ERA5-Land."""
    values = np.where(land, 300.0, np.nan)[None].astype("float32")
    return regrid.nodes_to_cells(values, target=GRID, weights=land.astype("float32"))[0]


@pytest.mark.parametrize("site", TOWERS)
def test_land_values_and_their_distance(cells, land, site):
    lat, lon = TOWERS[site]
    usable = np.isfinite(cells)
    place = collocate.candidate_cells(usable, lat=lat, lon=lon, grid=GRID, max_distance_km=150)
    row, column, distance = collocate.choose_cells([place], lambda r, c: bool(usable[r, c]))[0]
    assert cells[row, column] == 300, "from nodes on land alone"
    own = GRID.index(lat=np.array(lat), lon=np.array(lon))
    assert (distance == 0) == (own == (row, column)), "a distance is told if it is not the tower's own cell"
    centre = great_circle_km(lat1=lat, lon1=lon, lat2=GRID.lat[row], lon2=GRID.lon[column])
    assert distance <= centre and distance < 30
    corner = land[row : row + 2, [column, (column + 1) % 1440]]
    assert corner.any(), "a corner of the cell is land"


def test_a_tower_whose_cell_has_no_land_takes_the_nearest(cells):
    lat, lon = 40.6062, 7.4  # the open sea 60 km west of IT-Noe
    usable = np.isfinite(cells)
    place = collocate.candidate_cells(usable, lat=lat, lon=lon, grid=GRID, max_distance_km=150)
    row, column, distance = collocate.choose_cells([place], lambda r, c: bool(usable[r, c]))[0]
    assert cells[row, column] == 300 and 60 < distance < 80
    assert collocate.choose_cells(
        [collocate.candidate_cells(usable, lat=lat, lon=lon, grid=GRID, max_distance_km=20)], lambda r, c: True
    ) == [None]
