"""Downloads from a server on this machine that plays the providers: it breaks off, is busy, lies, and checks the login."""

import hashlib
import http.server
import json
import os
import threading
import urllib.parse

import numpy as np
import pytest

from tamrl.drivers import stage
from tamrl.drivers.sources import _cds, _earthdata, _web, arco_era5
from tamrl.errors import DownloadError, InputError

CONTENT = os.urandom(300_000)
KEY, TOKEN = "a-key", "a-token"


class Server(http.server.ThreadingHTTPServer):
    """Files of `files` below /file/, the folder `root` below /store/, jobs below /retrieve/, the search below /search/.

    `faults` maps a path to what happens to its next requests: a status, `drop`, `other` bytes; `seen` holds the requests.
    """

    daemon_threads = True

    def __init__(self):
        self.files, self.faults, self.seen, self.jobs = {}, {}, [], {}
        self.root, self.ranges, self.after, self.granules, self.slow = None, True, "0", [], 0
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self):
        path = urllib.parse.urlparse(self.path).path
        self.server.seen.append((path, dict(self.headers)))
        todo = self.server.faults.get(path, [])
        fault = todo.pop(0) if todo else None
        if fault and fault.isdigit():
            self.send_response(int(fault))
            self.send_header("Retry-After", self.server.after)
            self.end_headers()
            return
        part = path.split("/")[1]
        {"file": self.file, "store": self.store, "retrieve": self.job, "search": self.search}.get(part, self.nothing)(path, fault)

    def nothing(self, path, fault):
        self.send_error(404)

    def file(self, path, fault):
        name = path.removeprefix("/file/")
        if name.endswith(".hdf") and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.send_error(401)
        self.body(self.server.files[name] if fault != "other" else b"x" * len(self.server.files[name]), fault)

    def store(self, path, fault):
        found = self.server.root / path.removeprefix("/store/")
        self.body(found.read_bytes(), fault) if found.is_file() else self.send_error(404)

    def body(self, body, fault):
        wanted = self.headers.get("Range")
        start = int(wanted.split("=")[1].split("-")[0]) if wanted and self.server.ranges else 0
        self.send_response(206 if wanted and self.server.ranges else 200)
        if wanted and self.server.ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : int(0.4 * len(body)) if fault == "drop" else None])

    def answer(self, content, status=200):
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
        if self.headers.get("PRIVATE-TOKEN") != KEY:
            return self.answer({"title": "unauthorized", "detail": "operation not allowed"}, 401)
        number = str(len(self.server.jobs))
        self.server.jobs[number] = {"dataset": self.path.split("/")[4], "request": request, "asked": 0}
        link = {"rel": "monitor", "href": f"{self.server.url}/retrieve/v1/jobs/{number}"}
        self.answer({"jobID": number, "status": "accepted", "links": [link]}, 201)

    def job(self, path, fault):
        parts = path.split("/")
        if parts[3] == "processes":
            links = [{"rel": "execute", "href": f"{self.server.url}{path}/execution"}]
            return self.answer({"id": parts[4], "links": links})
        job = self.server.jobs[parts[4]]
        if parts[-1] == "results":
            request = job["request"]
            body = CONTENT[: 1000 + int(request["month"][0])]
            name = f"{job['dataset']}-{request['year']}-{request['month'][0]}.nc"
            self.server.files.setdefault(name, body)
            asset = {"href": f"{self.server.url}/file/{name}", "type": "application/netcdf", "file:size": len(body)}
            return self.answer({"asset": {"value": asset | {"file:checksum": hashlib.md5(body).hexdigest()}}})
        job["asked"] += 1
        links = [{"rel": "results", "href": f"{self.server.url}{path}/results"}]
        self.answer({"jobID": parts[4], "status": "successful" if job["asked"] > self.server.slow else "running", "links": links})

    def search(self, path, fault):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(self.path).query))
        size, page = 2, int(query["page_num"])
        items = self.server.granules[(page - 1) * size : page * size]
        self.answer({"hits": len(self.server.granules), "items": [{"umm": umm} for umm in items]})

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as running:
        running.files["a.nc"] = CONTENT
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def login(server, monkeypatch):
    monkeypatch.setenv(_cds.URL, server.url)
    monkeypatch.setenv(_cds.KEY, KEY)
    monkeypatch.setenv(_earthdata.SEARCH, server.url)
    monkeypatch.setenv(_earthdata.TOKEN, TOKEN)


SUM = ("sha256", hashlib.sha256(CONTENT).hexdigest())


def download(server, target, *, checksum=SUM, **options):
    client = _web.Client(**{"wait": 0.01, "attempts": 3} | options)
    client.download(f"{server.url}/file/a.nc", target, size=len(CONTENT), checksum=checksum)
    return target.read_bytes()


