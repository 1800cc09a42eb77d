"""Hostile and damaged archives: refused as a whole, nothing written."""

import stat
import struct
import zipfile

import pytest

from tamrl.errors import InputError
from tamrl.towers.reader import zip_members


def _all(names):
    return names


def _zip(path, *entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for info, content in entries:
            file.writestr(info, content)
    return path


def test_only_the_members_chosen_are_read(tmp_path):
    path = _zip(tmp_path / "a.zip", ("in/a.csv", b"1"), ("b.csv", b"2"))
    assert zip_members.read_members(path, lambda names: [n for n in names if n.endswith("b.csv")]) == {"b.csv": b"2"}
    assert zip_members.read_members(path, _all) == {"in/a.csv": b"1", "b.csv": b"2"}


@pytest.mark.parametrize("name", ["../x.csv", "a/../../x.csv", "/etc/x.csv", "C:/x.csv", "..\\x.csv", "a\\..\\..\\x.csv"])
def test_names_that_leave_the_archive_are_refused(tmp_path, name):
    path = _zip(tmp_path / "a.zip", ("good.csv", b"1"), (zipfile.ZipInfo(name), b"2"))
    before = sorted(tmp_path.parent.rglob("*"))
    with pytest.raises(InputError, match="leaves the archive"):
        zip_members.read_members(path, lambda names: ["good.csv"])
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_links_are_refused(tmp_path):
    info = zipfile.ZipInfo("link.csv")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = _zip(tmp_path / "a.zip", (info, b"/etc/passwd"))
    with pytest.raises(InputError, match="is a link"):
        zip_members.read_members(path, _all)


def test_encrypted_members_are_refused(tmp_path):
    path = _zip(tmp_path / "a.zip", ("a.csv", b"1"))
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(InputError, match="encrypted"):
        zip_members.read_members(path, _all)


def test_a_bomb_is_refused_by_what_comes_out(tmp_path):
    path = _zip(tmp_path / "a.zip", ("a.csv", bytes(40 << 20)))  # 1000 : 1
    with pytest.raises(InputError, match="grows beyond"):
        zip_members.read_members(path, _all)


def test_an_absolute_cap_holds_for_any_ratio(tmp_path):
    path = _zip(tmp_path / "a.zip", ("a.csv", bytes(3000)))
    assert len(zip_members.read_members(path, _all, max_bytes=3000)["a.csv"]) == 3000
    with pytest.raises(InputError, match="grows beyond"):
        zip_members.read_members(path, _all, max_bytes=2999)


@pytest.mark.parametrize("claimed", [10, 1 << 30])
def test_a_lying_header_gives_an_error_and_no_bytes(tmp_path, claimed):
    path = _zip(tmp_path / "a.zip", ("a.csv", bytes(40 << 20)))
    raw = bytearray(path.read_bytes())
    struct.pack_into("<I", raw, raw.index(b"PK\x01\x02") + 24, claimed)  # uncompressed size in the central directory
    path.write_bytes(raw)
    with pytest.raises(InputError):
        zip_members.read_members(path, _all)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_truncated_archives_are_named(tmp_path, share):
    path = _zip(tmp_path / "cut.zip", ("a.csv", bytes(range(256)) * 500))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"cut\.zip"):
        zip_members.read_members(path, _all)


def test_a_flipped_bit_is_found(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("a.csv", b"12345678" * 100)
    raw = bytearray(path.read_bytes())
    raw[300] ^= 1
    path.write_bytes(raw)
    with pytest.raises(InputError, match="CRC"):
        zip_members.read_members(path, _all)


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(InputError, match=r"does not exist[\s\S]*none\.zip"):
        zip_members.read_members(tmp_path / "none.zip", _all)
