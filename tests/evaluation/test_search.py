"""Choosing settings: a planted better one, a default that is best, failures, and an interval over groups."""

import json

import numpy as np
import pandas as pd
import pytest

from tamrl import config, contracts, simulated
from tamrl.config import load_files
from tamrl.errors import ContractError
from tamrl.evaluation.search import choose_settings
from tamrl.layout import File, RunLayout
from tamrl.search import draw_settings

SITES = [f"S{k:02d}" for k in range(24)]


def predictions(path, *, error, missing=0, days=40):
    """One member whose errors have a standard deviation of `error`, the same noise for all settings."""
    rng = np.random.default_rng(1)
    frames = []
    for site in SITES:
        for flux in ("gpp", "reco", "nee"):
            observed, noise = rng.normal(3, 2, days), rng.normal(size=days)
            frame = pd.DataFrame({"date": pd.date_range("2011-01-01", periods=days), "observed": observed, "qc": 1.0})
            frames.append(frame.assign(predicted=observed + error * noise * (1 + rng.uniform(0, 0.2)), site=site, flux=flux))
    table = pd.concat(frames, ignore_index=True).assign(model="m", fold="0", drivers="grid", member="0")
    table.loc[: missing - 1, "predicted"] = np.nan
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path)


def choose(tmp_path, errors, *, missing=None, failed=None, virtual=False, groups=12):
    """Run the stage on settings with these errors; the two tables, and the configuration that was searched."""
    models = {model: {"learning_rate": {"low": 0.01, "high": 0.2}} for model in errors}
    raw = {"run": "s", "seed": 9, "search": {"models": models, "settings": 3, "failed": failed or {}}}
    raw |= {"training": {"variants": {"today": {"model": "lightgbm", "windows": []}}}}
    conf = config.load(raw)
    layout = RunLayout("s", str(tmp_path))
    settings, paths = draw_settings(conf), []
    for setting in settings:
        if setting.name not in conf.search.failed:
            path = tmp_path / "s" / f"{setting.name}-grid.parquet"
            error = errors[setting.model][setting.number]
            predictions(path, error=error, missing=(missing or {}).get(setting.name, 0))
            paths.append(str(path))
    splits = tmp_path / "splits.csv"
    pd.DataFrame({"site": SITES, "group": [k % groups for k in range(24)], "fold": "0"}).to_csv(splits, index=False)
    timing = tmp_path / "s/benchmarks/train_model/lightgbm_s01-0-0.tsv"
    timing.parent.mkdir(parents=True, exist_ok=True)
    timing.write_text("s\tmax_rss\n90.0\t5\n")
    budget = {key: value for key, value in conf.search.model_dump().items() if key not in ("seed", "models")}
    choose_settings(
        members=paths,
        splits=str(splits),
        table=layout(File.SEARCH),
        chosen=layout(File.SEARCHED),
        settings=[setting.model_dump() for setting in settings],
        search=budget,
        folder=layout.folder,
        qc=0.8,
        seed=9,
        virtual=virtual,
    )
    return contracts.read_csv(layout(File.SEARCH), contracts.SEARCH), layout(File.SEARCHED), settings


def test_a_planted_better_setting_is_chosen_and_a_default_that_is_best_is_kept(tmp_path):
    table, chosen, settings = choose(tmp_path, {"lightgbm": [1.0, 0.8, 0.9], "today": [1.0, 1.3, 1.1]})
    assert table.query("chosen == 'yes'")[["model", "setting"]].values.tolist() == [["lightgbm", 1], ["today", 0]]
    ours = table.query("model == 'lightgbm'")
    assert ours["score"].to_numpy() == pytest.approx([1, 0.8, 0.9])
    assert ours[["gpp", "reco", "nee"]].to_numpy()[1] == pytest.approx([0.8] * 3)
    assert set(table["towers"]) == {24} and set(table["groups"]) == {12}
    assert ours["minutes"].tolist()[1] == 1.5 and np.isnan(ours["minutes"].iloc[0])
    assert json.loads(ours["options"].iloc[2]) == settings[2].searched
    raw = {"training": {"variants": {"today": {"model": "lightgbm", "windows": []}}}}
    path = tmp_path / "run.yaml"
    path.write_text(json.dumps(raw))
    used = load_files([path, chosen])
    assert used.training.options("lightgbm") == settings[1].options
    assert used.training.options("today") == settings[3].options
    assert used.searched["lightgbm"].model_dump() == {"settings": 3, "seed": 9, "folds": (0,), "chosen": 1}


def test_failures_are_told_and_never_chosen(tmp_path):
    failed = {"lightgbm_s01": "training never reached finite weights"}
    table, *_ = choose(tmp_path, {"lightgbm": [1.0, 0.5, 0.5]}, missing={"lightgbm_s02": 7}, failed=failed)
    assert table["chosen"].tolist() == ["yes", "no", "no"]
    assert table["failure"].tolist()[1:] == [failed["lightgbm_s01"], f"no prediction of 7 of {24 * 3 * 40} scored fluxes"]
    assert table["score"].isna().tolist() == [False, True, True]


def test_without_the_setting_of_the_configuration_nothing_is_compared(tmp_path):
    with pytest.raises(ContractError, match="setting of the configuration of lightgbm failed"):
        choose(tmp_path, {"lightgbm": [1.0, 0.5, 0.5]}, failed={"lightgbm_s00": "lost"})


def test_the_interval_is_over_groups(tmp_path):
    many, *_ = choose(tmp_path / "many", {"lightgbm": [1.0, 0.9, 1.1]}, groups=24)
    few, *_ = choose(tmp_path / "few", {"lightgbm": [1.0, 0.9, 1.1]}, groups=4)
    assert set(few["groups"]) == {4} and few["low"].isna().all() and many["low"].notna().all()
    assert few["score"].to_numpy() == pytest.approx(many["score"].to_numpy())


def test_a_virtual_earth_is_stated(tmp_path):
    _, chosen, _ = choose(tmp_path, {"lightgbm": [1.0, 0.9, 1.1]}, virtual=True)
    with open(chosen, encoding="utf-8") as file:
        assert simulated.STATEMENT in file.read()
