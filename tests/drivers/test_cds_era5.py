"""ERA5 files as they really come: values checked by hand against the raw numbers of real files."""

import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import netcdf
from tamrl.drivers.reanalysis import joining
from tamrl.drivers.sources import cds_era5, cds_era5_land
from tamrl.errors import ConfigError, InputError, UnitError
from tamrl.variables import check_range


@pytest.fixture
def era5_of(shared_data, tmp_path):
    """A folder with copies of real files."""

    def folder(*names):
        for name in names:
            shutil.copy(shared_data / "era5" / name, tmp_path / name)
        return tmp_path

    return folder


def read(folder, *names, years, step="day", **options):
    found = cds_era5.open_dynamic(cds_era5.Options(path=str(folder), **options), names=names, axis=TimeAxis.of_years(step, years))
    return {name: da.load() for name, da in found.items()}


def series_of(path, name):
    return joining.join_series([ds[name] for _, ds in netcdf.open_all(path) if name in ds], where=path)


def test_monthly_means_on_a_date_axis(era5_of):
    found = read(era5_of("marygan_data_1.nc"), "air_temperature", "precipitation", years=(2023,), step="month")
    here = {"lat": 40.49, "lon": -73.77, "time": "2023-07-01"}
    assert found["air_temperature"].sel(**here).item() - 273.15 == pytest.approx(25.0745, abs=1e-3)
    assert found["precipitation"].sel(**here).item() == pytest.approx(4.5359, abs=1e-3), "m of water per day, as mm"
    assert found["air_temperature"].sizes == {"time": 12, "lat": 2, "lon": 3}
    assert found["air_temperature"].attrs["expver"] == "0001: 488 times, 0005: 2 times"


def test_monthly_means_of_split_files(era5_of):
    folder = era5_of("Phtzone_data_stream-moda_stepType-avgad.nc", "Phtzone_data_stream-moda_stepType-avgua.nc")
    found = read(folder, "precipitation", "air_temperature", years=(2005, 2006), step="month")
    assert found["precipitation"].sizes["time"] == found["air_temperature"].sizes["time"] == 24
    assert (found["precipitation"]["time"].dt.day == 1).all() and (found["precipitation"]["time"].dt.hour == 0).all()
    assert found["precipitation"].isel(time=7, lat=30, lon=10).item() == pytest.approx(7.78961, abs=1e-4)


def test_hours_of_an_old_packed_file_become_days(era5_of):
    found = read(era5_of("feedinlib_ERA5_example_data.nc"), "air_temperature", "shortwave_radiation", years=(2017,))
    here = {"time": "2017-06-30", "lat": 52.6, "lon": 13.1}
    assert found["air_temperature"].sel(**here, method="nearest").item() == pytest.approx(289.36918, abs=1e-3)
    radiation = found["shortwave_radiation"].sel(**here, method="nearest").item()
    assert radiation == pytest.approx(86.14798, abs=1e-3), "hours ending at 01:00 to 24:00"


def test_the_hour_that_ends_at_midnight_belongs_to_the_day_before(era5_of):
    found = read(era5_of("feedinlib_ERA5_example_data.nc"), "shortwave_radiation", years=(2017,))["shortwave_radiation"]
    last, rest = found.isel(time=-1), found.isel(time=slice(None, -1))
    assert last.isnull().all() and rest.notnull().all(), "its last hour lies in the file of the next year"


def test_era5_land_accumulates_since_midnight(era5_of):
    found = read(era5_of("amun0905_data_0.nc"), "shortwave_radiation", years=(2023,))["shortwave_radiation"]
    day = found.sel(time="2023-07-09").sel(lat=0.0, lon=115.0, method="nearest").item()
    assert day == pytest.approx(1.7541864e7 / 86400, rel=1e-6), "the value of 00:00 is the total of the day before"
    assert found.sel(time="2023-07-10").isnull().all()


def test_era5_land_taken_for_hourly_amounts_is_refused(era5_of):
    folder = era5_of("amun0905_data_0.nc")
    extra = xr.open_dataset(folder / "amun0905_data_0.nc").isel(valid_time=[0])
    extra["valid_time"] = extra["valid_time"] + np.timedelta64(24, "h")
    extra.to_netcdf(folder / "next.nc")
    found = read(folder, "shortwave_radiation", years=(2023,), accumulation="hour")["shortwave_radiation"]
    with pytest.raises(UnitError):
        check_range(found.sel(time="2023-07-10").values, name="shortwave_radiation", where=folder)


