"""Small ground-floor modules: errors, units, carbon, registry, log, files, variables, contracts."""

import ast
import errno
import json
import logging
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tamrl import carbon, contracts, files, log, registry, units, variables
from tamrl.errors import ContractError, MachineError, PluginError, TamrlError, UnitError, near


def test_an_error_says_what_where_found_and_what_to_do():
    text = str(TamrlError("no tower", where="x.csv", found="0 rows", todo="add one"))
    assert [part in text for part in ("no tower", "x.csv", "0 rows", "add one")] == [True] * 4


def test_near_misses():
    assert near("air_temprature", ["air_temperature", "evi"]) == "did you mean air_temperature?"
    assert "choose from" in near("xyz", ["evi"])


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (20.0, "degC", "K", 293.15),
        (86400.0, "J m-2 d-1", "W m-2", 1.0),
        (0.002, "m d-1", "mm d-1", 2.0),
        (1.0, "kPa", "hPa", 10.0),
    ],
)
def test_units_are_converted_by_the_library(value, source, target, expected):
    assert units.convert(value, source=source, target=target) == pytest.approx(expected)
    lazy = xr.DataArray([value]).chunk()
    assert units.convert(lazy, source=source, target=target).compute().item() == pytest.approx(expected)


def test_units_that_do_not_fit_are_refused():
    with pytest.raises(UnitError, match="cannot convert"):
        units.convert(1.0, source="K", target="W m-2")
    with pytest.raises(UnitError, match="unknown unit"):
        units.convert(1.0, source="furlongs per moon", target="K")


def test_one_micromole_is_a_gram_a_day():
    assert units.carbon_from_co2(1.0) == pytest.approx(1.0377, abs=1e-4)


def test_the_balance_closes_for_arrays_and_tensors():
    torch = pytest.importorskip("torch")
    for make in (np.asarray, torch.tensor):
        gpp, reco = make([5.0, -0.1]), make([3.0, 0.2])
        assert carbon.residual(gpp=gpp, reco=reco, nee=carbon.nee(gpp=gpp, reco=reco)).tolist() == [0, 0]
        assert carbon.nee(gpp=gpp, reco=reco).tolist() == pytest.approx([-2.0, 0.3])


def test_plugins_are_files_and_misses_are_hinted():
    assert "fluxnet2015" in registry.names(registry.NETWORKS)
    with pytest.raises(PluginError, match="did you mean fluxnet2015"):
        registry.load(registry.NETWORKS, "fluxnet2105")


def test_an_error_inside_an_atomic_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), files.atomic(target) as part:
        part.write_text("half")
        _ = 1 / 0
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["ENOSPC", "EDQUOT", "EROFS", "EMFILE", "EACCES"])
def test_a_disk_that_takes_nothing_is_named_with_the_file(tmp_path, name):
    target, number = tmp_path / "map.nc", getattr(errno, name)
    with pytest.raises(MachineError, match=name) as caught, files.atomic(target) as part:
        raise OSError(number, os.strerror(number), str(part))
    assert caught.value.where == target and not list(tmp_path.iterdir())


def test_an_input_that_is_missing_inside_an_atomic_write_is_not_blamed_on_the_disk(tmp_path):
    with pytest.raises(FileNotFoundError), files.atomic(tmp_path / "a"):
        (tmp_path / "input").read_bytes()


def test_every_text_is_read_and_written_in_an_encoding_that_is_named(root):
    """The locale of a queue's job is often none, and its encoding ASCII."""
    wanted = {"read_text", "write_text", "FileHandler"}
    for file in [*(root / "tamrl").rglob("*.py"), *(root / "workflow").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", None)
            if getattr(node.func, "id", None) == "open" and not any("b'" in ast.unparse(a) for a in node.args[1:2]):
                name = "read_text"
            if name in wanted:
                assert any(k.arg == "encoding" for k in node.keywords), f"{file}:{node.lineno}"


def test_atomic_directories_replace_whole(tmp_path):
    for content in ("one", "two"):
        with files.atomic(tmp_path / "store") as part:
            part.mkdir()
            (part / content).write_text(content)
    assert [p.name for p in (tmp_path / "store").iterdir()] == ["two"]


def test_digest_of_a_folder_sees_names_and_bytes(tmp_path):
    (tmp_path / "a").write_text("1")
    first = files.sha256(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert files.sha256(tmp_path) != first


def test_json_refuses_what_json_cannot_hold(tmp_path):
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not (tmp_path / "x.json").exists()


def test_log_goes_to_the_file_and_progress_counts(tmp_path):
    code = (
        "import sys, logging; from tamrl import log; log.to_file(sys.argv[1]); log._SECONDS_BETWEEN_LINES = -1\n"
        "for _ in log.progress(range(3), 'tiles'): pass\n"
        "raise ValueError('broken tower')"
    )
    path = tmp_path / "deep" / "rule.log"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    text = path.read_text()
    assert done.returncode == 1
    assert "tiles: 2/3, about" in text and "tiles: finished" in text
    assert "Traceback" in text and "Traceback" not in done.stderr
    assert "broken tower" in done.stderr


def test_the_journal_has_a_line_for_each_job_that_ended(tmp_path):
    run = tmp_path / "results/mine"
    for name, end in (("train_model/tamrl-0-1", "pass"), ("write_report", "pass"), ("write_report", "raise ValueError('x')")):
        code = f"import sys; from tamrl import log; log.to_file(sys.argv[1]); {end}"
        subprocess.run([sys.executable, "-c", code, run / f"logs/{name}.log"], capture_output=True, check=False)
    head, *lines = [line.split("\t") for line in (run / "logs/jobs.tsv").read_text().splitlines()]
    assert head == list(log.COLUMNS)
    assert [(rule, wildcards, end) for _, rule, wildcards, _, _, end in lines] == [
        ("train_model", "tamrl-0-1", "0"),
        ("write_report", "", "0"),
        ("write_report", "", "ValueError"),
    ]
    assert all(0 <= float(line[3]) < 60 and 5 < float(line[4]) < 5000 for line in lines)
    assert log.journal_summary(run).startswith("2 jobs, 1 of them failed, 0.0 minutes of jobs, most memory ")
    assert log.journal_summary(tmp_path) == "no job has ended"


def _row(*changes, name="write_map"):
    return "\t".join(["2026-01-01T00:00:00Z", name, "gpp", "1.5", "200", "0"]) + "\n"


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 300), more=st.booleans())
def test_half_a_line_in_the_journal_fails_nothing(tmp_path_factory, cut, more):
    run = tmp_path_factory.mktemp("run")
    (run / "logs").mkdir()
    whole = "\t".join(log.COLUMNS) + "\n" + _row(name="one") + _row(name="two")
    (run / "logs/jobs.tsv").write_text(whole[:cut])
    if more:
        log._append(run / "logs/jobs.tsv", _row(name="three"), 0)
    said = log.journal_summary(run)
    assert ("three" in "".join((run / "logs/jobs.tsv").read_text().splitlines()[-1:])) == more
    count = (cut >= whole.index("two") - 22) + (cut >= len(whole) - 1) + more
    assert said.startswith(f"{count} jobs") if count else said == "no job has ended"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a\tb\n" * 3, b"x\n1\t2\t3\tnan\t5\t0\n", b"\x00" * 50])
