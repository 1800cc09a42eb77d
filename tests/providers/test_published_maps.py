"""Static maps fetched from doubles of their publishers: whole, once, compared with what is known of them, and looked at."""

import hashlib
import logging
from pathlib import Path

import numpy as np
import pytest

from tamrl import planning
from tamrl.classes import KOPPEN
from tamrl.drivers import stage
from tamrl.drivers.remote import earthdata
from tamrl.drivers.sources import static
from tamrl.errors import DownloadError, InputError, OutageError
from tamrl.layout import Downloads
from tamrl.web.addresses import LOCAL
from tests.providers import map_publisher as maps
from tests.providers.earthdata import TOKEN, running_earthdata

NAMES = ("igbp_fraction", "land_fraction", "koppen_fraction", "elevation")
LAND_COVER = "MCD12C1.A2019001.061.2022170020638.hdf"
KOPPEN_FILES = [".koppen.tif.origin", "koppen.tif"]


@pytest.fixture
def publisher(write, tmp_path):
    with maps.running_publisher() as (server, bucket):
        write.write_tif(tmp_path / "k.tif", maps.climates())
        write.write_tif(tmp_path / "e.tif", maps.heights(), nodata=-99999)
        server.files |= {"1": maps.archive((tmp_path / "k.tif").read_bytes()), "2": (tmp_path / "e.tif").read_bytes()}
        server.transfers = bucket
        yield server


@pytest.fixture
def options(publisher):
    """The options of the source, with checksums of what the publisher has now."""

    def make(**changes):
        koppen = {"url": f"{publisher.url}/files/1", "member": maps.MEMBER, "year": 2020, "licence": "CC BY 4.0"}
        koppen["checksum"] = f"md5:{hashlib.md5(publisher.files['1']).hexdigest()}"
        elevation = {"url": f"{publisher.url}/files/2", "year": 2022, "size": len(publisher.files["2"])}
        elevation["checksum"] = f"sha256:{hashlib.sha256(publisher.files['2']).hexdigest()}"
        given = {"koppen": koppen | changes.get("koppen", {}), "elevation": elevation | changes.get("elevation", {})}
        return {"download": True, **given}

    return make


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    made = Downloads(str(tmp_path / "downloads"))
    monkeypatch.setattr("tamrl.drivers.sources.static.DOWNLOADS", made)
    monkeypatch.setattr("tamrl.web.download.LONGEST_PAUSE", 0.01)
    return made


@pytest.fixture
def fetch(downloads):
    """Fetch a map by its job; gives the folder."""

    def run(item, options):
        year = static.edition(static.Options(**options), item)
        folder = Path(downloads.item("static", item, year))
        stage.download_drivers(folder=str(folder), source="static", item=item, year=year, options=options)
        return folder

    return run


@pytest.fixture
def nasa(tmp_path, monkeypatch):
    with running_earthdata() as (server, _):
        server.add(LAND_COVER, maps.land_cover(tmp_path / "m.hdf"))
        monkeypatch.setenv(LOCAL, "127.0.0.1")
        monkeypatch.setenv(earthdata.SEARCH, server.url)
        monkeypatch.setenv(earthdata.TOKEN, TOKEN)
        yield server


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".gitignore"))


def test_three_maps_are_fetched_once_and_opened_by_their_legends(fetch, options, nasa, publisher):
    given = options()
    chosen = static.Options(**given)
    assert static.items(chosen, NAMES) == ["land_cover", "koppen", "elevation"]
    folders = {item: fetch(item, given) for item in static.items(chosen, NAMES)}
    for item, folder in folders.items():
        static.fetch(chosen, item=item, year=static.edition(chosen, item), folder=folder)
    assert names(folders["koppen"]) == KOPPEN_FILES and names(folders["land_cover"]) == [LAND_COVER]
    assert dict(publisher.transfers.tap.sent) == {name: len(body) for name, body in publisher.files.items()}
    opened = static.open_static(chosen, names=NAMES)
    land = maps.land()
    assert (opened["land_fraction"].values == 1)[land].all() and not (opened["land_fraction"].values == 1)[~land].any()
    groups = opened["koppen_fraction"].values
    first = [code for code, _ in maps.GROUPS.values()]
    assert len(KOPPEN) == len(first)
    np.testing.assert_array_equal(groups[:, 0], np.searchsorted(first, maps.climates()[:, 0], "right") - 1)
    assert (groups[~land] == -1).all()
    assert static.koppen_map(chosen) == folders["koppen"] / "koppen.tif"
    known = static.version(chosen)
    assert (
        known["koppen"]["licence"] == "CC BY 4.0"
        and known["elevation"]["files"] == 1
        and "061" in known["land_cover"]["collection"]
    )


