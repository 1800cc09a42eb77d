"""Orders at the Climate Data Store against a double that fails as the real one does."""

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tamrl import variables
from tamrl.drivers.remote import climate_store, store_jobs
from tamrl.drivers.remote.store_jobs import OrderNote, OrderRecord
from tamrl.drivers.remote.store_login import KEY, URL
from tamrl.errors import DownloadError, OutageError
from tests.providers import climate_store as double

ROOT = Path(__file__).parents[2]
QUICK = store_jobs.Patience(outage=2.0, order=20.0, pause=0.01, longest=0.05, look=0.02, line=0.0, attempts=3)
FILE = "era5_2m_temperature_daily_mean_2011_01.nc"
NAMES = (URL, KEY, "CDSAPI_URL", "CDSAPI_KEY", "ECMWF_DATASTORES_RC_FILE", "CDSAPI_RC")


@pytest.fixture
def store():
    with double.running_store() as running:
        yield running


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without any login."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def fetch(store, home, tmp_path, monkeypatch):
    """Fetch the first months of 2011; gives the contents of the folder by name."""
    monkeypatch.setenv(URL, store.url)
    monkeypatch.setenv(KEY, store.key)
    monkeypatch.setattr(climate_store, "PATIENCE", QUICK)
    folder = tmp_path / "files"

    def run(months=1):
        climate_store.fetch_orders(climate_store.era5_orders(variables.era5_entry("t2m"), 2011, months), folder)
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    run.folder = folder
    return run


def expected(store, month=1):
    """The file of a month."""
    return double.noise(next(request for request in store.orders if request["month"] == [f"{month:02d}"]))


def test_an_order_that_waits_is_awaited_and_its_state_and_age_are_logged(store, fetch, caplog):
    caplog.set_level(logging.INFO)
    store.does.states = ["accepted", "accepted", "running", "successful"]
    assert fetch() == {FILE: expected(store)}, "and nothing beside it"
    for line in ("ordered as", "accepted at the store, ordered 0 h 00 min ago", "running at the store"):
        assert line in caplog.text
    assert not [headers for _, path, headers in store.seen if "/object-store/" in path and "PRIVATE-TOKEN" in headers]


def test_a_file_uploaded_in_parts_arrives_though_its_checksum_is_not_its_md5(store, fetch):
    store.does.part = 1000
    assert fetch() == {FILE: expected(store)} and store.count("object") == 1


def test_a_file_of_another_size_than_announced_is_refused_and_ordered_anew_by_the_next_call(store, fetch):
    store.does.lie = -7
    with pytest.raises(DownloadError, match="not what its publisher announces"):
        fetch()
    assert list(fetch.folder.iterdir()) == []
    store.does.lie = 0
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 2


def test_an_outage_while_polling_is_waited_for_and_orders_nothing_twice(store, fetch, caplog):
    store.does.states = ["accepted", "successful"]
    store.does.out = {"look": 20, "results": 3, "order": 2}
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 1
    assert caplog.text.count("the store does not answer") == 25


def test_a_page_in_place_of_an_answer_is_waited_for_but_not_for_ever(store, fetch):
    store.does.states = ["accepted", "successful"]
    store.does.pages = {"look": 2, "results": 1}
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 1
    (fetch.folder / FILE).unlink()
    store.jobs.clear()
    store.does.pages = {"order": 99}
    with pytest.raises(OutageError, match="does not answer"):
        fetch()
    assert store.count("order") == 1 + QUICK.attempts


def test_an_outage_beyond_patience_keeps_the_order_for_the_next_call(store, fetch, monkeypatch):
    store.does.out = {"look": 10**6}
    monkeypatch.setattr(climate_store, "PATIENCE", replace(QUICK, outage=0.1))
    with pytest.raises(OutageError, match="does not answer"):
        fetch()
    store.does.out = {}
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 1


