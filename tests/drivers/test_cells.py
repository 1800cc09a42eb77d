"""Dynamic variables on cells: any part of the time axis gives the same bits, and missing stays where it is."""

import numpy as np
import pytest
import xarray as xr

from tamrl.calendar import TimeAxis
from tamrl.drivers import derived
from tamrl.drivers.cube.fields import FieldMaker, LandNodes
from tamrl.errors import InputError, UnitError
from tamrl.grid import Grid

TIME = TimeAxis.of_years("day", (2011,)).start


def nodes(values, name="air_temperature", **attrs):
    lat, lon = 90 - np.arange(7) * 30.0, -180 + np.arange(12) * 30.0
    da = xr.DataArray(
        values.astype("float32"), dims=("time", "lat", "lon"), coords={"time": TIME, "lat": lat, "lon": lon}, name=name
    )
    return da.chunk({"time": 31}).assign_attrs({"grid": "nodes", "source": "test"} | attrs)


class Cells:
    """Values of the fields that a maker makes."""

    def __init__(self, maker):
        self.maker = maker

    def values(self, name, part):
        return next(self.maker.field(name).values([part]))

    def series(self, name, parts):
        return list(self.maker.field(name).values(parts))


def cells(land=None, step="day", time=TIME, **arrays):
    grid = Grid(30)
    at = derived.Coordinates(TimeAxis(time, step), grid.lat)
    return Cells(FieldMaker(grid, at, arrays, LandNodes(lambda: land)))


@pytest.fixture
def warm():
    return np.random.default_rng(1).normal(285, 8, (365, 7, 12))


def test_any_cut_of_the_time_axis_gives_the_same_bits(warm):
    made = cells(air_temperature=nodes(warm), dew_point_temperature=nodes(warm - 9, "dew_point_temperature"))
    for name in ("air_temperature", "vapour_pressure_deficit", "day_length", "growing_degree_days"):
        whole = made.values(name, slice(0, 365))
        parts = [slice(0, 10), slice(10, 200), slice(200, 365)]
        streamed, single = made.series(name, parts), [made.values(name, part) for part in parts]
        np.testing.assert_array_equal(np.concatenate(streamed), whole)
        np.testing.assert_array_equal(np.concatenate(single), whole)


def test_fault_22_a_missing_node_of_one_day_touches_four_cells_of_that_day_only(warm):
    broken = warm.copy()
    broken[100, 3, 5] = np.nan
    dew = nodes(warm - 9, "dew_point_temperature")
    good, bad = (cells(air_temperature=nodes(v), dew_point_temperature=dew) for v in (warm, broken))
    for name in ("air_temperature", "vapour_pressure_deficit"):
        a, b = good.values(name, slice(0, 365)), bad.values(name, slice(0, 365))
        gone = np.isnan(b)
        assert gone.sum() == 4 and gone[100].sum() == 4
        np.testing.assert_array_equal(a[~gone], b[~gone])


@pytest.mark.parametrize("value", [15.0, 500.0])
def test_one_node_out_of_range_is_refused_though_the_mean_of_four_would_pass(warm, value):
    warm[3, 3, 3] = value
    with pytest.raises(UnitError, match="air_temperature"):
        cells(air_temperature=nodes(warm)).values("air_temperature", slice(0, 31))


def test_land_nodes_only(warm):
    land = np.zeros((36, 72))
    land[:18, :36] = 1  # 90..0 N, 180..0 W
    warm[:, :, 7:] = 200.0  # a cold eastern sea
    found = cells(land, air_temperature=nodes(warm, nodes="land")).values("air_temperature", slice(0, 31))
    assert found[:, :3, :7].min() > 240, "the node at 0 E has half its box on land"
    mixed = cells(air_temperature=nodes(warm)).values("air_temperature", slice(0, 31))
    assert mixed[:, :3, 6].max() < 265
    np.testing.assert_array_equal(found[:, :2, 1:5], mixed[:, :2, 1:5])


def test_land_nodes_without_values_are_left_out_and_said(warm, caplog):
    land = np.ones((36, 72))
    warm[:, 2, 4] = np.nan
    with caplog.at_level("INFO"):
        found = cells(land, air_temperature=nodes(warm, nodes="land")).values("air_temperature", slice(0, 31))
    assert np.isfinite(found).all() and "1 more hold no values" in caplog.text


def composites(values, weight, starts, name="ndvi"):
    native = Grid(15)
    coords = {"time": np.array(starts, "datetime64[ns]"), "lat": native.lat, "lon": native.lon}
    da = xr.DataArray(values.astype("float32"), dims=("time", "lat", "lon"), coords=coords, name=name)
    da = da.assign_coords(weight=(da.dims, weight.astype("float32")))
    return da.assign_attrs(grid="pixels", cadence="composite", source="test")


