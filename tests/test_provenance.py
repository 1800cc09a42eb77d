"""Digests that rerun what changed and nothing else, and the record of a run."""

import errno
import hashlib
import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from tamrl import files, lineage, provenance, record, stores, syntax
from tamrl.errors import ContractError, InputError, MachineError
from tamrl.sections.run import Config


def test_the_digest_of_a_configuration_ignores_the_order_of_keys():
    one, two = {"a": 1, "b": {"c": [1, 2]}}, {"b": {"c": [1, 2]}, "a": 1}
    assert provenance.config_digest(one) == provenance.config_digest(two)
    assert provenance.config_digest(one) != provenance.config_digest({"a": 1, "b": {"c": [2, 1]}})


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package `tamrl` of three modules: a imports b, b imports c inside a function; d stands apart."""
    folder = tmp_path / "tamrl"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "a.py").write_text('"""A."""\nfrom tamrl import b\n\ndef f(x):\n    """Say."""\n    return b.g(x)\n')
    (folder / "b.py").write_text("def g(x):\n    from tamrl.c import h\n    return h(x)\n")
    (folder / "c.py").write_text("def h(x):\n    return x + 1  # one more\n")
    (folder / "d.py").write_text("VALUE = 1\n")
    monkeypatch.setattr(provenance, "ROOT", tmp_path)

    def forget():
        for cached in (provenance._file, provenance.imports, provenance._imported, provenance._source_digest):
            cached.cache_clear()

    def digest():
        forget()
        return provenance.code_digest("tamrl.a")

    yield folder, digest
    forget()


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("c.py", "x + 1", "x + 2", True),
        ("c.py", "# one more", "# another word", False),
        ("a.py", '"""Say."""', '"""Say more."""', False),
        ("d.py", "1", "2", False),
        ("b.py", "return h(x)", "return h(x) * 1", True),
    ],
)
def test_the_digest_of_code_follows_imports_and_ignores_words(package, file, old, new, changes):
    folder, digest = package
    before = digest()
    (folder / file).write_text((folder / file).read_text().replace(old, new))
    assert (digest() != before) is changes


@pytest.mark.parametrize("spoil", ["", "{", "[]", '{"content": 1}'])
def test_code_is_parsed_once_and_again_when_it_or_its_record_changes(tmp_path, monkeypatch, spoil):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file, parsed = tmp_path / "a.py", []
    parse = syntax._parse
    monkeypatch.setattr(syntax, "_parse", lambda content: parsed.append(content) or parse(content))
    file.write_text("from a import b\nimport c\nif TYPE_CHECKING:\n    import d\nelse:\n    import e\n")
    first = syntax.read_source(file)
    assert first.imports == (("a", True), ("a.b", False), ("c", True), ("e", True))
    assert syntax.read_source(file) == first and len(parsed) == 1
    (record,) = (tmp_path / "__pycache__").iterdir()
    record.write_text(spoil)
    assert syntax.read_source(file) == first and len(parsed) == 2
    file.write_text("import c\n")
    assert syntax.read_source(file).imports == (("c", True),) and len(parsed) == 3


def test_no_record_of_code_is_kept_where_none_may_be_written(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text("import c\n")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    syntax.read_source(tmp_path / "a.py")
    assert not (tmp_path / "__pycache__").exists()
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "__pycache__").write_text("no folder")
    assert syntax.read_source(tmp_path / "a.py").imports == (("c", True),)


def test_every_stage_has_a_digest_and_versions_are_known():
    found = record.stage_digests(Config())
    assert {"tamrl.maps.stage", "tamrl.uncertainty.stage"} <= set(found)
    assert all(len(digest) == 16 for digest in found.values()) and len(set(found.values())) == len(found)
    software = provenance.software()
    assert software["numpy"] == np.__version__ and software["tamrl"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("torch", "lightgbm"):  # what is written here is made by a process that knows neither
        monkeypatch.delitem(sys.modules, name, raising=False)
    ds = xr.Dataset({"evi": (("lat", "lon"), np.ones((2, 4), "float32"))})
    ds.to_zarr(tmp_path / "cube.zarr", zarr_format=3, consolidated=False)
    stores.seal_store(tmp_path / "cube.zarr", origin={"sources": {"modis": {"version": "61"}}})
    (tmp_path / "benchmarks/train_model").mkdir(parents=True)
    head = "s\th:m:s\tmax_rss\tmax_vms\n"
    (tmp_path / "benchmarks/build_cube.tsv").write_text(head + "12.5\t0:00:12\t512.25\t900\n")
    (tmp_path / "benchmarks/train_model/tamrl-0-0.tsv").write_text(head + "0.2\t0:00:00\t-\t-\n")
    for name in ("t.parquet", "report.html"):
        (tmp_path / name).write_text(name)
    xr.Dataset({"gpp": (("time", "lat", "lon"), np.ones((2, 3, 4), "float32"))}).to_netcdf(tmp_path / "map.nc")
    return tmp_path


def recorded(run, **more):
    config = Config(run="x", seed=7).model_dump(mode="json")
    record.record_provenance(
        cube=run / "cube.zarr",
        inputs=[run / "t.parquet"],
        raw=[run / "benchmarks"],
        outputs=[run / "map.nc", run / "report.html"],
        record=run / "provenance.json",
        config=config,
        config_digest="feed",
        benchmarks=[run / "benchmarks"],
        **more,
    )
    return json.loads((run / "provenance.json").read_text()), config


def test_the_record_tells_what_was_read_with_what_and_what_it_cost(run):
    found, config = recorded(run)
    assert found["config"] == config and found["seed"] == 7
    assert found["config_digest"] == "feed"
    assert found["outputs"]["map.nc"] == files.sha256(run / "map.nc")
    assert found["inputs"]["towers"] == {"t.parquet": files.sha256(run / "t.parquet")}
    assert found["contents"] == {"map.nc": record.content_digest(run / "map.nc")}
    assert found["inputs"]["raw"] == {"benchmarks": files.sha256(run / "benchmarks")}
    assert found["lock"] == provenance.lock_digest() != "none"
    assert found["inputs"]["drivers"]["sha256"] == stores.manifest_digest(run / "cube.zarr")
    assert found["inputs"]["drivers"]["sources"] == {"modis": {"version": "61"}}
    assert found["rules"]["build_cube"] == {"rule": "build_cube", "seconds": 12.5, "memory_mib": 512.25}
    assert found["rules"]["train_model/tamrl-0-0"] == {"rule": "train_model", "seconds": 0.2, "memory_mib": None}
    assert found["hardware"]["cores"] >= 1 and found["hardware"]["memory_gib"] > 0


def test_a_changed_input_changes_the_record(run):
    before, _ = recorded(run)
    (run / "t.parquet").write_text("other")
    after, _ = recorded(run)
    assert before["inputs"]["towers"] != after["inputs"]["towers"] and before["outputs"] == after["outputs"]


def test_what_is_no_benchmark_or_no_finished_store_is_refused(run):
    (run / "benchmarks/x.tsv").write_text("a\tb\n")
    with pytest.raises(InputError, match="not a benchmark"):
        recorded(run)
    (run / "benchmarks/x.tsv").unlink()
    (run / "cube.zarr/manifest.json").unlink()
    with pytest.raises(ContractError, match="no manifest"):
        recorded(run)
    assert not (run / "provenance.json").exists()


def _map(path, *, history, value=1.0):
    field = np.full((2, 3, 4), value, "float32")
    xr.Dataset({"gpp": (("time", "lat", "lon"), field)}, attrs={"history": history}).to_netcdf(path)
    return path


def test_the_content_of_a_map_is_its_numbers_and_not_its_dates(tmp_path):
    one, two = _map(tmp_path / "a.nc", history="Monday"), _map(tmp_path / "b.nc", history="Tuesday, later")
    other = _map(tmp_path / "c.nc", history="Monday", value=np.float32(1.0000001))
    assert files.sha256(one) != files.sha256(two)
    assert record.content_digest(one) == record.content_digest(two) != record.content_digest(other)


def test_texts_count_by_their_letters_and_not_by_where_they_lie_in_memory(tmp_path):
    def digest(name, *sites):
        xr.Dataset({"site": ("site", np.array(sites, dtype=object))}).to_netcdf(tmp_path / name)
        return record.content_digest(tmp_path / name)

    assert digest("a.nc", "DE-Hai", "ä" * 40) == digest("b.nc", "DE-Hai", "ä" * 40)
    assert len({digest("c.nc", "ab", "c"), digest("d.nc", "a", "bc"), digest("e.nc", "", "abc")}) == 3


@pytest.mark.parametrize("chunks", [None, (2, 2, 3, 4), (1, 2, 3, 4), (1, 1, 3, 4), (3, 1, 2, 2)])
def test_the_content_of_a_map_is_read_in_order_whatever_its_chunks(tmp_path, chunks):
    field = np.random.default_rng(0).normal(size=(5, 2, 3, 4)).astype("float32")
    ds = xr.Dataset({"gpp": (("time", "member", "lat", "lon"), field)})
    ds.to_netcdf(tmp_path / "a.nc", encoding={"gpp": {"chunksizes": chunks, "zlib": chunks is not None}})
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        parts = [part.tobytes() for part in record._parts(file["gpp"])]
    assert b"".join(parts) == field.tobytes() and len(parts) > 1


def test_products_are_read_side_by_side_to_the_same_record(run):
    one, _ = recorded(run)
    two, _ = recorded(run, threads=2)
    assert [one[k] for k in ("outputs", "contents")] == [two[k] for k in ("outputs", "contents")]


def test_recorded_checksums_are_what_hashlib_and_sha256sum_say(run):
    found, _ = recorded(run)
    told = found["outputs"] | found["inputs"]["towers"]
    assert len(told) == 3
    for path, digest in told.items():
        said = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
        assert digest == hashlib.sha256(Path(path).read_bytes()).hexdigest() == said


def _made_with(run, name, rule, **changes):
    lineage.note_job(rule)
    with files.atomic(run / name) as part:
        part.write_text("x")
    seal = files.seal_file(run / name)
    seal.write_text(json.dumps(json.loads(seal.read_text()) | changes))
    files._read_seal.cache_clear()


def test_the_record_tells_what_made_each_product_and_what_was_mixed(run, caplog):
    old = {"torch": "1.0", "numpy": "1.0"}
    _made_with(run, "models/tamrl/fold-all/member-0", "train_model", software=old, instructions="torch AVX2", when="2001")
    _made_with(run, "models/tamrl/fold-all/member-1", "train_model", software=old, instructions="torch AVX512", when="2002")
    _made_with(run, "models/tamrl/fold-all/member-2", "train_model", software=old, instructions="torch AVX512", when="2003")
    _made_with(run, "budgets.csv", "sum_budgets", software={"numpy": "2.0"})
    found, _ = recorded(run)
    both = {e["instructions"]: (e["products"], e["first"], e["last"]) for e in found["made"]["train_model"]}
    assert both == {"torch AVX2": (1, "2001", "2001"), "torch AVX512": (2, "2002", "2003")}
    assert found["software"]["torch"] == "1.0" and "lightgbm" not in found["software"], "not what is installed now"
    assert found["software"]["numpy"] == f"1.0, 2.0, {np.__version__}", "the last made the cube"
    assert found["mixed"] == ["models were made with different instruction sets: torch AVX2; torch AVX512"]
    assert found["mixed"][0] in caplog.text
    _made_with(run, "predictions/2012.tiles/a.json", "predict_tiles", software=old)
    _made_with(run, "predictions/2012.tiles/b.json", "predict_part", software={"torch": "2.0"})
    assert "tiles of maps were made with different libraries" in recorded(run)[0]["mixed"][1]


def test_a_parameter_of_code_follows_the_libraries_that_the_code_imports(monkeypatch):
    training, towers = ("tamrl.training.stage", "tamrl.models.tamrl"), ("tamrl.towers.stage",)
    before = [repr(provenance.Code(*modules)) for modules in (training, towers)]
    real = lineage.package_version
    monkeypatch.setattr(lineage, "package_version", lambda package: "99.0" if package == "torch" else real(package))
    after = [repr(provenance.Code(*modules)) for modules in (training, towers)]
    assert "torch-99.0" in after[0] and after[0] != before[0] and after[1] == before[1]
    monkeypatch.setattr(lineage, "package_version", lambda package: "99.0" if package == "snakemake" else real(package))
    assert [repr(provenance.Code(*modules)) for modules in (training, towers)] == before
    assert type(pickle.loads(pickle.dumps(provenance.Code(*towers)))) is str, "scripts get them without this package"


def _folder(path):
    (path / "2011").mkdir(parents=True)
    for name in ("2011/a.nc", ".zattrs", "é.csv"):
        (path / name).write_text("as it came")
    return path


def _overwritten(path, text):
    status = path.stat()
    path.write_text(text)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda p: os.utime(p / "2011/a.nc", ns=(0, 1)), True),
        (lambda p: _overwritten(p / "2011/a.nc", "longer than it came"), True),
        (lambda p: _overwritten(p / ".zattrs", "longer than it came"), True),
        (lambda p: (p / "2011/a.nc").rename(p / "2011/b.nc"), True),
        (lambda p: (p / "2011/a.nc").unlink(), True),
        (lambda p: (p / "b.nc").touch(), True),
        (lambda p: (p / "2011/a.nc").read_text(), False),
        (lambda p: (p / ".snakemake_timestamp").touch(), False),
        (lambda p: (p / ".part-12-b.nc").touch(), False),
        (lambda p: (p / "2011").chmod(0o700), False),
        (lambda p: os.utime(p / "2011"), False),
    ],
)
def test_the_stamp_of_a_folder_follows_name_size_and_time_of_its_files_alone(tmp_path, change, seen):
    folder = _folder(tmp_path / "inputs")
    before = provenance.file_stamps([folder])
    change(folder)
    assert (provenance.file_stamps([folder]) != before) == seen


def test_stamps_follow_links_also_in_circles_and_take_what_is_missing(tmp_path):
    folder, elsewhere = _folder(tmp_path / "inputs"), _folder(tmp_path / "elsewhere")
    (folder / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    (folder / "broken").symlink_to(tmp_path / "nothing")
    before = provenance.file_stamps([folder, tmp_path / "later.csv"])
    assert before == provenance.file_stamps([tmp_path / "later.csv", folder])
    os.utime(elsewhere / "2011/a.nc", ns=(0, 1))
    after = provenance.file_stamps([folder, tmp_path / "later.csv"])
    (tmp_path / "later.csv").touch()
    assert len({before, after, provenance.file_stamps([folder, tmp_path / "later.csv"])}) == 3


def test_a_file_system_that_does_not_answer_is_named_and_no_change(tmp_path, monkeypatch):
    def lost(*_, **__):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(Path, "stat", lost)
    with pytest.raises(MachineError, match="ESTALE"):
        provenance.file_stamps([tmp_path])


def test_fifty_thousand_files_are_looked_at_in_seconds(tmp_path):
    for k in range(50_000):
        (tmp_path / f"{k}.nc").touch()
    begun = time.process_time()
    provenance.file_stamps([tmp_path])
    assert time.process_time() - begun < 3


def test_stamps_of_a_rule_are_looked_at_whenever_they_are_written_down(tmp_path):
    """Snakemake works parameters out while it plans, and on a cluster records them as they were then."""
    stamps = provenance.Stamps(lambda: {"a": provenance.file_stamps([tmp_path / "a"])})
    planned = repr(stamps)
    (tmp_path / "a").write_text("made by the run")
    assert repr(stamps) != planned and repr(stamps) == repr({"a": provenance.file_stamps([tmp_path / "a"])})
    assert type(pickle.loads(pickle.dumps(stamps))) is dict, "scripts get them without this package"


def test_contents_follow_what_a_file_holds_not_its_time(tmp_path):
    file = tmp_path / "sources.tsv"
    file.write_text("one")
    before = provenance.contents([file])
    os.utime(file, ns=(0, 1))
    assert provenance.contents([file]) == before
    _overwritten(file, "two")
    assert provenance.contents([file]) != before


def test_what_only_type_checkers_import_is_no_part_of_the_code():
    assert "torch" not in provenance.libraries("tamrl.plugins") and "torch" in provenance.libraries("tamrl.training.loop")
