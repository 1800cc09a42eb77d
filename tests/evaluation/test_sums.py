"""Scores of site means at held-out places of sums."""

import numpy as np
import pandas as pd
import pytest

from tamrl import contracts
from tamrl.evaluation import sums as module


def _rows(places: int = 40, members: int = 2, error: float = 0.5) -> pd.DataFrame:
    random = np.random.default_rng(1)
    observed = random.normal(3, 1, places)
    rows = [
        {
            "model": "tamrl",
            "fold": "0",
            "member": member,
            "site": f"PP-{k:03d}",
            "group": k // 2,
            "sum": k,
            "flux": "gpp",
            "years": 3.0,
            "observed": observed[k],
            "predicted": observed[k] + error * (1 if k % 2 else -1) + (0.2 if member else -0.2),
        }
        for member in range(members)
        for k in range(places)
    ]
    return pd.DataFrame(rows)


def test_the_mean_of_the_members_is_scored_over_groups():
    scores = module.score_sums(_rows())
    contracts.check_table(scores, contracts.SUM_SCORES, where="test")
    row = scores.iloc[0]
    observed = _rows()["observed"].iloc[:40]
    assert (row["places"], row["groups"]) == (40, 20)
    assert row["rmse"] == pytest.approx(0.5) and row["bias"] == pytest.approx(0, abs=1e-12)
    assert row["nse"] == pytest.approx(1 - 0.25 / observed.var(ddof=0)) and row["low"] < row["nse"] < row["high"]


def test_sums_of_a_place_count_by_their_years_and_missing_ones_not():
    rows = _rows(members=1)
    more = rows.iloc[:1].assign(sum=99, years=1.0, observed=rows["observed"].iloc[0] + 4.0)
    lost = rows.iloc[1:2].assign(sum=98, predicted=np.nan)
    scores = module.score_sums(pd.concat([rows, more, lost], ignore_index=True)).iloc[0]
    assert scores["places"] == 40
    assert scores["bias"] == pytest.approx(-0.2 - 1.0 / 40)  # the mean of the first place is higher by 4 x 1 of 4 years
    assert module.score_sums(rows.iloc[:6])["low"].isna().all()  # too few groups for an interval


def test_a_constant_scores_zero_or_less(tmp_path):
    rows = _rows().assign(predicted=3.0)
    path, out = tmp_path / "tamrl.parquet", tmp_path / "sums.csv"
    rows.to_parquet(path, index=False)
    module.evaluate_sums(predictions=[str(path)], scores=str(out))
    assert contracts.read_csv(str(out), contracts.SUM_SCORES)["nse"].iloc[0] <= 0
