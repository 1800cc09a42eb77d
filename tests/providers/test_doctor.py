"""`tamrl doctor --providers` against doubles of all providers: what it finds, what it advises, that it tells no secret."""

import hashlib
import json
import re
import time

import pandas as pd
import pytest

from tamrl.command import providers
from tamrl.command.main import main
from tamrl.drivers.remote import data_hub, earthdata
from tamrl.drivers.remote.store_login import KEY, URL
from tamrl.towers import public_files
from tests.providers import climate_store, hour_store, map_publisher
from tests.providers import earthdata as nasa_double
from tests.providers.data_hub import KEY as HUB_KEY
from tests.providers.data_hub import running_hub
from tests.providers.test_climate_store import NAMES, home  # noqa: F401
from tests.providers.test_earthdata import FIRST, nasa, netrc  # noqa: F401
from tests.providers.test_hour_store import original  # noqa: F401
from tests.towers.conftest import sample  # noqa: F401
from tests.towers.test_shuttle import listed, server  # noqa: F401

HDF = b"\x0e\x03\x13\x01" + b"x" * 99
USER = "somebody-of-the-tests"


@pytest.fixture
def store(write):
    """The Climate Data Store, which gives a day of 2 m temperatures."""

    def content(request):
        days = pd.DatetimeIndex([f"{request['year']}-{request['month'][0]}-{day}" for day in request["day"]])
        path = write.root / "ordered.nc"
        write.save(write.era5("t2m", write.weather("t2m", days, resolution=30), days, resolution=30), path)
        return path.read_bytes()

    with climate_store.running_store(content) as running:
        yield running


@pytest.fixture
def world(store, nasa, server, listed, original, home, tmp_path, monkeypatch, write):  # noqa: F811
    """All providers on this machine, with every login; `ask` asks them by the command."""
    write.root = tmp_path
    monkeypatch.chdir(tmp_path)
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, USER)
    monkeypatch.setenv(URL, store.url)
    monkeypatch.setenv(KEY, store.key)
    netrc(tmp_path)
    nasa.add(FIRST, HDF)
    server.content["one.csv"] = b"a,b\n1,2\n"
    base = f"http://127.0.0.1:{server.server_address[1]}"
    digest = hashlib.sha256(server.content["one.csv"]).hexdigest()
    (tmp_path / "sources.tsv").write_text(f"dataset\tfile\turl\tsha256\nmetaflux\tone.csv\t{base}/one.csv\t{digest}\n")
    monkeypatch.setattr(public_files, "SOURCES", tmp_path / "sources.tsv")
    write.write_hub(tmp_path / "hub.zarr", resolution=30, years=[2011])
    monkeypatch.setenv(data_hub.KEY, HUB_KEY)
    doubles = hour_store.running_bucket(original), running_hub(tmp_path / "hub.zarr"), map_publisher.running_publisher()
    with doubles[0] as bucket, doubles[1] as hub, doubles[2] as (publisher, _):
        publisher.files |= {"1": map_publisher.archive(b"map"), "2": b"II*\x00" + b"x" * 99}
        files = {f"{item}": {"url": f"{publisher.url}/files/{k}", "year": 2020} for item, k in (("koppen", 1), ("elevation", 2))}
        sources = {"arco_era5": {"path": bucket.url}, "earth_data_hub": {"path": hub.url}, "static": files}
        settings = {"drivers": sources, "towers": {"shuttle": {"snapshot": str(listed)}}}
        bucket.hub, bucket.publisher = hub, publisher
        (tmp_path / "mine.yaml").write_text(json.dumps(settings))
        bucket.settings = settings
        yield bucket


