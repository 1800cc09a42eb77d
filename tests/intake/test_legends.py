"""Codes of class maps are read by their own legend, and those of other legends are refused by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamrl.classes import IGBP, KOPPEN
from tamrl.errors import InputError
from tamrl.intake import legends

PUBLISHED = "Af Am Aw BWh BWk BSh BSk Csa Csb Csc Cwa Cwb Cwc Cfa Cfb Cfc Dsa Dsb Dsc Dsd Dwa Dwb Dwc Dwd Dfa Dfb Dfc Dfd ET EF"
"""The 30 classes in their order (Beck et al. 2018, table 2)."""

REAL = {0: 17_548_446, 1: 130_253, 2: 409_923, 3: 13_730, 4: 112_599, 5: 259_994, 6: 17_227, 7: 718_990, 8: 560_433, 9: 721_624,
        10: 1_361_071, 11: 53_452, 12: 520_638, 13: 26_961, 14: 45_403, 15: 2_613_324, 16: 805_932}  # fmt: skip
"""Pixels per code of MCD12C1 2019."""


def test_the_published_map_of_30_classes_is_read_by_its_own_legend():
    table = legends.class_table("koppen", dict.fromkeys(range(31), 10), where="koppen.tif")
    for code, name in enumerate(PUBLISHED.split(), start=1):
        assert KOPPEN[table[code]] == dict(zip("ABCDE", KOPPEN, strict=True))[name[0]], name
    assert table[0] == -1 and (table[31:] == -1).all()


@pytest.mark.parametrize("codes", [{1, 2, 3, 4, 5}, {2, 5}, {1}])
def test_five_groups_stay_what_they_are(codes):
    table = legends.class_table("koppen", {0: 5} | dict.fromkeys(codes, 3), where="x")
    assert table[1:6].tolist() == [0, 1, 2, 3, 4] and (np.delete(table, range(1, 6)) == -1).all()


def test_the_real_map_of_land_cover_fits():
    table = legends.class_table("igbp", REAL, nodata=255, where="x")
    assert [IGBP[table[code]] for code in range(1, 17)] == list(IGBP[:16]) and IGBP[table[0]] == IGBP[table[17]] == "WAT"


@pytest.mark.parametrize("name", legends.OTHERS["igbp"])
def test_other_land_covers_are_refused_by_name(name):
    with pytest.raises(InputError, match=rf"map\.tif(.|\n)*of the pixels with a class: this looks like {name}"):
        legends.class_table("igbp", {0: 900} | dict.fromkeys(legends.OTHERS["igbp"][name], 10), where="map.tif")


@pytest.mark.parametrize(
    ("layer", "codes"),
    [("UMD, collection 6", range(16)), ("UMD, collection 5", {*range(15), 16}), ("LAI", range(11)), ("BGC", range(9)),
     ("plant functional types", range(12))],
)  # fmt: skip
def test_other_layers_of_the_same_product_are_refused(layer, codes):
    with pytest.raises(InputError, match="Type 1"):
        legends.class_table("igbp", {code: REAL[code] if code == 0 else 800_000 for code in codes}, where=layer)


@pytest.mark.parametrize("name", legends.OTHERS["koppen"])
def test_other_maps_of_climates_are_refused(name):
    with pytest.raises(InputError, match=r"30 classes(.|\n)*this looks like"):
        legends.class_table("koppen", dict.fromkeys(legends.OTHERS["koppen"][name], 10), where=name)


def test_few_stray_codes_are_counted_and_more_refuse(caplog):
    table = legends.class_table("koppen", {0: 10, 1: 4000, 2: 4000, 77: 2}, where="k.tif")
    assert table[77] == -1 and "codes 77 are in no legend (0.025 % of the pixels with a class)" in caplog.text
    with pytest.raises(InputError, match=r"codes 77 on 2\.4%"):
        legends.class_table("koppen", {0: 10, 1: 4000, 2: 4000, 77: 200}, where="k.tif")
    with pytest.raises(InputError, match="codes 6, 7 on"):  # neither five groups nor thirty classes
        legends.class_table("koppen", {1: 4000, 2: 4000, 6: 100, 7: 100}, where="k.tif")


def test_fill_is_no_class():
    legends.class_table("igbp", {255: 9999, 1: 1}, where="x")
    legends.class_table("koppen", {-9999: 9999, 1: 1}, nodata=-9999, where="x")
    with pytest.raises(InputError, match="codes -9999"):
        legends.class_table("koppen", {-9999: 9999, 1: 1}, where="x")


@given(st.sampled_from(["uint8", "int8", "int16", "uint16", "int32", "int64", "float32", "float64"]), st.integers(0, 2**32 - 1))
def test_any_numeric_type_gives_the_same_map(kind, seed):
    codes = np.random.default_rng(seed).integers(0, 18, (12, 24))
    stored = codes.astype(kind)
    counts = legends.count_codes(np.array_split(stored, 3), where="x")
    assert counts == {int(c): int((codes == c).sum()) for c in np.unique(codes)}
    table = legends.class_table("igbp", counts | {15: 1, 16: 1}, where="x")
    np.testing.assert_array_equal(legends.class_positions(stored, table), table[codes])


def test_what_is_no_code_is_unknown_and_broken_numbers_are_refused():
    table = legends.class_table("igbp", {1: 3}, where="x")
    odd = np.array([1, -1, 255, 256, 300, np.nan, np.inf])
    assert legends.class_positions(odd, table).tolist() == [0] + [-1] * 6
    assert legends.class_positions(odd[:5].astype("int16"), table).tolist() == [0] + [-1] * 4
    with pytest.raises(InputError, match=r"whole numbers(.|\n)*map\.tif(.|\n)*2\.5"):
        legends.count_codes([np.array([[1.0, 2.5]])], where="map.tif")


def test_spans():
    assert legends.format_codes([30, 6, 7, 8, 62, 63]) == "6 to 8, 30, 62, 63"
