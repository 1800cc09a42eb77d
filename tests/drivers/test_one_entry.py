"""A new variable of ERA5 is one entry of the vocabulary: read from NetCDF, GRIB and the public store, and ordered."""

import numpy as np
import pandas as pd
import pytest

from tamrl import config, registry, stores, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers import stage
from tamrl.drivers.remote import store_login
from tamrl.errors import ConfigError
from tamrl.twin import hours
from tamrl.twin.lattice import WeatherLattice
from tests.server import KEY, running

ENTRY = """
soil_moisture:
  units: m3 m-3
  standard_name: volume_fraction_of_condensed_water_in_soil
  long_name: water in the upper 7 cm of the soil
  range: [0, 1]
  daily: mean
  role: dynamic
  era5: {short_name: swvl1, name: volumetric_soil_water_layer_1, grib: "39.128", units: m3 m-3}
"""
NODES, DAYS = WeatherLattice(30.0), 31
AXIS = TimeAxis.of_years("day", (2011,))


@pytest.fixture(autouse=True)
def entry(tmp_path, monkeypatch):
    """The vocabulary with one entry more."""
    file = tmp_path / "variables.yaml"
    file.write_text(variables.FILE.read_text() + ENTRY)
    monkeypatch.setattr(variables, "FILE", file)


@pytest.fixture
def hourly():
    """Times and values of the hours of January, numbers that all formats hold exactly."""
    values = np.random.default_rng(5).integers(0, 256, (24 * DAYS, *NODES.shape)) / 512
    return np.datetime64("2011-01", "h") + np.arange(24 * DAYS), values.astype("float32")


def read(source, path):
    plugin = registry.load_source(source)
    arrays = plugin.open_dynamic(plugin.Options(path=str(path)), names=("soil_moisture",), axis=AXIS)
    return arrays["soil_moisture"].isel(time=slice(0, DAYS)).load()


def test_it_is_read_from_every_format_of_era5(write, hourly, tmp_path, monkeypatch):
    times, values = hourly
    monkeypatch.setitem(hours.VARIABLES, "swvl1", ("swvl1", 39, "instant", "an", "mean", "", "m3 m-3", "", ""))
    monkeypatch.setitem(hours.ARCO, "swvl1", "volumetric_soil_water_layer_1")
    ds = write.era5("swvl1", values, pd.DatetimeIndex(times), resolution=30, units="m3 m-3")
    write.save(ds, tmp_path / "netcdf" / "a.nc")
    (tmp_path / "grib").mkdir()
    (tmp_path / "grib/a.grib").write_bytes(hours.grib("swvl1", values, times=times, nodes=NODES))
    hours.create_store(tmp_path / "arco.zarr", years=[2011], nodes=NODES)
    hours.fill_store(tmp_path / "arco.zarr", "swvl1", values, times=times)
    read_from = {"netcdf": ("cds_era5", "netcdf"), "grib": ("cds_era5", "grib"), "zarr": ("arco_era5", "arco.zarr")}
    read_from["land"] = ("cds_era5_land", "netcdf")
    expected = values.reshape(DAYS, 24, *NODES.shape).mean(1, dtype="float64").astype("float32")
    for kind, (source, folder) in read_from.items():
        da = read(source, tmp_path / folder)
        assert da.name == "soil_moisture" and da.attrs["units"] == "m3 m-3", kind
        np.testing.assert_array_equal(np.roll(da.values, 6, axis=2), expected, err_msg=kind)


def test_it_becomes_a_driver_of_the_cube(write, world, hourly, tmp_path):
    days = AXIS.start
    values = np.broadcast_to(hourly[1][:1], (days.size, *NODES.shape))
    write.save(write.era5("swvl1", values, pd.DatetimeIndex(days), resolution=30, units="m3 m-3"), tmp_path / "era5" / "a.nc")
    drivers = {
        "sources": ["cds_era5", "static"],
        "variables": {"dynamic": ["soil_moisture"], "static": []},
        "cds_era5": {"path": str(tmp_path / "era5")},
        "static": {"path": str(world / "static")},
    }
    assert config.load({"drivers": drivers}).drivers.variables.dynamic == ("soil_moisture",)
    time = {"step": "day", "years": [2011]}
    stage.build_cube(paths=[], cube=str(tmp_path / "cube.zarr"), drivers=drivers, time=time, resolution=30.0, threads=1)
    assert np.isfinite(stores.open_cube(tmp_path / "cube.zarr")["soil_moisture"].values).any()


@pytest.mark.parametrize("source", ["cds_era5", "cds_era5_land"])
def test_it_is_ordered_from_the_climate_data_store(tmp_path, monkeypatch, source):
    plugin = registry.load_source(source)
    (item,) = plugin.items(plugin.Options(), ("soil_moisture",))
    with running() as server:
        monkeypatch.setenv(store_login.URL, server.url)
        monkeypatch.setenv(store_login.KEY, KEY)
        stage.download_drivers(folder=str(tmp_path / "2011"), source=source, item=item, year=2011, options={})
    request = server.jobs["0"]["request"]
    assert item == "swvl1" and len(list((tmp_path / "2011").glob("*.nc"))) == 12
    assert request["variable"] == ["volumetric_soil_water_layer_1"] and request["daily_statistic"] == "daily_mean"


def test_a_name_that_no_entry_has_is_refused_with_the_near_ones():
    with pytest.raises(ConfigError, match=r"swvl2(.|\n)*swvl1"):
        variables.era5_entry("swvl2")
