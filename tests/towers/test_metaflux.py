"""The public monthly files."""

import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamrl.errors import ConfigError, InputError
from tamrl.towers import survey
from tamrl.towers.networks import metaflux
from tamrl.towers.reader import metaflux as reader
from tamrl.towers.reader import records

COLUMNS = {"mm_EVI": "evi", "mm_LAI": "lai"}
GREEN = tuple(COLUMNS.values())


@pytest.fixture(scope="module")
def paths(shared_data):
    return [shared_data / "towers" / "metaflux", shared_data / "archives" / "metadata" / "FLX_AA-Flx_BIF_LATEST.csv"]


def read(paths, options, *, partitioning, step):
    """Records and sites of all files, as the workflow reads them; the first that cannot be read is an error."""
    return survey.read_tables(metaflux, paths, options, survey.SurveyPlan(step, partitioning, strict=True))[:2]


@pytest.fixture(scope="module")
def real(paths):
    return records.check_network(*read(paths, metaflux.Options(), partitioning="NT", step="month"), where="metaflux")


@pytest.fixture
def few(paths, tmp_path):
    """Four of the towers."""
    for site in ("DE-Hai", "SN-Dhr", "US-Ton", "FI-Hyy"):
        shutil.copy(paths[0] / f"{site}_MM.csv", tmp_path)
    return [tmp_path, paths[1]]


def test_all_towers_are_read(real):
    table, places = real
    assert (len(places), len(table)) == (166, 14148)
    assert places["igbp"].notna().all() and places["koppen"].notna().all()
    assert places.set_index("site")["managed"].dropna().to_dict() == {"US-Ne1": "irrigated", "US-Ne2": "irrigated"}
    assert places.set_index("site").loc["SJ-Adv", "koppen"] == "Polar"
    assert pd.isna(places.set_index("site").loc["US-Me6", "utc_offset"])  # +8 h at 121 degrees west in the metadata


def test_a_month_of_hainich_by_hand(real):
    row = real[0].set_index(["site", "date"]).loc[("DE-Hai", pd.Timestamp("2000-02-01"))]
    assert row[["gpp", "reco", "nee", "nee_qc"]].tolist() == pytest.approx([0.105299, 1.405259, 1.29996, 0.979885])
    assert row["air_temperature"] == pytest.approx(2.541 + 273.15)
    assert row["precipitation"] == 3.863
    assert row["evi"] == pytest.approx(0.167376265)  # February is the fifth month as text: stored in the row of May


def test_day_time_partitioning_balances_as_the_file_does(few):
    table, _ = read(few, metaflux.Options(), partitioning="DT", step="month")
    row = table.set_index(["site", "date"]).loc[("DE-Hai", pd.Timestamp("2000-02-01"))]
    assert row[["gpp", "reco"]].tolist() == pytest.approx([0.159502, 1.29996 + 0.159502])


def test_reanalysis_drivers_and_the_tower_where_they_are_broken(few):
    options = metaflux.Options(drivers="era")
    table, places = records.check_network(*read(few, options, partitioning="NT", step="month"), where="metaflux")
    row = table.set_index(["site", "date"]).loc[("DE-Hai", pd.Timestamp("2000-02-01"))]
    assert row["air_temperature"] == pytest.approx(2.829 + 273.15) and row["precipitation"] == 2.542
    senegal = table[table["site"] == "SN-Dhr"]  # SW_IN_ERA there is 13 W m-2 the year round
    assert senegal["shortwave_radiation"].isna().all() and senegal["air_temperature"].notna().all()
    assert places.loc[places["implausible"] > 0, "site"].tolist() == ["SN-Dhr"]


def test_without_the_folder_the_download_is_asked_for(tmp_path):
    options = metaflux.Options(path=str(tmp_path / "none"), bif=str(tmp_path / "none.csv"))
    assert metaflux.inputs(options) == ["downloads/metaflux"]


def test_days_are_refused(paths):
    with pytest.raises(ConfigError, match="monthly"):
        read(paths, metaflux.Options(), partitioning="NT", step="day")


def test_a_file_of_another_tower_is_refused(sample):
    options = metaflux.Options(**sample.metaflux("month"))
    (sample.folder / "base" / "DE-Aaa_MM.csv").rename(sample.folder / "base" / "DE-Zzz_MM.csv")
    with pytest.raises(InputError, match=r"DE-Zzz alone[\s\S]*DE-Aaa"):
        read([sample.folder], options, partitioning="NT", step="month")


def test_a_folder_without_files_is_named(tmp_path):
    with pytest.raises(InputError, match=str(tmp_path)):
        read([tmp_path], metaflux.Options(), partitioning="NT", step="month")


# LAI and EVI: months put right


