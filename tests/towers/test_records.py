"""Time stamps, order and duplicates."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamrl.errors import InputError
from tamrl.towers import sites
from tamrl.towers.reader import records


@pytest.mark.parametrize(
    ("step", "stamps", "first"),
    [
        ("day", [20040229, 20040301], "2004-02-29"),
        ("day", ["2004-02-29", "2004-03-01"], "2004-02-29"),
        ("month", [200402, 200403], "2004-02-01"),
        ("month", ["2004-02-01", "2004-03-01"], "2004-02-01"),
    ],
)
def test_stamps_of_fluxnet_and_iso(step, stamps, first):
    found = records.parse_step_starts(pd.Series(stamps), step=step, where="x")
    assert found.iloc[0] == pd.Timestamp(first) and found.dtype == "datetime64[ns]"


@pytest.mark.parametrize(
    ("step", "stamps"),
    [
        ("day", pd.to_datetime(["2004-02-01 00:30"])),  # half-hour offset
        ("day", pd.to_datetime(["2004-02-01"]).tz_localize("UTC")),
        ("day", [200402]),
        ("day", [20040230]),
        ("day", [-9999]),
        ("day", [None]),
        ("month", [20040201]),
        ("month", pd.to_datetime(["2004-02-02"])),  # days in a monthly run
    ],
)
def test_stamps_that_are_no_starts_of_steps_are_refused(step, stamps):
    with pytest.raises(InputError, match=r"towers\.csv"):
        records.parse_step_starts(pd.Series(stamps), step=step, where="towers.csv")


def _table(dates, nee):
    return pd.DataFrame({"site": "DE-Aaa", "date": pd.to_datetime(dates), "gpp": 1.0, "reco": 1.0, "nee": nee, "nee_qc": 1.0})


def test_exact_duplicates_go_and_different_ones_are_refused():
    same = _table(["2004-01-02", "2004-01-01", "2004-01-02"], [1.0, 2.0, 1.0])
    assert records.sort_unique(same, where="x")["nee"].tolist() == [2.0, 1.0]
    with pytest.raises(InputError, match=r"2 records[\s\S]*2004-01-02"):
        records.sort_unique(_table(["2004-01-02", "2004-01-01", "2004-01-02"], [1.0, 2.0, 1.5]), where="x")


def test_duplicates_that_are_missing_alike_are_equal():
    assert len(records.sort_unique(_table(["2004-01-01"] * 2, [np.nan] * 2), where="x")) == 1


@given(st.permutations(list(range(12))))
def test_order_of_rows_does_not_matter(order):
    table = _table(pd.date_range("2004-01-01", periods=12), np.arange(12.0))
    pd.testing.assert_frame_equal(records.sort_unique(table.iloc[order], where="x"), table)


@pytest.mark.parametrize("site", ["NA", "NO", "nan", "null", "NA-Xxx", "007", "1e5"])
def test_ids_stay_text_whatever_they_look_like(site):
    table, _ = records.build_records(
        pd.DataFrame({"N": [1.0]}), {"nee": "N"}, site=site, date=pd.Series([20040101]), step="day", where="x"
    )
    assert table["site"].tolist() == [site]


@pytest.mark.parametrize("site", ["../../x", "", "DE-Hai/../x", "DE Hai", "C:x", ".hidden"])
def test_ids_that_are_none_are_refused_as_they_are_written(site):
    raw = pd.DataFrame({"N": [1.0]})
    with pytest.raises(InputError, match="no site ids") as error:
        records.build_records(raw, {"nee": "N"}, site=site, date=pd.Series([20040101]), step="day", where="x")
    assert repr(site) in str(error.value)


def test_a_tower_without_coordinates_is_named():
    table = _table(["2004-01-01"], [1.0])
    places = sites.site_table([{"site": "DE-Bbb", "network": "x", "lat": 1.0, "lon": 1.0}])
    with pytest.raises(InputError, match="DE-Aaa"):
        records.check_network(table, places, where="x")
