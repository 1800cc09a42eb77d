"""A run in one file: everything named is there, everything there is named, and a crate's readers find the workflow."""

import json
import zipfile

import pytest

from tamrl import archive, config, files
from tamrl.errors import InputError


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
    found = archive.archive(run)
    assert "not quite that of the run: software snakemake: 9.0 then" in caplog.text
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
    assert graph["maps/gpp_2012.nc"]["sha256"] == files.sha256(run / "maps/gpp_2012.nc")


def test_every_reference_of_the_crate_leads_somewhere(run):
    def references(value):
        if isinstance(value, dict):
            yield from [value["@id"]] if set(value) == {"@id"} else (r for v in value.values() for r in references(v))
        elif isinstance(value, list):
            yield from (r for v in value for r in references(v))

    content = archive.metadata(
        files.read_json(run / "provenance.json"), {"provenance.json": run / "provenance.json"}, ["code/Snakefile"]
    )
    named = {entity["@id"] for entity in content["@graph"]} | {archive.CRATE, "http://schema.org/CompletedActionStatus"}
    assert set(references(content["@graph"])) <= named


@pytest.mark.parametrize(
    ("spoil", "found"), [(lambda p: p.write_bytes(b"other"), "another file"), (lambda p: p.unlink(), "no file")]
)
def test_a_product_that_is_not_as_recorded_is_refused(run, spoil, found):
    spoil(run / "maps/gpp_2012.nc")
    with pytest.raises(InputError, match=found):
        archive.archive(run)
    assert not list(run.parent.glob("*.zip")) and not list(run.parent.glob(".part-*"))


def test_a_run_without_a_record_is_refused(tmp_path):
    with pytest.raises(InputError, match="no record"):
        archive.archive(tmp_path)


def test_it_takes_one_run(capsys):
    assert archive.main([]) == 2 and "RUN=" in capsys.readouterr().err
