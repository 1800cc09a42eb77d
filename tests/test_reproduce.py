"""A run is repeated from its record, which may be a stranger's, and compared product by product."""

import json
import subprocess
from pathlib import Path

import pytest

from tamrl import config, provenance, record, reproduce
from tamrl.errors import ConfigError, InputError
from tamrl.run_record import JobCost, ProductOrigin, Provenance


def test_a_repetition_is_the_recorded_configuration_under_another_name():
    plain = {"run": "a", "drivers": {"path": "results/a/inputs"}, "evaluation": {"x": ["results/ab/y"]}}
    again = reproduce.repeated_configuration(Provenance(run="a", config=plain))
    assert again == {"run": "a-again", "drivers": {"path": "results/a-again/inputs"}, "evaluation": {"x": ["results/ab/y"]}}


def test_a_repetition_is_compared_product_by_product(tmp_path):
    for run, second in (("a", "2"), ("a-again", "3")):
        (tmp_path / f"results/{run}").mkdir(parents=True)
        (tmp_path / f"results/{run}/one.csv").write_text("1")
        (tmp_path / f"results/{run}/two.csv").write_text(second)
    (tmp_path / "results/a/three.csv").write_text("3")
    names = [f"results/a/{name}.csv" for name in ("one", "two", "three")]
    contents = {name: record.content_digest(tmp_path / name) for name in names}
    recorded = Provenance(run="a", config={}, contents=contents)
    assert list(reproduce.compare_products(recorded, tmp_path).values()) == ["same", "differs", "missing"]
    with pytest.raises(InputError, match="no digests"):
        reproduce.compare_products(Provenance(run="a", config={}), tmp_path)


def test_what_changed_since_a_run_is_told():
    recorded = Provenance(
        run="a",
        config={},
        code=record.stage_digests(config.load({})),
        software=provenance.software(),
        lock=provenance.lock_digest(),
    )
    assert reproduce.list_changes(recorded) == [] and len(recorded.code) > 15
    assert "numpy: 1.0 then" in reproduce.list_changes(recorded.model_copy(update={"software": {"numpy": "1.0"}}))[0]
    assert "requirements.lock.txt" in reproduce.list_changes(recorded.model_copy(update={"lock": "old"}))[0]
    assert "tamrl.gone: 0 then" in reproduce.list_changes(recorded.model_copy(update={"code": {"tamrl.gone": "0"}}))[0]


def test_a_record_of_a_version_whose_keys_had_other_names_is_repeated():
    plain = config.load({}).model_dump(mode="json")
    plain["drivers"]["apart"] = plain["drivers"].pop("variable_jobs")
    with pytest.raises(ConfigError, match=r"drivers\.apart.*\n.*\n.*drivers\.variable_jobs"):
        config.load(plain)
    again = reproduce.repeated_configuration(Provenance(run="default", config=plain))
    assert config.load(again).drivers.variable_jobs is False and "apart" in plain["drivers"]


def test_a_record_is_read_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    origin = ProductOrigin(code="c", software={"numpy": "2"}, products=3, first="2001", last="2002")
    written = Provenance(run="a", config={"x": None}, made={"train_model": (origin,)}, rules={"b": JobCost(seconds=1.0)})
    written.write(tmp_path / "results/a/provenance.json")
    assert Provenance.read("results/a/provenance.json") == written
    assert "keywords" not in json.loads((tmp_path / "results/a/provenance.json").read_text())


@pytest.fixture
def strangers(tmp_path, monkeypatch):
    """The record of somebody else, without a seal, and what Snakemake was asked to run."""
    monkeypatch.chdir(tmp_path)
    Path("results/theirs").mkdir(parents=True)
    ran = []
    monkeypatch.setattr(
        reproduce.subprocess, "run", lambda command, **_: ran.append(command) or subprocess.CompletedProcess([], 1)
    )

    def write(**changes):
        plain = config.load({"run": "theirs"}).model_dump(mode="json")
        for section, own in changes.items():
            plain[section] |= own
        recorded = {"run": "theirs", "config": plain, "contents": {"results/theirs/a.csv": "0"}}
        Path("results/theirs/provenance.json").write_text(json.dumps(recorded))

    return write, ran


FOREIGN = [
    {"inference": {"nodes": 2, "launcher": "/bin/sh -c 'touch owned'"}},
    {"inference": {"launcher": "sh"}},
    {"evaluation": {"reference": {"path": "/etc/{flux}_{label}.nc", "label": "x"}}},
    {"drivers": {"co2": "../../other/co2.csv"}},
    {"drivers": {"co2": "~/co2.csv"}},
    {"drivers": {"co2": "{data}/../../co2.csv"}},
    {"drivers": {"arco_era5": {"path": "https://else.example/x.zarr"}}},
]


@pytest.mark.parametrize("change", FOREIGN, ids=str)
def test_commands_and_outer_paths_of_a_record_are_shown_and_not_taken(strangers, change, capsys, monkeypatch):
    write, ran = strangers
    write(**change)
    assert reproduce.main(["results/theirs"]) == 2 and not ran
    assert "from the record: " in (told := capsys.readouterr()).out and "ACCEPT=yes" in told.err
    assert "/bin/sh" in told.out or "/bin/sh" not in str(change), "as it would be run"
    assert not Path("results/theirs-again").exists()
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    for answer, times in (("", 0), ("n", 0), ("y", 1)):
        monkeypatch.setattr("builtins.input", lambda _, answer=answer: answer)
        reproduce.main(["results/theirs"])
        assert len([c for c in ran if "tamrl.command.watch" in c]) == times
    reproduce.main(["results/theirs", "--accept-commands", "--cores", "1"])
    assert ran[-1][-2:] == ["--cores", "1"] and "--accept-commands" not in ran[-1]


def test_own_values_laid_over_a_record_take_the_place_of_what_it_asks(strangers, capsys):
    write, ran = strangers
    write(drivers={"co2": "{elsewhere}/12ab/co2.csv"}, inference={"launcher": "sh"})
    Path("own.yaml").write_text("drivers: {co2: /mnt/mine/co2.csv}\ninference: {launcher: srun}\n")
    assert (
        reproduce.main(["results/theirs", "--over", "own.yaml"]) == 1 and len([c for c in ran if "tamrl.command.watch" in c]) == 1
    )
    assert "from the record" not in capsys.readouterr().out
    wanted = json.loads(Path("results/theirs-again/config.json").read_text())
    assert wanted["drivers"]["co2"] == "/mnt/mine/co2.csv" and wanted["inference"]["launcher"] == "srun"
    assert wanted["run"] == "theirs-again"


def test_a_record_of_defaults_and_of_data_below_the_project_needs_no_question(strangers, capsys):
    write, ran = strangers
    write(drivers={"co2": "{data}/co2.csv"}, evaluation={"title": "Maps, see https://a.example for more"})
    assert reproduce.main(["results/theirs"]) == 1 and len([c for c in ran if "tamrl.command.watch" in c]) == 1
    assert "from the record" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"run": "../x", "config": {"inference": {}}}', '{"run": "x"}', '{"run": 3, "config": 4}']
)
def test_what_is_no_record_is_refused_by_name(strangers, text):
    write, ran = strangers
    write()
    Path("results/theirs/provenance.json").write_text(text)
    with pytest.raises(InputError, match=r"results/theirs/provenance\.json"):
        reproduce.main(["results/theirs"])
    assert not ran
