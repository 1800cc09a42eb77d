"""What is wrong with a zip archive is told apart: only a broken one is to be fetched again."""

import struct
import zipfile

import pytest

from tamrl.errors import InputError
from tamrl.intake import zips


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
    with zips.opened(source, where="a.zip") as archive:
        for info in archive.infolist():
            zips.check_member(info, where="a.zip")
            archive.read(info)


@pytest.mark.parametrize("method", [*sorted(zips.METHODS), 77])
def test_a_method_that_is_not_read_is_named_and_nothing_is_to_be_fetched(tmp_path, method):
    with pytest.raises(
        InputError, match=rf"packed by a method[\s\S]*\({method}\b[\s\S]*pack it anew as an ordinary zip"
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
        (lambda raw: b"\x1f\x8b\x08 gzip", "no zip archive", False),
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
