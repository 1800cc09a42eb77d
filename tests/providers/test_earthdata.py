"""Files of NASA's archive against a double of search, login, archive and bucket."""

import netCDF4
import numpy as np
import pytest
import xarray as xr

from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import cmg
from tamrl.drivers.granule_names import newer, newest
from tamrl.drivers.remote import earthdata
from tamrl.drivers.sources import mcd43c4, modis
from tamrl.errors import DownloadError, InputError, OutageError
from tamrl.web.addresses import LOCAL
from tests.providers import earthdata as double

FIRST, SECOND = "MOD13C1.A2011001.061.2021187092132.hdf", "MOD13C1.A2011017.061.2021188011002.hdf"
NEWER = "MOD13C1.A2011001.061.2023001000000.hdf"


@pytest.fixture
def nasa(tmp_path, monkeypatch):
    """Search, login and archive, with a home that holds no login."""
    with double.running_earthdata() as (server, bucket):
        monkeypatch.setenv(earthdata.SEARCH, server.url)
        monkeypatch.setenv(earthdata.LOGIN, server.url)
        monkeypatch.setenv(LOCAL, f"127.0.0.1:{bucket.server_address[1]}")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        monkeypatch.delenv(earthdata.TOKEN, raising=False)
        server.other = bucket
        yield server


@pytest.fixture
def fetch(nasa, tmp_path):
    def run():
        earthdata.fetch_granules("MOD13C1", 2011, tmp_path / "files", collection="061", wait=0.01, gap=0)
        return {path.name: path.read_bytes() for path in (tmp_path / "files").iterdir()}

    return run


def netrc(tmp_path, name=double.NAME, password=double.PASSWORD):
    (tmp_path / "netrc").write_text(f"machine urs.earthdata.nasa.gov login {name} password {password}\n")


def test_a_token_of_the_environment_is_taken_and_the_bucket_sees_none(nasa, fetch, monkeypatch):
    monkeypatch.setenv(earthdata.TOKEN, double.TOKEN)
    nasa.add(FIRST, b"one")
    nasa.add(SECOND, b"two", named=False)
    assert fetch() == {FIRST: b"one", SECOND: b"two"}
    assert not nasa.requests("api"), "the token is there already"
    assert [h["Authorization"] for h in nasa.requests("protected")] == [f"Bearer {double.TOKEN}"] * 2
    assert len(nasa.other.seen) == 2 and not any("Authorization" in headers for _, _, headers in nasa.other.seen)
    assert not any("Authorization" in headers for headers in nasa.requests("search"))


def test_name_and_password_of_netrc_get_a_token_and_go_to_the_login_alone(nasa, fetch, tmp_path):
    netrc(tmp_path)
    nasa.out = {"api": 2}
    nasa.add(FIRST, b"one")
    assert fetch() == {FIRST: b"one"}
    assert all(headers["Authorization"].startswith("Basic ") for headers in nasa.requests("api"))
    assert [h["Authorization"] for h in nasa.requests("protected")] == [f"Bearer {double.TOKEN}"]
    assert not any("Authorization" in headers for _, _, headers in nasa.other.seen)


def test_a_wrong_password_is_named_and_not_shown(nasa, fetch, tmp_path):
    netrc(tmp_path, password="a-wrong-one")
    nasa.add(FIRST, b"one")
    with pytest.raises(DownloadError, match=r"refuses name and password of ~/\.netrc") as caught:
        fetch()
    assert "wrong" not in str(caught.value) and len(nasa.requests("api")) == 1 and not nasa.requests("protected")


def test_without_any_login_both_ways_are_named(nasa, fetch):
    with pytest.raises(DownloadError, match=r"no login(.|\n)*EARTHDATA_TOKEN(.|\n)*\.netrc"):
        fetch()
    assert not nasa.seen


def test_a_login_that_is_out_is_an_outage(nasa, fetch, tmp_path):
    netrc(tmp_path)
    nasa.out = {"api": 99}
    with pytest.raises(OutageError, match="login does not answer"):
        fetch()


@pytest.mark.parametrize("answer", [b"[]", b"{}", b"<html>", b'{"access_token": "two words"}'])
def test_an_answer_of_the_login_that_is_no_token_is_named(nasa, fetch, tmp_path, monkeypatch, answer):
    netrc(tmp_path)
    monkeypatch.setattr(double.json, "dumps", lambda content: answer.decode())
    with pytest.raises(DownloadError) as caught:
        fetch()
    assert "login" in str(caught.value) and not isinstance(caught.value, OutageError) and "two words" not in str(caught.value)


def test_the_password_goes_over_https_or_to_this_machine_alone(nasa, fetch, tmp_path, monkeypatch):
    netrc(tmp_path)
    monkeypatch.setenv(earthdata.LOGIN, "http://urs.example.org")
    with pytest.raises(DownloadError, match="credential is not sent"):
        fetch()


def test_an_expired_token_and_an_application_that_is_not_approved_say_what_to_do(nasa, fetch, tmp_path, monkeypatch):
    nasa.add(FIRST, b"one")
    monkeypatch.setenv(earthdata.TOKEN, "old")
    with pytest.raises(DownloadError, match=r"refuses the login \(401\)(.|\n)*60 days"):
        fetch()
    monkeypatch.delenv(earthdata.TOKEN)
    netrc(tmp_path)
    nasa.approved = False
    with pytest.raises(DownloadError, match=r"refuses the login \(403\)(.|\n)*approve the archive's application"):
        fetch()


def test_archive_and_search_that_are_out_are_asked_again(nasa, fetch, tmp_path):
    netrc(tmp_path)
    nasa.add(FIRST, b"one")
    nasa.out = {"search": 2, "protected": 2}
    nasa.other.out = {"bucket": 1}
    assert fetch() == {FIRST: b"one"}


