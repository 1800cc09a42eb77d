"""Records name no machine, no user and no folder of theirs."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tamrl import config, files, record_paths
from tamrl.towers import survey


@pytest.fixture(autouse=True)
def somebody(tmp_path, monkeypatch):
    """A user with a home, a project and data in it."""
    home = tmp_path / "home/alice"
    (home / "work/project").mkdir(parents=True)
    (home / "data").mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TAMRL_DATA", str(home / "data"))
    monkeypatch.chdir(home / "work/project")
    return home


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("work/project/results/a/x.nc", "results/a/x.nc"),
        ("work/project", "."),
        ("data/era5", "{data}/era5"),
        ("data", "{data}"),
        ("database/x.csv", "~/database/x.csv"),
        ("bin/srun -n 4", "~/bin/srun -n 4"),
    ],
)
def test_known_folders_are_told_by_what_stands_for_them(somebody, path, told):
    assert record_paths.portable(f"{somebody}/{path}") == told
    assert record_paths.portable([{"a": (f"found in '{somebody}/{path}'",)}]) == [{"a": [f"found in '{told}'"]}]


def test_other_paths_lose_their_folders_and_stay_apart(tmp_path):
    one, two = record_paths.portable(f"{tmp_path}/a/towers.csv"), record_paths.portable(f"{tmp_path}/b/towers.csv")
    assert one != two and {text.split("/")[0] for text in (one, two)} == {record_paths.ELSEWHERE}
    assert one.endswith("/towers.csv") and str(tmp_path) not in one


@pytest.mark.parametrize(
    "text", ["https://host/usr/lib/x", "/Geolocation/lat", "gC m-2 d-1 / mm", "results/a", "../x", "a {data}/b", "/"]
)
def test_what_is_no_path_of_this_machine_stays(text):
    assert record_paths.portable(text) == text


def test_data_that_lie_beside_the_project_stay_symbolic(monkeypatch):
    monkeypatch.delenv("TAMRL_DATA")
    assert record_paths.portable("../shared/data/era5") == "{data}/era5"
    assert record_paths.portable("not ../shared/data/era5") == "not ../shared/data/era5"


def test_every_json_record_is_told_so_and_the_configuration_comes_back(somebody):
    files.write_json("results/a/record.json", {"config": config.load({}).model_dump(mode="json")})
    text = Path("results/a/record.json").read_text()
    assert "alice" not in text and "{data}/" in text
    assert config.load(json.loads(text)["config"]) == config.load({})
    assert str(somebody) not in files.seal_file(Path("results/a/record.json")).read_text()


def test_the_reason_why_an_archive_was_set_aside_names_no_folder(somebody):
    product = SimpleNamespace(site="DE-Aaa", path=somebody / "data/a.zip")
    told = survey.SetAside.of(product, f"cannot be read: [Errno 5] '{somebody}/data/a.zip', nor {somebody}/tmp/b")
    assert told.reason == "cannot be read: [Errno 5] '{data}/a.zip', nor ~/tmp/b"
