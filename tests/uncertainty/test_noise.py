"""The noise of a tower's value, told from errors that neighbouring days share."""

import numpy as np
import pandas as pd
import pytest

from tamrl.uncertainty import noise


def towers(*, std: float, shared: float, memory: float = 0.95, days: int = 4000, gaps: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frames = []
    for k in range(4):
        error = np.zeros(days)
        for t in range(1, days):
            error[t] = memory * error[t - 1] + shared * np.sqrt(1 - memory**2) * rng.normal()
        date = pd.date_range("2001-01-01", periods=days)
        frame = pd.DataFrame({"site": f"XV-{k}", "group": k % 3, "date": date, "predicted": 5.0})
        frames.append(frame.assign(observed=5 + error + 1.3 * k + std * rng.normal(size=days)))
    table = pd.concat(frames)
    return table[rng.random(len(table)) < 0.6] if gaps else table


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize(("std", "shared"), [(1.0, 1.0), (0.3, 2.0), (0.0, 1.0)])
def test_what_days_share_is_no_noise(std, shared, gaps):
    assert noise.day_noise(towers(std=std, shared=shared, gaps=gaps)) == pytest.approx(
        std**2, abs=0.03 * shared**2 + 0.05 * std**2
    )


def test_the_flux_errs_less_than_a_measured_day_and_hardly_less_than_a_measured_month():
    rows = towers(std=1.0, shared=1.0)
    rows = rows.assign(observed=rows["observed"] - 1.3 * rows["site"].str[-1].astype(int))
    found = noise.day_noise(rows)
    assert noise.flux_share(rows, found) == pytest.approx(np.sqrt(0.5), abs=0.04)
    months = rows.groupby(["site", "group", rows["date"].dt.to_period("M")])[["observed", "predicted"]].mean()
    of_months = noise.flux_share(months.assign(size=30).reset_index(), found)
    assert 0.95 < of_months < 1


def test_towers_without_days_in_a_row_tell_no_noise():
    rows = towers(std=1.0, shared=1.0, days=300)
    assert noise.day_noise(rows[rows["date"].dt.day % 7 == 0]) == 0.0


def test_no_share_is_zero_however_large_the_noise_seems():
    rows = towers(std=1.0, shared=0.0, days=300).assign(group=0)
    assert noise.flux_share(rows.assign(observed=5.1), 100.0) == pytest.approx(np.sqrt(1 - noise.MOST))
