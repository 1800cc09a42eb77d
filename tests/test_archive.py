"""A run in one file: everything named is there, everything there is named, and a crate's readers find the workflow."""

import hashlib
import json
import subprocess
import zipfile

import pytest

from tamrl import archive, config, files
from tamrl.errors import InputError
from tamrl.run_record import Provenance


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "results/mine"
    (folder / "maps").mkdir(parents=True)
    (folder / "maps/gpp_2012.nc").write_bytes(b"CDF numbers")
    (folder / "budgets.csv").write_text("flux,region\n")
    outputs = {f"results/mine/{name}": files.sha256(folder / name) for name in ("maps/gpp_2012.nc", "budgets.csv")}
    recorded = {
        "run": "mine",
        "recorded": "2026-01-02T03:04:05Z",
        "config": config.load({}).model_dump(mode="json"),
        "git_revision": "abc",
        "software": {"snakemake": "9.0"},
        "outputs": outputs,
    }
    files.write_json(folder / "provenance.json", recorded)
    return folder


def test_the_archive_holds_products_workflow_and_what_they_are(run, caplog):
    found = archive.write_crate(run)
    assert "differs from that of the run: software snakemake: 9.0 then" in caplog.text
    assert found == run.with_name("mine.crate.zip")
    with zipfile.ZipFile(found) as zipped:
        names = set(zipped.namelist())
        graph = {entity["@id"]: entity for entity in json.loads(zipped.read(archive.METADATA))["@graph"]}
        assert zipped.read("maps/gpp_2012.nc") == b"CDF numbers"
        assert zipped.testzip() is None
    parts = {part["@id"] for part in graph["./"]["hasPart"]}
    assert parts == names - {archive.METADATA} and parts <= graph.keys()
    assert {"code/Snakefile", "code/CITATION.cff", "code/tamrl/archive.py", "code/requirements.lock.txt"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith("/")]
    assert "ComputationalWorkflow" in graph[graph["./"]["mainEntity"]["@id"]]["@type"]
    assert {result["@id"] for result in graph["#run"]["result"]} == {"maps/gpp_2012.nc", "budgets.csv"}
    assert [graph[what]["license"]["@id"].rpartition("/")[2] for what in ("./", archive.WORKFLOW)] == ["CC-BY-4.0", "MIT"]
    assert graph["maps/gpp_2012.nc"]["encodingFormat"] == "application/netcdf"
    for name in ("maps/gpp_2012.nc", "budgets.csv", "provenance.json"):
        told = subprocess.run(["sha256sum", run / name], capture_output=True, text=True, check=True).stdout.split()[0]
        assert graph[name]["sha256"] == hashlib.sha256((run / name).read_bytes()).hexdigest() == told


def test_every_reference_of_the_crate_leads_somewhere(run):
    def references(value):
        if isinstance(value, dict):
            yield from [value["@id"]] if set(value) == {"@id"} else (r for v in value.values() for r in references(v))
        elif isinstance(value, list):
            yield from (r for v in value for r in references(v))

    path = run / "provenance.json"
    content = archive.metadata(Provenance.read(path), {"provenance.json": path}, ["code/Snakefile"])
    named = {entity["@id"] for entity in content["@graph"]} | {archive.CRATE, "http://schema.org/CompletedActionStatus"}
    assert set(references(content["@graph"])) <= named


@pytest.mark.parametrize(
    ("spoil", "found"), [(lambda p: p.write_bytes(b"other"), "another file"), (lambda p: p.unlink(), "no file")]
)
def test_a_product_that_is_not_as_recorded_is_refused(run, spoil, found):
    spoil(run / "maps/gpp_2012.nc")
    with pytest.raises(InputError, match=found):
        archive.write_crate(run)
    assert not list(run.parent.glob("*.zip")) and not list(run.parent.glob(".part-*"))


def test_a_run_without_a_record_is_refused(tmp_path):
    with pytest.raises(InputError, match="no record"):
        archive.write_crate(tmp_path)


