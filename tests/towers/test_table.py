"""Tables of the user's own: columns and units named, everything doubtful refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tamrl.errors import ConfigError, InputError, UnitError
from tamrl.towers.networks import table
from tamrl.towers.reader import flat_table, records


@pytest.fixture
def rows(sample):
    return pd.read_parquet(sample.table("day")["path"])


def _read(sample, rows, columns=None, units=None, name="t.csv", partitioning="NT"):
    path = sample.folder / name
    rows.to_csv(path, index=False) if name.endswith("csv") else rows.to_parquet(path, index=False)
    options = table.Options(path=str(path), columns=table.Options().columns | (columns or {}), units=units or {})
    return records.check_network(*table.read([path], options, partitioning=partitioning, step="day"), where=path)


def test_csv_and_parquet_give_the_same(sample, rows):
    one, two = _read(sample, rows), _read(sample, rows, name="t.parquet")
    pd.testing.assert_frame_equal(one[0], two[0])
    pd.testing.assert_frame_equal(one[1], two[1])


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_ids_that_look_like_nothing_stay_text(sample, rows, name):
    renamed = rows.assign(site=rows["site"].map({"DE-Aaa": "NA", "NA-Bbb": "NO"}))
    found, places = _read(sample, renamed, name=name)
    assert places["site"].tolist() == ["NA", "NO"] and set(found["site"]) == {"NA", "NO"}


def test_the_other_partitioning_is_an_alternative_in_the_unit_of_the_table(sample, rows):
    rows = rows.drop(columns="RECO_DT_VUT_REF", errors="ignore")
    path = sample.folder / "t.parquet"
    fluxes = [c for c in rows if c.endswith("_VUT_REF")]
    rows.assign(**{c: (rows[c] * 44.009 / 12.011).where(rows[c] > -9000, -9999) for c in fluxes}).to_parquet(path)
    options = table.Options(path=str(path), units=dict.fromkeys(("gpp", "reco", "nee"), "gCO2 m-2 d-1"))
    found, _ = table.read([path], options, partitioning="NT", step="day", alternatives=("partitioning", "ustar"))
    assert [c for c in found if c.endswith("_DT_REF")] == ["gpp_DT_REF", "reco_DT_REF"] and found["reco_DT_REF"].isna().all()
    here = found.set_index(["site", "date"])["gpp_DT_REF"].dropna()
    other = table.read([path], options, partitioning="DT", step="day")[0].set_index(["site", "date"])["gpp"]
    np.testing.assert_allclose(here, other.loc[here.index])
    fixed = options.model_copy(update={"columns": options.columns | {"gpp": "GPP_NT_VUT_REF", "reco": None}})
    without, _ = table.read([path], fixed, partitioning="NT", step="day", alternatives=("partitioning",))
    assert not [c for c in without if "REF" in c]


@pytest.mark.parametrize("site", ["../../x", "", None])
@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_ids_that_are_paths_or_nothing_are_refused(sample, rows, site, name):
    rows.loc[rows["site"] == "DE-Aaa", "site"] = site
    with pytest.raises(InputError, match="no site ids"):
        _read(sample, rows, name=name)


def test_no_path_says_which_key_to_set():
    with pytest.raises(ConfigError, match=r"towers\.table\.path"):
        table.inputs(table.Options())


def test_other_names_and_units(sample, rows):
    other = rows.rename(columns={"TA_F": "tair", "NEE_VUT_REF": "fc"})
    other["tair"] = (other["tair"] + 273.15).where(other["tair"] > -9999, -9999)
    found, _ = _read(sample, other, {"air_temperature": "tair", "nee": "fc"}, {"air_temperature": "K"})
    pd.testing.assert_frame_equal(found, _read(sample, rows)[0])


def test_amounts_of_a_month_count_its_days(sample, rows):
    days = pd.to_datetime(rows["date"]).dt.days_in_month
    monthly = rows.assign(mm_P_ERA=rows["mm_P_ERA"].where(rows["mm_P_ERA"] == -9999, rows["mm_P_ERA"] * days))
    found, right = _read(sample, monthly, units={"precipitation": "mm month-1"})[0], _read(sample, rows)[0]
    pd.testing.assert_frame_equal(found, right, rtol=1e-12)


def test_a_missing_column_is_named_with_near_misses(sample, rows):
    with pytest.raises(InputError, match=r"'NEE_VUT_REF' for nee[\s\S]*t\.csv[\s\S]*did you mean NEE_VUT_REFX"):
        _read(sample, rows.rename(columns={"NEE_VUT_REF": "NEE_VUT_REFX"}))


def test_drivers_that_only_the_defaults_name_may_be_absent(sample, rows, caplog):
    with caplog.at_level("WARNING"):
        found, places = _read(sample, rows.drop(columns=["mm_LAI", "climate5"]))
    assert "lai" not in found and places["koppen"].isna().all()
    assert "no columns for koppen, lai: left out" in caplog.text
    with pytest.raises(InputError, match="'leaves' for lai"):
        _read(sample, rows, {"lai": "leaves"})
    with pytest.raises(InputError, match="NEE_VUT_REF_QC"):  # without it every record would count as measured
        _read(sample, rows.drop(columns="NEE_VUT_REF_QC"))


def test_an_unknown_key_is_named_with_near_misses(sample, rows):
    with pytest.raises(ConfigError, match=r"air_temperatur[\s\S]*did you mean air_temperature"):
        _read(sample, rows, {"air_temperatur": "TA_F"})


@pytest.mark.parametrize("key", ["date", "lat", "gpp", "nee"])
def test_necessary_columns_cannot_be_left_out(sample, rows, key):
    with pytest.raises(ConfigError, match=rf"columns\.{key}"):
        _read(sample, rows, {key: None})


def test_optional_columns_can_be_left_out(sample, rows):
    found, places = _read(sample, rows, {"reco": None, "nee_qc": None, "evi": None, "koppen": None})
    assert found["reco"].dropna().tolist() == (found["nee"] + found["gpp"]).dropna().tolist()
    assert (found["nee_qc"] == 1).all() and "evi" not in found and places["koppen"].isna().all()


@pytest.mark.parametrize(
    ("column", "spoil", "error"),
    [
        ("TA_F", lambda v: v + 273.15, "column TA_F"),
        ("VPD_F", lambda v: v / 10, "column VPD_F"),
        ("SW_IN_F", lambda v: v * 0.0864, "column SW_IN_F"),
        ("GPP_NT_VUT_REF", lambda v: -v, "column GPP_NT_VUT_REF"),
        ("NEE_VUT_REF", lambda v: -v, "column NEE_VUT_REF"),
        ("NEE_VUT_REF_QC", lambda v: v * 100, "column NEE_VUT_REF_QC"),
    ],
)
def test_wrong_units_and_signs_name_file_and_column(sample, rows, column, spoil, error):
    rows[column] = spoil(rows[column]).where(rows[column] > -9999, -9999)
    with pytest.raises(UnitError, match=rf"t\.csv, {error}"):
        _read(sample, rows)


def test_duplicates_that_differ_are_refused(sample, rows):
    again = rows.iloc[[5]].assign(NEE_VUT_REF=9.0)
    with pytest.raises(InputError, match=r"2 records[\s\S]*t\.csv"):
        _read(sample, pd.concat([rows, again]))
    assert len(_read(sample, pd.concat([rows, rows.iloc[[5]]]))[0]) == len(rows)


def test_a_tower_that_moves_is_refused(sample, rows):
    rows.loc[3, "lat"] = 52.0
    with pytest.raises(InputError, match="several places"):
        _read(sample, rows)


def test_half_hour_offsets_are_refused(sample, rows):
    with pytest.raises(InputError, match="not the starts of a day"):
        _read(sample, rows.assign(date=rows["date"] + pd.Timedelta(minutes=30)))


def test_a_file_of_something_else_is_refused(sample):
    path = sample.folder / "x.parquet"
    path.write_bytes(b"PAR1 but not really")
    with pytest.raises(InputError, match=r"x\.parquet"):
        table.read([path], table.Options(path=str(path)), partitioning="NT", step="day")


def test_the_real_table(shared_data):
    path = shared_data / "towers" / "fluxnet2015_daily.parquet"
    found, places = table.read([path], table.Options(path=str(path)), partitioning="DT", step="day")
    assert (len(found), len(places)) == (426_612, 164)
    assert set(places["koppen"]) == {"Tropical", "Arid", "Temperate", "Continental", "Polar"}
    known = found[["gpp", "nee"]].notna().all(axis=1)
    assert found.loc[known, "reco"].equals((found["nee"] + found["gpp"])[known])
    assert found["gpp"].min() == 0


def test_a_table_of_more_rows_than_its_size_can_hold_is_refused(tmp_path):
    path = tmp_path / "towers.parquet"
    pd.DataFrame({"site": pd.Categorical.from_codes(np.zeros(20_000_000, "int8"), ["DE-Aaa"])}).to_parquet(path)
    assert path.stat().st_size < 1 << 16
    with pytest.raises(InputError, match=r"towers\.parquet[\s\S]*declares 20,000,000 rows"):
        flat_table.read_names(path)


@pytest.mark.parametrize("share", [0.003, 0.1, 0.5, 0.9, 0.999])
def test_a_cut_parquet_file_is_refused(sample, share):
    content = Path(sample.table("day")["path"]).read_bytes()
    file = sample.folder / "cut.parquet"
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"cut\.parquet"):
        table.read([file], table.Options(path=str(file)), partitioning="NT", step="day")
