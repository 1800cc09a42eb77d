"""The same hours as new NetCDF, old packed NetCDF, GRIB and Zarr give the same driver to the last bit."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl.calendar import TimeAxis
from tamrl.drivers.sources import arco_era5, cds_era5
from tamrl.twin import hours
from tamrl.twin.lattice import WeatherLattice

NODES, DAYS = WeatherLattice(30.0), 31
STEPS = {"t2m": (1 / 128, 256.0), "ssrd": (64.0, 0.0)}
"""Step and smallest value of the packing: all four formats hold such numbers exactly."""

NAMES = {"t2m": "air_temperature", "ssrd": "shortwave_radiation"}


@pytest.fixture(params=NAMES)
def field(request):
    """Name, times and values of January's hours; amounts stand at the end of their hour."""
    name = request.param
    step, low = STEPS[name]
    whole = np.random.default_rng(3).integers(0, 8000, (24 * DAYS, *NODES.shape))
    return name, hours.ends(name, 2011, 1, 24 * DAYS), (low + whole * step).astype("float32")


def old_packed(name, times, values):
    """As before September 2024: `time` since 1900, no expver, 16-bit integers, longitudes from 0."""
    step, low = STEPS[name]
    stored = np.round((values - low - 16000 * step) / step).astype("int16")
    attrs = {"units": {"t2m": "K", "ssrd": "J m**-2"}[name], "_FillValue": np.int16(-32767)}
    attrs |= {"scale_factor": step, "add_offset": low + 16000 * step}
    since = (times - np.datetime64("1900-01-01", "h")).astype("int32")
    return xr.Dataset(
        {name: (("time", "latitude", "longitude"), stored, attrs)},
        coords={
            "time": ("time", since, {"units": "hours since 1900-01-01 00:00:00.0", "calendar": "gregorian"}),
            "latitude": ("latitude", NODES.lat.astype("float32")),
            "longitude": ("longitude", NODES.lon.astype("float32")),
        },
    )


def read(plugin, path, name):
    options = plugin.Options(path=str(path), nodes="all")
    found = plugin.open_dynamic(options, names=(NAMES[name],), axis=TimeAxis.of_years("day", (2011,)))[NAMES[name]]
    return found.isel(time=slice(0, DAYS)).load()


def test_one_field_in_four_formats(write, field, tmp_path):
    name, times, values = field
    write.save(write.era5(name, values, pd.DatetimeIndex(times), resolution=30), tmp_path / "new" / "a.nc")
    (tmp_path / "old").mkdir()
    old_packed(name, times, values).to_netcdf(tmp_path / "old" / "a.nc")
    (tmp_path / "grib").mkdir()
    (tmp_path / "grib/a.grib").write_bytes(hours.grib(name, values, times=times, nodes=NODES))
    hours.create_store(tmp_path / "arco.zarr", years=[2011], nodes=NODES)
    hours.fill_store(tmp_path / "arco.zarr", name, values, times=times)
    found = {kind: read(cds_era5, tmp_path / kind, name) for kind in ("new", "old", "grib")}
    found["zarr"] = read(arco_era5, tmp_path / "arco.zarr", name)
    daily = values.reshape(DAYS, 24, *NODES.shape).astype("float64")
    expected = (daily.mean(1) if name == "t2m" else daily.sum(1) / 86400).astype("float32")
    for kind, da in found.items():
        assert da.dtype == np.float32 and da.notnull().all(), kind
        np.testing.assert_array_equal(da.values, found["new"].values, err_msg=kind)
        np.testing.assert_allclose(np.roll(da.values, 6, axis=2), expected, rtol=1e-6, err_msg=kind)