def test_single_hours_of_months_are_no_monthly_means(era5_of):
    folder = era5_of("eric157_data_stream-oper_stepType-instant.nc", "eric157_data_stream-oper_stepType-accum.nc")
    for name in ("air_temperature", "precipitation"):
        with pytest.raises(InputError, match="one hour of each month"):
            read(folder, name, years=(2020,), step="month")


def test_mixed_versions_are_kept_apart_and_counted(era5_of):
    found = series_of(era5_of("eric157_data_stream-oper_stepType-instant.nc"), "t2m")
    assert found["expver"].values.tolist() == [1] * 131 + [5]
    assert found.sizes == {"time": 132, "lat": 5, "lon": 5}


def test_other_spacings_are_refused(era5_of):
    with pytest.raises(InputError, match="4 hours"):
        read(era5_of("amun0905_23-07-10-data_0.nc"), "shortwave_radiation", years=(2023,))
    folder = era5_of("balancecalor_data_stream-oper_stepType-instant.nc")
    with pytest.raises(InputError, match="no file holds the variable"):
        read(folder, "air_temperature", years=(2020,))


def test_days_asked_of_monthly_files_are_refused(era5_of):
    with pytest.raises(InputError, match="monthly values"):
        read(era5_of("marygan_data_1.nc"), "air_temperature", years=(2023,))


def test_one_time_alone_is_refused(era5_of):
    with pytest.raises(InputError, match="one time alone"):
        read(era5_of("geomodelagem_data_stream-moda.nc"), "air_temperature", years=(2025,), step="month")


def test_grib_is_known_by_its_content(era5_of):
    folder = era5_of("era5-2mt-2019-03-uk.grib")
    (folder / "era5-2mt-2019-03-uk.grib").rename(folder / "era5.nc")
    assert read(folder, "air_temperature", years=(2019,))["air_temperature"].sizes["time"] == 365


# The rest on files of our own making.

DAYS = pd.date_range("2011-01-01", "2011-12-31")


def daily(write, name="t2m", times=DAYS, **more):
    return write.era5(name, write.weather(name, times, resolution=30), times, resolution=30, **more)


