"""Towers take their cell, or the nearest one with drivers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamrl.drivers import collocate
from tamrl.grid import Grid

GRID = Grid(1)


def candidates(usable, *, lat, lon, reach=150.0):
    return collocate.candidate_cells(usable, lat=lat, lon=lon, grid=GRID, max_distance_km=reach)


def test_the_own_cell_comes_first_even_near_its_edge():
    rows, columns, distance = candidates(np.ones(GRID.shape, bool), lat=10.01, lon=20.99)
    assert (GRID.lat[rows[0]], GRID.lon[columns[0]], distance[0]) == (10.5, 20.5, 0)
    assert (np.diff(distance) >= 0).all()
    assert (GRID.lat[rows[1]], GRID.lon[columns[1]]) in {(9.5, 20.5), (10.5, 21.5)}


def test_a_tower_at_sea_takes_the_nearest_land_cell():
    usable = np.zeros(GRID.shape, bool)
    usable[GRID.index(lat=np.array(42.5), lon=np.array(13.5))] = True
    usable[GRID.index(lat=np.array(40.5), lon=np.array(13.5))] = True
    rows, _, distance = candidates(usable, lat=41.9, lon=13.5)
    assert GRID.lat[rows].tolist() == [42.5, 40.5]
    assert distance[0] == pytest.approx(0.1 * 111.2, abs=0.1), "to the edge of the cell"
    assert distance[1] == pytest.approx(0.9 * 111.2, abs=0.1)


def test_nothing_in_reach():
    usable = np.zeros(GRID.shape, bool)
    usable[GRID.index(lat=np.array(45.5), lon=np.array(13.5))] = True
    assert candidates(usable, lat=41.9, lon=13.5)[0].size == 0
    assert candidates(usable, lat=45.9, lon=13.5, reach=0.0)[0].size == 1


def test_across_the_date_line():
    usable = np.zeros(GRID.shape, bool)
    usable[:, 0] = True  # 180 to 179 W
    rows, columns, distance = candidates(usable, lat=0.5, lon=179.8)
    assert columns[0] == 0 and GRID.lat[rows[0]] == 0.5 and distance[0] == pytest.approx(0.2 * 111.2, abs=0.1)


@settings(max_examples=40, deadline=None)
@given(st.floats(-89.9, 89.9), st.floats(-180, 179.99))
def test_distance_is_zero_in_the_own_cell_and_positive_elsewhere(lat, lon):
    row, column = (int(v) for v in GRID.index(lat=np.array(lat), lon=np.array(lon)))
    rows, columns = np.array([row, (row + 3) % 180]), np.array([column, column])
    found = collocate.distance_to_cells(lat=lat, lon=lon, grid=GRID, rows=rows, columns=columns)
    assert found[0] == pytest.approx(0, abs=1e-6) and found[1] > 0


def test_the_first_candidate_with_drivers_is_chosen():
    places = [
        collocate.Candidates(np.array([1, 2, 3]), np.array([4, 5, 6]), np.array([0.0, 10.0, 20.0])),
        collocate.Candidates(np.array([9]), np.array([9]), np.array([0.0])),
    ]
    assert collocate.choose_cells(places, lambda row, column: row == 2) == [(2, 5, 10.0), None]


def test_six_coastal_towers_find_land_on_the_real_quarter_degree_grid(shared_data):
    from tamrl.drivers.cube import statics
    from tamrl.drivers.sources import packaged
    from tamrl.errors import InputError

    try:
        land = packaged.open_static(packaged.Options(), names=("land_fraction",))["land_fraction"]
    except InputError as error:
        pytest.skip(str(error))
    grid = Grid(0.25)
    usable = statics.static_cells(land, name="land_fraction", grid=grid, threads=1) > 0
    sites = pd.read_csv(shared_data / "towers/fluxnet2015_sites.csv", keep_default_na=False).set_index("site")
    coastal = ["IT-Noe", "IT-SRo", "IT-SR2", "ES-Amo", "US-CRT", "IT-Cp2"]
    for site, lat, lon in zip(sites.index, sites["lat"].astype(float), sites["lon"].astype(float), strict=True):
        rows, columns, distance = collocate.candidate_cells(usable, lat=lat, lon=lon, grid=grid, max_distance_km=150)
        assert rows.size and usable[rows[0], columns[0]], site
        assert distance[0] < 30, site
        assert site not in coastal or distance[0] < 15, site
