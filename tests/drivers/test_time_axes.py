"""Times of other tools, in every source that has dynamic variables: the right value on the right step, or the true reason."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import registry, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.sources import packaged
from tamrl.errors import InputError

NAMES = {n: e for n, e in variables.vocabulary().items() if e.role == "dynamic"}
SOURCES = [s for s in registry.names(registry.SOURCES) if any(s in e.sources for e in NAMES.values())]
OTHERS = {
    "modis": "dates stand in the names of files (test_modis.py)",
    "mcd43c4": "dates stand in the names of files (test_modis.py)",
    "packaged": "a mean year (below)",
    "netcdf_grids": "a mean year (test_netcdf_grids.py)",
    "earth_data_hub": "a store of days (tests/providers/test_data_hub.py)",
}
BY_TIME = [s for s in SOURCES if s not in OTHERS]
FOLDERS = [s for s in BY_TIME if hasattr(registry.load(registry.SOURCES, s), "listed")]

LAT, LON = np.arange(90.0, -91, -30), np.arange(0.0, 360, 30)
HOURS = pd.date_range("2011-03-01", "2011-03-03T23:00", freq="h")
DAYS, MONTHS = pd.date_range("2011-01-01", "2011-12-31"), pd.date_range("2011-01-01", periods=12, freq="MS")
DAY = pd.Timedelta("1D")
pytestmark = pytest.mark.filterwarnings("ignore:Variable time has datetime type and a bounds variable")


def field(times, low=270.0, size=30.0):
    return (
        np.random.default_rng(len(times)).integers(0, 4096, (len(times), LAT.size, LON.size)).astype("float32") / 4096 * size
        + low
    )


def dataset(source, name, values, time, *, dim="time", bounds=None, **attrs):
    """A file of one variable whose times are what `time` says, as stored: (values, attributes) or datetimes."""
    stored, about = time if isinstance(time, tuple) else (time, {})
    alias = variables.get(name).sources[source].name
    ds = xr.Dataset(
        {alias: ((dim, "latitude", "longitude"), values, attrs)},
        {dim: (dim, stored, about), "latitude": LAT, "longitude": LON},
    )
    if bounds is not None:
        ds[dim].attrs["bounds"] = f"{dim}_bnds"
        ds[f"{dim}_bnds"] = ((dim, "bnds"), np.stack(bounds, 1))
    return ds


def write(ds, source, folder, file="a.nc"):
    if source in FOLDERS:
        folder.mkdir(exist_ok=True)
        ds.to_netcdf(folder / file)
    else:
        ds.to_zarr(folder, zarr_format=2, mode="w")
    return folder


def read(source, folder, name, step="day", **options):
    plugin = registry.load(registry.SOURCES, source)
    found = plugin.open_dynamic(
        plugin.Options(path=str(folder), **options), names=(name,), axis=TimeAxis.of_years(step, (2011,))
    )[name]
    assert found.sizes["time"] == {"day": 365, "month": 12}[step]
    return found.sortby("lon").load()


def oriented(values):
    return np.roll(values, LON.size // 2, axis=-1)


def test_no_source_is_left_out():
    assert set(SOURCES) == set(BY_TIME) | set(OTHERS) and {"cds_era5", "cds_era5_land", "arco_era5"} <= set(BY_TIME)


def since(text, unit):
    return (HOURS - pd.Timestamp(text)) / pd.Timedelta(unit)


AXES = {
    "seconds": (since("1970-01-01", "1s").astype("int64"), "seconds since 1970-01-01"),
    "hours": (since("1900-01-01", "1h").astype("int32"), "hours since 1900-01-01 00:00:00.0"),
    "offset": (since("1970-01-01T03:00", "1h"), "hours since 1970-01-01 05:00:00 +02:00"),
    "utc": (since("1970-01-01", "1min"), "minutes since 1970-01-01 00:00:00 UTC"),
    "noise": (since("1970-01-01", "1s") - 0.005, "seconds since 1970-01-01"),
    "days": (since("1850-01-01", "1D"), "days since 1850-1-1"),
    "float32": (since("1900-01-01", "1D").astype("float32"), "days since 1900-01-01"),
    "absolute": (HOURS.strftime("%Y%m%d").astype(float) + HOURS.hour / 24, "day as %Y%m%d.%f"),
    "milliseconds": (since("1970-01-01", "1ms").astype("int64"), "milliseconds since 1970-01-01T00:00:00Z"),
}


@pytest.mark.parametrize("source", BY_TIME)
@pytest.mark.parametrize("dim", ["time", "valid_time", "Time"])
@pytest.mark.parametrize("axis", AXES)
def test_hours_of_any_axis_become_days(source, dim, axis, tmp_path):
    number, units = AXES[axis]
    values = field(HOURS)
    ds = dataset(source, "air_temperature", values, (np.asarray(number), {"units": units}), dim=dim)
    found = read(source, write(ds, source, tmp_path / "in"), "air_temperature").sel(time=slice("2011-03-01", "2011-03-03"))
    expected = values.reshape(3, 24, LAT.size, LON.size).astype("float64").mean(1)
    np.testing.assert_allclose(found, oriented(expected), rtol=1e-6)


REFUSED = {
    "noleap": ((np.arange(72), {"units": "hours since 2011-03-01", "calendar": "noleap"}), "Gregorian"),
    "unit": ((np.arange(72), {"units": "fortnights since 2011-03-01"}), "unknown unit of time 'fortnights'"),
    "missing": ((np.where(np.arange(72) == 5, np.nan, np.arange(72)), {"units": "hours since 2011-03-01"}), "a time is missing"),
    "none": ((np.arange(72), {}), "exactly 8 digits"),
    "six": ((np.arange(72) * 6, {"units": "hours since 2011-03-01"}), "6 hours"),
    "half": ((np.arange(72) + 0.5, {"units": "hours since 2011-03-01"}), "full hours"),
}


@pytest.mark.parametrize("source", BY_TIME)
@pytest.mark.parametrize("case", REFUSED)
def test_hours_refused_by_the_true_reason(source, case, tmp_path):
    time, message = REFUSED[case]
    folder = write(dataset(source, "air_temperature", field(HOURS), time), source, tmp_path / "in")
    with pytest.raises(InputError, match=message) as error:
        read(source, folder, "air_temperature")
    assert "fetch it again" not in str(error.value) and ("Gregorian" in str(error.value)) == (case == "noleap")


@pytest.mark.parametrize("source", BY_TIME)
@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_bounds_say_which_hour_an_amount_is_of(source, place, tmp_path):
    values = field(HOURS, low=0, size=1e-3)
    stamp = HOURS + {"start": 0, "middle": 0.5, "end": 1}[place] * pd.Timedelta("1h")
    ds = dataset(source, "precipitation", values, stamp, bounds=(HOURS, HOURS + pd.Timedelta("1h")), units="m")
    found = read(source, write(ds, source, tmp_path / "in"), "precipitation").sel(time=slice("2011-03-01", "2011-03-03"))
    expected = 1000 * values.reshape(3, 24, LAT.size, LON.size).astype("float64").sum(1)
    np.testing.assert_allclose(found, oriented(expected), rtol=1e-5)


@pytest.mark.parametrize("source", FOLDERS)
def test_amounts_whose_bounds_grow_are_those_since_midnight(source, tmp_path):
    hourly = field(HOURS, low=0, size=1e-3).reshape(3, 24, LAT.size, LON.size)
    start = HOURS.normalize()
    ds = dataset(
        source, "precipitation", hourly.cumsum(1).reshape(-1, LAT.size, LON.size), HOURS + pd.Timedelta("1h"),
        bounds=(start, HOURS + pd.Timedelta("1h")), units="m",
    )  # fmt: skip
    found = read(source, write(ds, source, tmp_path / "in"), "precipitation").sel(time=slice("2011-03-01", "2011-03-03"))
    np.testing.assert_allclose(found, oriented(1000 * hourly.sum(1, dtype="float64")), rtol=1e-5)


MEAN, SUM = {"cell_methods": "time: mean"}, {"cell_methods": "time: sum"}
WHOLE, SAMPLES = (DAYS, DAYS + DAY), (DAYS, DAYS + pd.Timedelta("23h"))
DAILY = {
    "12:00 with bounds": (DAYS + DAY / 2, WHOLE, MEAN),
    "11:30 with bounds of the samples": (DAYS + pd.Timedelta("11h30min"), SAMPLES, MEAN),
    "end of the interval": (DAYS + DAY, WHOLE, {}),
    "start of the interval": (DAYS, WHOLE, {"GRIB_stepType": "instant"}),
    "12:00 said to be means": (DAYS + DAY / 2, None, MEAN),
    "11:30 said to be means": (DAYS + pd.Timedelta("11h30min"), None, MEAN),
    "12:00 of the daily statistics": (DAYS + DAY / 2, None, {"daily_statistic": "daily_mean"}),
    "dates as numbers": ((DAYS.strftime("%Y%m%d").astype(int).to_numpy(), {}), None, {}),
    "CDO": ((DAYS.strftime("%Y%m%d").astype(float).to_numpy() + 0.5, {"units": "day as %Y%m%d.%f"}), None, MEAN),
}


@pytest.mark.parametrize("source", FOLDERS)
@pytest.mark.parametrize("case", DAILY)
def test_daily_means_of_other_tools(source, case, tmp_path):
    time, bounds, attrs = DAILY[case]
    values = field(DAYS)
    ds = dataset(source, "air_temperature", values, time, bounds=bounds, **attrs)
    np.testing.assert_array_equal(read(source, write(ds, source, tmp_path / "in"), "air_temperature"), oriented(values))


@pytest.mark.parametrize("source", FOLDERS)
@pytest.mark.parametrize("stamp", [pd.Timedelta(0), DAY / 2, DAY])
@pytest.mark.parametrize("attrs", [{}, SUM, {"GRIB_stepType": "accum"}])
def test_daily_sums_with_bounds_are_of_their_day(source, stamp, attrs, tmp_path):
    values = field(DAYS, low=0, size=0.01)
    ds = dataset(source, "precipitation", values, DAYS + stamp, bounds=WHOLE, units="m", **attrs)
    found = read(source, write(ds, source, tmp_path / "in"), "precipitation")
    np.testing.assert_allclose(found, oriented(1000 * values), rtol=1e-6)


BAD_DAYS = {
    "no sign": ("air_temperature", DAYS + DAY / 2, None, {}, "one hour of each day"),
    "an instant": ("air_temperature", DAYS + DAY / 2, (DAYS + DAY / 2, DAYS + DAY / 2), {}, "one hour of each day"),
    "an instant at midnight": ("air_temperature", DAYS, (DAYS, DAYS), MEAN, "one hour of each day"),
    "said to be an instant": ("air_temperature", DAYS, None, {"cell_methods": "time: point"}, "one hour of each day"),
    "part of a day": ("air_temperature", DAYS + DAY / 2, (DAYS + DAY / 4, DAYS + 3 * DAY / 4), MEAN, "of one day"),
    "another day": ("air_temperature", DAYS + DAY / 2, (DAYS + DAY / 4, DAYS + 5 * DAY / 4), MEAN, "of one day"),
    "many years": ("air_temperature", DAYS + DAY / 2, (DAYS - 3650 * DAY, DAYS + DAY), MEAN, "of one day"),
    "maxima": ("air_temperature", DAYS, WHOLE, {"cell_methods": "time: maximum"}, "another statistic"),
    "sums of temperatures": ("air_temperature", DAYS, WHOLE, SUM, "another statistic"),
    "means of amounts": ("precipitation", DAYS, WHOLE, {**MEAN, "units": "m"}, "means of amounts"),
}  # fmt: skip


@pytest.mark.parametrize("source", FOLDERS)
@pytest.mark.parametrize("case", BAD_DAYS)
def test_what_is_no_daily_value_is_refused(source, case, tmp_path):
    name, time, bounds, attrs, message = BAD_DAYS[case]
    ds = dataset(source, name, field(DAYS, low=0, size=0.01), time, bounds=bounds, **attrs)
    with pytest.raises(InputError, match=message):
        read(source, write(ds, source, tmp_path / "in"), name)


NEXT = MONTHS + pd.offsets.MonthBegin()
MONTHLY = {
    "months since": ((np.arange(12.0), {"units": "months since 2011-01-01"}), None, {}),
    "middle of months": ((np.arange(12) + 0.5, {"units": "months since 2011-01-01"}), None, MEAN),
    "CDO": ((MONTHS.strftime("%Y%m").astype(float).to_numpy() + 0.5, {"units": "month as %Y%m.%f"}), None, MEAN),
    "yyyymm": ((MONTHS.strftime("%Y%m").astype(int).to_numpy(), {"units": "YYYYMM"}), None, {}),
    "06:00": (MONTHS + DAY / 4, None, {"GRIB_stepType": "avgua"}),
    "end with bounds": (NEXT, (MONTHS, NEXT), {}),
    "middle with bounds of the first and last day": (MONTHS + 14 * DAY, (MONTHS, NEXT - DAY), MEAN),
    "bounds of forecasts": (MONTHS + DAY / 4, (MONTHS + DAY / 4, NEXT + DAY / 4), MEAN),
    "hours averaged by CDO": (MONTHS + 14 * DAY, (MONTHS, NEXT - pd.Timedelta("1h")), {**MEAN, "GRIB_stepType": "instant"}),
}


@pytest.mark.parametrize("source", FOLDERS)
@pytest.mark.parametrize("case", MONTHLY)
def test_monthly_means_of_other_tools(source, case, tmp_path):
    time, bounds, attrs = MONTHLY[case]
    values = field(MONTHS)
    ds = dataset(source, "air_temperature", values, time, bounds=bounds, **attrs)
    np.testing.assert_array_equal(read(source, write(ds, source, tmp_path / "in"), "air_temperature", "month"), oriented(values))


YEARS = pd.date_range("2001-01-01", periods=12, freq="YS")
BAD_MONTHS = {
    "years": ("air_temperature", YEARS, None, {}, "one month apart"),
    "years with bounds": ("air_temperature", YEARS, (YEARS, YEARS + pd.offsets.YearBegin()), MEAN, "of one month"),
    "seasons": ("air_temperature", pd.date_range("2009-03-01", periods=12, freq="3MS"), None, MEAN, "one month apart"),
    "a mean year": ("air_temperature", MONTHS, (MONTHS - 3650 * DAY, NEXT), MEAN, "of one month"),
    "one hour": ("air_temperature", MONTHS + DAY / 4, None, {"GRIB_stepType": "instant"}, "one hour of each month"),
    "sums": ("precipitation", MONTHS, (MONTHS, NEXT), SUM, "sums of months"),
    "twice": ("air_temperature", (np.arange(12) / 2, {"units": "months since 2011-01-01"}), None, {}, "one hour, one day"),
}


@pytest.mark.parametrize("source", FOLDERS)
@pytest.mark.parametrize("case", BAD_MONTHS)
def test_what_is_no_monthly_mean_is_refused(source, case, tmp_path):
    name, time, bounds, attrs, message = BAD_MONTHS[case]
    ds = dataset(source, name, field(MONTHS, low=0, size=0.01), time, bounds=bounds, **attrs)
    with pytest.raises(InputError, match=message):
        read(source, write(ds, source, tmp_path / "in"), name, "month")


REFERENCE, CF = {"standard_name": "forecast_reference_time"}, {"standard_name": "time"}
TOTALS = {
    "cfgrib": {"time": ("time", DAYS, REFERENCE), "step": np.timedelta64(24, "h"), "valid_time": ("time", DAYS + DAY, CF)},
    "without valid time": {"time": ("time", DAYS, REFERENCE), "step": np.timedelta64(24, "h")},
    "hours as numbers": {"time": DAYS, "step": 24},
    "reference": {
        "forecast_reference_time": DAYS,
        "forecast_period": 24.0,
        "valid_time": ("forecast_reference_time", DAYS + DAY),
    },
    "reference without valid time": {"forecast_reference_time": DAYS, "forecast_period": ((), 1, {"units": "days"})},
    "valid only": {"valid_time": DAYS + DAY},
}


@pytest.mark.parametrize("case", TOTALS)
def test_a_total_with_a_reference_time_is_of_its_day(case, tmp_path):
    values, coords = field(DAYS, low=0, size=0.01), TOTALS[case]
    dim = next(iter(coords))
    ds = xr.Dataset({"tp": ((dim, "latitude", "longitude"), values)}, {**coords, "latitude": LAT, "longitude": LON})
    found = read("cds_era5_land", write(ds, "cds_era5_land", tmp_path / "in"), "precipitation")
    np.testing.assert_allclose(found, oriented(1000 * values), rtol=1e-6)


@pytest.mark.parametrize("source", FOLDERS)
def test_forecasts_of_twelve_hours_twice_a_day_are_hours(source, tmp_path):
    """ERA5's amounts as cfgrib gives them: references at 06 and 18, steps 1 to 12, nothing before and after the month."""
    values = field(HOURS, low=0, size=1e-3)
    first = pd.date_range("2011-02-28T18:00", "2011-03-03T18:00", freq="12h")
    valid = first.to_numpy()[:, None] + np.arange(1, 13) * np.timedelta64(1, "h")
    place = (valid - HOURS[0].to_numpy()) // np.timedelta64(1, "h") - 1
    inside = (place >= 0) & (place < HOURS.size)
    amounts = np.where(inside[..., None, None], values[np.clip(place, 0, HOURS.size - 1)], np.nan)
    ds = xr.Dataset(
        {"tp": (("time", "step", "latitude", "longitude"), amounts.astype("float32"), {"GRIB_stepType": "accum"})},
        {
            "time": ("time", first, REFERENCE),
            "step": np.arange(1, 13) * np.timedelta64(1, "h"),
            "latitude": LAT,
            "longitude": LON,
        },
    )
    folder = write(ds.isel(time=slice(0, 3)), source, tmp_path / "in", "a.nc")
    write(ds.isel(time=slice(3, None)), source, tmp_path / "in", "b.nc")
    expected = oriented(1000 * values.reshape(3, 24, LAT.size, LON.size).astype("float64").sum(1))
    options = {"accumulation": "hour"} if source == "cds_era5" else {}
    found = read(source, folder, "precipitation", **options).sel(time=slice("2011-03-01", "2011-03-03"))
    if source == "cds_era5":
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    else:
        np.testing.assert_allclose(found, oriented(1000 * values[23::24]), rtol=1e-5)