@pytest.fixture
def plain(write, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    write.save(daily(write), folder / "t2m.nc")
    return read(folder, "air_temperature", years=(2011,))["air_temperature"].load()


def test_daily_statistics(plain, write):
    expected = write.weather("t2m", DAYS, resolution=30)
    assert plain.dims == ("time", "lat", "lon") and plain.dtype == np.float32 and plain.attrs["grid"] == "nodes"
    assert plain["lat"].values[0] == 90 and plain["lon"].values[0] == -180 and plain["lon"].values[-1] == 150
    np.testing.assert_array_equal(plain.sel(lon=0).values, expected[:, :, 0].astype("float32"))
    np.testing.assert_array_equal(plain.sel(lon=-30).values, expected[:, :, 11].astype("float32"))


def test_fault_20_longitude_convention_and_direction_of_latitude_give_the_same_bits(plain, write, tmp_path):
    ds = daily(write)
    ds = ds.assign_coords(longitude=(ds["longitude"] + 180) % 360 - 180).sortby("longitude").sortby("latitude")
    write.save(ds.isel(valid_time=slice(None, None, -1)), tmp_path / "t2m.nc")
    found = read(tmp_path, "air_temperature", years=(2011,))["air_temperature"].load()
    np.testing.assert_array_equal(found.values, plain.values)
    np.testing.assert_array_equal(found["lon"], plain["lon"])


def test_files_on_different_grids_are_refused(write, tmp_path):
    write.save(daily(write), tmp_path / "a.nc")
    write.save(daily(write).isel(latitude=slice(0, 4)), tmp_path / "b.nc")
    with pytest.raises(InputError, match="different grids"):
        read(tmp_path, "air_temperature", years=(2011,))


def test_swapped_coordinates_are_refused(write, tmp_path):
    ds = daily(write).rename({"latitude": "x", "longitude": "latitude"}).rename({"x": "longitude"})
    write.save(ds, tmp_path / "t2m.nc")
    with pytest.raises(InputError, match="swapped"):
        read(tmp_path, "air_temperature", years=(2011,))


def test_a_repeated_meridian_is_refused(write, tmp_path):
    ds = daily(write)
    write.save(xr.concat([ds, ds.isel(longitude=[0]).assign_coords(longitude=[360.0])], "longitude"), tmp_path / "t2m.nc")
    with pytest.raises(InputError, match="occurs twice"):
        read(tmp_path, "air_temperature", years=(2011,))


def test_fault_10_a_zip_under_the_name_nc_with_two_members(plain, write, tmp_path):
    write.save(daily(write), tmp_path / "make/instant.nc")
    write.save(daily(write, "tp", units="m"), tmp_path / "make/accum.nc")
    (tmp_path / "era5").mkdir()
    with zipfile.ZipFile(tmp_path / "era5/download.nc", "w") as archive:
        for member in ("instant.nc", "accum.nc"):
            archive.write(tmp_path / "make" / member, f"data_stream-oper_stepType-{member}")
    found = read(tmp_path / "era5", "air_temperature", "precipitation", years=(2011,))
    np.testing.assert_array_equal(found["air_temperature"].values, plain.values)
    assert found["precipitation"].max().item() == pytest.approx(8, abs=0.01)


@pytest.mark.parametrize("name", ["../out.nc", "/tmp/out.nc", "a/../../out.nc"])
def test_fault_11_a_zip_that_leaves_its_folder_is_refused(write, tmp_path, name):
    write.save(daily(write), tmp_path / "make.nc")
    (tmp_path / "era5").mkdir()
    with zipfile.ZipFile(tmp_path / "era5/x.zip", "w") as archive:
        archive.writestr(name, (tmp_path / "make.nc").read_bytes())
    with pytest.raises(InputError, match="unsafe name"):
        read(tmp_path / "era5", "air_temperature", years=(2011,))
    assert not (tmp_path / "out.nc").exists()


def test_fault_12_a_zip_bomb_is_refused(tmp_path):
    (tmp_path / "era5").mkdir()
    with zipfile.ZipFile(tmp_path / "era5/x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.nc", bytes(250 << 20))
    with pytest.raises(InputError, match="unpacks to more than"):
        read(tmp_path / "era5", "air_temperature", years=(2011,))


@pytest.mark.parametrize("share", [0.0, 0.4, 0.9])
def test_fault_8_a_truncated_file_is_refused_by_name(write, tmp_path, share):
    write.save(daily(write), tmp_path / "t2m_2011.nc")
    content = (tmp_path / "t2m_2011.nc").read_bytes()
    (tmp_path / "t2m_2011.nc").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"t2m_2011\.nc"):
        read(tmp_path, "air_temperature", years=(2011,))


def test_versions_are_merged_by_first_valid_and_never_added(write, tmp_path):
    values = np.full((365, 7, 12), 280.0)
    final = np.where(np.arange(365)[:, None, None] < 300, values, np.nan)
    final[10, 3, 4] = np.nan
    write.save(write.era5("t2m", final[:310], DAYS[:310], resolution=30, expver=1), tmp_path / "b.nc")
    write.save(write.era5("t2m", values + 1, DAYS, resolution=30, expver=5), tmp_path / "a.nc")
    found = read(tmp_path, "air_temperature", years=(2011,))["air_temperature"].load()
    assert (found.values[300:] == 281).all()
    assert found.values[10, 3, 10] == 281 and (np.delete(found.values[:300].ravel(), 10 * 84 + 3 * 12 + 10) == 280).all()


def test_versions_as_a_dimension(write, tmp_path):
    first, second = (daily(write).drop_vars("expver") for _ in range(2))
    first["t2m"][200:] = np.nan
    second["t2m"][:200] = np.nan
    both = xr.concat([first, second], xr.DataArray([1, 5], dims="expver", name="expver")).transpose("valid_time", "expver", ...)
    write.save(both, tmp_path / "t2m.nc")
    found = read(tmp_path, "air_temperature", years=(2011,))["air_temperature"]
    np.testing.assert_array_equal(found.sel(lon=0).values, write.weather("t2m", DAYS, resolution=30)[:, :, 0].astype("float32"))


