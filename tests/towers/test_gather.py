"""Many archives: set aside, kept for the next run, the same whatever the threads."""

import os
import shutil
import zipfile

import pandas as pd
import pytest

from tamrl.errors import InputError
from tamrl.towers import gather, oneflux
from tamrl.towers.networks import fluxnet


@pytest.fixture
def folder(sample):
    sample.fluxnet("day")
    return sample.folder


def _gather(folder, **how):
    wanted = gather.Wanted("day", **({"strict": False} | how))
    return gather.read(fluxnet, [folder], fluxnet.Options(path=str(folder)), wanted)


def _copies(folder, n):
    """More archives of the same content under other ids."""
    with zipfile.ZipFile(next(folder.glob("*DE-Aaa*.zip"))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for k in range(n):
        site = f"DE-{k:03d}"
        with zipfile.ZipFile(folder / f"AMF_{site}_FLUXNET_2010-2011_v1.3_r1.zip", "w") as archive:
            for name, content in members.items():
                archive.writestr(name.replace("DE-Aaa", site), content.replace(b"DE-Aaa", site.encode()))


def test_threads_and_store_change_nothing(folder, tmp_path):
    _copies(folder, 6)
    plain = _gather(folder)
    for how in ({"threads": 4}, {"store": tmp_path / "store"}, {"store": tmp_path / "store", "threads": 3}):
        for one, two in zip(plain, _gather(folder, **how), strict=True):
            pd.testing.assert_frame_equal(one, two)


def test_only_what_is_new_is_read(folder, tmp_path, monkeypatch):
    store = tmp_path / "store"
    _gather(folder, store=store)
    seen = []
    real = oneflux.read
    monkeypatch.setattr(oneflux, "read", lambda product, **how: seen.append(product.site) or real(product, **how))
    _gather(folder, store=store)
    assert seen == []
    _copies(folder, 1)
    _gather(folder, store=store)
    assert seen == ["DE-000"]
    changed = next(folder.glob("*NA-Bbb*.zip"))
    os.utime(changed, ns=(1, 1))
    _gather(folder, store=store)
    assert seen == ["DE-000", "NA-Bbb"]
    _gather(folder, store=store, partitioning="DT")
    assert len(seen) == 5
    assert len([p for p in store.rglob("*") if p.is_file()]) == 2 * 3  # what no longer holds is gone


def _truncate(path):
    path.write_bytes(path.read_bytes()[:200])


def _swap(path):
    """Latitude and longitude exchanged in the metadata."""
    _rewrite(path, {b"LOCATION_LAT,-22.5": b"LOCATION_LAT,117.0", b"LOCATION_LONG,17.0": b"LOCATION_LONG,-22.5"})


def _twice(path):
    """A day that stands twice with other values."""
    _rewrite(path, {b"\n20100102,": b"\n20100101,"})


def _rewrite(path, changes):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            for old, new in changes.items():
                content = content.replace(old, new)
            archive.writestr(name, content)


def _slip(path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../evil.csv", "x")


def _bomb(path):
    _zeros(path, start=b"TIMESTAMP,NEE_VUT_REF\n")


def _zeros(path, start=b""):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("TERN_NA-Bbb_FLUXNET_FLUXMET_DD_2010-2011_v1.3_r1.csv", start + bytes(40 << 20))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (_truncate, "cannot be read"),
        (_swap, "swapped"),
        (_twice, "same site and date differ"),
        (_slip, "leaves the archive"),
        (_zeros, "NUL bytes"),
        (_bomb, "no column for"),
    ],
)
def test_a_bad_archive_never_stops_the_others(folder, tmp_path, harm, reason):
    harm(next(folder.glob("*NA-Bbb*.zip")))
    table, places, aside = _gather(folder, store=tmp_path / "store")
    assert places["site"].tolist() == ["DE-Aaa"] == table["site"].unique().tolist()
    assert aside[["site", "file"]].to_numpy().tolist() == [["NA-Bbb", "TERN_NA-Bbb_FLUXNET_2010-2011_v1.3_r1.zip"]]
    assert reason in aside["reason"][0]
    with pytest.raises(InputError, match=reason):
        _gather(folder, strict=True)


def test_a_repaired_archive_is_taken_up(folder, tmp_path):
    bad = next(folder.glob("*NA-Bbb*.zip"))
    shutil.copy(bad, tmp_path / "good.zip")
    _truncate(bad)
    assert len(_gather(folder, store=tmp_path / "store")[2]) == 1
    shutil.copy(tmp_path / "good.zip", bad)
    _, places, aside = _gather(folder, store=tmp_path / "store")
    assert len(places) == 2 and aside.empty


def test_nothing_readable_is_an_error(folder):
    for path in folder.glob("*.zip"):
        _truncate(path)
    with pytest.raises(InputError, match="no archive can be read"):
        _gather(folder)