def test_the_floor_of_the_sea_is_no_elevation_of_land(fetch, options, nasa):
    for item in ("land_cover", "elevation"):
        fetch(item, options())
    found = static.open_static(static.Options(**options()), names=("elevation",))["elevation"].load()
    land = np.repeat(np.repeat(maps.land(), 3, 0), 3, 1)
    np.testing.assert_array_equal(found.values, np.where(land, maps.heights(), np.nan))
    assert found.attrs["units"] == "m" and found.attrs["grid"] == "pixels"


def test_a_transfer_that_broke_off_goes_on(fetch, options, publisher):
    publisher.transfers.faults = ["drop", "503"]
    fetch("elevation", options())
    arrived = int(0.4 * len(publisher.files["2"]))
    assert publisher.transfers.parts == [None, f"bytes={arrived}-", f"bytes={arrived}-"]


def put(publisher, number, body):
    publisher.files[number] = maps.archive(body) if number == "1" else body


@pytest.mark.parametrize(
    ("item", "number", "values"), [("koppen", "1", maps.climates()[:, ::-1]), ("elevation", "2", maps.heights() + 1)]
)
def test_another_edition_replaces_what_an_earlier_call_left(options, publisher, write, tmp_path, item, number, values):
    """A call that broke off leaves its file beside the folder; with another checksum it is another map."""
    folder, given = tmp_path / "begun", options()
    static.fetch(static.Options(**given), item=item, year=2022, folder=folder)
    write.write_tif(tmp_path / "n.tif", values, nodata=-99999 if item == "elevation" else None)
    put(publisher, number, (tmp_path / "n.tif").read_bytes())
    for changes, expected in ((given, b""), (options(), (tmp_path / "n.tif").read_bytes())):
        before = (folder / f"{item}.tif").read_bytes()
        static.fetch(static.Options(**changes), item=item, year=2022, folder=folder)
        assert (folder / f"{item}.tif").read_bytes() == (expected or before)


@pytest.mark.parametrize("item", ["koppen", "elevation"])
def test_a_map_that_nothing_tells_of_is_fetched_again(options, publisher, tmp_path, item, caplog):
    folder, chosen = tmp_path / "begun", static.Options(**options())
    static.fetch(chosen, item=item, year=2022, folder=folder)
    expected = (folder / f"{item}.tif").read_bytes()
    (folder / f"{item}.tif").write_bytes(expected[:-1] + bytes([expected[-1] ^ 1]))
    static.fetch(chosen, item=item, year=2022, folder=folder)
    assert (folder / f"{item}.tif").read_bytes() == expected
    assert item == "elevation" or "fetched again" in caplog.text


@pytest.mark.parametrize(("item", "number"), [("koppen", "1"), ("elevation", "2")])
def test_another_file_at_the_address_is_refused_by_its_checksum(fetch, options, publisher, item, number):
    given = options()
    publisher.files[number] = bytes([publisher.files[number][0] ^ 1]) + publisher.files[number][1:]
    with pytest.raises(DownloadError, match="not what its publisher announces"):
        fetch(item, given)


@pytest.mark.parametrize(("fault", "error"), [("404", DownloadError), ("202", DownloadError), ("503", OutageError)])
def test_a_publisher_that_does_not_give_the_file_is_named(fetch, options, publisher, fault, error):
    publisher.faults = [fault] * 99
    with pytest.raises(error, match=r"/files/1"):
        fetch("koppen", options())


def test_without_a_checksum_the_content_decides_and_the_log_says_so(fetch, options, caplog):
    fetch("elevation", options(elevation={"checksum": None, "size": None}))
    assert "has no checksum" in caplog.text