def test_fault_17_the_same_day_twice_is_accepted_only_if_equal(plain, write, tmp_path):
    write.save(daily(write), tmp_path / "a.nc")
    write.save(daily(write, times=DAYS[:31]), tmp_path / "b.nc")
    found = read(tmp_path, "air_temperature", years=(2011,))["air_temperature"]
    np.testing.assert_array_equal(found.values, plain.values)
    write.save(daily(write, times=DAYS[:31]) + 1, tmp_path / "c.nc")
    with pytest.raises(InputError, match="occurs twice with different values"):
        read(tmp_path, "air_temperature", years=(2011,))


def test_days_in_no_file_are_missing_and_said(write, tmp_path, caplog):
    write.save(daily(write).isel(valid_time=np.r_[0:100, 103:365]), tmp_path / "t2m.nc")
    found = read(tmp_path, "air_temperature", years=(2011,))["air_temperature"]
    assert found.sizes["time"] == 365
    gone = found.isnull().all(["lat", "lon"]).values
    assert gone[100:103].all() and gone.sum() == 3
    assert "3 of 365 steps are in no file" in caplog.text


def test_a_year_without_files_is_refused(write, tmp_path):
    write.save(daily(write), tmp_path / "t2m.nc")
    with pytest.raises(InputError, match="no values of 2012"):
        read(tmp_path, "air_temperature", years=(2011, 2012))


def test_one_hour_of_each_day_is_no_daily_mean(write, tmp_path):
    write.save(daily(write, times=DAYS + pd.Timedelta("12h")), tmp_path / "t2m.nc")
    with pytest.raises(InputError, match="one hour of each day"):
        read(tmp_path, "air_temperature", years=(2011,))


def test_days_become_months_and_an_incomplete_month_is_missing(write, tmp_path):
    write.save(daily(write).isel(valid_time=np.r_[0:40, 41:365]), tmp_path / "t2m.nc")
    found = read(tmp_path, "air_temperature", years=(2011,), step="month")["air_temperature"]
    expected = write.weather("t2m", DAYS, resolution=30)[:31].mean(0)[:, 0]
    np.testing.assert_allclose(found.isel(time=0).sel(lon=0).values, expected, rtol=1e-6)
    assert found.isnull().all(["lat", "lon"]).values.tolist() == [False, True] + [False] * 10


def test_an_incomplete_day_is_missing(write, tmp_path):
    hours = pd.date_range("2011-01-01", "2011-01-03T23:00", freq="h")
    values = np.full((72, 7, 12), 280.0)
    keep = np.delete(np.arange(72), 30)
    write.save(write.era5("t2m", values[keep], hours[keep], resolution=30), tmp_path / "t2m.nc")
    found = read(tmp_path, "air_temperature", years=(2011,))["air_temperature"].isel(time=slice(0, 3))
    assert found.notnull().all(["lat", "lon"]).values.tolist() == [True, False, True]


@pytest.mark.parametrize("fill", [-9999.0, 1e20, 9.96921e36, np.inf])
def test_fault_16_fill_values_are_masked_before_conversion_and_counted(plain, write, tmp_path, fill, caplog):
    ds = daily(write, "ssrd", units="J m**-2")
    ds["ssrd"][5, 3, 0] = fill
    ds["ssrd"].encoding["_FillValue"] = None
    ds.to_netcdf(tmp_path / "ssrd.nc")
    found = read(tmp_path, "shortwave_radiation", years=(2011,))["shortwave_radiation"].load()
    assert found.isnull().sum() == 1 and found.sel(lon=0, lat=0).isnull()[5]
    assert "1 fill values masked" in caplog.text


def test_rounding_below_zero_is_zero_and_more_is_kept_to_be_refused(write, tmp_path):
    ds = daily(write, "tp", units="m")
    ds["tp"][0, 0, 0], ds["tp"][1, 0, 0] = -1e-8, -1e-3
    write.save(ds, tmp_path / "tp.nc")
    found = read(tmp_path, "precipitation", years=(2011,))["precipitation"].sel(lat=90, lon=0).values
    assert found[0] == 0 and found[1] == pytest.approx(-1)


def test_fault_21_other_calendars_are_refused(write, tmp_path):
    ds = daily(write)
    ds["valid_time"] = xr.date_range("2011-01-01", periods=365, calendar="noleap", use_cftime=True)
    write.save(ds, tmp_path / "t2m.nc")
    with pytest.raises(InputError, match="Gregorian"):
        read(tmp_path, "air_temperature", years=(2011,))


