import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from tamrl import contracts, simulated
from tamrl.errors import ContractError
from tamrl.uncertainty.calibration import Calibration

SCALES = {"day", "week", "month", "season", "anomaly", "year", "site"}


@pytest.fixture(scope="module")
def outputs(day_run):
    calibration = json.loads((day_run.folder / "evaluation/calibration.json").read_text())
    metrics = contracts.read_csv(day_run.path("evaluation/site_metrics.csv"), contracts.METRICS)
    predictions = pd.read_parquet(day_run.path("evaluation/predictions.parquet"))
    return predictions, metrics, calibration


def test_the_files_keep_their_contracts(outputs):
    predictions, metrics, _ = outputs
    contracts.check_table(predictions, contracts.PREDICTIONS, where="predictions")
    assert set(metrics["scale"]) == SCALES
    assert set(metrics["split"]) == set(predictions["split"]) == {"kfold", "kfold:tower"}
    assert "NA-Aaa" in set(metrics["site"]), "a tower in Namibia is not a missing value"


def test_every_step_is_predicted_and_only_good_ones_are_scored(outputs):
    predictions, metrics, _ = outputs
    one = predictions[(predictions["model"] == "tamrl") & (predictions["split"] == "kfold") & (predictions["flux"] == "gpp")]
    assert len(one) == 24 * 1096
    assert one[["predicted", "std", "q05", "q95"]].notna().all().all()
    days = metrics[
        (metrics["model"] == "tamrl") & (metrics["split"] == "kfold") & (metrics["flux"] == "gpp") & (metrics["scale"] == "day")
    ]
    assert days["n"].sum() == (one["qc"] >= 0.8).sum()


def test_a_score_can_be_recomputed_from_the_predictions(outputs):
    predictions, metrics, _ = outputs
    keys = {"model": "lightgbm", "split": "kfold:tower", "flux": "nee", "site": "XV-Aba"}
    rows = predictions[(predictions[list(keys)] == pd.Series(keys)).all(axis=1) & (predictions["qc"] >= 0.8)]
    found = metrics[(metrics[list(keys)] == pd.Series(keys)).all(axis=1) & (metrics["scale"] == "day")].squeeze()
    assert found["rmse"] == pytest.approx(np.sqrt(((rows["predicted"] - rows["observed"]) ** 2).mean()), rel=1e-6)


def test_site_means_have_one_pair_and_no_r2(outputs):
    site = outputs[1][outputs[1]["scale"] == "site"]
    assert (site["n"] == 1).all() and site["r2"].isna().all()
    assert site["rmse"].to_numpy() == pytest.approx(np.abs(site["bias"]).to_numpy())


def test_the_calibration_covers_what_it_promises(outputs):
    _, _, calibration = outputs
    for flux in ("gpp", "reco", "nee"):
        assert 0.8 < calibration["coverage"][calibration["step"]][flux] < 0.98
        assert "site means" in calibration["skill"][flux]
        fitted = calibration["scales"][calibration["step"]][flux]
        assert (fitted["towers"], fitted["groups"]) == (24, 23)
    assert {row["split"] for row in calibration["site_means"]} == {"kfold", "kfold:tower"}
    assert calibration["split"] == "kfold"


def test_monthly_steps_and_a_single_kind_of_inputs_work(make_run, tmp_path):
    run = make_run(
        tmp_path, step="month", labels=("climatology",), drivers=("tower",), models=("tamrl",), members=1, reference=False
    )
    metrics = contracts.read_csv(run.path("evaluation/site_metrics.csv"), contracts.METRICS)
    assert set(metrics["scale"]) == SCALES - {"day", "week"}
    assert json.loads((tmp_path / "evaluation/calibration.json").read_text())["split"] == "kfold:tower"


def test_a_model_of_the_maps_that_was_not_evaluated_is_refused(day_run, tmp_path):
    from tamrl.evaluation.stage import evaluate_models

    with pytest.raises(ContractError, match="was not evaluated"):
        evaluate_models(
            members=[day_run.path("evaluation/members/lightgbm-grid.parquet")],
            towers=day_run.path("towers/towers.csv"),
            splits=day_run.path("samples/splits.csv"),
            predictions=str(tmp_path / "p.parquet"),
            metrics=str(tmp_path / "m.csv"),
            calibration=str(tmp_path / "c.json"),
            scores=str(tmp_path / "s.csv"),
            comparisons=str(tmp_path / "d.csv"),
            reliability=str(tmp_path / "r.csv"),
            protocol={"scheme": "kfold", "qc": 0.8, "map_model": "tamrl", "step": "day", "targets": [], "gridded": True}
            | {"virtual": False},
        )
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_tables_of_a_virtual_earth_say_so_and_hold_the_same_numbers(make_run, tmp_path):
    made = {virtual: make_run(tmp_path / str(virtual), maps=False, towers=10, virtual=virtual) for virtual in (False, True)}
    for name in ("site_metrics", "scores", "comparisons", "reliability"):
        real, virtual = (pd.read_csv(run.path(f"evaluation/{name}.csv"), keep_default_na=False) for run in made.values())
        assert (virtual.pop(simulated.COLUMN) == simulated.STATEMENT).all() and len(virtual)
        pd.testing.assert_frame_equal(real, virtual)


def test_what_dissimilarity_says_of_errors_is_told_with_its_interval(day_run):
    calibration = Calibration.read(day_run.path("evaluation/calibration.json"))
    table = pd.read_csv(day_run.path("evaluation/dissimilarity.csv"))
    metrics = contracts.read_csv(day_run.path("evaluation/site_metrics.csv"), contracts.METRICS)
    ours = metrics.query("model == 'tamrl' and split == 'kfold' and scale == 'day' and flux == 'nee'").merge(
        table.dropna(), on="site"
    )
    found = calibration.dissimilarity["nee"]
    assert found.estimate == pytest.approx(spearmanr(ours["dissimilarity"], ours["rmse"]).statistic)
    assert found.low < found.estimate < found.high and found.n == len(ours)
    assert f"{found.estimate:.2f} [" in found.text