def test_fault_9_a_break_at_40_percent_is_resumed(server, tmp_path):
    server.faults["/file/a.nc"] = ["drop", "drop"]
    assert download(server, tmp_path / "a.nc") == CONTENT
    assert [headers.get("Range") for _, headers in server.seen] == [None, "bytes=65536-", "bytes=65536-"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


def test_fault_9_a_server_that_ignores_the_range_sends_all_again(server, tmp_path):
    server.ranges, server.faults["/file/a.nc"] = False, ["drop"]
    assert download(server, tmp_path / "a.nc") == CONTENT


def test_what_has_arrived_is_kept_for_the_next_run_under_a_hidden_name(server, tmp_path):
    server.faults["/file/a.nc"] = ["drop"]
    with pytest.raises(DownloadError, match="failed 1 times"):
        download(server, tmp_path / "a.nc", attempts=1)
    assert [p.name for p in tmp_path.iterdir()] == [".a.nc.part"]
    assert download(server, tmp_path / "a.nc") == CONTENT
    assert server.seen[-1][1]["Range"] == "bytes=65536-"


def test_a_part_longer_than_the_file_is_thrown_away(server, tmp_path):
    (tmp_path / ".a.nc.part").write_bytes(CONTENT + b"more")
    server.faults["/file/a.nc"] = ["416"]
    assert download(server, tmp_path / "a.nc") == CONTENT


def test_a_busy_server_is_asked_again_when_it_says(server, tmp_path, caplog):
    server.after, server.faults["/file/a.nc"] = "1", ["429", "503"]
    assert download(server, tmp_path / "a.nc") == CONTENT
    assert caplog.text.count("again in 1.0 s") == 2


def test_it_gives_up_after_a_bounded_number_of_times(server, tmp_path):
    server.faults["/file/a.nc"] = ["503"] * 9
    with pytest.raises(DownloadError, match="failed 3 times"):
        download(server, tmp_path / "a.nc")
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", ["401", "403"])
def test_an_expired_login_is_not_tried_again(server, tmp_path, status):
    server.faults["/file/a.nc"] = [status]
    with pytest.raises(DownloadError, match="refuses the login"):
        download(server, tmp_path / "a.nc")
    assert len(server.seen) == 1 and not list(tmp_path.iterdir())


def test_a_changed_file_never_gets_its_name(server, tmp_path):
    server.faults["/file/a.nc"] = ["other"]
    with pytest.raises(DownloadError, match="not what its publisher announces"):
        download(server, tmp_path / "a.nc")
    assert not list(tmp_path.iterdir())


def test_a_whole_file_is_not_fetched_again_and_a_damaged_one_is(server, tmp_path):
    download(server, tmp_path / "a.nc")
    download(server, tmp_path / "a.nc")
    assert len(server.seen) == 1
    (tmp_path / "a.nc").write_bytes(b"y" * len(CONTENT))
    assert download(server, tmp_path / "a.nc") == CONTENT


def test_requests_keep_their_distance(server, tmp_path):
    import time

    client = _web.Client(gap=0.2)
    start = time.monotonic()
    for _ in range(3):
        client.get(f"{server.url}/file/a.nc", start=0, end=10)
    assert time.monotonic() - start >= 0.4


# The Climate Data Store


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
    assert [p.name for p in (tmp_path / "downloads").iterdir()] == ["2011"]


def test_a_file_that_breaks_off_leaves_the_others(server, login, tmp_path, monkeypatch):
    server.faults["/file/derived-era5-single-levels-daily-statistics-2011-03.nc"] = ["403"]
    with pytest.raises(DownloadError, match="refuses the login"):
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
    _cds.fetch(_cds.era5("tp", 2011)[:1], tmp_path)
    assert server.jobs["0"]["asked"] >= 2
    assert [p.name for p in tmp_path.iterdir()] == ["era5_total_precipitation_daily_sum_2011_01.nc"]


def test_without_a_key_nothing_is_asked(server, login, tmp_path, monkeypatch):
    monkeypatch.delenv(_cds.KEY)
    with pytest.raises(DownloadError, match=r"no key(.|\n)*ECMWF_DATASTORES_KEY(.|\n)*free account"):
        fetched(tmp_path)
    monkeypatch.setenv(_cds.KEY, "old")
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
    monkeypatch.setenv(_earthdata.TOKEN, "old")
    with pytest.raises(DownloadError, match="refuses the login"):
        fetched(tmp_path, source="modis", item="MOD13C1")
    monkeypatch.delenv(_earthdata.TOKEN)
    with pytest.raises(DownloadError, match=r"no login(.|\n)*EARTHDATA_TOKEN"):
        fetched(tmp_path, source="modis", item="MOD13C1")
    server.granules = []
    monkeypatch.setenv(_earthdata.TOKEN, TOKEN)
    with pytest.raises(DownloadError, match="no files of MOD13C1"):
        fetched(tmp_path, source="modis", item="MOD13C1")


# The public store of hours


def test_the_store_on_the_web_gives_the_bits_of_a_copy(server, world):
    server.root = world / "arco.zarr"
    server.faults["/store/2m_temperature/0.0.0"] = ["503", "drop"]
    days = {"names": ("air_temperature", "precipitation"), "years": (2011,), "step": "day"}
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
    days = {"names": ("air_temperature",), "years": (2011,), "step": "day"}
    found = arco_era5.open_dynamic(arco_era5.Options(path=str(path)), **days)["air_temperature"]
    assert found.attrs["expver"] == f"0001: {304 * 24} times, 0005: {30 * 24} times"
    gone = found.isnull().all(["lat", "lon"]).values
    assert gone[334:].all() and not gone[:334].any()
