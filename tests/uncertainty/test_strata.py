"""Factors of seasons and classes: found where errors differ, near one where they do not, and kept through JSON to maps."""

import json

import numpy as np
import pandas as pd
import pytest

from tamrl import calendar
from tamrl.errors import ContractError
from tamrl.uncertainty import conformal, strata
from tamrl.uncertainty.calibration import FluxCalibration


def frame(rng, sites=60, rows=160, factor=3.0):
    """Crops err `factor` times as much as forests, summers twice as much as winters; towers have a bias of their own."""
    tables = []
    for i in range(sites):
        season = np.arange(rows) % 4
        size = (factor if i % 3 == 0 else 1.0) * np.where(season == 2, 2.0, 1.0)
        predicted = rng.gamma(2, 2, rows)
        observed = predicted + size * (rng.normal(0, 1, rows) + rng.normal(0, 0.3))
        tables.append(
            pd.DataFrame(
                {
                    "site": f"XX-{i:03d}",
                    "flux": "gpp",
                    "fold": str(i % 4),
                    "observed": observed,
                    "predicted": predicted,
                    "spread": rng.uniform(0.1, 0.3, rows),
                    "season": season,
                    "igbp": "CRO" if i % 3 == 0 else "ENF",
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def alone(tower):
    """Towers without neighbours."""
    return strata.Units.number(tower, tower)


@pytest.mark.parametrize(("month", "lat", "expected"), [(1, 50, 0), (12, 50, 0), (7, 50, 2), (7, -30, 0), (1, -30, 2), (4, 0, 1)])
def test_seasons_turn_round_in_the_south(month, lat, expected):
    assert calendar.season(np.array(month), np.array(lat)) == expected


def test_every_class_and_season_is_covered_where_errors_differ():
    rng = np.random.default_rng(1)
    fitted, new = conformal.fit_table(frame(rng), "gpp"), frame(rng)
    places = strata.PlaceStrata(new["season"].to_numpy(), 1.0, strata.one_hot(new["igbp"].to_numpy(object)))
    ends = {
        "pooled": conformal.interval(fitted, new["predicted"].to_numpy(), new["spread"].to_numpy()),
        "strata": conformal.interval(
            fitted,
            new["predicted"].to_numpy(),
            new["spread"].to_numpy(),
            places=places,
        ),
    }
    inside = {name: new["observed"].between(pd.Series(e[0]), pd.Series(e[1])) for name, e in ends.items()}
    for by in ("igbp", "season"):
        assert (inside["strata"].groupby(new[by]).mean() - 0.9).abs().max() < 0.04
        assert (inside["pooled"].groupby(new[by]).mean() - 0.9).abs().max() > 0.06


def test_where_errors_do_not_differ_the_factors_are_near_one():
    igbp = np.array(["CRO", "ENF", None], object)[np.arange(6000) // 100 % 3]
    kinds = strata.Strata(np.arange(6000) % 4, igbp, np.ones(6000))
    found = strata.fit_factors(np.random.default_rng(2).normal(size=6000), kinds, alone(np.arange(6000) // 100))
    assert set(found.igbp) == {"CRO", "ENF"}
    np.testing.assert_allclose([*found.igbp.values(), *found.season], 1, atol=0.2)


def test_few_towers_move_a_factor_less_than_many():
    def crops(count):
        table = frame(np.random.default_rng(3), sites=3 * count)
        tower = table["site"].str[-3:].astype(int).to_numpy()
        keep = (tower % 3 > 0) | (tower < 3 * count // 10 * 3 if count > 20 else tower == 0)
        score = (table["observed"] - table["predicted"]).to_numpy()
        kinds = strata.Strata(table["season"].to_numpy(), table["igbp"].to_numpy(object), np.ones(len(table))).part(keep)
        return strata.fit_factors(score[keep], kinds, alone(tower[keep])).igbp["CRO"]

    assert 1 < crops(10) < crops(40)


def test_a_mixed_cell_takes_its_classes_by_their_share_and_the_unknown_take_one():
    fitted = strata.StratumFactors(igbp={"CRO": 3.0, "ENF": 0.5}, season=(1.0, 1.0, 2.0, 1.0))
    shares = {"CRO": np.array([1.0, 0.5, 0.0, np.nan]), "ENF": np.array([0.0, 0.5, 0.0, np.nan]), "WAT": np.array([0, 0, 1.0, 0])}
    np.testing.assert_allclose(fitted.at(strata.PlaceStrata(np.array(0), 1.0, shares)), [3.0, 1.75, 1.0, 1.0])
    season = np.array([[0], [2]])
    assert fitted.at(strata.PlaceStrata(season, 1.0, shares)).shape == (2, 4)


def test_a_calibration_by_strata_survives_json_and_can_be_used_without_them():
    fitted = conformal.fit_table(frame(np.random.default_rng(4), sites=24), "gpp")
    again = FluxCalibration.model_validate(json.loads(json.dumps(fitted.model_dump(), allow_nan=False)))
    mean, std, where = np.full(3, 4.0), np.full(3, 0.2), {"CRO": np.array([1.0, 0, 0]), "ENF": np.array([0.0, 1, 1])}
    q05, q95, _ = conformal.interval(again, mean, std, places=strata.PlaceStrata(np.array([2, 2, 0]), 1.0, where))
    assert (np.diff(q95 - q05) < 0).all(), "crops in summer, forest in summer, forest in winter"
    plain = conformal.interval(again, mean, std)
    assert np.ptp(plain[1] - plain[0]) == 0


def test_tables_without_strata_are_calibrated_for_all_together():
    table = frame(np.random.default_rng(5), sites=24)
    one, other = conformal.fit_table(table, "gpp"), conformal.fit_table(table.drop(columns=["season", "igbp"]), "gpp")
    assert other.with_spread.strata is None
    assert one.with_spread.low == other.with_spread.low


def test_few_towers_are_calibrated_for_all_together():
    found = [conformal.fit_table(frame(np.random.default_rng(6), sites=n), "gpp").with_spread.strata for n in (18, 19)]
    assert found[0] is None and set(found[1].igbp) == {"CRO", "ENF"}


def test_the_quantile_is_that_of_a_full_sort():
    rng = np.random.default_rng(4)
    for size, towers in ((rng.gamma(0.5, 2, 5000) ** 3, 30), (np.zeros(50), 5), (np.ones(7), 7), (rng.random(1), 1)):
        tower = np.unique(rng.integers(0, towers, len(size)), return_inverse=True)[1]
        weight = 1.0 / np.bincount(tower)[tower]
        order = np.argsort(size, kind="stable")
        reached = np.cumsum(weight[order]) / weight.sum()
        expected = size[order][min(np.searchsorted(reached, strata.LEVEL), len(size) - 1)]
        assert strata._quantile(size, weight) == expected


def test_rows_weigh_by_group_then_tower_then_record():
    units = strata.Units.number(np.array(["b", "a", "a", "c", "c", "c"]), np.array([7, 7, 7, 3, 3, 3]))
    np.testing.assert_allclose(units.weight, [1 / 2, 1 / 4, 1 / 4, 1 / 3, 1 / 3, 1 / 3])
    assert units.count == 2 and units.part(units.tower == 1).weight.tolist() == [1.0]
    with pytest.raises(ContractError, match="two groups"):
        strata.Units.number(np.array(["a", "a"]), np.array([1, 2]))


def test_factors_of_classes_do_not_count_neighbours_as_further_evidence():
    table = frame(np.random.default_rng(8))
    again = pd.concat([table.assign(site=table["site"] + suffix, group=table["site"]) for suffix in "abc"])
    one = conformal.fit_table(table, "gpp").with_spread.strata
    same, towers = (conformal.fit_table(again, "gpp", group=by).with_spread.strata for by in ("group", "site"))
    assert same.igbp == pytest.approx(one.igbp) and same.season == pytest.approx(one.season)
    assert towers.igbp["CRO"] > 1.01 * one.igbp["CRO"]
