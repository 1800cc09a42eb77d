"""Many archives: set aside, kept for the next run, the same whatever the threads."""

import errno
import os
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamrl import files, lineage, registry
from tamrl.errors import ConfigError, InputError, MachineError, UnitError
from tamrl.towers import survey
from tamrl.towers.networks import fluxnet
from tamrl.towers.product import Product
from tamrl.towers.reader import oneflux


@pytest.fixture
def folder(sample):
    sample.fluxnet("day")
    return sample.folder


def _gather(folder, **how):
    wanted = survey.SurveyPlan("day", **({"strict": False} | how))
    return survey.read_tables(fluxnet, [folder], fluxnet.Options(path=str(folder)), wanted)


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
    real = oneflux.read_oneflux
    monkeypatch.setattr(
        oneflux, "read_oneflux", lambda product, *how, **more: seen.append(product.site) or real(product, *how, **more)
    )
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
    assert len(files.list_files(store)) == 2 * 3  # what no longer holds is gone


def test_another_pandas_reads_again(folder, tmp_path, monkeypatch):
    seen = []
    real = oneflux.read_oneflux
    monkeypatch.setattr(
        oneflux, "read_oneflux", lambda product, *how, **more: seen.append(product.site) or real(product, *how, **more)
    )
    _gather(folder, store=tmp_path / "store")
    _gather(folder, store=tmp_path / "store")
    assert len(seen) == 2
    versions = lineage.package_version
    monkeypatch.setattr(lineage, "package_version", lambda package: "99" if package == "pandas" else versions(package))
    _gather(folder, store=tmp_path / "store")
    assert len(seen) == 4


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


# Whatever a reader raises, for every network of one file a tower

READERS = [n for n in registry.names(registry.NETWORKS) if hasattr(registry.load(registry.NETWORKS, n), "read_archive")]
SAMPLED = [n for n in READERS if n not in ("shuttle", "zarr_fluxnet2015")]
"""Those with a sample; the shuttle's and the store's own files test them."""


def _network(name, sample, monkeypatch, error):
    """Reads a sample of the network whose reader raises `error` at one of two towers."""
    plugin = registry.load(registry.NETWORKS, name)
    options = plugin.Options(**getattr(sample, name)("month"))
    read = plugin.read_archive

    def odd(product, **how):
        if product.site == "NA-Bbb":
            raise error
        return read(product, **how)

    monkeypatch.setattr(plugin, "read_archive", odd)
    paths = [Path(path) for path in plugin.inputs(options)]
    return lambda **how: survey.read_tables(plugin, paths, options, survey.SurveyPlan("month", **({"strict": False} | how)))


ODD = [ValueError("odd"), KeyError("odd"), AttributeError("odd"), RecursionError("odd"), UnicodeError("odd"), OSError("odd")]
ODD += [EOFError("odd"), pd.errors.ParserError("odd"), zipfile.BadZipFile("odd"), AssertionError("odd"), UnitError("odd")]


@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.parametrize("error", ODD, ids=repr)
def test_any_exception_sets_one_archive_aside(name, sample, monkeypatch, error):
    call = _network(name, sample, monkeypatch, error)
    _, places, aside = call()
    assert places["site"].tolist() == ["DE-Aaa"] and aside["site"].tolist() == ["NA-Bbb"] and "odd" in aside["reason"][0]
    with pytest.raises((InputError, UnitError), match="odd"):
        call(strict=True)


def _wrapped(error):
    named = InputError("the archive cannot be read", todo="fetch it again")
    named.__cause__ = error
    return named


@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.parametrize("wrap", [lambda error: error, _wrapped], ids=["plain", "wrapped"])
@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "x"), OSError(errno.ENOSPC, "x"), MemoryError()], ids=repr)
def test_what_the_machine_refuses_is_no_fault_of_an_archive(name, sample, monkeypatch, error, wrap):
    with pytest.raises(MachineError) as caught:
        _network(name, sample, monkeypatch, wrap(error))()
    assert "fetch" not in caught.value.todo


def test_a_wrong_configuration_is_no_fault_of_an_archive(sample, monkeypatch):
    with pytest.raises(ConfigError):
        _network("fluxnet", sample, monkeypatch, ConfigError("odd"))()


