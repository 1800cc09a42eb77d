"""What is ordered, searched and read on the web, against a server that plays the providers."""

import hashlib
import json
import os
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
import requests
from ecmwf.datastores import Results

from tamrl import variables
from tamrl.calendar import TimeAxis
from tamrl.drivers import stage
from tamrl.drivers.remote import climate_store, earthdata, store_jobs, store_login, zarr_store
from tamrl.drivers.sources import arco_era5
from tamrl.errors import DownloadError, InputError, OutageError
from tamrl.files import is_intact
from tamrl.web import download
from tests.server import CONTENT, KEY, TOKEN, running

QUICK = store_jobs.Patience(outage=2.0, order=5.0, pause=0.01, longest=0.1, look=0.02, attempts=3)


@pytest.fixture
def server():
    with running() as found:
        yield found


@pytest.fixture
def login(server, monkeypatch):
    monkeypatch.setenv(store_login.URL, server.url)
    monkeypatch.setenv(store_login.KEY, KEY)
    monkeypatch.setattr(climate_store, "PATIENCE", QUICK)
    monkeypatch.setenv(earthdata.SEARCH, server.url)
    monkeypatch.setenv(earthdata.TOKEN, TOKEN)


# The Climate Data Store


def orders(name):
    """The order of January 2011."""
    return climate_store.era5_orders(variables.era5_entry(name), 2011, 1)


def fetched(tmp_path, source="cds_era5", item="t2m", year=2011, **options):
    folder = tmp_path / "downloads" / str(year)
    stage.download_drivers(folder=str(folder), source=source, item=item, year=year, options=options)
    return sorted(p.name for p in folder.iterdir())


def test_orders_become_files_one_a_month(server, login, tmp_path):
    server.faults["/retrieve/v1/jobs/0"] = ["503"]
    names = fetched(tmp_path)
    assert len(names) == 12 and names[1] == "era5_2m_temperature_daily_mean_2011_02.nc"
    job = server.jobs["1"]
    assert job["dataset"] == "derived-era5-single-levels-daily-statistics"
    assert job["request"]["day"][-1] == "28" and job["request"]["time_zone"] == "utc+00:00"
    assert (tmp_path / "downloads/2011" / names[1]).read_bytes() == CONTENT[:1002]
    assert {p.name for p in (tmp_path / "downloads").iterdir()} == {"2011", ".2011.seal"} and is_intact(
        tmp_path / "downloads/2011"
    )


@pytest.mark.parametrize(("source", "item", "more"), [("cds_era5", "t2m", 0), ("cds_era5_land", "tp", 1)])
def test_an_unfinished_year_is_fetched_month_by_month(server, login, tmp_path, source, item, more):
    given, folder = {"source": source, "item": item}, tmp_path / "downloads/2011"
    first = fetched(tmp_path, **given, months=2)
    files = {name: (folder / name).stat() for name in first}
    assert len(first) == 2 + more and (not more or first[-1].endswith("_2011_03_01.nc")), "the hour that ends February"
    shutil.rmtree(folder)  # as Snakemake does
    before = len(server.jobs)
    second = fetched(tmp_path, **given, months=3)
    assert len(server.jobs) == before + 1 + more and set(second) > set(first)
    for name, about in files.items():
        assert os.path.samestat((folder / name).stat(), about) and (folder / name).stat().st_mtime_ns == about.st_mtime_ns
    shutil.rmtree(folder)
    last = fetched(tmp_path, **given)
    assert set(last) > set(first) and len(server.jobs) == 12 + 3 * more and not (folder.parent / ".2011.part").exists()


def test_a_file_that_breaks_off_leaves_the_others(server, login, tmp_path, monkeypatch):
    server.faults["/file/derived-era5-single-levels-daily-statistics-2011-03.nc"] = ["403"] * 9
    with pytest.raises(DownloadError, match="object store does not give its file"):
        fetched(tmp_path)
    assert len(list((tmp_path / "downloads/.2011.part").glob("*.nc"))) == 2 and not (tmp_path / "downloads/2011").exists()
    before = len(server.jobs)
    assert len(fetched(tmp_path)) == 12 and len(server.jobs) == before + 10, "two were there already"