def test_a_journal_of_anything_fails_nothing(tmp_path, content):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/jobs.tsv").write_bytes(content)
    assert log.journal_summary(tmp_path) == "no job has ended"


def test_progress_yields_every_item(caplog):
    with caplog.at_level(logging.INFO):
        assert list(log.progress("abc", "letters")) == ["a", "b", "c"]


def test_fill_values_become_missing_and_are_counted():
    values, count = variables.mask_fill(np.array([1.0, -9999.0, -9999, 1e20, 9.969209968386869e36, np.nan]))
    assert count == 4
    assert np.isnan(values[1:]).all() and values[0] == 1


@pytest.mark.parametrize(
    ("name", "value"), [("air_temperature", 20.0), ("shortwave_radiation", 2e7), ("vapour_pressure_deficit", -3.0), ("gpp", 1e4)]
)
def test_values_in_a_wrong_unit_are_refused_by_range(name, value):
    with pytest.raises(UnitError, match=name):
        variables.check_range(np.array([value]), name=name, where="test")


def test_the_vocabulary_is_sound():
    for name, entry in variables.vocabulary().items():
        units.unit(entry.units.replace("gC m", "g m"))
        assert entry.range[0] < entry.range[1], name
        for alias in (*entry.sources.values(), *([entry.towers] if entry.towers else [])):
            units.unit(alias.units.replace("gC m", "g m"))


def test_standard_names_are_in_the_cf_table():
    import importlib.resources
    import xml.etree.ElementTree as ET

    table = importlib.resources.files("compliance_checker") / "data" / "cf-standard-name-table.xml"
    known = {e.get("id") for e in ET.fromstring(table.read_text(encoding="utf-8")).findall("entry")}
    for name, entry in variables.vocabulary().items():
        assert entry.standard_name is None or entry.standard_name in known, name


def _towers(**changes):
    row = {"site": "DE-Hai", "date": pd.Timestamp("2010-01-01"), "gpp": 1.0, "reco": 1.0, "nee": 0.0, "nee_qc": 1.0}
    return pd.DataFrame([row | changes])


def test_contracts_accept_what_is_right():
    for site in ("DE-Hai", "NA", "NO"):
        assert contracts.check_table(_towers(site=site), contracts.TOWERS, where="here")["site"].tolist() == [site]


@pytest.mark.parametrize("changes", [{"site": "../../x"}, {"site": ""}, {"nee_qc": 2.0}])
def test_contracts_refuse_paths_for_ids_and_shares_above_one(changes):
    with pytest.raises(ContractError, match="here"):
        contracts.check_table(_towers(**changes), contracts.TOWERS, where="here")


def test_duplicate_days_are_refused():
    with pytest.raises(ContractError):
        contracts.check_table(pd.concat([_towers(), _towers(gpp=3.0)]), contracts.TOWERS, where="here")


def test_the_schema_of_the_configuration_is_json(root):
    assert json.loads((root / "config/schema.json").read_text())["type"] == "object"


@pytest.mark.parametrize("page", ["faults.md", "quality.md"])
def test_the_tests_that_the_documents_name_exist(root, page):
    named = set(re.findall(r"`(test_\w+)`", (root / "docs" / page).read_text()))
    written = "\n".join(file.read_text() for file in (root / "tests").rglob("test_*.py"))
    assert named and not [name for name in named if f"def {name}(" not in written]


def test_a_run_names_only_the_products_that_it_has(tmp_path):
    assert log.finished_products(tmp_path) == ""
    (tmp_path / "report.html").write_text("")
    (tmp_path / "maps").mkdir()
    assert log.finished_products(tmp_path) == f"Maps: {tmp_path}/maps/   Report: {tmp_path}/report.html"
