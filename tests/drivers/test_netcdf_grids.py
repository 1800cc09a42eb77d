"""Grids of the user for a mean year: found by their variables, held against their units, brought to finer cells."""

import hashlib

import numpy as np
import pytest
import xarray as xr

from tamrl import variables
from tamrl.calendar import TimeAxis
from tamrl.drivers import regrid
from tamrl.drivers.cube.checks import Tally
from tamrl.drivers.cube.statics import static_cells
from tamrl.drivers.sources import netcdf_grids
from tamrl.errors import ConfigError, InputError, UnitError
from tamrl.grid import Grid

MEAN_YEAR = TimeAxis.of_years("month", ())


def _months(name="rsds", units="W m-2", size=1.0, values=None):
    grid = Grid(size)
    if values is None:
        values = 200 + 100 * np.cos(np.deg2rad(grid.lat))[None, :, None] * np.ones((12, 1, grid.shape[1]))
        values = values + np.arange(12)[:, None, None]
    attrs = {"units": units} if units else {}
    return xr.Dataset(
        {name: (("month", "lat", "lon"), values.astype("float32"), attrs)},
        {"month": np.arange(1, 13), "lat": grid.lat, "lon": grid.lon},
    )


def _write(ds, folder):
    """A file in a folder of its own."""
    folder.mkdir()
    ds.to_netcdf(folder / "a.nc")
    return folder


def _open(folder, name="shortwave_radiation", **options):
    opened = netcdf_grids.Options(path=str(folder), **options)
    return netcdf_grids.open_dynamic(opened, names=(name,), axis=MEAN_YEAR)[name]


def test_a_variable_is_found_by_its_name_in_any_order(tmp_path):
    ds = _months()
    shuffled = ds.isel(month=[5, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11], lat=slice(None, None, -1))
    shuffled = shuffled.assign_coords(lon=shuffled["lon"] % 360).rename(lat="latitude", lon="longitude")
    shuffled.to_netcdf(tmp_path / "radiation.nc")
    xr.Dataset({"other": ("x", [1.0])}).to_netcdf(tmp_path / "other.nc")
    found = _open(tmp_path)
    np.testing.assert_allclose(found.values, ds["rsds"].values)
    assert found.dims == ("time", "lat", "lon") and found.attrs["units"] == "W m-2" and found.attrs["grid"] == "pixels"
    assert str(found["time"].values[6])[:10] == "2001-07-01"


@pytest.mark.parametrize("units, factor", [("kPa", 10.0), ("Pa", 0.01), ("hPa", 1.0)])
def test_units_are_converted(tmp_path, units, factor):
    _months("vpd", units, 10.0, np.full((12, 18, 36), 2.0)).to_netcdf(tmp_path / "vpd.nc")
    assert float(_open(tmp_path, "vapour_pressure_deficit").mean()) == pytest.approx(2 * factor)


def test_a_wrong_or_lacking_unit_is_refused(tmp_path):
    converted = _open(_write(_months(units="J m-2 d-1"), tmp_path / "energy"))  # an amount of energy a day is a power
    assert float(converted.max()) < 0.01
    with pytest.raises(UnitError, match="shortwave_radiation"):
        _open(_write(_months(units="mm d-1"), tmp_path / "rain"))
    with pytest.raises(UnitError, match="rsds states no unit"):
        _open(_write(_months(units=None), tmp_path / "none"))


@pytest.mark.parametrize(
    "change",
    {
        "corners": lambda ds: ds.interp(lat=np.arange(90, -91, -1.0), lon=np.arange(-180, 180, 1.0)),
        "shifted": lambda ds: ds.assign_coords(lon=ds["lon"] + 0.5),
        "a region": lambda ds: ds.isel(lat=slice(0, 90)),
        "wide cells": lambda ds: ds.isel(lon=slice(0, None, 2)),
    }.items(),
    ids=lambda change: change[0],
)
def test_coordinates_that_are_no_centres_of_global_cells_are_refused(tmp_path, change):
    with pytest.raises(InputError, match=r"cells must cover the globe(.|\n)*a\.nc"):
        _open(_write(change[1](_months()), tmp_path / "other"))


def _cube_refuses(da, name="shortwave_radiation"):
    """Whether the cube refuses a field of large cells by its range or its means over land."""
    grid, tally = Grid(1.0), Tally(name, Grid(1.0))
    land = np.broadcast_to(np.arange(360) % 10 < 3, grid.shape)
    values = np.where(land, regrid.centres_to_cells(da.values, target=grid), np.nan).astype("float32")
    try:
        variables.check_range(values, name=name, where="here")
        tally.add(values, land)
        tally.check(MEAN_YEAR, "here")
    except UnitError:
        return True
    return False


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (lambda ds: ds, False),
        (lambda ds: ds.assign_coords(lat=-ds["lat"]), True),
        (lambda ds: ds.assign_coords(month=(ds["month"] + 5) % 12 + 1), True),
        (lambda ds: ds.assign(rsds=ds["rsds"].assign_attrs(units="J m-2 d-1")), True),
        (lambda ds: ds.assign(rsds=ds["rsds"].assign_attrs(units="MJ m-2 d-1")), True),
    ],
    ids=["right", "upside down", "months half a year late", "joules", "megajoules"],
)
def test_what_a_file_cannot_tell_is_refused_by_the_cube(tmp_path, change, refused):
    """A field turned over, in other months or with another unit that exists too is read, and its means betray it."""
    grid = Grid(10.0)
    season = np.cos(2 * np.pi * (np.arange(12) - 5.5) / 12)[:, None, None] * np.sin(np.deg2rad(grid.lat))[None, :, None]
    values = (80 + 160 * np.cos(np.deg2rad(grid.lat))[None, :, None] + 90 * season) * np.ones((12, *grid.shape))
    ds = change(_months(size=10.0, values=values))
    assert _cube_refuses(_open(_write(ds, tmp_path / "grids"))) == refused


