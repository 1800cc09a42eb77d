"""What is wrong with a zip archive is told apart: only a broken one is to be fetched again."""

import io
import struct
import time
import zipfile
import zlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamrl.drivers.formats import netcdf
from tamrl.errors import InputError, TamrlError
from tamrl.intake import zips
from tamrl.towers.reader import snapshot, zip_members


def _packed(path, method=None, flags=0):
    """An archive whose member claims another method of packing, or flags."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "x,y\n" * 500)
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        place = content.index(mark) + at
        if method is not None:
            struct.pack_into("<H", content, place, method)
        content[place - 2] |= flags
    path.write_bytes(content)
    return path


def _read(source):
    with zips.open_zip(source, where="a.zip") as archive:
        for info in archive.infolist():
            zips.check_member(info, where="a.zip")
            archive.read(info)


@pytest.mark.parametrize("method", [*sorted(zips.METHODS), 77])
def test_a_method_that_is_not_read_is_named_and_nothing_is_to_be_fetched(tmp_path, method):
    with pytest.raises(
        InputError, match=rf"packed by a method[\s\S]*\({method}\b[\s\S]*pack it again as an ordinary zip"
    ) as error:
        _read(_packed(tmp_path / "a.zip", method))
    assert "fetch" not in str(error.value) and zips.METHODS.get(method, "") in str(error.value)


@pytest.mark.parametrize("how", [{"flags": 1}, {"flags": 0x40}, {"method": 99}])
def test_an_encrypted_archive_is_told_as_that(tmp_path, how):
    with pytest.raises(InputError, match="is encrypted"):
        _read(_packed(tmp_path / "a.zip", **how))


@pytest.mark.parametrize(
    ("spoil", "reason", "again"),
    [
        (lambda raw: raw[:-1], "breaks off before its directory", True),
        (lambda raw: raw[:100], "breaks off before its directory", True),
        (lambda raw: b"", "empty file", True),
        (lambda raw: raw[:40] + bytes([raw[40] ^ 255]) + raw[41:], "damaged", True),
        (lambda raw: raw.replace(b"PK\x01\x02", b"PK\x09\x09"), "damaged", True),
        (lambda raw: b"<!DOCTYPE html><title>Log in</title>", "a web page", False),
        (lambda raw: b"\x1f\x8b\x08 gzip", "not a zip archive", False),
    ],
)
@pytest.mark.parametrize("as_bytes", [False, True])
def test_cut_damaged_empty_and_other_files_are_told_apart(tmp_path, spoil, reason, again, as_bytes):
    path = _packed(tmp_path / "a.zip")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(InputError, match=reason) as error:
        _read(path.read_bytes() if as_bytes else path)
    assert ("fetch the file again" in str(error.value)) == again


def test_a_good_archive_passes_stored_and_deflated(tmp_path):
    for method in zips.READABLE:
        with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
            archive.writestr("a.csv", "x,y\n")
        _read(tmp_path / "a.zip")


def _overlapping(path, entries):
    """An archive whose directory names one member many times."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = packed.compress(bytes(1 << 20)) + packed.flush()
    about = (8, 0, 33, zlib.crc32(bytes(1 << 20)), len(content), 1 << 20, 1, 0)
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, *about) + b"a" + content
    entry = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, *about, 0, 0, 0, 0, 0) + b"a"
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, entries, entries, len(entry) * entries, len(local), 0)
    path.write_bytes(local + entry * entries + end)
    return path


def _many(path, count):
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(count):
            archive.writestr(str(k), b"")
    return path


def _bomb(path, members):
    """Each member below what an archive of any size may unpack to, all together above."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for k in range(members):
            archive.writestr(f"{k}.nc", bytes(zips.FREE // 2))
    return path


HOSTILE = {
    "overlapping": (lambda path: _overlapping(path, 50), "overlap"),
    "many members": (lambda path: _many(path, zips.MOST_MEMBERS + 1), "too many members"),
    "many bytes": (lambda path: _bomb(path, 3), "unpacks to more than|grows beyond"),
}
READERS = {
    "tower archive": lambda path: zip_members.read_members(path, lambda names: names, max_bytes=zips.FREE),
    "names": lambda path: zip_members.list_members(path),
    "download": lambda path: snapshot.verify_archive(path, pd.Series({"product_id": ""})),
    "drivers": lambda path: netcdf._unpacked.__wrapped__(path),
}


@pytest.mark.parametrize(
    ("kind", "reader"),
    [(k, r) for k in HOSTILE for r in READERS if (k, r) != ("many bytes", "names")],  # they unpack nothing
)
def test_an_archive_that_would_fill_the_machine_is_refused_by_every_reader(tmp_path, kind, reader):
    make, reason = HOSTILE[kind]
    path = make(tmp_path / "a.zip")
    begun = time.process_time()
    with pytest.raises(TamrlError, match=rf"({reason})[\s\S]*a\.zip|a\.zip[\s\S]*({reason})"):
        READERS[reader](path)
    assert time.process_time() - begun < 10


def test_ten_thousand_members_are_read(tmp_path):
    assert len(zip_members.list_members(_many(tmp_path / "a.zip", zips.MOST_MEMBERS))) == zips.MOST_MEMBERS


VALUES = np.random.default_rng(1).normal(size=(7, 5, 9)).astype("float32")


def _archive(compression=zipfile.ZIP_DEFLATED, wide=False, comment=b""):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name in ("a.csv", "b.csv"):
            with file.open(name, "w", force_zip64=wide) as member:
                member.write(VALUES.tobytes())
        file.comment = comment
    return buffer.getvalue()


FORMS = {
    "deflated": _archive(),
    "stored": _archive(zipfile.ZIP_STORED),
    "wide": _archive(wide=True),
    "comment": _archive(comment=b"made by hand"),
}


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=50)
@given(data=st.data())
def test_wherever_an_archive_is_cut(form, data):
    content = FORMS[form]
    _read(content)
    _read(content + bytes(1000))
    comment = len(b"made by hand") if form == "comment" else 0  # holds no values
    with pytest.raises(InputError, match=r"a\.zip") as error:
        _read(content[: data.draw(st.integers(2, len(content) - 1 - comment))])
    assert error.value.todo == "fetch the file again"


@pytest.mark.parametrize("pattern", ["*.zip", "*.xlsx"])
def test_every_real_archive_is_read_and_refused_when_cut(shared_data, pattern):
    for path in shared_data.rglob(pattern):
        if path.stat().st_size < 6_000_000:
            content = path.read_bytes()
            _read(content)
            for length in (len(content) // 3, len(content) * 9 // 10, len(content) - 2):
                with pytest.raises(InputError):
                    _read(content[:length])


def test_an_archive_within_an_archive_that_is_cut_is_not_read_in_its_place():
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_STORED) as file:
        file.writestr("inner.zip", _archive())
        file.writestr("later.csv", b"x" * 1000)
    content = outer.getvalue()
    with pytest.raises(InputError, match="begins with something else"):
        _read(content[: content.index(b"later.csv") - 30])
