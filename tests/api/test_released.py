"""A released model: one verified file that predicts as the run does, with its card; and the one in the package."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

import tamrl
from tamrl.api import released
from tamrl.api.model_card import Statement
from tamrl.api.releasing import release_model
from tamrl.command.main import main
from tamrl.errors import ConfigError, ContractError, InputError

STATEMENT = {
    "title": "A tiny model",
    "summary": "Trained on twenty made-up towers.",
    "network": "no network",
    "data": [{"title": "Numbers", "author": "Nobody", "year": 2026, "doi": "10.1/x", "licence": "CC0-1.0", "use": "all"}],
    "uses": ["tests"],
    "limits": ["everything else"],
}


@pytest.fixture(scope="module")
def file(tiny_run, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    statement = Statement.model_validate(STATEMENT)
    return release_model(tamrl.open_run(tiny_run.folder), name="tiny", statement=statement, folder=folder)


def test_the_file_alone_predicts_as_the_run(tiny_run, samples, file, tmp_path):
    alone = tmp_path / "copy.safetensors"
    alone.write_bytes(file.read_bytes())
    model, of_run = tamrl.load_model(alone, device="cpu"), tamrl.load_model(tiny_run.folder, device="cpu")
    one, two = model.predict(samples), of_run.predict(samples)
    xr.testing.assert_equal(one, two)
    assert set(one["applicability"].values.tolist()) == {1} and one["gpp_q95"].attrs == two["gpp_q95"].attrs
    assert one.attrs["released_model"] == "tiny" and "run" not in one.attrs and "tiny: 2 members" in repr(model)
    bare = tamrl.load_model(alone, device="cpu", intervals=False).predict(samples)
    assert "gpp_std" not in bare and (bare["gpp"].values == two["gpp"].values)[~np.isnan(two["gpp"].values)].all()


def test_the_same_run_gives_the_same_bytes(tiny_run, file, tmp_path):
    again = release_model(
        tamrl.open_run(tiny_run.folder), name="tiny", statement=Statement.model_validate(STATEMENT), folder=tmp_path
    )
    assert again.read_bytes() == file.read_bytes() and file.stat().st_size < 200_000
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.safetensors", "tiny.md", "tiny.json"}


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_a_damaged_file_is_refused(file, tmp_path, share):
    content = bytearray(file.read_bytes())
    content[int(share * len(content))] ^= 1
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ContractError, match=r"a packed model|a released model"):
        tamrl.load_model(tmp_path / "x.safetensors")
    (tmp_path / "x.safetensors").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ContractError, match="a packed model cannot be read"):
        tamrl.load_model(tmp_path / "x.safetensors")


def test_weights_of_a_member_are_no_released_model(tiny_run, tmp_path):
    (weights,) = Path(tiny_run.folder).glob("models/tamrl/fold-all/member-0/*.safetensors")
    with pytest.raises(ContractError, match="the file is no packed model"):
        tamrl.load_model(weights)


def test_what_a_released_model_cannot_be_asked_is_named(file):
    with pytest.raises(InputError, match="one fold"):
        tamrl.load_model(file, fold="0")
    with pytest.raises(InputError, match="one model"):
        tamrl.load_model(file, model="lightgbm")
    with pytest.raises(InputError, match="no such run and no such model"):
        tamrl.load_model("tamrl-fluxnet2105")


def test_the_card_says_what_was_measured(tiny_run, file):
    card, digest = released.read_card(file)
    run = tamrl.open_run(tiny_run.folder)
    rmse = run.scores.query("kind == 'all' and score == 'rmse' and flux == 'nee' and scale == 'month'")["median"].item()
    (nee,) = [score for score in card.scores if (score.flux, score.scale) == ("nee", "month")]
    assert nee.rmse == pytest.approx(rmse) and card.folds == 2 and card.members == 2 and len(card.towers) == 20
    assert {interval.flux for interval in card.intervals} == {"gpp", "reco", "nee"}
    assert all(0 <= interval.coverage <= 1 and interval.half_width > 0 for interval in card.intervals)
    assert next((driver.name, driver.units) for driver in card.drivers) == ("air_temperature", "K")
    page = file.with_suffix(".md").read_text(encoding="utf-8")
    assert digest in page and "XX-007" in page and "CC0-1.0" in page and "everything else" in page and f"{rmse:.2f}" in page
    assert json.loads(file.with_suffix(".json").read_text())["towers"][3]["site"] == "XX-003"


def test_a_statement_that_lacks_a_licence_is_refused(tmp_path):
    lacking = STATEMENT | {"data": [{"title": "Numbers", "author": "Nobody", "use": "all"}]}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(lacking))
    with pytest.raises(ConfigError, match=r"data\.0\.licence: Field required"):
        Statement.of_file(tmp_path / "s.yaml")


def test_the_commands_release_and_show(tiny_run, tmp_path, monkeypatch, capsys, table):
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(yaml.safe_dump(STATEMENT))
    assert main(["release", tiny_run.folder, "--name", "mine", "--statement", "s.yaml"]) == 0
    assert "mine.safetensors: " in capsys.readouterr().out
    assert main(["card", "mine.safetensors"]) == 0
    assert capsys.readouterr().out == Path("mine.md").read_text()
    assert main(["card", "mine.safetensors", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "mine"
    table.to_csv("all.csv", index=False)
    assert main(["predict", "mine.safetensors", "--drivers", "all.csv", "--device", "cpu", "--output", "x.csv"]) == 0
    assert len(pd.read_csv("x.csv")) == 20 * 48
    assert main(["card", "mime"]) == 1 and "no such model" in capsys.readouterr().err