def test_era5_land_orders_the_hour_that_ends_the_day(server, login, tmp_path):
    names = fetched(tmp_path, source="cds_era5_land", item="tp")
    assert len(names) == 13 and names[-1].endswith("_2012_01.nc")
    assert server.jobs["12"]["request"] == {
        "variable": ["total_precipitation"], "year": "2012", "month": ["01"], "day": ["01"], "time": ["00:00"],
        "data_format": "netcdf", "download_format": "unarchived",
    }  # fmt: skip
    assert server.jobs["0"]["dataset"] == "reanalysis-era5-land"


def test_a_job_that_takes_long_is_awaited(server, login, tmp_path):
    server.slow = 1
    climate_store.fetch_orders(orders("tp"), tmp_path)
    assert server.jobs["0"]["asked"] >= 2
    assert [p.name for p in tmp_path.iterdir()] == ["era5_total_precipitation_daily_sum_2011_01.nc"]


def test_without_a_key_nothing_is_asked(server, login, tmp_path, monkeypatch):
    monkeypatch.delenv(store_login.KEY)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DownloadError, match=r"no key(.|\n)*ECMWF_DATASTORES_KEY(.|\n)*free account"):
        fetched(tmp_path)
    monkeypatch.setenv(store_login.KEY, "old")
    with pytest.raises(DownloadError, match="refuses the key"):
        fetched(tmp_path)
    assert not server.jobs


# NASA's archives


def granule(server, name, content, **changed):
    server.files[name] = content
    url = f"{server.url}/file/{name}"
    digest = {"Algorithm": "SHA-256", "Value": hashlib.sha256(content).hexdigest()}
    part = {"Name": name, "SizeInBytes": len(content), "Checksum": digest | changed}
    links = [{"Type": "GET DATA", "URL": url}, {"Type": "GET DATA", "URL": url.replace("http://", "s3://")}]
    links += [{"Type": "VIEW RELATED INFORMATION", "URL": f"{url}.xml"}]
    return {"GranuleUR": name, "RelatedUrls": links, "DataGranule": {"ArchiveAndDistributionInformation": [part]}}


def test_composites_of_a_year(server, login, tmp_path):
    days = ["2010353", "2011001", "2011017", "2011033"]
    server.granules = [granule(server, f"MOD13C1.A{d}.061.2020.hdf", CONTENT[:k]) for d, k in zip(days, range(5, 9), strict=True)]
    names = fetched(tmp_path, source="modis", item="MOD13C1")
    assert names == [f"MOD13C1.A{d}.061.2020.hdf" for d in days[1:]], "over two pages of the search; the first is another year's"
    assert (tmp_path / "downloads/2011" / names[0]).read_bytes() == CONTENT[:6]
    searched = [headers for path, headers in server.seen if path.startswith("/search/")]
    assert len(searched) == 2 and not any("Authorization" in headers for headers in searched), "the search needs no login"


def test_a_changed_checksum_and_an_expired_token_are_refused(server, login, tmp_path, monkeypatch):
    server.granules = [granule(server, "MOD13C1.A2011001.061.2020.hdf", CONTENT, Value="0" * 64)]
    with pytest.raises(DownloadError, match="not what its publisher announces"):
        fetched(tmp_path, source="modis", item="MOD13C1")
    monkeypatch.setenv(earthdata.TOKEN, "old")
    with pytest.raises(DownloadError, match="refuses the login"):
        fetched(tmp_path, source="modis", item="MOD13C1")
    monkeypatch.delenv(earthdata.TOKEN)
    with pytest.raises(DownloadError, match=r"no login(.|\n)*EARTHDATA_TOKEN"):
        fetched(tmp_path, source="modis", item="MOD13C1")
    server.granules = []
    monkeypatch.setenv(earthdata.TOKEN, TOKEN)
    with pytest.raises(DownloadError, match="no files of MOD13C1"):
        fetched(tmp_path, source="modis", item="MOD13C1")


