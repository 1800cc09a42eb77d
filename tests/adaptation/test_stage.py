"""The stage: held-out towers only, scored on what was not used; and the page made of it."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tamrl import contracts
from tamrl.adaptation.stage import adapt_towers
from tamrl.errors import ContractError
from tamrl.evaluation.bootstrap import TowerGroups
from tamrl.report.adaptation import summarise_adaptation, write_adaptation
from tamrl.sections.results import Adaptation
from tamrl.training.stage import train_model

ADAPTATION = Adaptation(months=(1, 3), per_month=20.0).model_dump(mode="json")
TRAINING = {"sequence": 180, "spinup": 30, "batch": 12, "steps": 60, "learning_rate": 1e-2, "weight_decay": 1e-2}
TRAINING |= {"validation": 0.1, "class_weights": True, "input_noise": 0.05, "device": "cpu"}
OPTIONS = {"tamrl": {"hidden": 16, "code": 8, "windows": ()}, "lightgbm": {"trees": 40, "min_leaf": 20}}


FEATURES = {"dynamic": ["air_temperature", "evi"], "static": ["igbp_fraction"]}


@pytest.fixture(scope="module")
def run(samples, tmp_path_factory):
    """Two folds of two models, adapted."""
    folder = tmp_path_factory.mktemp("adaptation")
    samples.to_netcdf(folder / "grid.nc")
    sites = samples["site"].values
    split = pd.DataFrame({"site": sites, "group": range(len(sites)), "fold": [str(k % 2) for k in range(len(sites))]})
    split.to_csv(folder / "splits.csv", index=False)
    files = {"samples": str(folder / "grid.nc"), "splits": str(folder / "splits.csv")}
    for model, options in OPTIONS.items():
        for fold in "01":
            about = {"features": FEATURES, "training": TRAINING, "options": options, "step": "day", "seed": 1}
            train_model(**files, folder=str(folder / model / fold), model=model, plugin=model, fold=fold, member="0", **about)
        _adapt(folder, files, model)
    return folder, files


def _adapt(folder, files, model, name=None, **changed):
    adapt_towers(
        **files,
        models=[str(folder / model / fold) for fold in "01"],
        scores=str(folder / f"{name or model}.csv"),
        predictions=str(folder / f"{name or model}.parquet"),
        model=model,
        adaptation=ADAPTATION | changed,
        qc=0.8,
        spinup=30,
    )


def test_scores_are_of_what_was_not_used(run):
    folder, _ = run
    scores = contracts.read_csv(folder / "tamrl.csv", contracts.ADAPTATION)
    rows = pd.read_parquet(folder / "tamrl.parquet")
    assert set(scores["site"]) == set(rows["site"]) and scores["site"].nunique() == 24
    key = {"site": "XX-004", "flux": "reco", "start": "summer", "months": 3, "method": "code"}
    own = rows[(rows[list(key)] == pd.Series(key)).all(axis=1)]
    assert own["used"].sum() == 30 + 31 + 31 and own.loc[own["used"], "date"].min() == pd.Timestamp("2005-06-01")
    left = own[~own["used"]]
    found = scores[(scores[list(key)] == pd.Series(key)).all(axis=1)].squeeze()
    assert found["rmse"] == pytest.approx(np.sqrt(((left["predicted"] - left["observed"]) ** 2).mean()), rel=1e-4)
    assert found["n"] == len(left)
    zero = rows[(rows["site"] == "XX-004") & (rows["flux"] == "reco") & (rows["start"] == "summer") & (rows["months"] == 0)]
    before = zero.merge(left[["date"]], on="date")
    assert found["zero_rmse"] == pytest.approx(np.sqrt(((before["predicted"] - before["observed"]) ** 2).mean()), rel=1e-4)


def test_the_page_tells_what_months_are_worth(run):
    folder, files = run
    outputs = {name: str(folder / f"adaptation.{end}") for name, end in (("table", "csv"), ("page", "md"), ("figure", "png"))}
    description = {"run": "own", "title": "x", "step": "day", "labels": [], "map_model": "tamrl", "qc": 0.8, "reference": None}
    description |= {"networks": [], "choices": [], "virtual": False, "config_digest": "a1b2"}
    scored = [str(folder / f"{m}.csv") for m in ("tamrl", "lightgbm")]
    write_adaptation(
        scores=scored, splits=files["splits"], **outputs, adaptation=ADAPTATION, description=description, seed=3, members=1
    )
    table = pd.read_csv(outputs["table"]).set_index(["model", "start", "months", "flux"])
    assert len(table) == 2 * 2 * 2 * 3 and (table[["towers", "groups"]] == 24).all(axis=None)
    assert table.loc[("tamrl", "summer", 1, "gpp"), "change"] < -10
    own = table.loc[("tamrl", "record", 3, "nee")]
    assert own["change"] == own["against_first"] and own["low"] <= own["change"] <= own["high"]
    scores = contracts.read_csv(folder / "lightgbm.csv", contracts.ADAPTATION)
    part = scores.query("start == 'summer' and months == 1 and flux == 'gpp'")
    expected = 100 * (part["rmse"].median() / part["zero_rmse"].median() - 1)
    assert table.loc[("lightgbm", "summer", 1, "gpp"), "change"] == pytest.approx(expected)
    own = part["rmse"] / part["zero_rmse"]
    paired = table.loc[("lightgbm", "summer", 1, "gpp")]
    assert paired["tower_change"] == pytest.approx(100 * (np.exp(np.log(own).mean()) - 1))
    assert paired["tower_low"] < paired["tower_change"] < paired["tower_high"]
    page = (folder / "adaptation.md").read_text()
    assert "Run `own`, configuration `a1b2`" in page and "seed 3; members of each model per fold: 1." in page
    assert page.count("\n| GPP |") == 8 and "from `tamrl`" in page
    assert Image.open(outputs["figure"]).size[0] > 800


def test_rivals_are_compared_on_the_same_steps(run):
    folder, files = run
    both = pd.concat([contracts.read_csv(folder / f"{m}.csv", contracts.ADAPTATION) for m in ("tamrl", "lightgbm")])
    found = summarise_adaptation(both, TowerGroups.read(files["splits"]), first="tamrl")
    assert found["against_first"].notna().all()
    assert both.groupby(["start", "months", "site", "flux"])["n"].nunique().max() == 1


def test_a_tower_that_trained_is_refused(run):
    folder, files = run
    table = pd.read_csv(folder / "splits.csv", dtype=str)
    table.assign(fold=table["fold"].map({"0": "1", "1": "0"})).to_csv(folder / "turned.csv", index=False)
    with pytest.raises(ContractError, match="was trained on towers"):
        _adapt(folder, files | {"splits": str(folder / "turned.csv")}, "lightgbm", name="no")
    assert not (folder / "no.csv").exists()


def test_towers_without_anything_left_to_score_are_not_scored(run):
    folder, files = run
    with pytest.raises(ContractError, match="steps left to score"):
        _adapt(folder, files, "lightgbm", name="none", months=[24], starts=["record"], min_steps=100_000)


def test_a_model_without_code_weights_or_trees_is_refused(run):
    folder, files = run
    about = {"features": FEATURES, "training": TRAINING, "options": {}, "step": "day", "seed": 1, "member": "0"}
    for fold in "01":
        train_model(**files, folder=str(folder / "seasonal" / fold), model="seasonal", plugin="seasonal", fold=fold, **about)
    with pytest.raises(ContractError, match="seasonal cannot be adapted"):
        _adapt(folder, files, "seasonal", name="no")
    assert not (folder / "no.csv").exists()
