"""Days made of the public store of hours, against a double that is out, breaks off and lacks days as the real one does."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from tamrl import humidity
from tamrl.calendar import TimeAxis
from tamrl.drivers import stage
from tamrl.drivers.cube import plan
from tamrl.drivers.remote import climate_store, store_login, zarr_store
from tamrl.drivers.sources import arco_era5
from tamrl.errors import InputError, OutageError, UnitError
from tamrl.layout import Downloads
from tamrl.twin import hours
from tamrl.twin.lattice import WeatherLattice
from tests.providers.climate_store import running_store
from tests.providers.hour_store import running_bucket
from tests.providers.test_climate_store import QUICK

ROOT = Path(__file__).parents[2]
NAMES = ("air_temperature", "saturation_vapour_pressure", "precipitation")
AXIS = TimeAxis.of_years("day", (2011,), "2011-02")


@pytest.fixture(scope="session")
def original(write, tmp_path_factory):
    """A store of 30° and the year 2011."""
    path = tmp_path_factory.mktemp("original") / "arco.zarr"
    write.write_arco(path, resolution=30, years=[2011])
    return path


@pytest.fixture
def bucket(original, tmp_path, monkeypatch):
    shutil.copytree(original, tmp_path / "arco.zarr")
    monkeypatch.setattr("tamrl.web.download.LONGEST_PAUSE", 0.01)
    with running_bucket(tmp_path / "arco.zarr") as running:
        yield running


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    monkeypatch.setattr("tamrl.drivers.sources._folders.DOWNLOADS", Downloads(str(tmp_path / "downloads")))
    return Downloads(str(tmp_path / "downloads"))


def marked(path, **attributes):
    """The store with other attributes."""
    root = zarr.open_group(path, mode="r+", zarr_format=2, use_consolidated=False)
    root.attrs.update(attributes)
    zarr.consolidate_metadata(path, zarr_format=2)


@pytest.fixture
def fetch(bucket, downloads):
    """Fetch the first months of 2011 of a variable; gives the folder."""

    def run(item="t2m", months=2, **options):
        folder = Path(downloads.item("arco_era5", item, 2011))
        given = {"path": bucket.url, "download": True, "months": months, **options}
        stage.download_drivers(folder=str(folder), source="arco_era5", item=item, year=2011, options=given)
        return folder

    return run


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def count_when_quiet(bucket):
    """Number of chunks asked for, once the other day that was being made has given up too."""
    counts = [-1, len(bucket.chunks())]
    while counts[-1] != counts[-2]:
        time.sleep(0.5)
        counts.append(len(bucket.chunks()))
    return counts[-1]


def part_of(downloads, item="t2m"):
    return Path(downloads.source("arco_era5")) / item / ".2011.part"


def test_days_on_the_disk_are_the_bits_of_hours_read_directly(fetch, bucket, original, monkeypatch):
    direct = arco_era5.open_dynamic(arco_era5.Options(path=str(original)), names=NAMES, axis=AXIS)
    for item in ("t2m", "tp"):
        fetch(item)
    bucket.last = 0
    options = arco_era5.Options(path=bucket.url, download=True)
    for name, da in arco_era5.open_dynamic(options, names=NAMES, axis=AXIS).items():
        xr.testing.assert_identical(da.drop_attrs(), direct[name].drop_attrs().load())
        for attribute in ("units", "grid", "nodes"):
            assert da.attrs[attribute] == direct[name].attrs[attribute]
        assert da.attrs["expver"] == "0001: 59 times"
    assert arco_era5.version(options)["files"] == 4
    assert arco_era5.items(options, NAMES) == ["t2m", "tp"] and arco_era5.inputs(options) == [arco_era5.FOLDER.path(options)]


@pytest.fixture
def warm_days(bucket):
    """Temperatures (hour, lat, lon) of January that swing by 10 K a day, in the store."""
    nodes = WeatherLattice(30)
    time = np.datetime64("2011-01-01T00", "h") + np.arange(24 * 31)
    swing = 10 * np.sin(2 * np.pi * np.arange(24 * 31) / 24)[:, None, None]
    values = (288 + 8 * np.cos(np.deg2rad(nodes.lat))[:, None] + swing + np.zeros(nodes.shape)).astype("float32")
    hours.fill_store(bucket.root, "t2m", values, times=time)
    return values


def test_vapour_pressures_are_means_over_the_pressures_of_hours(fetch, bucket, warm_days):
    wanted = ("air_temperature", "saturation_vapour_pressure", "vapour_pressure")
    axis = TimeAxis.of_years("day", (2011,), "2011-01")
    assert plan.plan_cube(("vapour_pressure_deficit",), ("arco_era5",)) == {"arco_era5": wanted[1:]}
    direct = arco_era5.open_dynamic(arco_era5.Options(path=str(bucket.root)), names=wanted, axis=axis)
    before = len(bucket.chunks())
    fetch("t2m", months=1)
    fetch("d2m", months=1)
    assert len(bucket.chunks()) - before == 2 * 31, "each hour is fetched once"
    options = arco_era5.Options(path=bucket.url, download=True)
    assert arco_era5.items(options, wanted) == ["t2m", "d2m"]
    found = arco_era5.open_dynamic(options, names=wanted, axis=axis)
    for name in wanted:
        xr.testing.assert_identical(found[name].drop_attrs().load(), direct[name].drop_attrs().load())
    days = warm_days.reshape(31, 24, *warm_days.shape[1:])
    expected = humidity.saturation_vapour_pressure(days).mean(1, dtype="float64")
    by_lat = found["saturation_vapour_pressure"].isel(lon=0)
    np.testing.assert_allclose(by_lat, expected[:, :, 0], rtol=1e-5)
    of_mean = humidity.saturation_vapour_pressure(found["air_temperature"].values)[:, :, 0]
    assert ((by_lat - of_mean) > 1).all(), "the pressure of the mean temperature is too low"


@pytest.mark.parametrize("change", [lambda kelvin: kelvin - 273.15, lambda kelvin: kelvin * 1.8 - 459.67])
def test_temperatures_in_another_unit_make_no_vapour_pressure(bucket, warm_days, change):
    """The pressure of 60 °F read as K is 0 hPa, which would be within its range."""
    time = np.datetime64("2011-01-01T00", "h") + np.arange(24 * 31)
    hours.fill_store(bucket.root, "t2m", change(warm_days).astype("float32"), times=time)
    axis = TimeAxis.of_years("day", (2011,), "2011-01")
    lazy = arco_era5.open_dynamic(arco_era5.Options(path=str(bucket.root)), names=("saturation_vapour_pressure",), axis=axis)
    with pytest.raises(UnitError, match="air_temperature must lie within 170"):
        lazy["saturation_vapour_pressure"].load()


def test_days_without_what_is_made_of_hours_are_made_anew(fetch, bucket, caplog):
    folder = fetch(months=1)
    (file,) = folder.glob("*.nc")
    with xr.open_dataset(file, decode_cf=False) as ds:
        old = ds.drop_vars("saturation_vapour_pressure_of_2m_temperature").load()
    old.to_netcdf(file)
    options = arco_era5.Options(path=bucket.url, download=True)
    with pytest.raises(InputError, match="lacks saturation_vapour_pressure_of_2m_temperature"):
        arco_era5.open_dynamic(options, names=("air_temperature",), axis=AXIS)
    before = len(bucket.chunks())
    fetch(months=1)
    assert len(bucket.chunks()) == before + 31 and "lacks saturation_vapour_pressure_of_2m_temperature: made anew" in caplog.text


def test_a_finished_month_is_never_fetched_again(fetch, bucket):
    fetch(months=1)
    before = len(bucket.chunks())
    folder = fetch(months=2)
    new = {key.split("/")[1].split(".")[0] for key in bucket.chunks()[before:]}
    assert new == {str(day) for day in range(31, 59)} and names(folder)[1] == "arco_era5_2m_temperature_2011_02.nc"


def test_an_outage_keeps_the_months_that_are_finished_and_the_hours_that_arrived(fetch, bucket, downloads, monkeypatch):
    monkeypatch.setattr(zarr_store, "ATTEMPTS", 3)
    bucket.last = 40
    with pytest.raises(OutageError):
        fetch()
    assert names(part_of(downloads)) == ["arco_era5_2m_temperature_2011_01.nc"]
    arrived = set(bucket.chunks()[:40])
    bucket.last, before = None, len(bucket.chunks())
    folder = fetch()
    assert len(names(folder)) == 2
    assert not arrived & set(bucket.chunks()[before:]), "a month goes on at the hour at which it stopped"
    assert not list(folder.rglob("*.0.0")), "hours go once their month is written"


def test_preliminary_hours_are_asked_for_again_after_an_outage(fetch, bucket, monkeypatch):
    monkeypatch.setattr(zarr_store, "ATTEMPTS", 3)
    marked(bucket.root, valid_time_stop="2011-01-20", valid_time_stop_era5t="2011-03-31")
    bucket.last = 20
    with pytest.raises(OutageError):
        fetch(months=1)
    marked(bucket.root, valid_time_stop="2011-01-31")
    bucket.last, before = None, count_when_quiet(bucket)
    fetch(months=1)
    assert len(bucket.chunks()) == before + 31


def test_hours_of_another_store_are_not_taken_up(fetch, bucket, original, tmp_path, monkeypatch):
    monkeypatch.setattr(zarr_store, "ATTEMPTS", 3)
    bucket.last = 20
    with pytest.raises(OutageError):
        fetch(months=1)
    with running_bucket(original) as other:
        folder = fetch(months=1, path=other.url)
        assert len(other.chunks()) == 31
    assert not list(folder.rglob("*.0.0"))


def test_tens_of_requests_that_fail_or_break_off_are_made_again(fetch, bucket):
    bucket.out, bucket.cut = 9, 4  # fewer than the attempts at a file, should one file meet them all
    assert len(names(fetch(months=1))) == 1


def test_a_request_is_made_again_for_half_an_hour():
    client = zarr_store.Remote("http://127.0.0.1:1/x").client
    pauses = [min(client.wait * 2**k, 300) for k in range(client.attempts - 1)]
    assert 20 * 60 < sum(pauses) < 60 * 60


SCRIPT = """
import sys
from tamrl.drivers import stage
options = {"path": sys.argv[1], "download": True}
stage.download_drivers(folder=sys.argv[2], source="arco_era5", item="t2m", year=2011, options=options)
"""


def test_a_kill_loses_no_finished_month(fetch, bucket, downloads):
    folder = downloads.item("arco_era5", "t2m", 2011)
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, bucket.url, folder], cwd=ROOT, env=dict(os.environ))
    until, first = time.monotonic() + 90, part_of(downloads) / "arco_era5_2m_temperature_2011_01.nc"
    while not first.is_file() and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    held = first.stat()
    before = len(bucket.chunks())
    fetch(months=12)
    assert "2m_temperature/0.0.0" not in bucket.chunks()[before:]
    kept = Path(folder, first.name).stat()
    assert (kept.st_ino, kept.st_mtime_ns) == (held.st_ino, held.st_mtime_ns) and len(names(Path(folder))) == 12


def test_empty_hours_are_refused_by_name(fetch, bucket, downloads, monkeypatch):
    bucket.lost = {"2m_temperature/33.0.0"}
    with pytest.raises(InputError, match=r"no value anywhere on the globe(.|\n)*24 hours: 2011-02-03T00, 2011-02-03T01"):
        fetch()
    assert names(part_of(downloads)) == ["arco_era5_2m_temperature_2011_01.nc"], "what was whole stays"
    direct = arco_era5.open_dynamic(arco_era5.Options(path=bucket.url), names=("air_temperature",), axis=AXIS)["air_temperature"]
    assert direct[:30].notnull().all()
    with pytest.raises(InputError, match=r"24 hours: 2011-02-03T00"):
        direct.load()
    bucket.lost = set()
    assert len(names(fetch())) == 2, "once the store is mended"


@pytest.mark.parametrize(
    ("item", "long", "gaps"),
    [("t2m", "2m_temperature", ["2011-01-04"]), ("tp", "total_precipitation", ["2011-01-03", "2011-01-04"])],
)
def test_days_of_empty_hours_are_ordered_where_asked_for(fetch, bucket, write, tmp_path, monkeypatch, item, long, gaps):
    def ordered(request):
        days = pd.date_range(f"{request['year']}-{request['month'][0]}-01", periods=len(request["day"]))
        values = write.weather(item, days, resolution=30) * 1.01
        units, kind = {"t2m": ("K", "instant"), "tp": ("m", "accum")}[item]
        ds = write.era5(item, values, days, resolution=30, units=units, step_type=kind)
        write.save(ds, tmp_path / "ordered.nc")
        return (tmp_path / "ordered.nc").read_bytes()

    bucket.lost = {f"{long}/3.0.0"}
    with running_store(ordered) as store:
        monkeypatch.setenv(store_login.URL, store.url)
        monkeypatch.setenv(store_login.KEY, store.key)
        monkeypatch.setattr(climate_store, "PATIENCE", QUICK)
        folder = fetch(item, months=1, gaps="cds_era5")
        assert [request["month"] for request in store.orders] == [["01"]]
    with xr.open_dataset(folder / f"arco_era5_{long}_2011_01.nc") as ds:
        days = pd.date_range("2011-01-01", periods=31)
        factor = 1 + 0.01 * days.isin(pd.to_datetime(gaps))
        expected = write.weather(item, days, resolution=30)[:, :, 0] * factor[:, None]
        np.testing.assert_allclose(ds[long].sel(lon=0), expected, rtol=1e-5)
        if item == "t2m":
            pressure = humidity.saturation_vapour_pressure(ds[long].values[days.isin(pd.to_datetime(gaps))])
            kept = ds[f"saturation_vapour_pressure_of_{long}"].values[days.isin(pd.to_datetime(gaps))]
            np.testing.assert_allclose(kept, pressure, rtol=1e-6)
        assert ds.attrs["days_from_the_climate_data_store"] == ", ".join(gaps), "an amount of 00:00 is of the day before"
    assert names(folder) == [f"arco_era5_{long}_2011_01.nc"]


def test_preliminary_days_are_counted_logged_and_marked(fetch, bucket, caplog):
    caplog.set_level(logging.INFO)
    marked(bucket.root, valid_time_stop="2011-02-18", valid_time_stop_era5t="2011-03-31")
    folder = fetch()
    assert "10 days from 2011-02-19 on are preliminary" in caplog.text
    with xr.open_dataset(folder / "arco_era5_2m_temperature_2011_02.nc") as ds:
        assert ds.attrs["preliminary_days"] == 10 and ds.attrs["valid_time_stop"] == "2011-02-18"
        assert ds["expver"].values.tolist() == [1] * 18 + [5] * 10
    options = arco_era5.Options(path=bucket.url, download=True)
    found = arco_era5.open_dynamic(options, names=("air_temperature",), axis=AXIS)["air_temperature"]
    assert found.attrs["expver"] == "0001: 49 times, 0005: 10 times"


def test_a_preliminary_month_is_made_again_once_it_is_final_and_not_before(fetch, bucket):
    marked(bucket.root, valid_time_stop="2011-01-20", valid_time_stop_era5t="2011-03-31")
    folder = fetch(months=1)
    before = len(bucket.chunks())
    fetch(months=1)
    assert len(bucket.chunks()) == before, "nothing is final yet"
    marked(bucket.root, valid_time_stop="2011-01-31")
    fetch(months=1)
    assert len(bucket.chunks()) == before + 31
    with xr.open_dataset(folder / "arco_era5_2m_temperature_2011_01.nc") as ds:
        assert ds.attrs["preliminary_days"] == 0 and (ds["expver"] == 1).all()


@pytest.mark.parametrize(
    ("item", "last", "whole"), [("t2m", "2011-02-28", True), ("tp", "2011-02-28", False), ("tp", "2011-03-01", True)]
)
def test_a_month_that_the_store_does_not_hold_yet_is_not_begun(fetch, bucket, item, last, whole):
    marked(bucket.root, valid_time_stop_era5t=last)
    if whole:
        assert len(names(fetch(item))) == 2
    else:
        with pytest.raises(InputError, match=r"not hold all hours of 2011-02(.|\n)*2011-02-28(.|\n)*time\.until"):
            fetch(item)
        assert max(int(key.split("/")[1].split(".")[0]) for key in bucket.chunks()) < 32


def test_a_store_without_the_variable_is_named(fetch, bucket):
    shutil.rmtree(bucket.root / "total_precipitation")
    zarr.consolidate_metadata(bucket.root, zarr_format=2)
    with pytest.raises(InputError, match="does not hold the variable"):
        fetch("tp")


def test_days_of_another_store_are_refused_where_they_are_read(fetch, bucket, downloads):
    fetch(months=2)
    options = arco_era5.Options(path="https://example.org/another.zarr", download=True)
    with pytest.raises(InputError) as caught:
        arco_era5.open_dynamic(options, names=("air_temperature",), axis=AXIS)
    text = str(caught.value)
    assert bucket.url in text and options.path in text and "2 of 2 files" in text
    same = arco_era5.Options(path=bucket.url + "/", download=True)
    assert arco_era5.open_dynamic(same, names=("air_temperature",), axis=AXIS)


def test_days_of_another_store_are_made_anew_where_they_are_fetched(fetch, bucket, original, caplog):
    folder = fetch(months=1, path=str(original))
    assert not bucket.chunks()
    fetch(months=1)
    assert len(bucket.chunks()) == 31 and f"was made of {original}: made anew of {bucket.url}" in caplog.text
    with xr.open_dataset(folder / "arco_era5_2m_temperature_2011_01.nc") as ds:
        assert ds.attrs["store"] == bucket.url
    before = len(bucket.chunks())
    fetch(months=1)
    assert len(bucket.chunks()) == before
