"""Regridding: cell centres, conservation, land only, class fractions, and no trace of rounding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tamrl.drivers import regrid
from tamrl.errors import ConfigError
from tamrl.grid import Grid

FIELD = hnp.arrays("float64", (7, 12), elements=st.floats(-50, 50, width=32))


def node_places(spacing):
    return 90 - np.arange(round(180 / spacing) + 1) * spacing, -180 + np.arange(round(360 / spacing)) * spacing


def test_trap_3_a_field_of_latitude_comes_out_at_the_cell_centres():
    lat, lon = node_places(5)
    nodes = np.broadcast_to(lat[:, None], (lat.size, lon.size)).astype("float32")
    found = regrid.nodes_to_cells(nodes, target=Grid(5))
    np.testing.assert_allclose(found, np.broadcast_to(Grid(5).lat[:, None], found.shape), atol=1e-5)
    floored = nodes[1:]  # the node to the north-west, half a cell away
    assert np.abs(floored - Grid(5).lat[:, None]).min() > 2


def test_a_field_of_longitude_is_right_across_the_date_line():
    _, lon = node_places(5)
    nodes = np.broadcast_to(np.cos(np.deg2rad(lon)), (37, 72)).astype("float64")
    found = regrid.corners(nodes)
    expected = np.cos(np.deg2rad(Grid(5).lon)) * np.cos(np.deg2rad(2.5))
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-12)


def test_poles_are_corners_of_the_first_and_last_row():
    nodes = np.zeros((7, 12))
    nodes[0], nodes[-1] = 8, 4
    found = regrid.corners(nodes)
    assert (found[0] == 4).all() and (found[-1] == 2).all() and (found[1:-1] == 0).all()


@settings(max_examples=25, deadline=None)
@given(FIELD)
def test_coarser_cells_keep_the_area_mean(nodes):
    fine, coarse = Grid(30), Grid(90)
    once, twice = (regrid.nodes_to_cells(nodes, target=g) for g in (fine, coarse))
    means = [np.average(f, weights=np.broadcast_to(g.area(), f.shape)) for f, g in ((once, fine), (twice, coarse))]
    assert means[0] == pytest.approx(means[1], abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(FIELD, st.integers(0, 11))
def test_turning_the_globe_turns_the_result_and_no_bit_changes(nodes, shift):
    turned = regrid.corners(np.roll(nodes, shift, axis=1))
    np.testing.assert_array_equal(turned, np.roll(regrid.corners(nodes), shift, axis=1))


def test_fault_22_a_missing_node_makes_exactly_its_four_cells_missing():
    nodes = np.random.default_rng(1).normal(size=(3, 7, 12)).astype("float32")
    broken = nodes.copy()
    broken[1, 3, 0] = np.nan
    found, whole = regrid.corners(broken), regrid.corners(nodes)
    missing = np.isnan(found)
    assert missing.sum() == 4
    assert missing[1, 2:4, 0].all() and missing[1, 2:4, 11].all()
    np.testing.assert_array_equal(found[~missing], whole[~missing])


def test_a_missing_node_makes_its_coarse_cells_missing():
    nodes = np.ones((7, 12))
    nodes[3, 5] = np.nan
    assert np.isnan(regrid.nodes_to_cells(nodes, target=Grid(90))).sum() == 2


def test_only_land_nodes_speak_and_cells_without_any_take_all_four():
    nodes = np.full((7, 12), 10.0)
    weights = np.zeros((7, 12))
    nodes[2, 3], weights[2, 3] = 30.0, 1
    found = regrid.corners(nodes, weights)
    assert found[1, 2] == found[1, 3] == found[2, 2] == found[2, 3] == 30
    assert found[4, 4] == 10
    nodes[0, 0] = np.nan  # a sea node
    assert np.isnan(regrid.corners(nodes, weights)).sum() == 2


def test_nodes_on_land_are_those_with_half_a_box_of_land():
    land = np.zeros((180, 360))
    land[50:70, 100:130] = 1  # 40..20 N, 80..50 W
    found = regrid.land_nodes(land, 5.0)
    lat, lon = node_places(5)
    rows, columns = np.nonzero(found)
    assert set(lat[rows]) == {40, 35, 30, 25, 20}
    assert set(lon[columns]) == {-80, -75, -70, -65, -60, -55, -50}
    assert found[np.ix_(lat == 40, lon == -80)].item() == 0, "a corner of land fills a quarter of its box"


def test_odd_numbers_of_pixels_per_node_count_halves():
    land = np.zeros((180, 360))
    land[:, 180:] = 1
    found = regrid.land_nodes(land, 5.0)
    assert (found[:, 36] == 1).all() and (found[:, 35] == 0).all(), "the node on the coast has half its box on land"


def test_real_land_nodes_agree_with_the_mask_of_era5(shared_data):
    import xarray as xr

    from tamrl.drivers.sources import packaged
    from tamrl.errors import InputError

    try:
        land = packaged.open_static(packaged.Options(), names=("land_fraction",))["land_fraction"].values
    except InputError as error:
        pytest.skip(str(error))
    known = xr.open_dataset(shared_data / "masks/era5_landmask_0.25_0.25.nc")["land"]
    known = np.roll(known.notnull().values & (known.values > 0), 720, axis=1)
    found = regrid.land_nodes(land, 0.25) > 0
    north = slice(0, 600)  # the mask of ERA5 is cut off at 60 S
    assert (found == known)[north].mean() > 0.985


def test_pixels_are_weighted_by_area_and_quality():
    values, area = np.array([[1.0, 3.0], [5.0, np.nan]]), np.array([[2.0], [1.0]])
    quality = np.array([[1.0, 0.5], [1.0, 1.0]])
    sums, weights = regrid.pixel_sums(values, area, 2, quality)
    assert weights.item() == 2 + 1 + 1
    assert regrid.mean(sums, weights).item() == pytest.approx((2 + 3 + 5) / 4)


def test_missing_quality_is_no_quality():
    sums, weights = regrid.pixel_sums(np.ones((2, 2)), np.ones((2, 1)), 2, np.full((2, 2), np.nan))
    assert weights.item() == 0 and np.isnan(regrid.mean(sums, weights)).item()


@settings(max_examples=25, deadline=None)
@given(hnp.arrays("int8", (12, 24), elements=st.integers(-1, 4)))
def test_class_areas_add_up_and_fractions_sum_to_one(positions):
    area = Grid(15).area()
    areas = regrid.class_areas(positions, area, 4, 5)
    known = np.where(positions >= 0, area, 0).sum()
    assert areas.sum() == pytest.approx(known)
    total = regrid.fractions(areas).sum(0)
    assert np.allclose(total[np.isfinite(total)], 1, atol=1e-6)


def test_trap_5_pure_ice_holds_exactly_one_and_exactly_zero():
    areas = regrid.class_areas(np.full((60, 120), 14, "int8"), Grid(3).area(), 5, 17)
    found = regrid.fractions(areas, without=16)
    assert (found[14] == 1).all() and (np.delete(found, 14, axis=0) == 0).all()


def test_trap_4_water_is_taken_off_and_a_cell_of_water_is_missing():
    positions = np.full((2, 4), 16, "int8")  # all water
    positions[0, 0], positions[0, 1] = 9, 11
    areas = regrid.class_areas(positions, np.ones((2, 1)), 2, 17)
    found = regrid.fractions(areas, without=16)
    assert found[9, 0, 0] == found[11, 0, 0] == 0.5 and found[16, 0, 0] == 0
    assert np.isnan(found[:, 0, 1]).all()


def test_trap_6_fractions_keep_what_a_majority_would_lose():
    positions = np.array([[0, 0, 0, 2]], "int8").repeat(4, 0)
    found = regrid.fractions(regrid.class_areas(positions, np.ones((4, 1)), 4, 3))[:, 0, 0]
    np.testing.assert_allclose(found, [0.75, 0, 0.25])


@pytest.mark.parametrize("target, native", [(0.3, 0.25), (0.25, 1), (0.25, 0.1)])
def test_only_whole_multiples(target, native):
    with pytest.raises(ConfigError, match="whole multiple"):
        regrid.native_per_cell(target=target, native=native, name="the nodes")


@pytest.mark.parametrize("target, native, k", [(0.25, 0.05, 5), (0.25, 1 / 120, 30), (1, 0.25, 4), (5, 5, 1)])
def test_ratios(target, native, k):
    assert regrid.native_per_cell(target=target, native=native, name="the nodes") == k


@pytest.mark.parametrize(("spacing", "resolution"), [(10, 30), (10, 15), (2, 5), (5, 2), (1, 2.5)])
def test_boxes_conserve_the_area_mean(spacing, resolution):
    values = np.random.default_rng(1).normal(280, 20, (2, round(180 / spacing) + 1, round(360 / spacing)))
    target = Grid(resolution)
    cells = regrid.boxes_to_cells(values, target=target)
    edge = np.clip(90 - (np.arange(values.shape[1] + 1) - 0.5) * spacing, -90, 90)
    band = -np.diff(np.sin(np.deg2rad(edge)))[:, None]
    expected = (values * band).sum((1, 2)) / (band.sum() * values.shape[2])
    found = (cells * target.area()).sum((1, 2)) / (target.area().sum() * target.shape[1])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_cell_takes_its_boxes_by_shared_area_and_no_sea():
    nodes = np.arange(1801)[:, None] * 10.0 + np.zeros((1, 3600))
    cells = regrid.boxes_to_cells(nodes.astype("float32"), target=Grid(0.25))
    # 0 to 0.25° N: half the box at 0°, all at 0.1°, and the one at 0.2° whole; as good as equal areas there
    assert cells[359, 0] == pytest.approx((0.05 * 9000 + 0.1 * 8990 + 0.1 * 8980) / 0.25, abs=0.01)
    nodes[899] = np.nan
    cells = regrid.boxes_to_cells(nodes, target=Grid(0.25))
    assert cells[359, 0] == pytest.approx((0.05 * 9000 + 0.1 * 8980) / 0.15, abs=0.01)
    nodes[897:903] = np.nan
    assert np.isnan(regrid.boxes_to_cells(nodes, target=Grid(0.25))[359:361]).all(), "sea"


def test_fault_22_a_missing_box_changes_only_cells_that_it_touches():
    values = np.random.default_rng(2).normal(size=(91, 180))
    whole = regrid.boxes_to_cells(values, target=Grid(3))
    values[40, 100] = np.nan
    found = regrid.boxes_to_cells(values, target=Grid(3))
    changed = np.argwhere(found != whole)
    assert 1 <= len(changed) <= 4 and np.isfinite(found).all()
    assert set(changed[:, 0]) <= {2 * 40 // 3 - 1, 2 * 40 // 3} and set(changed[:, 1]) <= {199 // 3, 201 // 3}