@pytest.mark.parametrize(
    ("legend", "reason"),
    [(maps.LEGEND.replace("4:  Bxx", "4:  Cxx"), r"\{4: 'C'\}"), (maps.LEGEND + "   31:  Exx  More  \n", "31")],
)
def test_a_map_of_another_legend_is_refused_and_asked_for_again(fetch, options, publisher, write, tmp_path, legend, reason):
    whole = publisher.files["1"]
    publisher.files["1"] = maps.archive((tmp_path / "k.tif").read_bytes(), legend)
    with pytest.raises(DownloadError, match=rf"legend of the map is another one(.|\n)*{reason}"):
        fetch("koppen", options())
    publisher.files["1"] = whole
    assert names(fetch("koppen", options())) == KOPPEN_FILES


def test_a_map_without_a_legend_is_read_and_named(fetch, options, publisher, tmp_path, caplog):
    publisher.files["1"] = maps.archive((tmp_path / "k.tif").read_bytes(), "nothing")
    fetch("koppen", options())
    assert "no legend came" in caplog.text


def test_an_archive_of_other_maps_is_named(fetch, options):
    with pytest.raises(DownloadError, match=r"lacks the map(.|\n)*1901_1930"):
        fetch("koppen", options(koppen={"member": "1991_2020/koppen_geiger_0p01.tif"}))


@pytest.mark.parametrize(
    ("item", "number", "values", "reason"),
    [
        ("elevation", "2", maps.heights() / 1000, "none of the globe's elevation"),
        ("elevation", "2", np.abs(maps.heights()), "none of the globe's elevation"),
        ("elevation", "2", maps.heights()[:, :200], "cover the globe"),
        ("koppen", "1", np.minimum(maps.climates(), 12), "lacks main groups"),
        ("koppen", "1", maps.climates() + np.uint8(40), "do not fit"),
    ],
)
def test_a_map_that_is_another_one_is_refused_whatever_its_checksum(
    fetch, options, publisher, write, tmp_path, item, number, values, reason
):
    write.write_tif(tmp_path / "other.tif", values)
    body = (tmp_path / "other.tif").read_bytes()
    publisher.files[number] = maps.archive(body) if item == "koppen" else body
    with pytest.raises(InputError, match=reason):
        fetch(item, options())
    assert not list(tmp_path.glob(f"downloads/**/{item}.tif"))


def test_land_cover_without_land_is_refused(fetch, options, nasa, tmp_path):
    nasa.granules.clear()
    maps.delivered(tmp_path / "sea.hdf", np.zeros((36, 72), "uint8"))
    nasa.add(LAND_COVER, (tmp_path / "sea.hdf").read_bytes())
    with pytest.raises(InputError, match="no land as the globe has"):
        fetch("land_cover", options())


def test_elevation_that_does_not_fit_land_cover_is_named(fetch, options, nasa, publisher, write, tmp_path):
    write.write_tif(tmp_path / "e.tif", maps.heights(90))
    publisher.files["2"] = (tmp_path / "e.tif").read_bytes()
    for item in ("land_cover", "elevation"):
        fetch(item, options())
    with pytest.raises(InputError, match="do not fit those of land cover"):
        static.open_static(static.Options(**options()), names=("elevation",))


def test_the_plan_asks_for_one_edition_of_each_map(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("TAMRL_DATA", str(tmp_path))
    drivers = {"sources": ["arco_era5", "modis", "static"], "arco_era5": {"download": True}}
    drivers |= {"modis": {"download": True}, "static": {"download": True}}
    towers = {"networks": ["shuttle"], "shuttle": {"snapshot": None, "refresh": True}}
    years = {"years": [2018, 2019], "map_years": [2018], "until": "2019-03"}
    plan = planning.WorkflowPlan({"run": "r", "twin": None, "drivers": drivers, "towers": towers, "time": years})
    wanted = [path for path in plan.driver_files() if "/static/" in path]
    assert sorted(wanted) == [f"downloads/drivers/static/{part}" for part in ("elevation/2022", "koppen/2020", "land_cover/2019")]
    assert plan.climate_map() == (["downloads/drivers/static/koppen/2020"], "downloads/drivers/static/koppen/2020/koppen.tif")
    assert plan.download_options("modis", "2019")["months"] == 3