def test_none_or_several_files_with_a_variable_are_refused(tmp_path):
    with pytest.raises(InputError, match="no file has shortwave_radiation"):
        _open(tmp_path)
    for name in ("a.nc", "b.nc"):
        _months().to_netcdf(tmp_path / name)
    with pytest.raises(InputError, match="several files have shortwave_radiation"):
        _open(tmp_path)


def test_other_dimensions_months_and_runs_of_years_are_refused(tmp_path):
    with pytest.raises(InputError, match="months 1 to 12"):
        _open(_write(_months().isel(month=slice(11)), tmp_path / "eleven"))
    with pytest.raises(InputError, match="months 1 to 12"):
        _open(_write(_months().assign_coords(month=np.arange(12)), tmp_path / "from_zero"))
    with pytest.raises(InputError, match="months 1 to 12"):
        _open(_write(_months().assign_coords(month=[1, 1, *range(3, 13)]), tmp_path / "twice"))
    with pytest.raises(InputError, match="must have the dimensions month, lat, lon"):
        _open(_write(_months().isel(month=0, drop=True), tmp_path / "one"))
    with pytest.raises(ConfigError, match="climatology of months"):
        options = netcdf_grids.Options(path=str(tmp_path))
        netcdf_grids.open_dynamic(options, names=("shortwave_radiation",), axis=TimeAxis.of_years("month", (2011,)))


def test_a_pinned_checksum_holds(tmp_path):
    _months().to_netcdf(tmp_path / "a.nc")
    digest = hashlib.sha256((tmp_path / "a.nc").read_bytes()).hexdigest()
    assert _open(tmp_path, sha256={"a.nc": digest}).size
    with pytest.raises(ConfigError, match=r"a\.nc is not the file"):
        _open(tmp_path, sha256={"a.nc": "0" * 64})
    with pytest.raises(ConfigError, match=r"b\.nc is not the file"):
        _open(tmp_path, sha256={"b.nc": digest})


def test_the_sea_floor_is_the_level_of_the_sea(tmp_path):
    grid = Grid(10.0)
    height = np.where(grid.lat[:, None] > 0, 300.0, -4000.0) + np.zeros(grid.shape)
    coords = {"lat": grid.lat, "lon": grid.lon}
    xr.Dataset({"elevation": (("lat", "lon"), height, {"units": "m"})}, coords).to_netcdf(tmp_path / "a.nc")
    found = netcdf_grids.open_static(netcdf_grids.Options(path=str(tmp_path)), names=("elevation",))["elevation"]
    assert set(np.unique(found.values)) == {0.0, 300.0}
    finer = static_cells(found, name="elevation", grid=Grid(5.0), threads=1)
    assert finer.shape == (36, 72) and finer[0, 0] == 300 and finer[-1, 0] == 0


def test_larger_cells_are_interpolated_between_their_centres():
    coarse, fine = Grid(2.0), Grid(0.5)
    values = (coarse.lat[:, None] + 0 * coarse.lon[None]).astype("float32")
    found = regrid.centres_to_cells(values, target=fine)
    inner = np.abs(fine.lat) < 89
    np.testing.assert_allclose(found[inner], np.broadcast_to(fine.lat[inner, None], found[inner].shape), rtol=1e-5)
    wave = np.cos(np.deg2rad(coarse.lon))[None] + 0 * coarse.lat[:, None]
    round_the_globe = regrid.centres_to_cells(wave, target=fine)[180]
    np.testing.assert_allclose(round_the_globe, np.cos(np.deg2rad(fine.lon)), atol=1e-3)  # no seam at 180°


def test_missing_centres_weigh_nothing_and_land_is_continued_at_coasts():
    coarse, fine = Grid(2.0), Grid(0.5)
    values = np.full((1, *coarse.shape), np.nan, "float32")
    values[0, 40:50, 40:50] = 7.0
    found = regrid.centres_to_cells(values, target=fine)[0]
    assert set(np.unique(found[np.isfinite(found)])) == {np.float32(7.0)} and found.dtype == np.float32
    rows = np.flatnonzero(np.isfinite(found).any(1))
    reach = regrid.COAST * 4 + 2  # so many large cells of four small ones, and half a cell of interpolation
    assert rows[0] == 160 - reach and rows[-1] == 199 + reach