STARTS = np.arange("2011-01-09", "2012-01-01", 16, dtype="datetime64[D]")


def test_composites_are_weighted_then_interpolated():
    values, weight = np.full((23, 12, 24), 0.2), np.ones((23, 12, 24))
    values[1, ::2], weight[1, ::2] = 0.9, 0  # cloudy half of each cell
    values[1, 1::2] = 0.4
    made = cells(ndvi=composites(values, weight, STARTS))
    found = made.values("ndvi", slice(0, 365))
    day = int((STARTS[1] - np.datetime64("2011-01-01")).astype(int))
    np.testing.assert_allclose(found[day], 0.4, rtol=1e-6)
    np.testing.assert_allclose(found[day - 8], 0.3, rtol=1e-6)
    np.testing.assert_allclose(found[[0, 364]], 0.2, rtol=1e-6)


def test_filled_composites_are_counted():
    values, weight = np.full((23, 12, 24), 0.2), np.ones((23, 12, 24))
    weight[5] = 0
    da = composites(values, weight, STARTS)
    field = cells(ndvi=da).maker.field("ndvi")
    assert np.isfinite(next(field.values([slice(0, 365)]))).all()
    assert field.attributes["filled_share"] == pytest.approx(1 / 23, abs=1e-5)


def test_steps_know_whether_they_rest_on_a_filled_composite():
    values, weight = np.full((23, 12, 24), 0.2), np.ones((23, 12, 24))
    weight[5, :2, :2] = 0  # the first cell, where composites are at days 8, 24, 40, ...
    made = cells(ndvi=composites(values, weight, STARTS))
    found = made.maker.field("ndvi").filled(slice(0, 365))
    at = (STARTS - np.datetime64("2011-01-01")).astype(int)
    assert np.flatnonzero(found[:, 0, 0]).tolist() == list(range(at[4] + 1, at[6]))
    assert found.sum() == 31, "no other cell"
    monthly = cells(ndvi=composites(values, weight, STARTS), step="month", time=TimeAxis.of_years("month", (2011,)).start)
    months = monthly.maker.field("ndvi").filled(slice(0, 12))
    assert np.flatnonzero(months[:, 0, 0]).tolist() == [2] and months.sum() == 1, "most of March"
    assert cells(ndvi=composites(values, np.ones_like(weight), STARTS)).maker.field("ndvi").filled(slice(0, 365)).sum() == 0
    assert not hasattr(made.maker.field("day_length"), "filled")


def test_cells_never_seen_stay_missing_and_do_not_count():
    values, weight = np.full((23, 12, 24), 0.2), np.ones((23, 12, 24))
    values[:, :2, :2] = np.nan
    da = composites(values, weight, STARTS)
    field = cells(ndvi=da).maker.field("ndvi")
    found = next(field.values([slice(0, 365)]))
    assert np.isnan(found[:, 0, 0]).all() and np.isnan(found).sum() == 365 and field.attributes["filled_share"] == 0


def test_months_are_means_of_days():
    values = np.linspace(0.2, 0.6, 23)[:, None, None] + np.zeros((23, 12, 24))
    da, months = composites(values, np.ones_like(values), STARTS), TimeAxis.of_years("month", (2011,)).start
    daily = cells(ndvi=da).values("ndvi", slice(31, 59)).mean(0)
    monthly = cells(ndvi=da, step="month", time=months).values("ndvi", slice(1, 2))[0]
    np.testing.assert_allclose(monthly, daily, rtol=1e-6)


def test_a_file_that_breaks_while_reading_is_named(warm):
    import dask.array

    def fail(block):
        raise RuntimeError("NetCDF: HDF error")

    da = nodes(warm)
    broken = da.copy(data=dask.array.map_blocks(fail, da.data, dtype="float32", meta=np.empty((0, 0, 0), "float32")))
    with pytest.raises(InputError, match=r"air_temperature cannot be read(.|\n)*where: test"):
        cells(air_temperature=broken).values("air_temperature", slice(0, 10))


def test_sums_of_the_season_go_back_for_steps_asked_out_of_turn(warm):
    made = cells(air_temperature=nodes(warm))
    whole = made.values("growing_degree_days", slice(0, 365))
    np.testing.assert_array_equal(made.values("growing_degree_days", slice(250, 260)), whole[250:260])
    north = made.values("air_temperature", slice(0, 365))[:, 0, 0].astype("float64") - 278.15
    np.testing.assert_allclose(whole[:, 0, 0], np.cumsum(np.maximum(north, 0)), rtol=1e-5)
    assert np.isnan(whole[180, -1]).all() and np.isfinite(whole[181:, -1]).all(), "1 July"
