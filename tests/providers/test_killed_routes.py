"""Each route from its provider to the cube, killed on the way and taken up again: the same cube, and no byte fetched twice."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from tamrl import registry, stores
from tamrl.drivers import stage
from tamrl.drivers.remote import data_hub, earthdata, store_login
from tamrl.layout import Downloads
from tamrl.web.addresses import LOCAL
from tests.providers.climate_store import running_store
from tests.providers.data_hub import KEY as HUB_KEY
from tests.providers.data_hub import running_hub
from tests.providers.earthdata import TOKEN, running_earthdata
from tests.providers.hour_store import running_bucket
from tests.providers.tap import Tap
from tests.towers.conftest import sample  # noqa: F401
from tests.towers.test_shuttle import Handler, _gather, listed, server  # noqa: F401

ROOT = Path(__file__).parents[2]
MONTHS, UNTIL = 3, "2011-03"
DOWNLOAD = "import json, sys; from tamrl.drivers import stage; stage.download_drivers(**json.loads(sys.argv[1]))"
FETCH = (
    "import json, sys; from pathlib import Path; from tamrl.towers.networks import shuttle; given = json.loads(sys.argv[1]); "
    "shuttle.fetch(shuttle.Options(**given['options']), Path(given['folder']), wait=0.01)"
)


@contextmanager
def climate_store(world):
    """Orders of months, answered with the world's files."""

    def content(request):
        return (world / f"era5/era5_t2m_{request['year']}_{request['month'][0]}.nc").read_bytes()

    with running_store(content) as store:
        yield {
            "double": store,
            "item": "t2m",
            "hold": 2,
            "options": {},
            "env": {store_login.URL: store.url, store_login.KEY: store.key},
        }


@contextmanager
def hour_store(world):
    """Chunks of a day; the first month has 31, so it is killed within the second."""
    with running_bucket(world / "arco.zarr") as bucket:
        yield {"double": bucket, "item": "t2m", "hold": 40, "options": {"path": bucket.url}, "env": {}}


@contextmanager
def hub(world):
    with running_hub(world / "hub.zarr") as running:
        yield {"double": running, "item": "t2m", "hold": 3, "options": {"path": running.url}, "env": {data_hub.KEY: HUB_KEY}}


@contextmanager
def archive(world):
    """Composites of NASA's archive."""
    with running_earthdata() as (running, bucket):
        for path in sorted((world / "modis").glob("MOD13C1.A2011*.nc")):
            if int(path.name[13:16]) <= 90:
                running.add(f"{path.name.removesuffix('.nc')}.2021001000000.hdf", path.read_bytes())
        env = {earthdata.SEARCH: running.url, earthdata.TOKEN: TOKEN}
        yield {"double": bucket, "item": "MOD13C1", "hold": 3, "options": {}, "env": env}


ROUTES = {"cds_era5": climate_store, "arco_era5": hour_store, "earth_data_hub": hub, "modis": archive}


def killed(script, argument, double, hold):
    """Run a script until the double holds its objects back, and kill it; then let the double send again."""
    double.tap = Tap(hold)
    process = subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(argument)], cwd=ROOT, env=os.environ, start_new_session=True
    )
    assert double.tap.holding.wait(300), "the script ended before"
    time.sleep(1)  # what has been sent gets onto the disk
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    double.tap.open()
    return double.tap


def sizes(tap):
    """Bytes sent of each object, once."""
    assert tap.sent
    return dict(tap.sent)


def cube_of(world, source, options, path):
    """Hashes of the chunks of a cube of what was downloaded, with the other sources from the disk."""
    weather = source if source != "modis" else "cds_era5"
    drivers = {
        "sources": [weather, "modis", "static"],
        "variables": {"dynamic": ["air_temperature", "ndvi"], "static": ["elevation"]},
        "cds_era5": {"path": str(world / "era5")},
        "modis": {"path": str(world / "modis")},
        "static": {"path": str(world / "static")},
    }
    drivers[source] = {**options, "download": True}
    time_axis = {"step": "day", "years": [2011], "until": UNTIL}
    stage.build_cube(paths=[], cube=str(path), drivers=drivers, time=time_axis, resolution=10.0, threads=1)
    return {name: entry.sha256 for name, entry in stores.read_manifest(path).files.items() if "/c/" in name}


def planned_objects(source):
    """Objects of a variable and these months by the plan of the costs, for the chunks of the doubles."""
    plugin = registry.load_source(source)
    requests = plugin.volume(plugin.Options(), names=("air_temperature",), years=1).requests
    return requests * MONTHS / 12 / (24 if source == "arco_era5" else 1)


@pytest.mark.parametrize("source", ROUTES)
def test_a_killed_route_ends_in_the_same_cube_and_fetches_no_byte_twice(source, world, tmp_path, monkeypatch):
    monkeypatch.setenv(LOCAL, "127.0.0.1")
    with ROUTES[source](world) as route:
        for name, value in route["env"].items():
            monkeypatch.setenv(name, value)
        double, cubes, taps = route["double"], {}, {}
        for way in ("straight", "killed"):
            downloads = Downloads(str(tmp_path / way))
            monkeypatch.setattr("tamrl.drivers.sources._folders.DOWNLOADS", downloads)
            folder = downloads.item(source, route["item"], 2011)
            options = {**route["options"], "download": True, "months": MONTHS}
            job = {"folder": folder, "source": source, "item": route["item"], "year": 2011, "options": options}
            double.tap = Tap()
            if way == "killed":
                killed(DOWNLOAD, job, double, route["hold"])
                assert not Path(folder).exists()
            stage.download_drivers(**job)
            taps[way] = sizes(double.tap)
            cubes[way] = cube_of(world, source, route["options"], tmp_path / way / "cube.zarr")
    assert len(cubes["straight"]) > 2 and cubes["killed"] == cubes["straight"]
    by_size = {way: sorted(sent.values()) for way, sent in taps.items()}
    assert by_size["killed"] == by_size["straight"], "objects are as many, and each was sent once"
    assert len(taps["killed"]) > route["hold"]
    if source != "earth_data_hub":  # whose chunks are of 75 days: `test_data_hub` compares those of a year
        assert len(taps["killed"]) == pytest.approx(planned_objects(source), rel=0.25), "as `make plan` says"


def test_a_killed_download_of_towers_ends_in_the_same_records(listed, server, tmp_path, monkeypatch):  # noqa: F811
    class Counting(Handler):
        def do_GET(self):
            name = self.path.lstrip("/").partition("?")[0]
            if name not in server.content or server.tap.admit(name, len(server.content[name])):
                super().do_GET()

    server.RequestHandlerClass = Counting
    tables = {}
    for way in ("straight", "killed"):
        folder = tmp_path / way / "shuttle"
        given = {"folder": str(folder), "options": {"snapshot": str(listed), "at_once": 1}}
        server.tap = Tap()
        if way == "killed":
            killed(FETCH, given, server, 2)
            assert not folder.exists()
        subprocess.run([sys.executable, "-c", FETCH, json.dumps(given)], cwd=ROOT, check=True)
        assert server.tap.sent == {name: len(body) for name, body in server.content.items()}
        tables[way] = _gather(folder)[0]
    pd.testing.assert_frame_equal(tables["straight"], tables["killed"])