def _seasons(table):
    """Median over towers of the correlation between the mean seasonal cycles of each variable and of GPP."""
    cycles = table.groupby(["site", table["date"].dt.month])[["gpp", *GREEN]].mean()
    each = cycles.groupby("site").apply(lambda cycle: cycle[list(GREEN)].corrwith(cycle["gpp"]))
    return each.median()


def test_greenness_follows_the_seasons_of_gpp_after_it_is_put_right_and_not_before(real, paths):
    as_published = metaflux.Options(greenness="calendar")
    before, _ = read(paths, as_published, partitioning="NT", step="month")
    assert (_seasons(before) < 0).all() and (_seasons(real[0]) > 0.85).all()
    rest = before.columns.difference(GREEN)
    pd.testing.assert_frame_equal(before[rest].dropna(axis=1, how="all"), real[0][rest].dropna(axis=1, how="all"))


def test_greenness_is_that_of_the_table_in_calendar_order(real, shared_data):
    right = pd.read_parquet(shared_data / "towers/fluxnet2015_daily.parquet", columns=["site", "date", *COLUMNS])
    right = right[right["date"].dt.day == 1].rename(columns=COLUMNS)
    both = real[0].merge(right, on=["site", "date"], suffixes=("", "_right"))
    assert len(both) > 10_000
    for name in GREEN:
        np.testing.assert_allclose(both[name], both[f"{name}_right"], rtol=0, atol=1e-6)


def _stored(months, year=2001):
    """Rows of some months of a year as the public files have them: the value of a month is its number."""
    as_text = sorted(months, key=str)
    return pd.DataFrame(
        {"TIMESTAMP": [100 * year + m for m in months], "EVI": as_text, "LAI": [-m for m in as_text], "P_F": months}
    )


@pytest.mark.parametrize("months", [list(range(1, 13)), [9, 10, 11, 12], [2, 3, 10], [7], [1, 2, 11]])
def test_a_whole_or_partial_year_by_hand(months):
    raw = pd.concat([_stored(months), _stored(list(range(1, 13)), 2002)], ignore_index=True)
    assert raw["EVI"][len(months) :].tolist() == [1, 10, 11, 12, 2, 3, 4, 5, 6, 7, 8, 9]
    right = reader.calendar_order(raw, where="x")
    numbers = right["TIMESTAMP"] % 100
    assert right["EVI"].tolist() == numbers.tolist() == (-right["LAI"]).tolist() == right["P_F"].tolist()


@given(st.sets(st.integers(1, 12), min_size=1), st.randoms())
def test_any_months_of_a_year_in_any_order_of_rows(months, shuffle):
    rows = _stored(sorted(months)).sample(frac=1, random_state=shuffle.randrange(1000)).reset_index(drop=True)
    right = reader.calendar_order(rows, where="x")
    assert (right["EVI"] == right["TIMESTAMP"] % 100).all() and right["P_F"].equals(rows["P_F"])


def test_a_row_that_stands_twice_is_the_same_row_and_one_that_differs_is_refused():
    rows = _stored(list(range(1, 13)))
    twice = reader.calendar_order(pd.concat([rows, rows.iloc[[3]]], ignore_index=True), where="x")
    assert twice["EVI"].tolist() == [*range(1, 13), 4]
    with pytest.raises(InputError, match=r"differ in EVI(.|\n)*200104"):
        reader.calendar_order(pd.concat([rows, rows.iloc[[3]].assign(EVI=0)], ignore_index=True), where="x")


def test_a_file_without_greenness_is_as_it_is():
    rows = _stored([1, 2, 3]).drop(columns=["EVI", "LAI"])
    pd.testing.assert_frame_equal(reader.calendar_order(rows, where="x"), rows)


def test_the_remark_is_said_unless_the_files_are_right():
    assert "text order" in metaflux.remark(metaflux.Options())
    assert metaflux.remark(metaflux.Options(greenness="calendar")) == ""


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: b"",
        lambda content: b"TIMESTAMP,Site\n",
        lambda content: content[:-200],
        lambda content: content[:-3],
        lambda content: content.replace(b",DE-Hai,", b",DE-Hai,more,", 1),
        lambda content: content.replace(b"TIMESTAMP", b"TIME"),
        lambda content: content.replace(b"200002", b"200013"),
        lambda content: b"\xff\xfe" + content.decode().encode("utf-16-le"),
        lambda content: b"<html>sign in</html>\n",
        lambda content: b"\0" * len(content),
    ],
)
def test_one_bad_file_is_set_aside(few, harm):
    bad = few[0] / "DE-Hai_MM.csv"
    bad.write_bytes(harm(bad.read_bytes()))
    _, places, aside = survey.read_tables(metaflux, few, metaflux.Options(), survey.SurveyPlan("month", strict=False))
    assert len(places) == 3 and aside["file"].tolist() == ["DE-Hai_MM.csv"]
