"""Models at unseen towers through the workflow: other towers and a list of test sites are laid over config/benchmark.yaml."""

import subprocess

import pandas as pd
import pytest
import yaml

from tamrl import contracts
from tests.workflow.conftest import PATIENCE, PROGRAM, Project

pytestmark = pytest.mark.slow
TOWERS = ("DE-Hai", "DE-Tha", "FI-Hyy", "US-Ha1", "US-MMS", "NL-Loo", "CA-Obs", "AU-Tum", "IT-Ren", "US-Ton", "RU-Fyo", "CH-Dav")
TEST = ("FI-Hyy", "US-Ton", "DE-Tha", "CA-Obs", "AU-Tum", "IT-Ren")


@pytest.fixture(scope="module")
def judged(shared_data, tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("judge"))
    table = pd.read_parquet(shared_data / "towers/fluxnet2015_daily.parquet")
    table = table[table["site"].isin(TOWERS) & table["date"].dt.year.between(2007, 2009)]
    table.to_parquet(project.folder / "towers.parquet")
    (project.folder / "sites.txt").write_text("\n".join(TEST) + "\n")
    overlay = {
        "run": "judge",
        "towers": {"networks": ["table"], "table": {"path": "towers.parquet"}},
        "splits": {"scheme": "sites", "test_sites": "sites.txt"},
        "training": {
            "models": ["tamrl", "lightgbm", "same_day", "stumps"],
            "variants": {
                "same_day": {"model": "lightgbm", "windows": [], "trees": 9},
                "stumps": {"model": "lightgbm", "leaves": 2, "trees": 9},
            },
            "members": 2,
            "steps": 8,
            "batch": 4,
            "lightgbm": {"trees": 9},
        },
    }
    (project.folder / "judge.yaml").write_text(yaml.safe_dump(overlay))
    configs = ("--configfile", "config/benchmark.yaml", "judge.yaml")
    command = [*PROGRAM, "--cores", "2", *configs]
    done = subprocess.run(
        command, cwd=project.folder, env=project.environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return project.folder / "results/judge"


def test_the_listed_towers_are_predicted_by_every_model(judged):
    found = pd.read_parquet(judged / "evaluation/predictions.parquet")
    contracts.check_table(found, contracts.PREDICTIONS, where="predictions")
    assert set(found["site"]) == set(TEST) and set(found["model"]) == {"tamrl", "lightgbm", "same_day", "stumps"}
    assert set(found["split"]) == {"sites"} and set(found["fold"]) == {"test"}
    assert found["predicted"].notna().mean() > 0.95


def test_variants_of_a_plug_in_are_scored_side_by_side(judged):
    scores = pd.read_csv(judged / "evaluation/scores.csv")
    day = scores[(scores["scale"] == "day") & (scores["kind"] == "all") & (scores["score"] == "rmse") & (scores["flux"] == "gpp")]
    found = day.set_index("model")["median"]
    assert {"lightgbm", "same_day", "stumps"} < set(found.index) and found.nunique() == len(found)
    windows = {
        m: yaml.safe_load((judged / f"models/{m}/fold-test/member-0/spec.json").read_text()) for m in ("lightgbm", "same_day")
    }
    assert windows["lightgbm"]["inputs"]["windows"] == [7, 30, 120, 365] and windows["same_day"]["inputs"]["windows"] == []
    assert windows["same_day"]["training"]["seed"] == windows["lightgbm"]["training"]["seed"]


def test_no_grid_is_read_and_no_map_is_made(judged):
    assert not (judged / "drivers/cube.zarr").exists() and not (judged / "maps").exists()


def test_report_and_numbers_tell_of_every_model_without_a_map(judged):
    page, summary = (judged / "report.html").read_text(), (judged / "summary.md").read_text()
    record = yaml.safe_load((judged / "provenance.json").read_text())
    figures = {f.stem for f in (judged / "figures").glob("*.png")}
    assert "Global totals" not in summary and "maps" not in figures
    assert {"tower_rmse", "tower_changes", "tower_calibration", "stations"} <= figures
    metrics = contracts.read_csv(judged / "evaluation/site_metrics.csv", contracts.METRICS)
    median = metrics.query("flux == 'gpp' and model == 'lightgbm' and scale == 'day'")["rmse"].median()
    splits = contracts.read_csv(judged / "samples/splits.csv", contracts.SPLITS)
    groups = splits.loc[splits["fold"] == "test", "group"].nunique()
    assert f"| GPP | tower | lightgbm | {len(TEST)} | {groups} | {median:.2f} |" in summary and "lightgbm" in page
    assert f"seed {record['seed']}" in summary and record["inputs"]["drivers"] is None


def test_test_towers_train_no_model(judged):
    for file in judged.glob("models/*/fold-test/member-*/spec.json"):
        assert not set(TEST) & set(yaml.safe_load(file.read_text())["training"]["sites"])
