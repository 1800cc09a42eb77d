"""Monthly values on days: steps, lines and curves that keep the means of the months."""

import numpy as np
import pandas as pd
import pytest

from tamrl.errors import ConfigError, InputError
from tamrl.towers.networks import table
from tamrl.towers.reader.monthly import spread_months


def _days(first="2001-01-01", last="2002-12-31", sites=("A", "B")) -> pd.DataFrame:
    date = pd.date_range(first, last)
    frame = pd.concat([pd.DataFrame({"site": s, "date": date}) for s in sites], ignore_index=True)
    cycle = 3 + np.sin(2 * np.pi * (frame["date"].dt.month - 4) / 12)
    return frame.assign(value=cycle * frame["site"].map({"A": 1.0, "B": 10.0}))


def _spread(frame, way):
    return spread_months(frame["site"], frame["date"], frame["value"], way)


def test_a_step_changes_nothing():
    frame = _days()
    pd.testing.assert_series_equal(_spread(frame, "step"), frame["value"])


def test_a_line_joins_the_middles_of_the_months():
    frame = _days()
    days = frame.assign(line=_spread(frame, "line")).query("site == 'A' and date >= '2001-03-16' and date <= '2001-04-15'")
    assert days["line"].iloc[0] == pytest.approx(days["value"].iloc[0])  # 16 March is the middle of 31 days
    assert np.ptp(np.diff(days["line"])) < 2e-3 and np.abs(np.diff(days["line"])).max() < 0.03  # nearly one slope, no jump
    assert days["value"].diff().abs().max() > 0.4


@pytest.mark.parametrize(("way", "error"), [("smooth", 1e-5), ("line", 0.6)])
def test_a_smooth_curve_keeps_the_mean_of_each_month(way, error):
    frame = _days()
    frame["curve"] = _spread(frame, way)
    means = frame.groupby(["site", frame["date"].dt.to_period("M")])[["value", "curve"]].mean()
    off = (means["curve"] - means["value"]).abs().max()
    assert off < error and (way == "smooth" or off > 1e-3)


def test_towers_do_not_reach_into_each_other_and_rows_may_stand_in_any_order():
    frame = _days()
    alone = frame[frame["site"] == "B"]
    mixed = frame.sample(frac=1, random_state=1)
    pd.testing.assert_series_equal(_spread(mixed, "smooth").reindex(alone.index), _spread(alone, "smooth"))


def test_a_missing_month_stays_missing_and_its_neighbours_do_not_reach_over_it():
    frame = _days(sites=("A",))
    gap = frame["date"].dt.to_period("M") == "2001-06"
    frame.loc[gap, "value"] = np.nan
    line = _spread(frame, "line")
    assert line[gap].isna().all() and line[~gap].notna().all()
    late_may = frame["date"].between("2001-05-17", "2001-05-31")
    assert np.allclose(line[late_may], frame["value"][late_may])


def test_a_table_spreads_the_columns_that_it_names(sample):
    file = sample.folder / "t.csv"
    rows = pd.read_parquet(sample.table("day")["path"])
    rows.to_csv(file, index=False)
    read = {}
    for way in ("step", "line"):
        options = table.Options(path=str(file), monthly={"evi": way})
        read[way], _ = table.read([file], options, partitioning="NT", step="day")
    months = [read["step"]["site"], read["step"]["date"].dt.to_period("M")]
    assert read["line"].groupby(months)["evi"].nunique().max() > read["step"].groupby(months)["evi"].nunique().max()
    same = [name for name in read["step"] if name != "evi"]
    pd.testing.assert_frame_equal(read["step"][same], read["line"][same])


def test_a_variable_without_a_column_is_refused():
    with pytest.raises(ConfigError, match="snow"):
        table.inputs(table.Options(path="x.csv", monthly={"snow": "line"}))


@pytest.mark.parametrize("way", ["line", "smooth"])
def test_a_daily_column_is_not_smeared_over_its_months(way):
    frame = _days()
    frame.loc[frame.index[400], "value"] += 0.1
    with pytest.raises(InputError, match="no monthly values"):
        _spread(frame, way)


def test_real_composites_are_monthly_and_weather_is_not(shared_data):
    columns = ["site", "date", "mm_EVI", "mm_LAI", "TA_F"]
    rows = pd.read_parquet(shared_data / "towers/fluxnet2015_daily.parquet", columns=columns)
    date = pd.to_datetime(rows["date"])
    keys = [rows["site"], date.dt.to_period("M")]
    for name in ("mm_EVI", "mm_LAI"):
        known = rows[name].where(rows[name] > -9000)
        curve = spread_months(rows["site"], date, known, "smooth")
        off = (curve.groupby(keys).mean() - known.groupby(keys).mean()).abs()
        assert curve.notna().equals(known.notna()) and off.quantile(0.99) < 1e-3 * known.abs().max()
    with pytest.raises(InputError, match="no monthly values"):
        spread_months(rows["site"], date, rows["TA_F"], "line")