@pytest.mark.parametrize(
    "answer", [b"<html>sign in</html>", b"", b"[]", b"{}", b'{"items": [1], "hits": 1}', b'{"items": [{}], "hits": 1}', b"\xff"]
)
def test_an_answer_of_the_search_that_is_none_is_named(login, tmp_path, monkeypatch, answer):
    monkeypatch.setattr(download.Client, "get", lambda *args, **more: answer)
    with pytest.raises(DownloadError, match=r"answer of the search(.|\n)*granules\.umm_json"):
        earthdata.search_granules("MOD13C1", "061", "2011-01-01", "2011-12-31")


@pytest.mark.parametrize(
    "link",
    [
        "http://localhost:{port}/evil/{name}",
        "https://e4.nasa.gov.evil.org/{name}",
        "http://data.lpdaac.earthdatacloud.nasa.gov/{name}",
    ],
)
def test_a_file_at_a_host_that_is_not_the_archives_is_refused_and_the_token_kept(server, login, tmp_path, link):
    name = "MOD13C1.A2011001.061.2020.hdf"
    found = granule(server, name, CONTENT)
    found["RelatedUrls"] = [{"Type": "GET DATA", "URL": link.format(port=server.server_address[1], name=name)}]
    server.granules = [found]
    with pytest.raises(DownloadError, match="not NASA's"):
        fetched(tmp_path, source="modis", item="MOD13C1")
    assert not [path for path, headers in server.seen if "Authorization" in headers]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [("SizeInBytes", -1, "no number of bytes"), ("SizeInBytes", 1e9, "no number"), ("SizeInBytes", True, "no number"),
     ("Checksum", {"Algorithm": "MD5", "Value": "x" * 32}, "no checksum"),
     ("Checksum", {"Algorithm": "MD5", "Value": 7}, "search")],
)  # fmt: skip
def test_size_and_checksum_of_an_answer_are_looked_at(server, login, tmp_path, field, value, reason):
    found = granule(server, "MOD13C1.A2011001.061.2020.hdf", CONTENT)
    found["DataGranule"]["ArchiveAndDistributionInformation"][0][field] = value
    server.granules = [found]
    with pytest.raises(DownloadError, match=reason):
        fetched(tmp_path, source="modis", item="MOD13C1")


def test_a_search_ends_though_its_answers_do_not(login, monkeypatch):
    asked = []

    def get(self, url, **more):
        asked.append(url)
        return b'{"hits": 1e99, "items": []}' if len(asked) == 1 else b'{"hits": 2001, "items": [{}]}'

    monkeypatch.setattr(download.Client, "get", get)
    for _ in range(2):
        with pytest.raises(DownloadError, match="files of a product"):
            earthdata.search_granules("MOD13C1", "061", "2011-01-01", "2011-12-31")


def test_an_order_that_is_never_ready_is_an_outage(server, login, tmp_path, monkeypatch):
    server.slow = 10**9
    monkeypatch.setattr(climate_store, "PATIENCE", replace(QUICK, order=0.5))
    with pytest.raises(OutageError, match="not finished"):
        climate_store.fetch_orders(orders("t2m"), tmp_path)


def test_the_key_goes_to_no_other_server_that_an_answer_names(server, login, tmp_path, monkeypatch):
    with running() as other:
        monkeypatch.setattr(server, "url", other.url)  # in the links of the answers
        with pytest.raises(DownloadError, match="credential is not sent"):
            climate_store.fetch_orders(orders("t2m"), tmp_path)
        assert not other.seen and not other.jobs


def test_a_key_over_http_goes_nowhere(login, tmp_path, monkeypatch):
    monkeypatch.setenv(store_login.URL, "http://cds.climate.copernicus.eu/api")
    with pytest.raises(DownloadError, match="credential is not sent"):
        climate_store.fetch_orders(orders("t2m"), tmp_path)


# Outages, or faults of what was asked


@pytest.mark.parametrize(
    "reason", [ValueError, KeyError, TypeError, AttributeError, RuntimeError, requests.exceptions.InvalidURL]
)
def test_whatever_an_order_raises_is_named(login, tmp_path, monkeypatch, reason):
    monkeypatch.setattr(store_jobs.StoreJobs, "place", lambda *args: (_ for _ in ()).throw(reason("odd")))
    with pytest.raises(DownloadError, match=r"era5_2m_temperature(.|\n)*odd") as caught:
        climate_store.fetch_orders(orders("t2m"), tmp_path)
    assert not isinstance(caught.value, OutageError)


