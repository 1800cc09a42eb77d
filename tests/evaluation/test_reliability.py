"""Proper scores against numerical integration; coverage tables of the stage and of intervals that fail."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from tamrl import calendar, contracts
from tamrl.evaluation import reliability
from tamrl.uncertainty.calibration import Calibration


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0.1, 4))
def test_crps_is_the_integral_of_its_definition(seen, mean, std):
    x = np.linspace(-40, 40, 40001)
    step = np.where(x >= seen, 1.0, 0.0)
    integral = np.trapezoid((ndtr((x - mean) / std) - step) ** 2, x)
    assert reliability.crps(np.array(seen), np.array(mean), np.array(std)) == pytest.approx(integral, abs=5e-3)


def test_crps_of_a_certain_forecast_is_the_absolute_error():
    assert reliability.crps(np.array([1.0, 2.0]), np.array([3.0, 2.0]), np.zeros(2)).tolist() == [2.0, 0.0]


def test_the_interval_score_is_width_plus_twenty_times_what_lies_outside():
    found = reliability.interval_score(np.array([0.0, 3.0, -2.0]), np.full(3, -1.0), np.full(3, 1.0))
    np.testing.assert_allclose(found, [2, 2 + 20 * 2, 2 + 20 * 1])


def _steps(inside: dict[str, list[float]]) -> pd.DataFrame:
    """Towers of classes with given shares of steps inside [-1, 1]."""
    frames = []
    for igbp, shares in inside.items():
        for k, share in enumerate(shares):
            seen = np.where(np.arange(100) < 100 * share, 0.0, 5.0)
            about = {
                "site": f"XX-{igbp}{k}",
                "igbp": igbp,
                "model": "m",
                "split": "kfold",
                "flux": "gpp",
                "intervals": "members",
                "scale": "day",
                "lat": 10.0 * k,
                "dissimilarity": 0.1 * k,
            }
            frames.append(pd.DataFrame({"observed": seen, "predicted": 0.0, "std": 0.6, "q05": -1.0, "q95": 1.0}).assign(**about))
    return pd.concat(frames, ignore_index=True).assign(season=lambda t: np.arange(len(t)) % 4)


def _table(steps: pd.DataFrame) -> pd.DataFrame:
    return reliability.join_reliability([reliability.mean_by_group(steps, reliability.tower_thirds(steps))])


def test_limits_hold_over_all_towers_and_in_classes_of_five_or_more():
    steps = reliability.score_intervals(_steps({"ENF": [0.96] * 6, "CRO": [0.7] * 5, "EBF": [0.5] * 4}))
    table = contracts.check_table(_table(steps), contracts.RELIABILITY, where="test").set_index(["kind", "group"])
    assert table.loc[("igbp", "ENF"), "met"] == "yes" and table.loc[("igbp", "CRO"), "met"] == "no"
    assert pd.isna(table.loc[("igbp", "EBF"), "met"]) and table.loc[("igbp", "EBF"), "coverage"] == pytest.approx(0.5)
    assert table.loc[("all", "all"), "met"] == "no" and table.loc[("all", "all"), "towers"] == 15
    assert table.loc[("all", "all"), "coverage"] == pytest.approx((6 * 0.96 + 5 * 0.7 + 4 * 0.5) / 15)


def test_where_fluxes_are_large_and_in_the_tropics_coverage_is_told_apart():
    steps = reliability.score_intervals(_steps({"ENF": [0.9] * 6}))
    table = _table(steps).set_index(["kind", "group"])["coverage"]
    assert set(table.index.get_level_values("kind")) == {"all", "igbp", "season", "zone", "third", "tenth"}
    assert table["zone", "tropics"] == table["zone", "outside the tropics"] == pytest.approx(0.9)
    assert table["third", "least like the training towers"] == pytest.approx(0.9)
    assert table["tenth", "tenth 10"] == 0.0 and table["tenth"].max() == 1.0  # the largest tenth is what lies outside


def test_the_stage_tells_every_model_with_both_kinds_of_intervals(day_run):
    table = contracts.read_csv(day_run.path("evaluation/reliability.csv"), contracts.RELIABILITY)
    every = table[table["kind"] == "all"]
    whole = every[(every["scale"] == "day") & (every["intervals"] != "spread alone")]
    assert len(whole) == 2 * 2 * 2 * 3 and set(whole["intervals"]) == {"members", "residuals"}
    assert whole["coverage"].between(0.8, 0.98).all() and (whole["crps"] > 0).all()
    assert set(table["group"][table["kind"] == "season"]) == set(calendar.SEASONS)
    predictions = pd.read_parquet(day_run.path("evaluation/predictions.parquet"))
    rows = predictions.query("model == 'tamrl' and split == 'kfold' and flux == 'gpp' and qc >= 0.8")
    inside = rows["observed"].between(rows["q05"], rows["q95"]).groupby(rows["site"]).mean().mean()
    own = whole.query("model == 'tamrl' and split == 'kfold' and flux == 'gpp' and intervals == 'members'")
    assert own["coverage"].item() == pytest.approx(inside)


def test_means_of_every_scale_are_covered_and_the_members_alone_do_not(day_run):
    """Intervals of means are scored like those of days; what the spread of the members says alone stands beside them."""
    table = contracts.read_csv(day_run.path("evaluation/reliability.csv"), contracts.RELIABILITY)
    ours = table.query("model == 'tamrl' and split == 'kfold' and kind == 'all'")
    ours = ours.set_index(["intervals", "scale", "flux"])["coverage"]
    assert set(ours["members"].index.unique("scale")) >= {"day", "8 days", "month"}
    assert set(ours["members"].index) == set(ours["spread alone"].index)
    assert ours["members"].between(0.75, 1).all() and (ours["spread alone"] < ours["members"]).mean() > 0.8
    calibration = Calibration.read(day_run.path("evaluation/calibration.json"))
    for scale, fluxes in calibration.coverage.items():
        for flux, share in fluxes.items():
            assert ours["members", scale, flux] == pytest.approx(share)
            assert 0 < calibration.scales[scale].of_flux(flux).flux_share <= 1
