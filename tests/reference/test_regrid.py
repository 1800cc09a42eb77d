"""Conservative regridding."""

import numpy as np
import pytest

from tamrl.grid import Grid, coarsen
from tamrl.reference.regrid import CellGrid, Regridder, coarser


def cells(size, *, north_up=True, east=-180.0):
    lat = 90 - size / 2 - size * np.arange(round(180 / size))
    return CellGrid(lat if north_up else lat[::-1], east + size / 2 + size * np.arange(round(360 / size)))


@pytest.mark.parametrize(
    "target", [cells(3.0), cells(7.5), cells(2.0, north_up=False), CellGrid(np.linspace(90, -90, 48), cells(5.0).lon)]
)
def test_totals_are_kept_between_any_grids(target):
    source = cells(5.0)
    values = np.random.default_rng(1).normal(size=source.shape)
    total, weight = Regridder(source, target).sums(values, np.ones(source.shape))
    assert total.sum() == pytest.approx((values * source.area).sum(), rel=1e-9)
    np.testing.assert_allclose(weight, target.area, rtol=1e-9)


def test_nested_grids_agree_with_sums_over_blocks():
    values = np.random.default_rng(2).normal(size=(72, 144))
    values[3:9, 5:20] = np.nan
    sums = Regridder(cells(2.5), cells(10.0)).sums(values, np.ones(values.shape))
    known = coarsen(values, Grid(2.5).area(), 4)
    for mine, other in zip(sums, known, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-3)


def test_cells_across_180_degrees_get_both_sides():
    source, target = cells(10.0), CellGrid(cells(10.0).lat, -180 + 10.0 * np.arange(36))  # centres at -180, ...
    values = np.zeros(source.shape)
    values[:, 0], values[:, -1] = 1.0, 3.0
    mean = Regridder(source, target).mean(values, np.ones(source.shape))
    np.testing.assert_allclose(mean[:, 0], 2.0)
    np.testing.assert_allclose(mean[:, 1], 0.5)
    np.testing.assert_allclose(mean[:, 2:-1], 0.0, atol=1e-12)


def test_weights_are_those_of_the_source():
    values, land = np.arange(648.0).reshape(18, 36), np.zeros((18, 36))
    land[0, 0], land[0, 1] = 1.0, 0.25
    mean = Regridder(cells(10.0), cells(20.0)).mean(values, land)
    assert mean[0, 0] == pytest.approx((values[0, 0] + 0.25 * values[0, 1]) / 1.25)
    assert np.isnan(mean[1:]).all()


def test_the_coarser_grid_is_taken_and_a_region_stays_a_region():
    fine, coarse = cells(2.5), cells(10.0)
    assert coarser(fine, coarse) is coarse and coarser(coarse, fine) is coarse
    europe = CellGrid(np.arange(69.5, 40, -1.0), np.arange(0.5, 30, 1.0))
    weight = Regridder(europe, coarse).sums(np.ones(europe.shape), np.ones(europe.shape))[1]
    assert weight.sum() == pytest.approx(europe.area.sum()) and (weight[coarse.lat < 30] == 0).all()