def test_it_takes_one_run(capsys):
    assert archive.main([]) == 2 and "RUN=" in capsys.readouterr().err


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A clone with secrets beside the files of the project: untracked, hidden, linked."""
    root = tmp_path / "project"
    (root / "config").mkdir(parents=True)
    (root / "workflow/.cache").mkdir(parents=True)
    (root / "tamrl").mkdir()
    for name in ("Snakefile", "config/config.yaml", "tamrl/archive.py"):
        (root / name).write_text("of the project")
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", "-C", root, *command], check=True)
    (tmp_path / "netrc").write_text("SECRET")
    for name in ("config/.env", "workflow/.cache/key.pem", "tamrl/notes~"):
        (root / name).write_text("SECRET")
    (root / "config/netrc").symlink_to(tmp_path / "netrc")
    (root / "workflow/linked").symlink_to(tmp_path)
    monkeypatch.setattr(archive, "ROOT", root)
    return root


def _held(path):
    with zipfile.ZipFile(path) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def test_only_files_under_version_control_go_in_and_the_others_are_named(run, project, caplog):
    held = _held(archive.write_crate(run))
    assert {n for n in held if n.startswith("code/")} == {
        "code/Snakefile", "code/config/config.yaml", "code/tamrl/archive.py", "code/SHA256SUMS",
    }  # fmt: skip
    assert not [name for name, content in held.items() if b"SECRET" in content]
    for name in ("config/.env", "config/netrc", "workflow/.cache/key.pem", "tamrl/notes~", "workflow/linked"):
        assert f"left out, because it is not under version control: {name}" in caplog.text


@pytest.mark.parametrize("name", ["config/config.yaml", "config"])
def test_a_link_in_place_of_a_file_or_folder_of_the_project_is_refused(run, project, tmp_path, name):
    (project / name).rename(tmp_path / "elsewhere")
    (project / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="a link does not go into an archive"):
        archive.write_crate(run)


@pytest.mark.parametrize("name", ["budgets.csv", "maps"])
def test_a_link_in_place_of_a_product_or_its_folder_is_refused(run, tmp_path, name):
    (run / name).rename(tmp_path / "elsewhere")
    (run / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="a link does not go into an archive"):
        archive.write_crate(run)


def test_a_record_that_names_files_outside_its_run_is_refused(run, tmp_path):
    (tmp_path / "results/secret").write_text("SECRET")
    recorded = files.read_json(run / "provenance.json")
    recorded["outputs"]["results/mine/../secret"] = files.sha256(tmp_path / "results/secret")
    files.write_json(run / "provenance.json", recorded)
    with pytest.raises(InputError, match="not that of a run"):
        archive.write_crate(run)


def test_an_unpacked_archive_stands_for_git_and_nothing_else_does(run, project, tmp_path, monkeypatch):
    with zipfile.ZipFile(archive.write_crate(run)) as zipped:
        zipped.extractall(tmp_path / "unpacked")
    code = tmp_path / "unpacked/code"
    (code / "config/.env").write_text("SECRET")
    monkeypatch.setattr(archive, "ROOT", code)
    held = _held(archive.write_crate(run))
    assert {"code/Snakefile", "code/tamrl/archive.py"} <= held.keys() and "code/config/.env" not in held
    (code / "SHA256SUMS").unlink()
    with pytest.raises(InputError, match="nothing tells which files belong to the project"):
        archive.write_crate(run)


def test_a_product_that_is_a_folder_goes_in_with_its_files(run):
    (run / "maps/exports").mkdir()
    (run / "maps/exports/a.tif").write_bytes(b"picture")
    recorded = files.read_json(run / "provenance.json")
    recorded["outputs"]["results/mine/maps/exports"] = files.sha256(run / "maps/exports")
    files.write_json(run / "provenance.json", recorded)
    assert _held(archive.write_crate(run))["maps/exports/a.tif"] == b"picture"
