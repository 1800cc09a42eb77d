"""Seals: what a stage writes is compared with its SHA-256 when another stage reads it."""

import ast
import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamrl import contracts, files, lineage
from tamrl.errors import ContractError

ROOT = Path(__file__).parents[1]
CONTENT = bytes(range(256)) * 5


@pytest.fixture(autouse=True)
def _rule():
    lineage.note_job("write_something")
    yield
    lineage.note_job("")


def write(path, content=CONTENT):
    with files.atomic(path) as part:
        part.write_bytes(content)
    return path


def flip(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_what_is_written_is_sealed_and_passes(tmp_path):
    path = write(tmp_path / "a.bin")
    assert files.verified(path) == path and files.is_intact(path)
    seal = files.Seal.read(path)
    assert seal.checksum == files.Checksum(len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert seal.rule == "write_something"
    assert seal.origin["software"]["numpy"] == np.__version__ and "numpy" in seal.origin["instructions"]


@settings(max_examples=60, deadline=None)
@given(bit=st.integers(0, 8 * len(CONTENT) - 1))
def test_each_single_bit_is_noticed_by_name(tmp_path_factory, bit):
    path = write(tmp_path_factory.mktemp("bit") / "a.bin")
    flip(path, bit)
    with pytest.raises(ContractError, match="differs from its seal") as caught:
        files.verified(path)
    assert caught.value.where == path and "write_something" in caught.value.todo


@pytest.mark.parametrize("size", [0, 1, len(CONTENT) - 1, len(CONTENT) + 1])
def test_another_length_is_noticed(tmp_path, size):
    path = write(tmp_path / "a.bin")
    path.write_bytes((CONTENT + b"x")[:size])
    with pytest.raises(ContractError, match=f"found: {size} bytes"):
        files.verified(path)
    assert not files.is_intact(path)


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 100))
def test_a_damaged_seal_is_no_excuse(tmp_path_factory, cut):
    path = write(tmp_path_factory.mktemp("seal") / "a.bin")
    seal = files.seal_file(path)
    seal.write_bytes(seal.read_bytes()[:cut])
    with pytest.raises(ContractError):
        files.verified(path)


def test_a_file_that_nobody_sealed_passes_and_one_that_is_not_there_is_not_intact(tmp_path):
    (tmp_path / "mine.csv").write_text("a\n")
    assert files.verified(tmp_path / "mine.csv").is_file()
    assert not files.is_intact(tmp_path / "gone.csv")


def test_a_file_changed_after_it_was_read_once_is_compared_again(tmp_path):
    path = write(tmp_path / "a.bin")
    files.verified(path)
    flip(path, 9)
    with pytest.raises(ContractError):
        files.verified(path)


def test_a_file_written_anew_is_sealed_anew(tmp_path):
    path = write(tmp_path / "a.bin")
    write(path, b"other")
    assert files.verified(path).read_bytes() == b"other"


def test_a_directory_is_sealed_file_by_file(tmp_path):
    with files.atomic(tmp_path / "model") as part:
        part.mkdir()
        files.write_json(part / "spec.json", {"a": 1})
        (part / "weights").write_bytes(CONTENT)
    assert not list((tmp_path / "model").glob(".*")), "one seal beside the directory"
    assert files.is_intact(tmp_path / "model") and files.read_json(tmp_path / "model/spec.json") == {"a": 1}
    flip(tmp_path / "model/weights", 77)
    assert files.is_intact(tmp_path / "model/spec.json") and not files.is_intact(tmp_path / "model")
    with pytest.raises(ContractError, match="weights"):
        files.verified(tmp_path / "model/weights")
    (tmp_path / "model/weights").unlink()
    assert not files.is_intact(tmp_path / "model")


def test_a_store_with_a_manifest_is_sealed_by_it_alone(tmp_path):
    with files.atomic(tmp_path / "a.zarr") as part:
        part.mkdir()
        (part / "chunk").write_bytes(CONTENT)
        files.write_json(part / files.MANIFEST, {"files": {}})
    assert list(files.Seal.read(tmp_path / "a.zarr").files) == [files.MANIFEST]


def test_recorded_checksums_are_those_of_sha256sum(tmp_path):
    path = write(tmp_path / "a.bin")
    told = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
    assert files.sha256(path) == files.checksum(path) == told == hashlib.sha256(CONTENT).hexdigest()


def test_directories_that_differ_in_where_names_end_have_other_checksums(tmp_path):
    for folder, entries in {"one": {"ab": b"c"}, "two": {"a": b"bc"}, "three": {"a": b"", "b": b"c"}}.items():
        (tmp_path / folder).mkdir()
        for name, content in entries.items():
            (tmp_path / folder / name).write_bytes(content)
    assert len({files.sha256(tmp_path / name) for name in ("one", "two", "three")}) == 3
    shutil.copytree(tmp_path / "one", tmp_path / "again")
    files.write_seal(tmp_path / "again")
    assert files.sha256(tmp_path / "again") == files.sha256(tmp_path / "one"), "seals are no content"


def test_a_table_that_changed_by_a_letter_is_refused(tmp_path):
    path = tmp_path / "splits.csv"
    with files.atomic(path) as part:
        pd.DataFrame({"site": ["DE-Aaa", "FR-Bbb"], "group": [1, 2], "fold": ["0", "1"]}).to_csv(part, index=False)
    assert len(contracts.read_csv(path, contracts.SPLITS)) == 2
    path.write_text(path.read_text().replace("FR-Bbb", "FR-Bbc"))
    with pytest.raises(ContractError, match="differs from its seal"):
        contracts.read_csv(path, contracts.SPLITS)


READERS = {"open_dataset", "load_dataset", "read_parquet", "read_csv", "read_schema", "read_metadata", "Dataset"}
OUTSIDE = (
    "twin",
    "intake",
    "drivers/sources",
    "drivers/formats",
    "drivers/reanalysis",
    "towers/reader",
    "drivers/subsets.py",
    "drivers/granules.py",
    "drivers/co2.py",
)
FOREIGN = {
    "towers/reader/bif.py", "towers/reader/oneflux.py", "towers/reader/snapshot.py", "towers/public_files.py",
    "maps/netcdf.py", "benchmarks.py",
}  # fmt: skip
"""Readers of files that come from elsewhere; `maps/netcdf.py` opens what it writes."""


def _reads(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READERS:
            base = node.func.value
            module = base.id if isinstance(base, ast.Name) else ""
            if module == "netCDF4" or (module in ("xr", "pd", "pq") and node.func.attr != "Dataset"):
                yield node


INSIDE = [f for f in sorted((ROOT / "tamrl").rglob("*.py")) if not str(f.relative_to(ROOT / "tamrl")).startswith(OUTSIDE)]


@pytest.mark.parametrize("file", INSIDE, ids=lambda f: str(f.relative_to(ROOT / "tamrl")))
def test_every_stage_compares_what_it_reads(file):
    name = str(file.relative_to(ROOT / "tamrl"))
    for call in _reads(file):
        if name in FOREIGN or f"{name}:{call.func.attr}" in FOREIGN:
            continue
        assert "verified(" in ast.unparse(call.args[0]), (
            f"{name}:{call.lineno} reads {ast.unparse(call.args[0])} without its seal"
        )