def test_an_order_that_takes_too_long_goes_on_in_the_next_call(store, fetch, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    store.does.states = ["accepted"]
    monkeypatch.setattr(climate_store, "PATIENCE", replace(QUICK, order=0.1))
    with pytest.raises(OutageError, match=r"not finished(.|\n)*accepted, ordered 0 h"):
        fetch()
    next(iter(store.jobs.values())).states = ["successful"]
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 1 and "taken up again, ordered 0 h 00 min ago" in caplog.text


SCRIPT = """
import sys
from pathlib import Path
from tamrl import variables
from tamrl.drivers.remote import climate_store
climate_store.fetch_orders(climate_store.era5_orders(variables.era5_entry("t2m"), 2011, 1), Path(sys.argv[1]))
"""


@pytest.mark.parametrize("answered", [True, False], ids=["polling", "before the answer"])
def test_a_kill_between_ordering_and_fetching_orders_nothing_twice(store, fetch, answered):
    store.does.states = ["accepted"]
    if not answered:
        store.does.silent = 1
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(fetch.folder)], cwd=ROOT, env=dict(os.environ))
    until = time.monotonic() + 60
    while not (store.jobs and (store.count("look") or not answered)) and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (job,) = store.jobs.values()
    job.states = ["successful"]
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 1


def test_an_answer_that_is_lost_makes_no_second_order(store, fetch):
    store.does.silent = 1
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 1 and store.count("order") == 1


def test_a_lost_order_is_not_taken_for_another_one(store, fetch):
    other = {**climate_store.era5_orders(variables.era5_entry("t2m"), 2011, 1)[0].request, "month": ["07"]}
    store.add("derived-era5-single-levels-daily-statistics", other)
    store.does.out = {"order": 1}
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 2


def test_the_record_of_another_order_or_a_damaged_one_is_not_used(store, fetch):
    fetch.folder.mkdir()
    record = OrderRecord(fetch.folder / FILE)
    record.write(OrderNote(store.url, "another-dataset", {}, time.time(), "1"))
    assert fetch() == {FILE: expected(store)}
    (fetch.folder / FILE).unlink()
    (fetch.folder / f".{FILE}.order").write_text('{"id": "../..')
    assert fetch() == {FILE: expected(store)}


def test_an_order_that_the_store_has_forgotten_is_made_again(store, fetch, monkeypatch):
    store.does.states = ["accepted"]
    monkeypatch.setattr(climate_store, "PATIENCE", replace(QUICK, order=0.05))
    with pytest.raises(OutageError):
        fetch()
    store.jobs.clear()
    store.does.states = ["successful"]
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 1


def test_orders_over_the_queue_limit_are_made_again_until_they_are_taken(store, fetch, caplog):
    store.does.faults = [("rejected", double.LIMITED)] * 6
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 7, "more often than an order may fail"
    assert caplog.text.count("temporarily limited") == 6


def test_a_queue_that_stays_full_is_an_outage(store, fetch, monkeypatch):
    store.does.queue = 0
    monkeypatch.setattr(climate_store, "PATIENCE", replace(QUICK, outage=0.1))
    with pytest.raises(OutageError, match=r"takes no order(.|\n)*temporarily limited"):
        fetch()


def test_a_job_that_fails_is_ordered_again_and_not_for_ever(store, fetch):
    store.does.faults = [("failed", "MarsError: disk hiccup")] * 2
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 3
    (fetch.folder / FILE).unlink()
    store.does.faults = [("failed", "MarsError: disk hiccup")] * 9
    with pytest.raises(DownloadError, match=r"could not be ordered(.|\n)*disk hiccup") as caught:
        fetch()
    assert not isinstance(caught.value, OutageError) and len(store.jobs) == 6


@pytest.mark.parametrize("text", ["Invalid request: day 31", "Your request is too large, please reduce", "licence not accepted"])
def test_a_job_that_fails_for_its_request_is_final(store, fetch, text):
    store.does.faults = [("failed", text)] * 9
    with pytest.raises(DownloadError, match=text):
        fetch()
    assert len(store.jobs) == 1 and list(fetch.folder.iterdir()) == []


@pytest.mark.parametrize("status", [400, 404, 422])
def test_an_order_that_is_refused_is_final(store, fetch, status):
    store.does.refusals = [(status, "Request has not produced a valid combination of values")] * 9
    with pytest.raises(DownloadError, match=r"cannot be ordered(.|\n)*valid combination"):
        fetch()
    assert store.count("order") == 1 and list(fetch.folder.iterdir()) == []


