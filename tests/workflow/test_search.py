"""A search of settings through the workflow: few real towers and small models are laid over config/benchmark.yaml."""

import subprocess

import pandas as pd
import pytest
import yaml

from tamrl import config, contracts
from tests.workflow.conftest import PATIENCE, PROGRAM, Project
from tests.workflow.test_benchmark import TOWERS

pytestmark = pytest.mark.slow
OVERLAY = {
    "run": "search",
    "seed": 77,
    "towers": {"networks": ["table"], "table": {"path": "towers.parquet"}},
    "splits": {"folds": 3},
    "training": {"models": ["lightgbm", "xgboost"], "lightgbm": {"trees": 2, "learning_rate": 0.01}, "xgboost": {"trees": 9}},
    "inference": {"model": "lightgbm"},
    "search": {"settings": 2, "folds": [0], "models": {"lightgbm": {"trees": [30]}}},
}


class Searched:
    """The project with towers and a search."""

    def __init__(self, project: Project, towers: pd.DataFrame):
        self.project, self.results = project, project.folder / "results/search"
        towers.to_parquet(project.folder / "towers.parquet")

    def run(self, *arguments: str, models: dict | None = None) -> str:
        overlay = OVERLAY | {"search": OVERLAY["search"] | ({"models": models} if models else {})}
        (self.project.folder / "few.yaml").write_text(yaml.safe_dump(overlay))
        command = [*PROGRAM, "--cores", "2", "--configfile", "config/benchmark.yaml", "few.yaml", *arguments]
        environment = self.project.environment
        done = subprocess.run(
            command, cwd=self.project.folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def searched(shared_data, tmp_path_factory):
    table = pd.read_parquet(shared_data / "towers/fluxnet2015_daily.parquet")
    table = table[table["site"].isin(TOWERS) & table["date"].dt.year.between(2007, 2008)]
    searched = Searched(Project(tmp_path_factory.mktemp("search")), table)
    searched.run()
    return searched


def test_the_better_setting_is_chosen_with_its_time(searched):
    table = contracts.read_csv(str(searched.results / "search.csv"), contracts.SEARCH)
    assert table["chosen"].tolist() == ["no", "yes"]  # two trees of rate 0.01 predict the mean
    assert table["score"].tolist()[0] == 1 and table["score"].tolist()[1] < 0.95
    split = contracts.read_csv(str(searched.results / "samples/splits.csv"), contracts.SPLITS)
    assert set(table["towers"]) == {(split["fold"] == "0").sum()} and table["minutes"].notna().all()
    assert "| 1 | trees: 30 |" in (searched.results / "search.md").read_text()


def test_one_member_of_the_chosen_folds_is_trained_and_nothing_of_another_run_is_made(searched):
    members = {str(path.relative_to(searched.results)) for path in searched.results.glob("models/*/*/*") if path.is_dir()}
    assert members == {f"models/lightgbm_s0{k}/fold-0/member-0" for k in (0, 1)}
    assert [path.name for path in searched.results.parent.iterdir()] == ["search"]


def test_the_chosen_settings_are_laid_over_the_benchmark(searched, monkeypatch):
    monkeypatch.chdir(searched.project.folder)
    used = config.load_files(["config/benchmark.yaml", "results/search/searched.yaml"])
    assert used.training.options("lightgbm")["trees"] == 30
    assert used.training.options("lightgbm")["bags"] == 2  # what is not searched stays as it is there
    assert used.run == "benchmark" and used.searched["lightgbm"].seed == 77


def test_a_further_model_costs_that_model_alone(searched):
    plan = searched.run("--dry-run", models=OVERLAY["search"]["models"] | {"xgboost": {"trees": [5]}})
    lines = plan.partition("Job stats:")[2].partition("\n\n")[0].splitlines()
    counts = {name: int(count) for name, count in (line.split() for line in lines if line) if count.isdigit()}
    assert counts == {"train_model": 2, "predict_towers": 2, "choose_settings": 1, "write_search": 1, "all": 1, "total": 7}
    assert "lightgbm_s01" not in plan.replace("evaluation/members/lightgbm_s01", "")


def test_the_same_search_has_nothing_left_to_do(searched):
    assert "Nothing to be done" in searched.run("--dry-run")