@pytest.fixture
def ask(world, tmp_path, capsys, monkeypatch):
    """Exit code and checks by provider of all providers, or of those of a configuration."""

    def run(*sources, networks=()):
        whole = dict(world.settings)
        if sources:
            whole = {**whole, "drivers": {**whole["drivers"], "sources": list(sources)}, "twin": None}
            whole["towers"] = {**whole["towers"], "networks": list(networks) or ["table"], "table": {"path": "none.csv"}}
        (tmp_path / "mine.yaml").write_text(json.dumps(whole))
        if not sources:  # all providers, with the options of the doubles
            monkeypatch.setattr(providers, "_users", lambda config: {user for user, _ in providers.PROVIDERS.values()})
        code = main(["doctor", "--providers", "mine.yaml", "--json"])
        return code, {check["provider"]: check for check in json.loads(capsys.readouterr().out)}

    return run


def _facts(check):
    return " | ".join([*check["facts"], check["todo"]])


def test_providers_that_work_are_ok_and_the_report_tells_no_secret(ask, tmp_path):
    code, checks = ask()
    assert code == 0 and {name: check["state"] for name, check in checks.items()} == dict.fromkeys(providers.PROVIDERS, "ok"), (
        checks
    )
    assert "2m_temperature of 2011-01-01 00:00" in _facts(checks["ARCO-ERA5"])
    assert "key and licence are accepted" in _facts(checks["Climate Data Store"])
    assert re.search(r"t2m \{.*'valid_time': 1", _facts(checks["Climate Data Store"]))
    assert "lists 1 files of MOD13C1.061" in _facts(checks["Earthdata"]) and "HDF4, as expected" in _facts(checks["Earthdata"])
    assert "the list has 4 towers" in _facts(checks["FLUXNET shuttle"])
    assert len(checks["FLUXNET shuttle"]["facts"]) == 5, "one archive of each hub"
    page = (tmp_path / "providers.md").read_text()
    assert "| Earthdata | ok |" in page and "## Climate Data Store: ok" in page
    assert "1: zip, as expected" in _facts(checks["Static maps"]) and "2: TIFF" in _facts(checks["Static maps"])
    assert re.search(r"t2m: \(\d+, \d+, \d+\) in chunks of", _facts(checks["Earth Data Hub"]))
    for secret in (HUB_KEY, climate_store.KEY, nasa_double.TOKEN, nasa_double.PASSWORD, USER, str(tmp_path)):
        assert secret not in page + json.dumps(checks), secret


def test_pages_and_refusals_of_hub_and_publishers_are_named(ask, world, monkeypatch):
    world.publisher.files["2"] = b"<html>who are you</html>"
    monkeypatch.setenv(data_hub.KEY, "another-key-of-somebody")
    code, checks = ask()
    assert (
        code == 1
        and "another format" in _facts(checks["Static maps"])
        and "refuses the login" in _facts(checks["Earth Data Hub"])
    )
    monkeypatch.delenv(data_hub.KEY)
    check = ask()[1]["Earth Data Hub"]
    assert check["state"] == "no account" and "earthdatahub.destine.eu" in check["todo"]


def test_only_a_day_and_a_few_bytes_are_asked_for(ask, world, store):
    ask()
    assert len(world.chunks()) == 1
    assert [request["day"] for request in store.orders] == [["01"]] and store.orders[0]["month"] == ["01"]


def test_a_configuration_limits_what_is_asked(ask, nasa):  # noqa: F811
    code, checks = ask("arco_era5", "modis")
    assert code == 0 and list(checks) == ["ARCO-ERA5", "Earthdata"]
    nasa.approved = False
    code, checks = ask("modis")
    assert code == 1 and list(checks) == ["Earthdata"]


def test_without_logins_the_way_to_them_is_told(ask, monkeypatch, tmp_path):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "netrc").unlink()
    code, checks = ask()
    assert code == 1 and checks["Climate Data Store"]["state"] == checks["Earthdata"]["state"] == "no account"
    assert "free account at cds.climate" in checks["Climate Data Store"]["todo"] and ".netrc" in checks["Earthdata"]["todo"]
    assert "lists 1 files" in _facts(checks["Earthdata"]), "the search needs none"
    assert checks["ARCO-ERA5"]["state"] == "ok"


