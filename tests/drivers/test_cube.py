"""What the cube is made of: providers, time axis, statics on cells, globes, and plausibility."""

import numpy as np
import pytest
import xarray as xr

from tamrl import variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.cube import access, checks, fields, plan, statics
from tamrl.errors import ConfigError, InputError, UnitError
from tamrl.grid import Grid


def test_the_first_source_that_has_it_provides_it_and_derived_ones_bring_what_they_need():
    found = plan.plan_cube(("vapour_pressure_deficit", "evi", "day_length"), ("cds_era5", "modis"))
    assert found == {"cds_era5": ("air_temperature", "dew_point_temperature"), "modis": ("evi",)}
    assert plan.source_of("air_temperature", ("packaged", "cds_era5")) == "packaged"
    assert plan.plan_cube(("air_temperature", "vapour_pressure_deficit"), ("cds_era5",))["cds_era5"].count("air_temperature") == 1


def test_a_variable_without_source_is_refused_with_the_sources_that_have_it():
    with pytest.raises(ConfigError, match=r"no source of evi(.|\n)*modis"):
        plan.plan_cube(("evi",), ("cds_era5",))
    with pytest.raises(ConfigError, match="dew_point_temperature"):
        plan.plan_cube(("vapour_pressure_deficit",), ("packaged",))


def test_pieces_end_with_months_and_cover_the_block():
    days = TimeAxis.of_years("day", (2011, 2012))
    found = fields.read_parts(days, slice(365, 731))
    assert found[0] == slice(365, 396) and found[-1].stop == 731 and len(found) == 12
    cut = fields.read_parts(days, slice(10, 40))
    assert cut == [slice(10, 31), slice(31, 40)]
    assert fields.read_parts(TimeAxis.of_years("month"), slice(0, 12)) == [slice(0, 12)]


def pixels(values, name="elevation"):
    native = Grid(180 / values.shape[0])
    da = xr.DataArray(values, dims=("lat", "lon"), coords={"lat": native.lat, "lon": native.lon}, name=name)
    return da.chunk({"lat": 10}).assign_attrs(grid="pixels", source="test")


def test_statics_keep_the_area_mean_for_any_number_of_threads():
    values = np.random.default_rng(1).uniform(0, 1000, (36, 72)).astype("float32")
    found = [statics.static_cells(pixels(values), name="elevation", grid=Grid(15), threads=n) for n in (1, 2)]
    np.testing.assert_array_equal(*found)
    assert np.average(found[0], weights=np.broadcast_to(Grid(15).area(), (12, 24))) == pytest.approx(
        np.average(values, weights=np.broadcast_to(Grid(5).area(), (36, 72))), rel=1e-5
    )


def test_static_values_out_of_range_are_refused():
    with pytest.raises(UnitError, match="elevation"):
        statics.static_cells(pixels(np.full((36, 72), 29_000.0, "float32")), name="elevation", grid=Grid(15), threads=1)


def test_statics_of_a_resolution_that_does_not_fit_are_refused():
    with pytest.raises(ConfigError, match="whole multiple"):
        statics.static_cells(pixels(np.zeros((36, 72), "float32")), name="elevation", grid=Grid(12), threads=1)


def nodes(lat, lon):
    values = np.add.outer(np.asarray(lat, float), np.asarray(lon, float) / 1000)[None]
    coords = {"time": TimeAxis.of_years("day", (2011,)).start[:1], "lat": lat, "lon": lon}
    da = xr.DataArray(values, dims=("time", "lat", "lon"), coords=coords, name="air_temperature")
    return da.assign_attrs(grid="nodes", source="test")


def test_a_region_is_placed_on_the_globe_and_said(caplog):
    found = access.on_globe(nodes(np.arange(50, 29.9, -0.5), np.arange(0, 20.1, 0.5)))
    assert found.sizes == {"time": 1, "lat": 361, "lon": 720}
    assert found.sel(lat=40, lon=10).item() == pytest.approx(40.01) and found.notnull().sum() == 41 * 41
    assert "cover only 41 of 361 rows" in caplog.text


