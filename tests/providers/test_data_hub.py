"""ERA5-Land of the Earth Data Hub, against a double with its login, its quota and its doubtful amounts."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import registry
from tamrl.calendar import TimeAxis
from tamrl.drivers import stage
from tamrl.drivers.remote import data_hub
from tamrl.drivers.sources import earth_data_hub
from tamrl.errors import DownloadError, InputError, OutageError
from tamrl.layout import Downloads
from tests.providers.data_hub import KEY, running_hub

NAMES = ("air_temperature", "precipitation")
AXIS = TimeAxis.of_years("day", (2011,), "2011-03")


@pytest.fixture(scope="session")
def stores(write, tmp_path_factory):
    """Stores of 30°: one that says what its amounts are, one that does not, one with amounts at the end of their day."""
    folder = tmp_path_factory.mktemp("hub")
    write.write_hub(folder / "said.zarr", resolution=30, years=[2011])
    write.write_hub(folder / "silent.zarr", resolution=30, years=[2011], GRIB_stepType="accum")
    write.write_hub(folder / "late.zarr", resolution=30, years=[2011], late=True, GRIB_stepType="accum")
    return folder


@pytest.fixture
def hub(stores, tmp_path, monkeypatch):
    shutil.copytree(stores, tmp_path / "hub")
    monkeypatch.setattr("tamrl.web.download.LONGEST_PAUSE", 0.01)
    monkeypatch.setenv(data_hub.KEY, KEY)
    with running_hub(tmp_path / "hub") as running:
        yield running


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    monkeypatch.setattr("tamrl.drivers.sources._folders.DOWNLOADS", Downloads(str(tmp_path / "downloads")))
    return Downloads(str(tmp_path / "downloads"))


@pytest.fixture
def fetch(hub, downloads):
    """Fetch the first months of 2011 of a variable; gives the folder."""

    def run(item="t2m", months=3, store="said.zarr", year=2011, **options):
        folder = Path(downloads.item("earth_data_hub", item, year))
        shutil.rmtree(folder, ignore_errors=True)  # as Snakemake does
        given = {"path": f"{hub.url}/{store}", "download": True, "months": months, **options}
        stage.download_drivers(folder=str(folder), source="earth_data_hub", item=item, year=year, options=given)
        return folder

    return run


def opened(hub, store="said.zarr", names=NAMES, axis=AXIS, **options):
    given = earth_data_hub.Options(path=f"{hub.url}/{store}", **{"download": True, **options})
    return earth_data_hub.open_dynamic(given, names=names, axis=axis)


def expected(write, item, days):
    """Values of the world at 180° W (sea) and 0° E, rows from the north to 60° S."""
    return write.weather(item, days, resolution=30)[:, :6, 0]


def test_what_was_fetched_is_the_store(fetch, hub, write):
    for item in ("t2m", "tp"):
        fetch(item)
    hub.last = 0
    for name, da in opened(hub).items():
        item, factor = {"air_temperature": ("t2m", 1), "precipitation": ("tp", 1000)}[name]
        days = pd.date_range("2011-01-01", "2011-03-31")
        np.testing.assert_allclose(da.sel(lon=0).values, expected(write, item, days) * factor, rtol=1e-6)
        assert da.sel(lon=-150).isnull().all(), "the sea"
        assert da.attrs["grid"] == "boxes" and da.sizes["lat"] == 6
    disk = {name: da.load() for name, da in opened(hub).items()}
    hub.last = None
    copy = earth_data_hub.open_dynamic(earth_data_hub.Options(path=str(hub.root / "said.zarr")), names=NAMES, axis=AXIS)
    web = opened(hub, download=False)
    for name, da in disk.items():
        xr.testing.assert_equal(da, copy[name].load())
        xr.testing.assert_equal(da, web[name].load())
    version = earth_data_hub.version(earth_data_hub.Options(path=f"{hub.url}/said.zarr", download=True))
    assert version["files"] > 4 and len(version["sha256"]) == 64


@pytest.mark.parametrize("item", ["tp", "ssrd"])
def test_amounts_of_no_day_are_refused_before_anything_is_fetched(fetch, hub, item):
    with pytest.raises(InputError) as caught:
        fetch(item, store="silent.zarr")
    text = str(caught.value)
    assert "of which day its amounts are totals" in text and "accum" in text and "day_before" in text
    assert not hub.chunks()
    fetch("t2m", store="silent.zarr")
    with pytest.raises(InputError, match="of which day"):
        opened(hub, "silent.zarr", ("precipitation",), download=False)


def test_amounts_that_stand_at_the_end_of_their_day(fetch, hub, write):
    fetch("tp", store="late.zarr", totals="day_before")
    rain = opened(hub, "late.zarr", ("precipitation",), totals="day_before")["precipitation"]
    days = pd.date_range("2011-01-01", "2011-03-31")
    np.testing.assert_allclose(rain.sel(lon=0).values, expected(write, "tp", days) * 1000, rtol=1e-6)
    assert rain.notnull().all("time").any(), "the last day too"


@pytest.mark.parametrize(("units", "stated"), [("mm", "mm"), (None, "none"), ("J m**-2", "J m")])
def test_another_unit_is_refused(fetch, hub, units, stated):
    path = hub.root / "said.zarr/tp/zarr.json"
    content = json.loads(path.read_text())
    content["attributes"].pop("units")
    content["attributes"] |= {"units": units} if units else {}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"another unit(.|\n)*{stated}"):
        fetch("tp")
    assert not hub.chunks()


def test_no_chunk_is_fetched_twice(fetch, hub, downloads):
    fetch(months=2)
    first = list(hub.chunks())
    fetch(months=3)
    fetch(months=12)
    fetch(year=2012, months=1)
    later = hub.chunks()[len(first) :]
    assert len(first) == 4 and not set(first) & set(later) and len(set(later)) == len(later)
    bodies = {key: (hub.root / key).stat().st_size for key in hub.chunks() if (hub.root / key).is_file()}
    assert {key: hub.sent[key] for key in bodies} == bodies


def test_a_stop_keeps_every_chunk_that_is_here(fetch, hub, monkeypatch):
    monkeypatch.setattr(data_hub, "ATTEMPTS", 2)
    hub.last = 6
    with pytest.raises(OutageError):
        fetch(months=12)
    hub.last, hub.cut, hub.out = None, 2, 1
    monkeypatch.setattr(data_hub, "ATTEMPTS", 14)
    fetch(months=12)
    for key in set(hub.chunks()):
        if (hub.root / key).is_file():
            assert hub.sent[key] == (hub.root / key).stat().st_size, "broken transfers go on where they broke"
    volume = earth_data_hub.volume(earth_data_hub.Options(), names=("air_temperature",), years=1)
    planned = (volume.requests - earth_data_hub.METADATA) * 4 / 120  # four chunks of a globe of 30 degrees for 120
    assert len(set(hub.chunks())) == pytest.approx(planned, rel=0.25), "as `make plan` says"


def test_the_last_chunk_of_a_growing_store_is_fetched_again(fetch, hub, write):
    fetch(year=2012, months=1)
    before = len(hub.chunks())
    shutil.rmtree(hub.root / "said.zarr")
    write.write_hub(hub.root / "said.zarr", resolution=30, years=[2011, 2012])
    fetch(year=2012, months=2)
    keys = [key.split("/")[3] for key in hub.chunks()[before:]]
    assert set(keys) == {"5"} and len(keys) == 4, "days 375 to 449, of which there were 21"


def test_the_quota_is_shown_and_kept(fetch, hub, caplog, downloads):
    caplog.set_level(logging.INFO)
    with pytest.raises(OutageError, match=r"monthly quota of requests is used up(.|\n)*next month"):
        fetch(months=12, quota=12)
    assert len(hub.seen) == 12 and "of 12 requests of this month are made" in caplog.text and "do not suffice" in caplog.text
    fetch(months=12, quota=500)
    assert len(set(hub.chunks())) == len(hub.chunks())
    (count,) = (Path(downloads.source("earth_data_hub")).with_name(".earth_data_hub.store")).glob("requests-*")
    assert count.stat().st_size == len(hub.seen)


def test_a_server_without_requests_left_is_asked_until_it_gives_some(fetch, hub, monkeypatch):
    monkeypatch.setattr(data_hub, "ATTEMPTS", 2)
    hub.quota = 10
    with pytest.raises(OutageError, match="429"):
        fetch(months=12)


def test_the_login_goes_to_the_hub_alone(fetch, hub, monkeypatch, tmp_path):
    monkeypatch.setenv(data_hub.KEY, "another")
    with pytest.raises(DownloadError, match="refuses the login"):
        fetch()
    monkeypatch.delenv(data_hub.KEY)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.raises(DownloadError, match=r"no key(.|\n)*earthdatahub"):
        fetch()
    (tmp_path / "netrc").write_text("machine api.earthdatahub.destine.eu\n  password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    login = data_hub.read_hub_login(registry.load_source("earth_data_hub").Options().path)
    assert login.hosts == ("api.earthdatahub.destine.eu",) and "secret" not in repr(login)


@pytest.mark.parametrize("every", [False, True])
def test_chunks_of_land_that_are_absent_are_refused(fetch, hub, every):
    keys = [str(p.relative_to(hub.root)) for p in (hub.root / "said.zarr/t2m/c/1").rglob("*") if p.is_file()]
    hub.lost = set(keys) if every else {keys[0]}
    with pytest.raises(InputError, match=r"lacks chunks of land(.|\n)*t2m/c/1"):
        fetch(months=12)
    hub.lost = set()
    fetch(months=12)


def test_chunks_on_the_disk_are_compared_with_their_list(fetch, hub):
    folder = fetch()
    chunk = next(p for p in (folder / "t2m").rglob("*") if p.parent.parent.parent.name == "c")
    content = chunk.read_bytes()
    chunk.unlink()
    with pytest.raises(InputError, match=r"lost or were changed"):
        opened(hub, names=("air_temperature",))
    chunk.write_bytes(content)
    with pytest.raises(InputError, match=r"another store(.|\n)*silent"):
        opened(hub, "silent.zarr", ("air_temperature",))


def test_days_that_the_store_does_not_hold_are_named(fetch, hub):
    with pytest.raises(InputError, match=r"not hold all days from 2012-01-01 to 2012-02-29(.|\n)*2012-01-31"):
        fetch(year=2012, months=2)
    assert not hub.chunks()