@pytest.mark.parametrize("asset", [{}, {"href": "x"}, {"href": "x", "file:size": "many"}, None])
def test_an_order_whose_answer_lacks_something_is_named(login, tmp_path, monkeypatch, asset):
    answer = requests.Response()
    answer._content, answer.url = json.dumps({"asset": {"value": asset}}).encode(), "http://a/results"
    keywords = dict.fromkeys(("headers", "session", "retry_options", "request_options", "download_options", "sleep_max"))
    given = Results(answer, **keywords, cleanup=False, log_callback=None)
    monkeypatch.setattr(store_jobs.PlacedOrder, "results", lambda *args: given)
    with pytest.raises(DownloadError, match="era5_2m_temperature"):
        climate_store.fetch_orders(orders("t2m"), tmp_path)


@pytest.mark.parametrize(
    "fetch",
    [
        lambda folder: climate_store.fetch_orders(orders("t2m"), folder),
        lambda folder: earthdata.search_granules("MOD13C1", "061", "2011-01-01", "2011-12-31", wait=0.01),
        lambda folder: zarr_store.sha256_of("http://127.0.0.1:1/x"),
    ],
    ids=["orders", "search", "store"],
)
def test_no_network_is_an_outage(login, tmp_path, monkeypatch, fetch):
    monkeypatch.setenv(store_login.URL, "http://127.0.0.1:1")
    monkeypatch.setenv(earthdata.SEARCH, "http://127.0.0.1:1")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with pytest.raises(OutageError):
        fetch(tmp_path)


# The public store of hours


def test_the_store_on_the_web_gives_the_bits_of_a_copy(server, world):
    server.root = world / "arco.zarr"
    server.faults["/store/2m_temperature/0.0.0"] = ["503", "drop"]
    days = {"names": ("air_temperature", "precipitation"), "axis": TimeAxis.of_years("day", (2011,))}
    near = arco_era5.open_dynamic(arco_era5.Options(path=str(world / "arco.zarr")), **days)
    options = arco_era5.Options(path=f"{server.url}/store")
    far = arco_era5.open_dynamic(options, **days)
    before = len(server.seen)
    for name, da in far.items():
        np.testing.assert_array_equal(da[:3].values, near[name][:3].values)
    asked = [path for path, _ in server.seen[before:]]
    assert len({path for path in asked if path.startswith("/store/total_precipitation/")}) == 4, "only the chunks of three days"
    assert arco_era5.version(options)["sha256"] == arco_era5.version(arco_era5.Options(path=str(world / "arco.zarr")))["sha256"]
    assert arco_era5.inputs(options) == []


def test_a_folder_without_one_store_is_refused(tmp_path):
    for names in ((), ("a.zarr", "b.zarr")):
        for name in names:
            (tmp_path / name).mkdir()
        with pytest.raises(InputError, match="no Zarr store, or several"):
            arco_era5.version(arco_era5.Options(path=str(tmp_path)))


def test_preliminary_hours_are_counted_and_hours_to_come_are_none(write, tmp_path):
    import zarr

    path = tmp_path / "arco.zarr"
    write.write_arco(path, resolution=30, years=[2011])
    root = zarr.open_group(path, mode="r+", zarr_format=2, use_consolidated=False)
    root.attrs.update({"valid_time_stop": "2011-10-31T23:00", "valid_time_stop_era5t": "2011-11-30"})
    zarr.consolidate_metadata(path, zarr_format=2)
    days = {"names": ("air_temperature",), "axis": TimeAxis.of_years("day", (2011,))}
    found = arco_era5.open_dynamic(arco_era5.Options(path=str(path)), **days)["air_temperature"]
    assert found.attrs["expver"] == f"0001: {304 * 24} times, 0005: {30 * 24} times"
    gone = found.isnull().all(["lat", "lon"]).values
    assert gone[334:].all() and not gone[:334].any()