@pytest.mark.parametrize(
    ("refusal", "said", "todo"),
    [
        ((401, "operation not allowed"), "refuses the key", "ECMWF_DATASTORES_KEY"),
        ((403, climate_store.LICENCE), "the licence of the data set is not accepted", "accept it once"),
        ((400, "invalid request"), "cannot be ordered", "look at the request"),
    ],
)
def test_a_key_a_licence_and_an_order_that_are_refused_are_told_apart(ask, store, refusal, said, todo):
    store.does.refusals = [refusal]
    code, checks = ask()
    check = checks["Climate Data Store"]
    assert code == 1 and check["state"] == "failed" and said in _facts(check) and todo in check["todo"]


def test_a_full_queue_is_named(ask, store):
    store.does.queue = 0
    _, checks = ask()
    check = checks["Climate Data Store"]
    assert check["state"] == "failed" and "temporarily limited" in _facts(check) and "fewer orders" in check["todo"]


def test_an_order_that_waits_is_no_fault_and_is_taken_back(ask, store, monkeypatch):
    monkeypatch.setattr(providers, "QUEUE", 0.1)
    store.does.states = ["accepted"]
    code, checks = ask()
    assert code == 0 and "which is no fault; the order was taken back" in _facts(checks["Climate Data Store"])
    assert [job.states for job in store.jobs.values()] == [["dismissed"]]


def test_a_page_instead_of_a_file_and_an_expired_token_are_named(ask, nasa, monkeypatch, tmp_path):  # noqa: F811
    nasa.files[FIRST] = b"<html>sign in</html>"
    _, checks = ask()
    assert checks["Earthdata"]["state"] == "failed" and "first bytes b'<htm'" in _facts(checks["Earthdata"])
    monkeypatch.setenv(earthdata.TOKEN, "an-old-token-of-mine")
    _, checks = ask()
    assert checks["Earthdata"]["state"] == "failed" and "60 days" in checks["Earthdata"]["todo"]
    assert "an-old-token" not in (tmp_path / "providers.md").read_text()


def test_a_hub_that_gives_pages_and_a_changed_file_fail(ask, server):  # noqa: F811
    server.faults = {name: ["page"] * 9 for name in server.content if "US-Ccc" in name}
    server.content["one.csv"] = b"changed"
    _, checks = ask()
    assert checks["FLUXNET shuttle"]["state"] == "failed" and "first bytes b'<htm'" in _facts(checks["FLUXNET shuttle"])
    assert checks["Public tower files"]["state"] == "failed"


def test_empty_hours_of_the_store_are_no_weather(ask, world):
    world.lost = {"2m_temperature/0.0.0"}
    _, checks = ask()
    assert checks["ARCO-ERA5"]["state"] == "failed" and "nan" in _facts(checks["ARCO-ERA5"])


def test_without_a_list_the_shuttle_is_not_asked(ask, world):
    world.settings["towers"] = {}
    code, checks = ask()
    assert code == 0 and checks["FLUXNET shuttle"]["state"] == "not asked" and "snapshot" in _facts(checks["FLUXNET shuttle"])


def test_a_provider_that_hangs_is_silent_and_the_others_are_reported(ask, monkeypatch):
    monkeypatch.setattr(providers, "PATIENCE", 1.0)
    slow = ("table", lambda config: time.sleep(30) or [])
    monkeypatch.setattr(providers, "PROVIDERS", {"Slow": slow, "Quick": ("table", lambda config: ["here"])})
    begun = time.monotonic()
    code, checks = ask()
    assert time.monotonic() - begun < 15 and code == 1
    assert checks["Slow"]["state"] == "silent" and checks["Quick"]["state"] == "ok"


def test_arguments_that_do_not_fit_are_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--report", "x.md"]) == 1 and "--providers" in capsys.readouterr().err
    assert main(["doctor", "--providers", "--report", "x.txt"]) == 1 and "end in .md" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_foreign_text_is_no_markup_of_the_report():
    check = providers.ProviderCheck("X", "failed", 1.0, ("<img src=x> | `a`",), "[click](http://x)")
    page = providers.report_page([check])
    assert "\\<img" in page and not re.search(r"(?<!\\)[<\[`|](img|click|a`)", page)
