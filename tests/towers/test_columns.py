"""Mapping of columns: choice, fill values, units, ranges."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamrl import variables
from tamrl.errors import InputError, UnitError
from tamrl.towers.reader import columns

ALL = ["TA_F", "TA_ERA", "P_F", "P_ERA", "GPP_NT_VUT_REF", "GPP_DT_VUT_REF", "RECO_DT_VUT_REF", "NEE_VUT_REF", "NEE_VUT_REF_QC"]


def test_the_other_partitioning_is_never_taken():
    night = columns.map_columns(ALL, partitioning="NT")
    assert night["gpp"] == "GPP_NT_VUT_REF" and "reco" not in night
    assert columns.map_columns(ALL, partitioning="DT")["reco"] == "RECO_DT_VUT_REF"


@pytest.mark.parametrize(("drivers", "taken"), [("tower", ["TA_F", "P_F"]), ("era", ["TA_ERA", "P_ERA"])])
def test_drivers_of_the_tower_or_of_reanalysis(drivers, taken):
    found = columns.map_columns(ALL, partitioning="NT", drivers=drivers)
    assert [found["air_temperature"], found["precipitation"]] == taken
    assert found["nee"] == "NEE_VUT_REF" and found["nee_qc"] == "NEE_VUT_REF_QC"


def test_a_missing_column_is_named_with_near_misses():
    with pytest.raises(InputError, match=r"no column for nee[\s\S]*file\.csv[\s\S]*NEE_VUT_REFF"):
        columns.require_columns({}, ["nee"], available=["NEE_VUT_REFF"], where="file.csv")


FILLS = [-9999, -9999.0, 1e20, 9.969209968386869e36, -6999.0]


@given(st.lists(st.sampled_from([*FILLS, 1.5, 2.5, np.nan]), min_size=1, max_size=40))
def test_fill_values_become_missing_and_are_counted(values):
    raw = pd.DataFrame({"TA_F": values, "NEE_VUT_REF": values})
    found, fills = columns.convert_columns(raw, {"air_temperature": "TA_F", "nee": "NEE_VUT_REF"}, where="x")
    bad = np.isin(values, FILLS)
    assert (found["nee"].isna() == (bad | np.isnan(values))).all()
    assert (found["air_temperature"].isna() == found["nee"].isna()).all()
    assert fills.sum().tolist() == [bad.sum(), bad.sum()]
    good = ~found["nee"].isna()
    assert np.allclose(found["air_temperature"][good], np.asarray(values)[good] + 273.15)


def test_whole_numbers_with_fills_are_read():
    found, fills = columns.convert_columns(pd.DataFrame({"NEE_VUT_REF": [1, -9999, 3]}), {"nee": "NEE_VUT_REF"}, where="x")
    assert found["nee"].tolist()[::2] == [1.0, 3.0] and fills["fills_targets"].tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("air_temperature", [280.0, 290.0]),  # K for degrees Celsius
        ("vapour_pressure_deficit", [900.0, 1500.0]),  # Pa for hPa
        ("shortwave_radiation", [1.5e7, 2e7]),  # J for W
        ("nee", [300.0, -200.0]),  # a year's sum
        ("evi", [3000, 4000]),  # unscaled
    ],
)
def test_a_wrong_unit_is_refused_with_file_and_column(name, values):
    with pytest.raises(UnitError, match=r"towers\.csv, column C"):
        columns.convert_columns(pd.DataFrame({"C": values}), {name: "C"}, where="towers.csv")


def test_a_named_unit_is_converted():
    raw = pd.DataFrame({"C": [50.0, 68.0]})
    found, _ = columns.convert_columns(raw, {"air_temperature": "C"}, where="x", source_units={"air_temperature": "degF"})
    assert found["air_temperature"].tolist() == pytest.approx([283.15, 293.15])


def test_quality_in_percent_is_refused():
    with pytest.raises(UnitError, match="share between 0 and 1"):
        columns.convert_columns(pd.DataFrame({"Q": [80.0, 100.0]}), {"nee_qc": "Q"}, where="x")


def test_text_in_a_column_of_numbers_is_refused():
    with pytest.raises(InputError, match=r"x, column C[\s\S]*oops"):
        columns.convert_columns(pd.DataFrame({"C": ["1.0", "oops"]}), {"nee": "C"}, where="x")


def test_a_single_spike_is_left_to_the_quality_tests():
    raw = pd.DataFrame({"C": [1.0] * 99 + [500.0]})
    assert columns.convert_columns(raw, {"nee": "C"}, where="x")[0]["nee"].iloc[-1] == 500.0


def test_every_alias_of_the_vocabulary_has_a_convertible_unit():
    for name, entry in variables.vocabulary().items():
        if entry.towers:
            raw = pd.DataFrame({"C": [np.nan]})
            assert columns.convert_columns(raw, {name: "C"}, where="x")[0][name].isna().all()
