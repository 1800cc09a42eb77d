"""A file of each format passes as it is, and is refused wherever it is cut; hostile headers cost neither time nor memory."""

import struct
import tracemalloc

import netCDF4
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhdf.SD import SD, SDC

from tamrl.errors import InputError
from tamrl.intake import completeness

VALUES = np.random.default_rng(1).normal(size=(7, 5, 9)).astype("float32")


def netcdf(path, format, *, records=False, variables=(("a", "f4"), ("b", "f8"))):
    with netCDF4.Dataset(path, "w", format=format) as file:
        file.title = "a title that is longer than one word"
        for name, size in zip(("time", "lat", "lon"), (None if records else 7, 5, 9), strict=True):
            file.createDimension(name, size)
        for name, kind in variables:
            layer = file.createVariable(name, kind, ("time", "lat", "lon"))
            layer.units = "K"
            layer[:] = VALUES * 10


def hdf5_user_block(path):
    inner = path.with_suffix(".inner")
    netcdf(inner, "NETCDF4")
    path.write_bytes(b"\x00" * 1024 + inner.read_bytes())


def hdf4(path):
    file = SD(str(path), SDC.WRITE | SDC.CREATE)
    layer = file.create("NDVI", SDC.FLOAT32, (35, 9))
    layer[:] = VALUES.reshape(35, 9)
    layer.scale_factor = 10000.0
    layer.endaccess()
    file.end()


def tif(path, **profile):
    profile = {"driver": "GTiff", "height": 64, "width": 128, "count": 1, "dtype": "float32"} | profile
    with rasterio.open(path, "w", transform=rasterio.Affine(2.8125, 0, -180, 0, -2.8125, 90), crs="EPSG:4326", **profile) as file:
        file.write(np.resize(VALUES, (64, 128)), 1)


MAKERS = {
    "classic.nc": lambda p: netcdf(p, "NETCDF3_CLASSIC"),
    "classic-records.nc": lambda p: netcdf(p, "NETCDF3_CLASSIC", records=True),
    "offset64.nc": lambda p: netcdf(p, "NETCDF3_64BIT_OFFSET", variables=(("a", "i4"),)),
    "offset64-one-record.nc": lambda p: netcdf(p, "NETCDF3_64BIT_OFFSET", records=True, variables=(("a", "i2"),)),
    "data64.nc": lambda p: netcdf(p, "NETCDF3_64BIT_DATA", variables=(("a", "u8"), ("b", "f4"))),
    "data64-records.nc": lambda p: netcdf(p, "NETCDF3_64BIT_DATA", records=True),
    "netcdf4.nc": lambda p: netcdf(p, "NETCDF4"),
    "user-block.h5": hdf5_user_block,
    "hdf4.hdf": hdf4,
    "strips.tif": tif,
    "tiles.tif": lambda p: tif(p, tiled=True, blockxsize=16, blockysize=16, compress="deflate"),
    "big.tif": lambda p: tif(p, BIGTIFF="YES"),
    "big-endian.tif": lambda p: tif(p, ENDIANNESS="BIG"),
}
"""A file of each format; names alone tell them apart here, the check looks at the first bytes."""