def test_months_of_a_mean_year_in_any_order_and_form(tmp_path, monkeypatch):
    values = field(MONTHS, low=0)

    def climatology(months):
        ds = xr.Dataset(
            {"t2m": (("month", "latitude", "longitude"), values)}, {"month": months, "latitude": LAT, "longitude": LON}
        )
        ds.to_netcdf(tmp_path / "a.nc")
        monkeypatch.setattr(packaged, "locate", lambda key: tmp_path / "a.nc")
        options = packaged.Options()
        return packaged.open_dynamic(options, names=("air_temperature",), axis=TimeAxis.of_years("month", ()))[
            "air_temperature"
        ].load()

    plain = climatology(np.arange(1, 13))
    np.testing.assert_allclose(plain, oriented(values) + 273.15, rtol=1e-6)
    (tmp_path / "a.nc").unlink()
    turned = climatology(np.roll(np.arange(1.0, 13), 3))
    np.testing.assert_array_equal(turned, np.roll(plain, -3, axis=0))
    (tmp_path / "a.nc").unlink()
    with pytest.raises(InputError, match="each once"):
        climatology(np.arange(12))


@pytest.mark.parametrize("source", FOLDERS)
def test_files_with_and_without_bounds_go_together_where_that_tells_nothing_else(source, tmp_path):
    values, half = field(DAYS), 100
    one = dataset(
        source, "air_temperature", values[:half], DAYS[:half] + DAY / 2, bounds=(DAYS[:half], DAYS[:half] + DAY), **MEAN
    )
    two = dataset(source, "air_temperature", values[half:], DAYS[half:], dim="valid_time")
    write(one, source, tmp_path / "in", "a.nc")
    folder = write(two, source, tmp_path / "in", "b.nc")
    np.testing.assert_array_equal(read(source, folder, "air_temperature"), oriented(values))


