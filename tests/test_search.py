"""Settings of a search: drawn alike each time, allowed by the model, and independent of other models."""

import pytest
import yaml

from tamrl import config
from tamrl.errors import ConfigError
from tamrl.planning import WorkflowPlan
from tamrl.search import draw_settings

LEAVES = {"low": 7, "high": 255, "log": True}
TREES = {"leaves": LEAVES, "windows": [[], [7, 30]], "learning_rate": {"low": 0.01, "high": 0.2, "log": True}}


def drawn(raw=None, **search):
    models = search.pop("models", {"lightgbm": TREES})
    return draw_settings(config.load((raw or {}) | {"search": {"models": models} | search}))


def test_the_same_seed_gives_the_same_settings_and_another_others():
    assert drawn() == drawn()
    assert drawn()[0] == drawn(seed=2)[0]
    assert not {str(s.options) for s in drawn()[1:]} & {str(s.options) for s in drawn(seed=2)[1:]}


def test_setting_0_is_that_of_the_configuration():
    first, second, *_ = drawn({"training": {"lightgbm": {"leaves": 19, "trees": 77}}})
    assert first.name == "lightgbm_s00"
    assert first.searched == {"leaves": 19, "windows": [7, 30, 120], "learning_rate": 0.05}
    assert first.options["trees"] == second.options["trees"] == 77  # what is not searched stays


def test_a_variant_is_searched_from_its_own_options():
    raw = {"training": {"variants": {"today": {"model": "lightgbm", "windows": [], "trees": 9}}}}
    first, second, *_ = drawn(raw, models={"today": {"leaves": LEAVES}})
    assert (first.name, first.plugin, first.options["windows"]) == ("today_s00", "lightgbm", [])
    assert second.options["trees"] == 9 and second.options["leaves"] != 31


def test_values_lie_in_the_space_and_settings_differ():
    settings = drawn(settings=40)
    assert len({str(s.options) for s in settings}) == 40
    for setting in settings[1:]:
        assert 7 <= setting.options["leaves"] <= 255 and isinstance(setting.options["leaves"], int)
        assert 0.01 <= setting.options["learning_rate"] <= 0.2 and setting.options["windows"] in ([], [7, 30])
    small = sum(s.options["leaves"] < 42 for s in settings[1:])
    assert 10 < small < 30  # half of the logarithms lie below the geometric mean


def test_another_model_or_more_settings_change_none_that_was_drawn():
    more = drawn(settings=9, models={"xgboost": {"depth": [2, 3, 4, 5, 6, 7, 8, 9, 10]}, "lightgbm": TREES})
    assert [s for s in more if s.model == "lightgbm"][:6] == list(drawn())


def test_a_setting_that_the_model_refuses_is_drawn_again():
    space = {"support": ["window", "years"], "context": [None, 30], "hidden": {"low": 8, "high": 64}, "encoder": ["recurrent"]}
    settings = drawn(models={"tamrl": space})
    assert len(settings) == 6  # `support: window` without a context is refused
    assert not [s for s in settings if s.options["support"] == "window" and s.options["context"] is None]


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"models": {"lihgtgbm": TREES}}, "did you mean lightgbm"),
        ({"models": {"lightgbm": {"leafs": [1]}}}, "did you mean leaves"),
        ({"models": {"lightgbm": {"leaves": [3, 4]}}}, "equal to another one"),
        ({"models": {"lightgbm": {"leaves": [-3, -4, -5, -6, -7]}}}, "greater than or equal to 2"),
        ({"models": {"lightgbm": {"leaves": {"low": 9, "high": 3}}}}, "must be below"),
        ({"models": {"lightgbm": {"leaves": {"low": 0, "high": 3, "log": True}}}}, "above 0"),
        ({"models": {}}, "at least 1 item"),
        ({"folds": [7]}, "no such folds"),
        ({"failed": {"lightgbm_s77": "lost"}}, "no setting"),
    ],
)
def test_a_wrong_search_is_refused(search, message):
    with pytest.raises(ConfigError, match=message):
        drawn(**search)


def test_settings_are_trained_once_on_the_chosen_folds_alone():
    raw = {"run": "mine", "search": {"models": {"lightgbm": TREES}, "folds": [1], "failed": {"lightgbm_s02": "lost"}}}
    plan = WorkflowPlan(raw | {"evaluation": {"members": 3}})
    assert plan.fold_models("mine", "lightgbm_s03") == ["results/mine/models/lightgbm_s03/fold-1/member-0"]
    assert plan.main.training.options("lightgbm_s03") == drawn()[3].options
    predicted = [path.split("/")[-1] for path in plan.setting_predictions()]
    assert predicted == [f"lightgbm_s0{k}-grid.parquet" for k in (0, 1, 3, 4, 5)]


def test_settings_are_not_used_on_the_split_that_chose_them():
    record = {"searched": {"lightgbm": {"settings": 6, "seed": 5, "folds": [0], "chosen": 2}}}
    assert config.load(record | {"seed": 1}).searched["lightgbm"].chosen == 2
    with pytest.raises(ConfigError, match="chosen on this split"):
        config.load(record | {"seed": 5})
    assert config.load(record | {"seed": 5, "search": {"models": {"lightgbm": TREES}}}).seed == 5  # it starts from its own
    with pytest.raises(ConfigError, match="no model"):
        config.load({"searched": {"lihgtgbm": record["searched"]["lightgbm"]}})


def test_the_search_of_the_project_holds_out_other_folds_than_its_benchmark(root, shared_data):
    files = [root / "config/benchmark.yaml", root / "config/search.yaml"]
    search, benchmark = config.load_files(files), config.load_files(files[:1])
    assert search.seed != benchmark.seed and search.run != benchmark.run
    assert set(search.search.models) >= set(benchmark.training.models) - {"lightgbm_same_day", "seasonal"}
    assert {len([s for s in draw_settings(search) if s.model == m]) for m in search.search.models} == {search.search.settings}
    plan = yaml.safe_dump([WorkflowPlan(search.model_dump(mode="json")).setting_predictions()])
    assert "results/benchmark" not in plan and plan.count("results/search") == len(draw_settings(search))
