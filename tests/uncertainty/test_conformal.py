"""Calibration on towers that differ from each other, as real ones do: coverage must hold at new towers."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamrl.errors import ContractError
from tamrl.uncertainty import conformal
from tamrl.uncertainty.calibration import FluxCalibration


def towers(count, rng, rows=80, spread=True):
    """Errors grow with the flux and each tower has its own bias: what a model meets at an unseen tower."""
    frames = []
    for i in range(count):
        n = int(rng.integers(rows // 4, rows * 2))
        predicted = rng.gamma(2, 2, n)
        bias = rng.normal(0, 0.6)
        members = rng.uniform(0.1, 0.5, n) * (1 + 0.2 * predicted)
        noise = rng.normal(0, 1, n) * np.hypot(members, 0.3 + 0.2 * predicted)
        frames.append(
            pd.DataFrame(
                {
                    "site": f"XX-{i:03d}",
                    "flux": "gpp",
                    "fold": str(i % 3),
                    "observed": predicted + bias + noise,
                    "predicted": predicted,
                    "spread": members if spread else np.nan,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def apply(calibration, frame):
    q05, q95, std = conformal.interval(calibration, frame["predicted"].to_numpy(), frame["spread"].to_numpy())
    return frame.assign(q05=q05, q95=q95, std=std)


@pytest.mark.parametrize("spread", [True, False])
def test_coverage_holds_at_new_towers_and_the_spread_is_honest(spread):
    rng = np.random.default_rng(3)
    frame = towers(60, rng, spread=spread)
    calibration = conformal.fit_table(frame, "gpp")
    assert (calibration.with_spread is not None) is spread
    new = towers(300, rng, spread=spread)
    q05, q95, std = conformal.interval(calibration, new["predicted"].to_numpy(), new["spread"].to_numpy() if spread else None)
    new = new.assign(q05=q05, q95=q95)
    assert conformal.coverage(new) == pytest.approx(0.9, abs=0.03)
    per_tower = (((new["observed"] - new["predicted"]) / std) ** 2).groupby(new["site"]).mean()
    assert per_tower.mean() == pytest.approx(1, abs=0.2)
    below = (new["observed"] < new["q05"]).groupby(new["site"]).mean().mean()
    assert below == pytest.approx(0.05, abs=0.02), "both tails carry their share"


def test_intervals_widen_where_errors_grow_and_where_members_disagree():
    calibration = conformal.fit_table(towers(40, np.random.default_rng(1)), "gpp")
    mean, std = np.array([1.0, 10.0, 10.0]), np.array([0.3, 0.3, 3.0])
    q05, q95, sigma = conformal.interval(calibration, mean, std)
    assert (np.diff(q95 - q05) > 0.1).all() and (np.diff(sigma) > 0.05).all()


@pytest.mark.parametrize("spread", [0.02, 1e-4])
def test_small_fluxes_have_small_intervals(spread):
    """Winters err by a twentieth of summers: what all rows err by must not widen them."""
    rng, rows = np.random.default_rng(8), 4000
    predicted = np.where(np.arange(rows) % 2 == 0, 0.0, 8.0) + rng.uniform(0, 0.5, rows)
    deviation = np.where(predicted < 4, 0.1, 2.0)
    frame = pd.DataFrame({"site": [f"XX-{i % 40}" for i in range(rows)], "flux": "gpp", "predicted": predicted, "spread": spread})
    frame["observed"] = predicted + rng.normal(0, deviation)
    sigma = apply(conformal.fit_table(frame, "gpp"), frame)["std"]
    for size in (0.1, 2.0):
        assert sigma[deviation == size].mean() == pytest.approx(size, rel=0.25)


def test_every_tower_weighs_the_same_however_long_its_record():
    rng = np.random.default_rng(2)
    frame = towers(25, rng)
    long = pd.concat([frame[frame["site"] == "XX-000"]] * 50)
    repeated = pd.concat([frame, long], ignore_index=True)
    one, other = (conformal.fit_table(f, "gpp").with_spread for f in (frame, repeated))
    for name, value in one:
        if name == "strata":
            continue
        np.testing.assert_allclose(getattr(other, name), value, rtol=1e-9)


@pytest.mark.parametrize("count", [19, 30, 60])
def test_coverage_does_not_sink_with_few_towers(count):
    rng, covered = np.random.default_rng(count), []
    for _ in range(40):
        calibration = conformal.fit_table(towers(count, rng, rows=20), "gpp")
        covered.append(conformal.coverage(apply(calibration, towers(30, rng, rows=20))))
    assert np.mean(covered) == pytest.approx(0.905, abs=0.025)


def test_the_finite_sample_correction_counts_towers():
    rng = np.random.default_rng(4)
    assert [conformal.fit_table(towers(n, rng), "gpp").exact for n in (12, 18, 19, 40)] == [False, False, True, True]


def test_a_calibration_survives_json_and_missing_is_carried():
    calibration = conformal.fit_table(towers(20, np.random.default_rng(5)), "gpp")
    again = FluxCalibration.model_validate_json(json.dumps(calibration.model_dump(exclude_none=True), allow_nan=False))
    mean, std = np.array([[1.0, np.nan], [3.0, 50.0]]), np.full((2, 2), 0.2)
    for a, b in zip(conformal.interval(calibration, mean, std), conformal.interval(again, mean, std), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.isnan(a).tolist() == [[False, True], [False, False]]


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 100), st.integers(0, 1000))
def test_intervals_follow_a_change_of_unit(factor, seed):
    frame = towers(8, np.random.default_rng(seed))
    scaled = frame.assign(**{name: frame[name] * factor for name in ("observed", "predicted", "spread")})
    one, other = apply(conformal.fit_table(frame, "gpp"), frame), apply(conformal.fit_table(scaled, "gpp"), scaled)
    for name in ("q05", "q95", "std"):
        np.testing.assert_allclose(other[name], one[name] * factor, rtol=1e-6, atol=1e-9 * factor)


def test_each_fold_takes_the_calibration_of_the_others():
    frame = towers(30, np.random.default_rng(6))
    result = conformal.cross_fit(frame)
    pd.testing.assert_frame_equal(result[frame.columns], frame)
    expected = apply(conformal.fit_table(frame[frame["fold"] != "1"], "gpp"), frame[frame["fold"] == "1"])
    pd.testing.assert_frame_equal(result[result["fold"] == "1"][["std", "q05", "q95"]], expected[["std", "q05", "q95"]])
    wild = frame.assign(observed=frame["observed"].where(frame["fold"] != "1", 1e4))
    own = conformal.cross_fit(wild)
    pd.testing.assert_series_equal(own.loc[own["fold"] == "1", "q95"], result.loc[result["fold"] == "1", "q95"])
    assert conformal.coverage(result) == pytest.approx(0.9, abs=0.06)


def test_one_fold_is_halved_by_towers_or_their_groups():
    frame = towers(30, np.random.default_rng(7)).assign(fold="test")
    frame["group"] = frame["site"].str[-3:].astype(int) // 5
    assert conformal.coverage(conformal.cross_fit(frame)) == pytest.approx(0.9, abs=0.06)
    result = conformal.cross_fit(frame, group="group")
    wild = frame.assign(observed=frame["observed"].where(frame["group"] != 2, 1e4))
    same = conformal.cross_fit(wild, group="group")
    pd.testing.assert_frame_equal(result.loc[frame["group"] == 2, ["q05", "q95"]], same.loc[frame["group"] == 2, ["q05", "q95"]])


def test_fluxes_are_calibrated_apart():
    gpp = towers(20, np.random.default_rng(8))
    nee = gpp.assign(flux="nee", observed=gpp["predicted"] + 3 * (gpp["observed"] - gpp["predicted"]))
    both = conformal.cross_fit(pd.concat([gpp, nee], ignore_index=True))
    width = (both["q95"] - both["q05"]).groupby(both["flux"]).mean()
    assert width["nee"] > 2 * width["gpp"]


def test_unfit_tables_are_refused():
    frame = towers(4, np.random.default_rng(9))
    with pytest.raises(ContractError, match="lack spread"):
        conformal.cross_fit(frame.drop(columns="spread"))
    with pytest.raises(ContractError, match="no other tower"):
        conformal.cross_fit(frame[frame["site"] == "XX-000"])
    with pytest.raises(ContractError, match="both observed and predicted"):
        conformal.fit_table(frame.assign(observed=np.nan), "gpp")


def test_a_perfect_model_gets_an_interval_without_width_and_no_error():
    frame = towers(20, np.random.default_rng(10)).assign(spread=0.0)
    result = conformal.cross_fit(frame.assign(observed=frame["predicted"]))
    assert (result["q95"] - result["q05"]).abs().max() < 1e-6


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.integers(1, 9))
def test_weighted_quantiles_with_equal_weights_are_order_statistics(values, tenths):
    values = np.array(values)
    level = tenths / 10
    rank = int(np.ceil(level * len(values) - 1e-9))
    found = conformal.weighted_quantile(values, np.ones(len(values)), np.array([level]))[0]
    assert found == np.sort(values)[max(rank, 1) - 1]


def copied(frame, count=4, share=0.5):
    """Half of the towers `count` times each, as neighbours of one group."""
    sites = sorted(frame["site"].unique())
    near = frame[frame["site"].isin(sites[: int(share * len(sites))])]
    copies = [near.assign(site=near["site"] + f"-{k}", group=near["site"]) for k in range(1, count)]
    return pd.concat([frame.assign(group=frame["site"]), *copies], ignore_index=True)


def test_copies_of_a_tower_in_its_group_change_nothing():
    frame = towers(40, np.random.default_rng(11))
    one, same = conformal.fit_table(frame, "gpp"), conformal.fit_table(copied(frame), "gpp", group="group")
    assert (one.towers, one.groups, same.towers, same.groups) == (40, 40, 100, 40)
    assert same.with_spread.scale == pytest.approx(one.with_spread.scale)
    assert same.with_spread.high == pytest.approx(one.with_spread.high, rel=0.02)
    assert same.with_spread.low == pytest.approx(one.with_spread.low, rel=0.02)


def test_towers_without_neighbours_are_calibrated_as_ever():
    frame = towers(30, np.random.default_rng(12))
    alone = frame.assign(group=1000 - frame["site"].str[-3:].astype(int))
    assert conformal.fit_table(alone, "gpp", group="group") == conformal.fit_table(frame, "gpp")


def test_the_tails_need_groups_not_towers():
    frame = towers(18, np.random.default_rng(13))
    assert not conformal.fit_table(copied(frame, share=1.0), "gpp", group="group").exact
    assert conformal.fit_table(copied(frame, share=1.0), "gpp").exact


def test_the_tail_holds_at_towers_of_new_groups():
    """Towers of a group share their bias; two of three towers stand in groups of six."""
    rng, by_group, by_tower = np.random.default_rng(14), [], []
    for _ in range(60):
        group = np.concatenate([np.repeat(np.arange(10), 6), np.arange(10, 40)])
        score = np.concatenate([rng.normal(0, 1, 10).repeat(6), rng.normal(0, 1, 30)])
        table = pd.DataFrame(
            {"site": np.arange(90).astype(str), "group": group, "flux": "gpp", "predicted": 0.0, "spread": np.nan}
        )
        new = pd.DataFrame(
            {"site": np.arange(2000).astype(str), "predicted": 0.0, "spread": np.nan, "observed": rng.normal(size=2000)}
        )
        for by, covered in (("group", by_group), ("site", by_tower)):
            fitted = conformal.fit_table(table.assign(observed=score), "gpp", group=by)
            covered.append(conformal.coverage(apply(fitted, new)))
    assert np.mean(by_group) == pytest.approx(0.9, abs=0.02)
    assert np.std(by_group) < np.std(by_tower)