@pytest.mark.parametrize("first", [True, False])
def test_totals_with_bounds_before_or_after_those_without(first, tmp_path):
    """ERA5-Land: the value of 00:00 is the total of the day before, where bounds do not say so already."""
    values, source = field(DAYS, low=0, size=0.01), "cds_era5_land"
    parts = [slice(0, 100), slice(100, 365)]
    for k, part in enumerate(parts):
        bounds = (DAYS[part], DAYS[part] + DAY) if (k == 0) == first else None
        ds = dataset(source, "precipitation", values[part], DAYS[part] + DAY, bounds=bounds)
        folder = write(ds, source, tmp_path / "in", f"{k}.nc")
    np.testing.assert_allclose(read(source, folder, "precipitation"), oriented(1000 * values), rtol=1e-6)


@pytest.mark.parametrize("source", FOLDERS)
@pytest.mark.parametrize("valid", [True, False])
def test_an_accumulation_of_24_hours_is_of_the_day_of_its_reference(source, valid, tmp_path):
    values = field(DAYS, low=0, size=0.01)
    coords = {"time": ("time", DAYS, REFERENCE), "step": np.timedelta64(24, "h"), "latitude": LAT, "longitude": LON}
    coords |= {"valid_time": ("time", DAYS + DAY, CF)} if valid else {}
    ds = xr.Dataset({"tp": (("time", "latitude", "longitude"), values, {"GRIB_stepType": "accum"})}, coords)
    found = read(source, write(ds, source, tmp_path / "in"), "precipitation")
    np.testing.assert_allclose(found, oriented(1000 * values), rtol=1e-6)


def test_hours_with_bounds_beside_amounts_since_midnight_are_refused(tmp_path):
    source = "cds_era5_land"
    bounds = (HOURS, HOURS + pd.Timedelta("1h"))
    write(dataset(source, "precipitation", field(HOURS, 0, 1e-3), HOURS, bounds=bounds), source, tmp_path / "in", "a.nc")
    ds = dataset(source, "precipitation", field(HOURS, 0, 1e-3), HOURS + 9 * DAY)
    folder = write(ds, source, tmp_path / "in", "b.nc")
    with pytest.raises(InputError, match="others amounts since 00:00"):
        read(source, folder, "precipitation")