# Two production dates of one composite


def test_of_a_composite_made_twice_the_newer_is_fetched(nasa, fetch, tmp_path, caplog):
    netrc(tmp_path)
    for name in (FIRST, NEWER, SECOND):
        nasa.add(name, name.encode())
    assert set(fetch()) == {NEWER, SECOND} and f"{NEWER} was made anew, {FIRST} is left out" in caplog.text


def test_the_newer_of_two_names():
    assert newer(FIRST, NEWER) == newer(NEWER, FIRST) == NEWER
    assert newer(FIRST, FIRST) is newer(FIRST, SECOND) is newer(FIRST, FIRST.replace("061", "006")) is None
    assert newer(FIRST, "MOD13C1.A2011001.061.hdf") is None
    assert newest([FIRST, "a.hdf", NEWER, SECOND], where="x") == [NEWER, "a.hdf", SECOND]


@pytest.mark.parametrize(("older", "later"), [(0.2, 0.7), (0.7, 0.2)])
def test_of_a_composite_made_twice_the_newer_is_read(write, tmp_path, caplog, older, later):
    for value, stamp in ((older, "2021187092132"), (later, "2023001000000")):
        values = np.full((6, 12), value)
        write.save(write.composite(values, values, np.zeros((6, 12))), tmp_path / f"MOD13C1.A2011001.061.{stamp}.nc")
    options, axis = modis.Options(path=str(tmp_path)), TimeAxis.of_years("day", (2011,))
    found = modis.open_dynamic(options, names=("ndvi",), axis=axis)["ndvi"]
    assert found.sizes["time"] == 1 and found.values[0, 3, 3] == pytest.approx(later)
    assert "two files of the composite 2011-001: MOD13C1.A2011001.061.2023001000000.nc is taken" in caplog.text
    write.save(write.composite(values, values, np.zeros((6, 12))), tmp_path / "MOD13C1.A2011001.061.nc")
    with pytest.raises(InputError, match="two files of the composite 2011-001"):
        cmg.find_composites(str(tmp_path), axis, "MOD13C1")


# VIIRS: HDF5 whose attributes may be text


def viirs(path, layers):
    """A file as HDF-EOS 5 lays it out: layers in the group of their grid, with no coordinates."""
    with netCDF4.Dataset(path, "w") as file:
        group = file.createGroup("HDFEOS/GRIDS/VIIRS_Grid_16Day_VI_CMG/Data Fields")
        group.createDimension("YDim", 6)
        group.createDimension("XDim", 12)
        for name, (values, attrs) in layers.items():
            layer = group.createVariable(name, values.dtype, ("YDim", "XDim"), fill_value=attrs["_FillValue"])
            layer.set_auto_maskandscale(False)
            layer[:] = values
            layer.setncatts({key: value for key, value in attrs.items() if key != "_FillValue"})


@pytest.mark.parametrize(
    ("scale", "valid"),
    [
        (10000.0, np.array([-10000, 10000], "int16")),
        ("10000.0", "-10000, 10000"),
        ("10000", "-10000 to 10000"),
        (np.array([10000.0], "float32"), "(-10000,10000)"),
    ],
    ids=["numbers", "text", "words", "mixed"],
)
def test_viirs_attributes_are_read_as_text_and_as_numbers(tmp_path, scale, valid):
    stored = np.full((6, 12), 5000, "int16")
    stored[0], stored[1] = -13000, 12000
    attrs = {"scale_factor": scale, "valid_range": valid, "_FillValue": np.int16(-13000)}
    layers = {f"CMG 0.05 Deg 16 days {name}": (stored, attrs) for name in ("NDVI", "EVI", "NIR reflectance")}
    layers["CMG 0.05 Deg 16 days pixel reliability"] = (
        np.zeros((6, 12), "int8"),
        {"valid_range": "0, 10", "_FillValue": np.int8(-1)},
    )
    viirs(tmp_path / "VNP13C1.A2012001.002.2023001000000.h5", layers)
    options = modis.Options(path=str(tmp_path), product="VNP13C1")
    found = modis.open_dynamic(options, names=("ndvi",), axis=TimeAxis.of_years("day", (2012,)))["ndvi"].load()
    assert np.isnan(found.values[0, :2]).all(), "the fill value, and what lies outside the valid range"
    np.testing.assert_allclose(found.values[0, 2:], 0.5, rtol=1e-6)
    assert (found["weight"].values[0] == 1).all()


def test_viirs_reflectance_with_text(tmp_path):
    packed = {"scale_factor": "0.0001", "valid_range": "0, 32766", "_FillValue": np.int16(32767)}
    layers = {
        f"Nadir_Reflectance_{band}": (np.full((6, 12), value, "int16"), packed) for band, value in (("M5", 500), ("M7", 3500))
    }
    layers |= {"BRDF_Quality": (np.zeros((6, 12), "uint8"), {"valid_range": "0, 5", "_FillValue": np.uint8(255)})}
    layers |= {"Percent_Snow": (np.zeros((6, 12), "uint8"), {"valid_range": "0, 100", "_FillValue": np.uint8(255)})}
    viirs(tmp_path / "VNP43C4.A2012001.002.2023001000000.h5", layers)
    options = mcd43c4.Options(path=str(tmp_path), product="VNP43C4")
    found = mcd43c4.open_dynamic(options, names=("ndvi",), axis=TimeAxis.of_years("day", (2012,)))["ndvi"]
    assert isinstance(found, xr.DataArray)
    np.testing.assert_allclose(found.values[0], 3000 / 4000, rtol=1e-5)
