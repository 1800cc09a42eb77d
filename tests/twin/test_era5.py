"""ERA5 files have the dimensions, coordinates and attributes of files from the Climate Data Store."""

import numpy as np
import pytest
import xarray as xr

from tamrl.twin import era5
from tamrl.twin.lattice import WeatherLattice

NODES = WeatherLattice(10.0)


@pytest.fixture(scope="module")
def real(shared_data):
    return xr.open_dataset(shared_data / "era5/amun0905_data_0.nc", decode_times=False)


def _written(tmp_path, name):
    values = np.arange(28 * 19 * 36, dtype="float32").reshape(28, 19, 36)
    path = tmp_path / era5.era5_file_name(name, 2011, 2)
    era5.era5_dataset(name, values, year=2011, month=2, nodes=NODES).to_netcdf(
        path, encoding=era5.era5_encoding(name, values.shape)
    )
    return path


def test_structure_is_that_of_a_real_file(real, tmp_path):
    path = _written(tmp_path, "ssrd")
    assert path.name == "era5_surface_solar_radiation_downwards_daily_sum_2011_02.nc"
    with xr.open_dataset(path, decode_times=False) as ds:
        assert ds["ssrd"].dims == real["ssrd"].dims == ("valid_time", "latitude", "longitude")
        assert set(ds.coords) == set(real.coords)
        assert ds["expver"].dims == ("valid_time",)
        assert ds["number"].dims == ()
        for name in ("valid_time", "latitude", "longitude", "number"):
            assert ds[name].attrs == real[name].attrs
        for key in ("units", "long_name", "standard_name", "GRIB_paramId", "GRIB_stepType", "GRIB_units", "GRIB_shortName"):
            assert ds["ssrd"].attrs[key] == real["ssrd"].attrs[key]
        assert set(real["ssrd"].attrs) - set(ds["ssrd"].attrs) <= {"GRIB_uvRelativeToGrid"}
        assert set(real.attrs) <= set(ds.attrs)
        assert np.isnan(ds["ssrd"].encoding["_FillValue"])


def test_coordinates_run_as_in_era5(tmp_path):
    with xr.open_dataset(_written(tmp_path, "t2m")) as ds:
        assert ds["latitude"].values[[0, -1]].tolist() == [90.0, -90.0]
        assert ds["longitude"].values[[0, -1]].tolist() == [0.0, 350.0]
        assert ds["valid_time"].values[0] == np.datetime64("2011-02-01")
        assert ds["valid_time"].values[-1] == np.datetime64("2011-02-28")
        assert ds["t2m"].attrs["units"] == "K"
        np.testing.assert_array_equal(ds["t2m"].values.ravel(), np.arange(28 * 19 * 36))


def test_names_tell_statistic_and_month():
    assert era5.era5_file_name("t2m", 2010, 1) == "era5_2m_temperature_daily_mean_2010_01.nc"
    assert era5.era5_file_name("tp", 2010, 12) == "era5_total_precipitation_daily_sum_2010_12.nc"