def test_fault_21_years_of_360_days_are_refused(write, tmp_path):
    ds = daily(write).isel(valid_time=slice(0, 360))
    ds["valid_time"] = xr.date_range("2011-01-01", periods=360, calendar="360_day", use_cftime=True)
    write.save(ds, tmp_path / "t2m.nc")
    with pytest.raises(InputError, match="Gregorian"):
        read(tmp_path, "air_temperature", years=(2011,))


def test_fault_21_without_29_february_that_day_is_missing_and_nothing_shifts(write, tmp_path):
    days = pd.date_range("2012-01-01", "2012-12-31")
    ds = daily(write, times=days)
    write.save(ds.isel(valid_time=days != pd.Timestamp("2012-02-29")), tmp_path / "t2m.nc")
    found = read(tmp_path, "air_temperature", years=(2012,))["air_temperature"].sel(lon=0)
    assert found.sizes["time"] == 366
    gone = found.isnull().all("lat").values
    assert gone.sum() == 1 and found["time"].values[gone][0] == np.datetime64("2012-02-29")
    expected = write.weather("t2m", days, resolution=30)[:, :, 0].astype("float32")
    np.testing.assert_array_equal(found.values[~gone], expected[~gone])


def land_hours(write, times, increments):
    """ERA5-Land: metres since 00:00, given at the end of each hour, so 00:00 holds the whole day before."""
    hour = times.hour.values
    total = np.zeros(times.size)
    for k in range(times.size):
        total[k] = increments[k] + (total[k - 1] if k and hour[k] != 1 else 0)
    values = np.broadcast_to(total[:, None, None], (times.size, 7, 12))
    return write.era5("tp", values, times, resolution=30, units="m", step_type="accum")


def test_fault_19_era5_land_totals_come_from_the_accumulation(write, tmp_path):
    times = pd.date_range("2011-01-01T01:00", "2011-01-06T00:00", freq="h")
    increments = np.random.default_rng(1).random(times.size) * 1e-3
    write.save(land_hours(write, times, increments), tmp_path / "all" / "tp.nc")
    write.save(land_hours(write, times, increments).isel(valid_time=times.hour == 0), tmp_path / "midnight" / "tp.nc")
    expected = 1000 * increments.reshape(5, 24).sum(1)
    for folder in ("all", "midnight"):
        options = cds_era5_land.Options(path=str(tmp_path / folder))
        found = cds_era5_land.open_dynamic(options, names=("precipitation",), axis=TimeAxis.of_years("day", (2011,)))[
            "precipitation"
        ]
        np.testing.assert_allclose(found.sel(lat=0, lon=0).values[:5], expected, rtol=1e-5)
        assert found.isnull().all(["lat", "lon"]).values.tolist() == [False] * 5 + [True] * 360
    wrong = read(tmp_path / "all", "precipitation", years=(2011,), accumulation="hour")["precipitation"]
    assert (wrong.sel(lat=0, lon=0).values[:5] > 5 * expected).all(), "what it would be if taken for hourly amounts"


def test_fault_25_years_packed_differently_keep_their_values(write, tmp_path):
    for year, scale, offset in ((2011, 0.01, 250.0), (2012, 0.002, 270.0)):
        ds = daily(write, times=pd.date_range(f"{year}-01-01", f"{year}-12-31"))
        ds["t2m"].encoding = {"dtype": "int16", "scale_factor": scale, "add_offset": offset, "_FillValue": -32767}
        ds.to_netcdf(tmp_path / f"{year}.nc")
    found = read(tmp_path, "air_temperature", years=(2011, 2012))["air_temperature"].sel(lon=0).values
    expected = write.weather("t2m", pd.date_range("2011-01-01", "2012-12-31"), resolution=30)[:, :, 0]
    assert np.abs(found - expected).max() < 0.006


def test_members_of_an_ensemble_are_refused(write, tmp_path):
    ds = xr.concat([daily(write).assign_coords(number=k) for k in range(2)], "number")
    write.save(ds, tmp_path / "t2m.nc")
    with pytest.raises(InputError, match="dimensions must be"):
        read(tmp_path, "air_temperature", years=(2011,))


def test_an_empty_folder_and_a_climatology_are_refused(tmp_path):
    with pytest.raises(InputError, match="no NetCDF or GRIB files"):
        read(tmp_path, "air_temperature", years=(2011,))
    with pytest.raises(ConfigError, match="no climatology"):
        read(tmp_path, "air_temperature", years=(), step="month")