@pytest.mark.parametrize("name", READERS)
def test_a_list_of_archives_that_cannot_be_read_is_named(name, tmp_path, monkeypatch):
    plugin = registry.load(registry.NETWORKS, name)
    monkeypatch.setattr(plugin, "archives", lambda *args, **more: 1 // 0)
    with pytest.raises(InputError, match=str(tmp_path)):
        survey.read_tables(plugin, [tmp_path], plugin.Options(), survey.SurveyPlan("month"))


def test_a_store_that_cannot_be_written_is_named(folder, tmp_path):
    (tmp_path / "store").write_text("a file")
    with pytest.raises(MachineError, match="cannot be stored"):
        _gather(folder, store=tmp_path / "store")


# What was kept of an archive


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("suffix", "harm"),
    [
        (".parquet", _flip),
        (".parquet", lambda path: path.write_bytes(path.read_bytes()[:100])),
        (".parquet", lambda path: path.write_bytes(b"")),
        (".parquet", Path.unlink),
        (".json", lambda path: path.write_text("")),
        (".json", lambda path: path.write_text('{"place": {"si')),
        (".json", lambda path: path.write_text("[]")),
        (".json", lambda path: path.write_text('{"site": "DE-Aaa"}')),
    ],
)
def test_a_damaged_entry_is_read_again(folder, tmp_path, suffix, harm):
    first = _gather(folder, store=tmp_path / "store")
    for path in (tmp_path / "store" / "NA-Bbb").glob(f"*{suffix}"):
        harm(path)
    for one, two in zip(first, _gather(folder, store=tmp_path / "store"), strict=True):
        pd.testing.assert_frame_equal(one, two)


def test_a_shared_table_of_metadata_that_changes_is_read_again(sample, tmp_path):
    sample.japanflux("day")
    plugin, options = registry.load(registry.NETWORKS, "japanflux"), {"path": str(sample.folder)}
    wanted = survey.SurveyPlan("day", store=tmp_path / "store")
    table = sample.folder / "FLX_AA-Flx_BIF_X.csv"
    latitudes = []
    for old, new in (("", ""), ("51.0", "52.0")):
        table.write_text(table.read_text().replace(old, new) if old else table.read_text())
        latitudes.append(survey.read_tables(plugin, [sample.folder], plugin.Options(**options), wanted)[1]["lat"][0])
    assert latitudes == [51.0, 52.0]


# Several products of a tower

HUBS = st.sampled_from([*survey.HUBS, "XXX"])
PRODUCTS = st.lists(st.tuples(HUBS, st.integers(1991, 2000), st.integers(2001, 2024), st.sampled_from(["1-3", "1-4", "v1.3_r2"])))


def _product(hub, first, last, version):
    return Product("DE-Aaa", Path(f"{hub}_DE-Aaa_FLUXNET_{first}-{last}_{version}.zip"))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (("ICOSETC", 2010, 2012, "v1.3_r2"), ("AMF", 1996, 2020, "v1.3_r1")),
        (("AMF", 2010, 2012, "v1.10_r1"), ("AMF", 2010, 2012, "v1.9_r2")),
        (("TERN", 2000, 2020, "v1.3_r1"), ("AMF", 2010, 2020, "v1.3_r1")),
        (("AMF", 2010, 2012, "v1.3_r1"), ("ICOS", 2010, 2012, "v1.3_r1")),
    ],
)
def test_newest_then_longest_then_the_first_hub(better, worse):
    for order in ([better, worse], [worse, better]):
        choice = survey.choose_products([_product(*parts) for parts in order])
        assert choice.taken == [_product(*better)] and choice.others[0].path == _product(*worse).path


@given(PRODUCTS)
def test_one_product_a_tower_whatever_the_order(parts):
    choice = survey.choose_products([_product(*p) for p in parts])
    again = survey.choose_products([_product(*p) for p in reversed(parts)])
    assert len(choice.taken) == bool(parts) and len(choice.others) == max(0, len(parts) - 1)
    assert choice.taken == again.taken and all(choice.taken[0].path.name in p.reason for p in choice.others)