def test_coordinates_in_single_precision_fall_on_the_grid():
    lat, lon = np.arange(90, -90.05, -0.1).astype("float32"), np.arange(-180, 179.95, 0.1).astype("float32")
    found = access.on_globe(nodes(lat.astype(float), lon.astype(float)))
    assert found.sizes["lat"] == 1801 and found["lat"].values[1000] == pytest.approx(-10.0, abs=1e-9)


@pytest.mark.parametrize("shift", [0.1, 0.25])
def test_nodes_off_the_grid_are_refused(shift):
    with pytest.raises(InputError, match="not on the global grid"):
        access.on_globe(nodes(np.arange(50, 29.9, -0.5) + shift, np.arange(0, 20.1, 0.5)))


def test_rows_and_columns_must_be_equally_spaced():
    with pytest.raises(InputError, match="equally spaced"):
        access.on_globe(nodes(np.arange(50, 29.9, -0.5), np.arange(0, 20.1, 1)))


LAND = np.ones((6, 12), bool)


def tally(name, largest, days=4):
    found = checks.Tally(name, Grid(30))
    found.add(np.full((days, 6, 12), largest, "float32"), LAND)
    return found


@pytest.mark.parametrize(
    "name, wrong",  # fault 18: units that the valid range alone does not catch
    [("shortwave_radiation", 300 / 86400), ("vapour_pressure_deficit", 6.0), ("precipitation", 0.03), ("air_temperature", 260.0)],
)
def test_fault_18_implausibly_small_fields_are_refused(name, wrong):
    variables.check_range(np.array([wrong]), name=name, where="test")
    with pytest.raises(UnitError, match="never reaches"):
        tally(name, wrong).check(TimeAxis.of_years("day", (2011,)).part(slice(4)), "test")


@pytest.mark.parametrize("name, value", [("air_temperature", 15.0), ("shortwave_radiation", 2e7), ("precipitation", 1500.0)])
def test_fault_18_fields_out_of_range_are_refused(name, value):
    with pytest.raises(UnitError, match="check the unit"):
        variables.check_range(np.array([value]), name=name, where="test")


def test_a_variable_without_any_value_is_refused():
    with pytest.raises(InputError, match="no value over land"):
        tally("air_temperature", np.nan).check(TimeAxis.of_years("day", (2011,)).part(slice(4)), "test")


def test_the_tally_counts_missing_cell_steps_over_land():
    land = np.zeros((6, 12), bool)
    land[:3] = True
    values = np.full((4, 6, 12), np.nan, "float32")
    values[:, :3] = 300
    values[2, 0, :5] = np.nan
    found = checks.Tally("air_temperature", Grid(30))
    found.add(values, land)
    assert found.seen == 4 * 36 and found.missing == 5 and found.largest == 300


def test_fault_20_one_day_upside_down_is_flagged(caplog):
    rng = np.random.default_rng(1)
    lat = Grid(5).lat
    fields = (300 - 30 * np.sin(np.deg2rad(lat - 15)) ** 2)[None, :, None] + rng.normal(0, 3, (20, 36, 72))
    fields[7] = fields[7, ::-1]
    found = checks.Tally("air_temperature", Grid(5))
    found.add(fields.astype("float32"), np.ones((36, 72), bool))
    with caplog.at_level("WARNING"):
        found.check(TimeAxis.of_years("day", (2011,)).part(slice(20)), "test")
    assert "1 steps look as if north and south were exchanged: 2011-01-08" in caplog.text


def test_ordinary_weather_is_not_flagged():
    rng = np.random.default_rng(2)
    profiles = 5 + rng.normal(0, 1, (50, 36))  # rain: symmetric and noisy
    assert checks.upside_down(profiles).size == 0
    assert checks.upside_down(profiles[:2]).size == 0
    profiles[:, :18] = np.nan
    assert checks.upside_down(profiles).size == 0