def test_a_licence_that_is_not_accepted_is_named_with_its_page(store, fetch):
    store.does.refusals = [(403, double.LICENCE)]
    with pytest.raises(
        DownloadError, match=r"licence of the data set is not accepted(.|\n)*copernicus.eu/datasets/derived-era5-single"
    ):
        fetch()
    assert store.count("order") == 1


def test_a_key_that_is_refused_while_polling_keeps_the_order(store, fetch, monkeypatch):
    store.does.states = ["accepted"]
    monkeypatch.setattr(climate_store, "PATIENCE", replace(QUICK, order=0.05))
    with pytest.raises(OutageError):
        fetch()
    monkeypatch.setenv(KEY, "expired")
    with pytest.raises(DownloadError, match="refuses the key"):
        fetch()
    monkeypatch.setenv(KEY, store.key)
    next(iter(store.jobs.values())).states = ["successful"]
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 1


def test_a_file_that_is_denied_or_whose_link_expires_is_asked_for_by_a_new_link(store, fetch, caplog):
    store.does.denied = 2
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 1 and len(store.links) == 3
    assert "the object store answers 403, asked for again" in caplog.text and "login" not in caplog.text


def test_a_link_that_expires_in_the_middle_of_a_file_is_renewed_and_the_file_goes_on(store, fetch):
    store.does.uses, store.does.cut = 1, 1
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 1 and len(store.links) == 2
    ranges = [headers.get("Range") for _, path, headers in store.seen if "/object-store/" in path]
    assert ranges[-1] == f"bytes={len(expected(store)) // 2}-", "the half that is here is not fetched again"


def test_a_file_that_is_gone_from_the_object_store_is_ordered_again(store, fetch):
    store.does.uses = 0
    with pytest.raises(DownloadError, match="object store does not give its file"):
        fetch()
    assert len(store.jobs) == 3
    store.does.uses = None
    assert fetch() == {FILE: expected(store)}


def test_an_object_store_that_is_out_is_waited_for(store, fetch):
    store.does.out = {"object": 12}
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 1


def test_a_file_that_drips_is_cut_off_and_goes_on(store, fetch, monkeypatch):
    monkeypatch.setattr("tamrl.web.session.LEAST", 10_000)
    real = climate_store.download.Client
    monkeypatch.setattr(climate_store.download, "Client", lambda **given: real(**given, timeout=(5.0, 0.2)))
    store.does.drip = (500, 0.1)

    def mended(seconds):
        store.does.drip = None

    monkeypatch.setattr(climate_store.download.time, "sleep", mended)
    assert fetch() == {FILE: expected(store)} and len(store.jobs) == 1


# The login


@pytest.mark.parametrize("file", [".cdsapirc", ".ecmwfdatastoresrc"])
def test_the_login_is_read_from_the_files_of_the_official_clients(store, fetch, home, monkeypatch, file):
    for name in (URL, KEY):
        monkeypatch.delenv(name)
    (home / file).write_text(f"# mine\nurl: {store.url}\n\nkey: {store.key}\n")
    assert fetch() == {FILE: expected(store)}


def test_a_key_of_the_environment_comes_before_that_of_a_file(store, fetch, home):
    (home / ".cdsapirc").write_text("url: http://127.0.0.1:1\nkey: another\n")
    assert fetch() == {FILE: expected(store)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("url: https://cds.climate.copernicus.eu/api/v2\nkey: 1234:abcd\n", "before September 2024"),
        ("key: two words\n", "the login is none"),
        ("nothing here\n", "no key for the Climate Data Store"),
        ("key: \xff\n", "cannot be read"),
    ],
)
def test_a_file_without_a_usable_login_is_named_and_nothing_of_it_shown(store, fetch, home, monkeypatch, text, reason):
    for name in (URL, KEY):
        monkeypatch.delenv(name)
    (home / ".cdsapirc").write_bytes(text.encode("latin-1"))
    with pytest.raises(DownloadError, match=reason) as caught:
        fetch()
    assert "abcd" not in str(caught.value) and "two words" not in str(caught.value) and not store.seen
