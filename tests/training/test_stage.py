"""The stage: held-out towers stay out, and what it writes can be read."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tamrl import contracts, lineage
from tamrl import files as files_module
from tamrl.errors import ContractError
from tamrl.inference.stage import predict_towers
from tamrl.training import checkpoint
from tamrl.training.stage import train_model

ROOT = Path(__file__).parents[2]
FEATURES = {"dynamic": ["air_temperature", "evi"], "static": ["igbp_fraction"]}


def _train(files, output, settings, fold="0", seed=1, own=None, **changes):
    train_model(
        **files,
        folder=str(output),
        model="tamrl",
        fold=fold,
        member="0",
        features=FEATURES,
        training=settings | {"steps": 6} | changes,
        plugin="tamrl",
        options={"hidden": 8, "code": 4} | (own or {}),
        step="month",
        seed=seed,
    )
    return checkpoint.load_member(output)


def test_towers_of_the_fold_are_not_seen(files, settings, samples, tmp_path):
    sites = samples["site"].values.tolist()
    held = _train(files, tmp_path / "a", settings)
    assert list(held.spec.training.sites) == sites[1::2] and set(held.spec.training.held_back) < set(sites[1::2])
    everyone = _train(files, tmp_path / "b", settings, fold="all")
    assert list(everyone.spec.training.sites) == sites
    assert held.spec.standardisation != everyone.spec.standardisation  # scaled by the training towers alone


def test_the_same_seed_gives_the_same_file(files, settings, tmp_path):
    digests = [_train(files, tmp_path / name, settings, seed=seed).spec.digest for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert digests[0] == digests[1] != digests[2]


def test_kin_are_members_of_one_configuration(files, settings, tmp_path):
    a, b = _train(files, tmp_path / "a", settings, fold="0"), _train(files, tmp_path / "b", settings, fold="1")
    c = _train(files, tmp_path / "c", settings, learning_rate=2e-3)
    assert a.spec.training.kin == b.spec.training.kin != c.spec.training.kin


def test_options_of_a_model_replace_those_of_the_section(files, settings, tmp_path):
    plain = _train(files, tmp_path / "a", settings, steps=4)
    shorter = _train(files, tmp_path / "b", settings, own={"steps": 4}, steps=9)
    assert plain.spec.training.settings.steps == shorter.spec.training.settings.steps == 4
    assert plain.spec.training.history.best_step == shorter.spec.training.history.best_step


def test_an_unknown_fold_is_refused_and_nothing_written(files, settings, tmp_path):
    with pytest.raises(ContractError, match="no fold '7'"):
        _train(files, tmp_path / "a", settings, fold="7")
    assert not (tmp_path / "a").exists()


def test_a_split_in_time_trains_on_what_came_before(files, settings, samples, tmp_path):
    table = contracts.read_csv(files["splits"], contracts.SPLITS)
    since = pd.Timestamp("2007-07-01")
    table.assign(fold="test", since=since).to_csv(files["splits"], index=False)
    later = samples.copy(deep=True)
    for flux in ("gpp", "reco", "nee"):
        later[flux].loc[{"time": slice(since, None)}] += 3.0  # what is held out cannot be learnt
    later.to_netcdf(tmp_path / "later.nc")
    one = _train(files, tmp_path / "a", settings, fold="test")
    other = _train(files | {"samples": str(tmp_path / "later.nc")}, tmp_path / "b", settings, fold="test")
    assert list(one.spec.training.sites) == samples["site"].values.tolist()
    states = [m.model.state_dict() for m in (one, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    _predict(files, [tmp_path / "a"], tmp_path / "t.parquet")
    rows = pd.read_parquet(tmp_path / "t.parquet")
    assert rows["date"].min() == since and set(rows["site"]) == set(one.spec.training.sites)
    table.assign(fold="test", since=since - pd.DateOffset(months=3)).to_csv(files["splits"], index=False)
    with pytest.raises(ContractError, match="another split in time"):
        _predict(files, [tmp_path / "a"], tmp_path / "u.parquet")


def _predict(files, models, table):
    inference = {"batch": 64, "device": "cpu"}
    predict_towers(**files, models=models, table=str(table), model="tamrl", drivers="grid", batches=inference)


def test_members_of_other_libraries_or_seeds_are_strangers(files, settings, tmp_path, monkeypatch):
    record = _train(files, tmp_path / "0", settings, steps=2).spec.training
    _train(files, tmp_path / "1", settings, seed=2, steps=2)
    assert record.run_seed == 1 and record.software["torch"] == torch.__version__ and "torch" in record.instructions
    real = lineage.package_version
    monkeypatch.setattr(lineage, "package_version", lambda package: "99.0" if package == "numpy" else real(package))
    _train(files, tmp_path / "2", settings, steps=2)
    for stranger in ("1", "2"):
        with pytest.raises(ContractError, match="one set of libraries"):
            checkpoint.load_ensemble([str(tmp_path / "0"), str(tmp_path / stranger)])


def test_members_of_other_instruction_sets_are_told(files, settings, tmp_path, caplog):
    """In a process of its own, where torch computes as on a processor without AVX."""
    _train(files, tmp_path / "0", settings, steps=2)
    code = "import sys; sys.path.insert(0, sys.argv[1]); from tamrl import lineage; import torch; print(lineage.instructions())"
    environment = os.environ | {"ATEN_CPU_CAPABILITY": "default"}
    said = subprocess.run([sys.executable, "-c", code, ROOT], capture_output=True, text=True, check=True, env=environment).stdout
    assert said.strip() == lineage.instructions().rpartition(" ")[0] + " DEFAULT"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lineage, "instructions", lambda: said.strip())
        _train(files, tmp_path / "1", settings, fold="1", steps=2)
    checkpoint.load_ensemble([str(tmp_path / "0")])
    assert "instruction sets" not in caplog.text
    checkpoint.load_ensemble([str(tmp_path / "0"), str(tmp_path / "1")])
    assert "different instruction sets" in caplog.text and "DEFAULT" in caplog.text


def test_towers_train_with_the_drivers_of_the_grid_and_with_their_own(files, settings, samples, tmp_path):
    measured = samples.copy(deep=True).assign_attrs(drivers="tower")
    measured["air_temperature"] += 3.0
    with files_module.atomic(tmp_path / "tower.nc") as part:
        measured.to_netcdf(part)
    paths = {"further": [str(tmp_path / "tower.nc")]}
    both = _train({**files, **paths}, tmp_path / "a", settings)
    alone = _train(files, tmp_path / "b", settings)
    assert both.spec.training.sites == alone.spec.training.sites, "each tower once, and those of the fold stay out"
    warmth = [np.mean(each.spec.standardisation.inputs["air_temperature"].mean) for each in (both, alone)]
    assert warmth[0] - warmth[1] == pytest.approx(1.5, abs=1e-3) and both.spec.digest != alone.spec.digest
    again = _train({**files, **paths}, tmp_path / "c", settings)
    assert again.spec.digest == both.spec.digest