LAST = {"offset64-one-record.nc": 3, "hdf4.hdf": 2}
"""Bytes to cut until values lack, else 1: two are padding, one is written by the HDF4 library after the last element."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder, found = tmp_path_factory.mktemp("formats"), {}
    for name, make in MAKERS.items():
        make(folder / name)
        found[name] = (folder / name).read_bytes()
    return found


def refused(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError, match=path.name) as caught:
        completeness.check_complete(path)
    assert caught.value.todo == "fetch it again"
    return caught.value


def passes(path, content):
    path.write_bytes(content)
    completeness.check_complete(path)


@pytest.mark.parametrize("name", MAKERS)
def test_as_it_is_it_passes_under_any_name(samples, tmp_path, name):
    passes(tmp_path / name, samples[name])
    passes(tmp_path / "without suffix", samples[name])


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "user-block.h5"])
@pytest.mark.parametrize("share", [0.003, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
def test_a_cut_file_is_refused(samples, tmp_path, name, share):
    content = samples[name]
    refused(tmp_path / "cut", content[: max(9, int(share * len(content)))])


@pytest.mark.parametrize("name", MAKERS)
def test_one_byte_short_is_refused(samples, tmp_path, name):
    refused(tmp_path / "cut", samples[name][: -LAST.get(name, 1)])


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=30)
@given(data=st.data())
def test_wherever_it_is_cut(samples, tmp_path_factory, name, data):
    size = len(samples[name])
    first = 1100 if name == "user-block.h5" else 8  # the first bytes tell the format
    length = data.draw(st.integers(first, size - LAST.get(name, 1)))
    refused(tmp_path_factory.getbasetemp() / "cut", samples[name][:length])


@pytest.mark.parametrize("name", MAKERS)
def test_zeros_after_the_end_are_accepted(samples, tmp_path, name):
    passes(tmp_path / "padded", samples[name] + b"\x00" * 1000)


def test_padding_of_the_last_values_may_be_lacking(tmp_path):
    netcdf(tmp_path / "odd.nc", "NETCDF3_CLASSIC", variables=(("a", "i2"),))
    content = (tmp_path / "odd.nc").read_bytes()
    assert VALUES.size * 2 % 4 == 2, "two bytes of padding"
    passes(tmp_path / "without", content[:-2])
    refused(tmp_path / "short", content[:-3])


def test_one_record_variable_of_short_numbers_has_no_padding(tmp_path):
    """Seven records of 90 bytes: padded to 92 they would need 12 bytes more than the file has."""
    netcdf(tmp_path / "a.nc", "NETCDF3_CLASSIC", records=True, variables=(("a", "i2"),))
    content = (tmp_path / "a.nc").read_bytes()
    begin = content.rindex(np.asarray(VALUES[0, 0] * 10, ">f4").astype(">i2").tobytes())
    assert len(content) - begin in (630, 632)
    passes(tmp_path / "b.nc", content[: begin + 630])
    refused(tmp_path / "c.nc", content[: begin + 629])


@pytest.mark.parametrize("variables", [(("a", "i2"),), (("a", "f4"), ("b", "i2"))])
def test_records_without_a_count_go_on_to_the_end(tmp_path, variables):
    netcdf(tmp_path / "a.nc", "NETCDF3_CLASSIC", records=True, variables=variables)
    content = bytearray((tmp_path / "a.nc").read_bytes())
    content[4:8] = b"\xff" * 4
    passes(tmp_path / "stream.nc", bytes(content))
    record = 180 + 92 if len(variables) == 2 else 90
    passes(tmp_path / "fewer.nc", bytes(content[:-record]))
    refused(tmp_path / "cut.nc", bytes(content[:-30]))


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"<html>", b"PK", b"{}"])
def test_only_an_empty_file_of_no_format_is_refused(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    if content:
        completeness.check_complete(tmp_path / "a.csv")
    else:
        refused(tmp_path / "a.csv", content)


def test_a_file_is_looked_at_once_and_again_when_it_changes(samples, tmp_path, monkeypatch):
    looked = []
    rule = completeness._FORMATS[b"CDF\x01"]
    monkeypatch.setitem(completeness._FORMATS, b"CDF\x01", ("classic", lambda file: (looked.append(1), rule[1](file))))
    passes(tmp_path / "a.nc", samples["classic.nc"])
    completeness.check_complete(tmp_path / "a.nc")
    assert len(looked) == 1
    refused(tmp_path / "a.nc", samples["classic.nc"][:-8])
    assert len(looked) == 2


def test_a_missing_file_is_no_short_one(tmp_path):
    with pytest.raises(InputError, match="no such file") as caught:
        completeness.check_complete(tmp_path / "a.nc")
    assert "fetch" not in caught.value.todo


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=50)
@given(data=st.data())
def test_damaged_headers_cost_nothing(samples, tmp_path_factory, name, data):
    """Any byte of the header may be anything: the answer is a pass or a named refusal, at once and in little memory."""
    content = bytearray(samples[name][:20_000])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(4, len(content) - 5))
        content[at : at + 4] = data.draw(st.sampled_from([b"\xff" * 4, b"\x7f" + b"\xff" * 3, b"\x00" * 4, b"\x00\x00\x00\x08"]))
    path = tmp_path_factory.getbasetemp() / f"hostile-{name}"
    path.write_bytes(bytes(content))
    tracemalloc.start()
    try:
        completeness.check_complete(path)
    except InputError as error:
        assert name in str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


def test_lists_in_a_circle_end(tmp_path):
    hdf4(tmp_path / "a.hdf")
    content = bytearray((tmp_path / "a.hdf").read_bytes())
    content[6:10] = struct.pack(">I", 4)
    refused(tmp_path / "circle.hdf", bytes(content))
    passes(tmp_path / "circle.tif", b"II*\x00\x08\x00\x00\x00" + b"\x00\x00" + b"\x08\x00\x00\x00")


@pytest.mark.parametrize(
    "text, good",
    [
        ("a,b\n1,2\n", True),
        ("a,b\r\n1,2\r\n", True),
        ("a,b\n1,-9999", True),
        ("a,b\n1,2", False),
        ("a,b\n-9999", False),
        ("a,b\n1,-999", False),
        ("a", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_text_ends_with_a_line(tmp_path, text, good, encoding):
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    for source, named in ((tmp_path / "a.csv", "a.csv"), (text.encode(encoding), "b.csv")):
        where = None if named == "a.csv" else named
        if good:
            completeness.check_text_end(source, where=where)
        else:
            with pytest.raises(InputError, match=named):
                completeness.check_text_end(source, where=where)


def test_every_real_file_passes(shared_data):
    found = sorted(p for p in shared_data.rglob("*") if p.is_file())
    kinds = {p.suffix for p in found}
    assert {".nc", ".grib", ".hdf", ".zip", ".parquet", ".csv", ".xlsx"} <= kinds
    for path in found:
        completeness.check_complete(path)
    for path in found:
        if path.suffix in (".csv", ".txt") and path.name != "list_tier1_sites_fluxnet2015.csv":  # a list that ends with a name
            completeness.check_text_end(path)


@pytest.mark.parametrize("pattern", ["*.nc", "*.nc4", "*.hdf"])
def test_every_real_file_cut_is_refused(shared_data, tmp_path, pattern):
    for path in shared_data.rglob(pattern):
        size = path.stat().st_size
        if size < 6_000_000:
            content = path.read_bytes()
            for length in (size // 3, size * 9 // 10, size - 2):
                refused(tmp_path / f"cut{path.suffix}", content[:length])
