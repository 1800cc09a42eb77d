import numpy as np
import pandas as pd
import pytest

from tamrl.evaluation import scales


def record(days=1096, **values):
    date = pd.date_range("2010-01-01", periods=days)
    frame = pd.DataFrame({"date": date, "model": "tamrl", "split": "kfold", "fold": "0", "site": "XV-Aaa", "flux": "gpp"})
    season = -np.cos(2 * np.pi * date.day_of_year / 365.25)
    trend = (date.year - 2011).to_numpy(float)
    return frame.assign(observed=5 + 3 * season + trend, predicted=4 + 3 * season + values.get("skill", 0.0) * trend)


def test_a_constant_bias_is_seen_in_the_site_mean_only():
    frame = record(skill=1.0)
    found = scales.pairs_by_scale(frame, step="day")
    bias = {scale: (pairs["predicted"] - pairs["observed"]).mean() for scale, pairs in found.items()}
    for scale in ("day", "week", "month", "season", "site"):
        assert bias[scale] == pytest.approx(-1.0, abs=1e-9)
    for scale in ("anomaly", "year"):
        assert bias[scale] == pytest.approx(0.0, abs=1e-9)
        assert np.abs(found[scale]["predicted"] - found[scale]["observed"]).max() < 1e-9


def test_interannual_variability_is_seen_in_years_and_anomalies():
    found = scales.pairs_by_scale(record(skill=0.0), step="day")
    assert found["year"]["observed"].tolist() == pytest.approx([-1, 0, 1], abs=0.01)
    assert np.abs(found["year"]["predicted"]).max() < 0.01
    assert len(found["anomaly"]) == 36 and len(found["season"]) == 12 and len(found["site"]) == 1


def test_weeks_start_on_the_first_of_january_and_fill_the_year():
    found = scales.week_means(record(days=730))
    assert len(found) == 2 * 52


def test_months_with_too_few_days_do_not_count():
    frame = record(days=59)
    kept = frame[(frame["date"].dt.month == 1) | (frame["date"].dt.day <= 10)]
    assert len(scales.month_means(kept, step="day")) == 1
    assert scales.month_means(frame[frame["date"].dt.day == 1], step="month")["size"].tolist() == [1, 1]


def test_a_site_mean_weighs_calendar_months_the_same():
    frame = record(days=365)
    summer = frame["date"].dt.month.isin((6, 7, 8))
    thin = frame[summer | (frame["date"].dt.day <= 16)]
    whole, thinned = (scales.pairs_by_scale(f, step="day")["site"]["observed"].iloc[0] for f in (frame, thin))
    assert thinned == pytest.approx(whole, abs=0.1)
    assert abs(thin["observed"].mean() - whole) > 0.2


def test_too_few_months_give_no_site_mean_and_one_year_no_anomalies():
    found = scales.pairs_by_scale(record(days=200), step="day")
    assert found["site"].empty and found["year"].empty and found["anomaly"].empty


def test_steps_of_a_month_have_no_days_and_weeks():
    frame = record()
    found = scales.pairs_by_scale(frame[frame["date"].dt.day == 1], step="month")
    assert set(found) == {"month", "season", "anomaly", "year", "site"}


def with_members(frame: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    members = np.stack([frame["predicted"] - 0.5, frame["predicted"] + 0.5])
    return frame.assign(
        season=frame["date"].dt.month.to_numpy() % 12 // 3, igbp="ENF", group=3, lat=50.0, dissimilarity=0.2
    ), members


def test_means_of_the_maps_have_the_spread_of_the_means_of_members():
    frame, members = with_members(record())
    found = scales.map_means(frame, members, step="day")
    assert set(found) == {"8 days", "month", "mean month", "year"}
    assert {scale: len(rows) for scale, rows in found.items()} == {"8 days": 138, "month": 36, "mean month": 12, "year": 3}
    for rows in found.values():
        assert rows["spread"].to_numpy() == pytest.approx(np.sqrt(0.5)) and set(rows["group"]) == {3}
        assert (rows["predicted"] - rows["observed"]).mean() == pytest.approx(-1, abs=0.01)
    assert found["year"]["size"].tolist() == [365, 365, 366] and set(found["year"]["season"]) == {0}
    assert found["mean month"]["size"].tolist()[1] == 28 + 28 + 29


def test_independent_members_spread_less_in_longer_means():
    frame, members = with_members(record())
    members = members + np.random.default_rng(1).normal(0, 3, members.shape)
    found = scales.map_means(frame, members - members.mean(1, keepdims=True), step="day")
    assert found["year"]["spread"].mean() < 0.5 * found["month"]["spread"].mean() < found["8 days"]["spread"].mean()


def test_short_records_and_single_members_have_what_they_can():
    frame, members = with_members(record(days=70))
    found = scales.map_means(frame, members[:1], step="day")
    assert set(found) == {"8 days", "month"} and found["month"]["spread"].isna().all()
