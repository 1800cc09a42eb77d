"""Files of one variable that differ in how they write coordinates give the bits of files that do not."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tamrl import registry, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import netcdf
from tamrl.drivers.reanalysis import joining, time_steps
from tamrl.errors import InputError

DAYS = pd.date_range("2011-01-01", periods=12)
GRIDS = {
    "global": (np.arange(90.0, -91, -30), np.arange(0.0, 360, 30)),
    "0.1": (np.round(np.arange(519, 509, -1) * 0.1, 1), np.round(np.arange(-7, 8) * 0.1, 1)),
    "0.25": (np.arange(52, 50, -0.25), np.arange(-2, 2, 0.25)),
    "1/12": (np.arange(600, 590, -1) / 12, np.arange(-6, 6) / 12),
}
NAMES = [("latitude", "longitude"), ("lat", "lon"), ("y", "x"), ("Latitude", "Longitude"), ("north", "east")]
SOURCES = [s for s in registry.names(registry.SOURCES) if hasattr(registry.load(registry.SOURCES, s), "listed")]
SOURCES = [s for s in SOURCES if s in variables.get("air_temperature").sources]


def grid_file(grid, first, last, source="cds_era5"):
    """Days `first` to `last` as float64 coordinates, north first, longitudes from -180."""
    lat, lon = GRIDS[grid]
    values = np.random.default_rng(1).normal(280, 9, (DAYS.size, lat.size, lon.size)).astype("float32")
    ds = xr.Dataset(
        {variables.get("air_temperature").sources[source].name: (("time", "latitude", "longitude"), values)},
        {"time": DAYS, "latitude": lat, "longitude": (lon + 180) % 360 - 180},
    )
    return ds.sortby("longitude").isel(time=slice(first, last))


conventions = st.fixed_dictionaries(
    {
        "east": st.booleans(),
        "south": st.booleans(),
        "coordinates": st.sampled_from(["float32", "float64", "noise"]),
        "values": st.sampled_from(["float32", "float64", ">f4"]),
        "order": st.permutations([0, 1, 2]),
        "names": st.sampled_from(NAMES),
        "last first": st.booleans(),
    }
)


def rewritten(ds, how):
    ds = ds.assign_coords(longitude=ds["longitude"] % 360).sortby("longitude") if how["east"] else ds
    ds = ds.sortby("latitude") if how["south"] else ds
    ds = ds.isel(time=slice(None, None, -1)) if how["last first"] else ds
    for name in ("latitude", "longitude"):
        stored = ds[name].values
        stored = stored + 1e-9 if how["coordinates"] == "noise" else stored.astype(how["coordinates"])
        ds = ds.assign_coords({name: stored})
    ds = ds.astype(how["values"]).transpose(*(("time", "latitude", "longitude")[k] for k in how["order"]))
    ds["latitude"].attrs["units"], ds["longitude"].attrs["units"] = "degrees_north", "degrees_east"
    return ds.rename(dict(zip(("latitude", "longitude"), how["names"], strict=True)))


def joined(parts, source="cds_era5"):
    name = variables.get("air_temperature").sources[source].name
    raw = joining.join_series([netcdf.with_known_names(ds, f"{k}.nc")[name] for k, ds in enumerate(parts)], where="here")
    axis = TimeAxis.of_years("day", (2011,))
    return time_steps.driver_on_steps("air_temperature", raw, source=source, axis=axis, accumulation="hour", where="here")


@settings(deadline=None, max_examples=60)
@given(grid=st.sampled_from(sorted(GRIDS)), hows=st.lists(conventions, min_size=3, max_size=3), order=st.permutations([0, 1, 2]))
def test_mixtures_give_the_bits_of_files_of_one_kind(grid, hows, order):
    parts = [grid_file(grid, 4 * k, 4 * k + 4) for k in range(3)]
    plain = joined(parts)
    mixed = [ds if k == 0 else rewritten(ds, how) for k, (ds, how) in enumerate(zip(parts, hows, strict=True))]
    found = joined([mixed[k] for k in order])
    xr.testing.assert_identical(found, plain.assign_attrs(extent=found.attrs["extent"]))
    assert found["lat"].values.tobytes() == plain["lat"].values.tobytes()
    assert found["lon"].values.tobytes() == plain["lon"].values.tobytes()
    np.testing.assert_array_equal(found[:12].sortby("lon").values, joined([grid_file(grid, 0, 12)])[:12].sortby("lon").values)


@pytest.mark.parametrize("coordinates", ["float32", "float64"])
def test_tenths_of_degrees_are_the_same_in_either_precision(coordinates):
    how = {"east": True, "south": True, "coordinates": coordinates, "values": "float32", "order": [2, 1, 0], "names": NAMES[0]}
    found = joined([rewritten(grid_file("0.1", 0, 12), how | {"last first": False})])
    assert found["lat"].values.tolist() == GRIDS["0.1"][0].tolist() and found["lon"].values.tolist() == GRIDS["0.1"][1].tolist()


@pytest.mark.parametrize("source", SOURCES)
def test_a_folder_of_mixed_files(source, tmp_path):
    how = {"east": True, "south": True, "coordinates": "float32", "values": "float64", "order": [1, 2, 0], "names": ("y", "x")}
    for folder in ("plain", "mixed"):
        (tmp_path / folder).mkdir()
        for k in range(3):
            ds = grid_file("0.1", 4 * k, 4 * k + 4, source)
            ds = rewritten(ds, how | {"last first": k == 2}) if folder == "mixed" and k else ds
            ds.to_netcdf(tmp_path / folder / f"{k}.nc")
    plugin, axis = registry.load(registry.SOURCES, source), TimeAxis.of_years("day", (2011,))
    one, two = (
        plugin.open_dynamic(plugin.Options(path=str(tmp_path / f)), names=("air_temperature",), axis=axis)["air_temperature"]
        for f in ("plain", "mixed")
    )
    xr.testing.assert_equal(one.load(), two.load())
    assert one.notnull().sum() == 12 * 10 * 15


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ds: ds.isel(latitude=slice(0, 5)), "different grids"),
        (lambda ds: ds.assign_coords(longitude=ds["longitude"] + 0.05), "different grids"),
        (lambda ds: ds.assign_coords(latitude=ds["latitude"] + 0.01), "different grids"),
        (lambda ds: ds.rename(latitude="row"), "dimensions must be"),
        (lambda ds: ds.assign_coords(latitude=np.full(10, np.nan)), "a latitude or longitude is missing"),
        (lambda ds: ds.isel(longitude=slice(0, 0)), "a latitude or longitude is missing"),
        (lambda ds: ds.assign_coords(latitude=list("abcdefghij")), "axes of the file cannot be read"),
    ],
)
def test_other_grids_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        joined([grid_file("0.1", 0, 6), change(grid_file("0.1", 6, 12))])


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("K", "degC", False), ("m", "mm", False), ("J m**-2", "W m-2", False), ("m", "K", False), ("~", "K", False),
        ("J m**-2", "J m-2", True), ("K", "kelvin", True), ("m", "m of water equivalent", True), ("K", None, True),
    ],
)  # fmt: skip
def test_files_that_state_different_units_are_refused_with_both_names(one, two, same):
    parts = [grid_file("0.1", 0, 6), grid_file("0.1", 6, 12)]
    for ds, unit in zip(parts, (one, two), strict=True):
        ds["t2m"].attrs |= {"units": unit} if unit else {}
    if same:
        assert joined(parts).sizes["time"] == 365
        return
    with pytest.raises(InputError, match="differ in their unit") as error:
        joined(parts)
    assert "0.nc" in str(error.value) and "1.nc" in str(error.value)


def test_months_beside_days_are_refused():
    months = grid_file("0.1", 0, 12).assign_coords(time=pd.date_range("2012-01-01", periods=12, freq="MS"))
    with pytest.raises(InputError, match="differ in their spacing"):
        joined([grid_file("0.1", 0, 12), months])


def test_hours_beside_days_are_refused():
    hours = xr.concat([grid_file("0.1", 0, 12)] * 4, "time").assign_coords(time=pd.date_range("2012-01-01", periods=48, freq="h"))
    with pytest.raises(InputError, match="some files hold hours and others days"):
        joined([grid_file("0.1", 0, 12), hours])


def test_files_without_any_time_are_passed_over_and_alone_refused():
    whole, none = grid_file("0.1", 0, 12), grid_file("0.1", 0, 0)
    xr.testing.assert_equal(joined([none, whole]), joined([whole]))
    with pytest.raises(InputError, match="no file holds a time"):
        joined([none])
