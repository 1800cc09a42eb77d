"""BIF tables, invented and real."""

import time

import numpy as np
import pytest

from tamrl.errors import InputError
from tamrl.towers.reader import bif, workbook


def _places(text: str):
    return bif.bif_sites(bif.read_bif(text.encode("latin-1"), where="x"), where="x").set_index("site")


HEAD = "SITE_ID;GROUP_ID;VARIABLE_GROUP;VARIABLE;DATAVALUE\n"


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0)])
def test_any_separator_and_order_of_columns(sample, separator, order):
    frame = bif.read_bif(sample.bif("DE-Aaa", "NA-Bbb", separator=separator, columns=order), where="x")
    found = bif.bif_sites(frame, where="x").set_index("site")
    assert found.loc["DE-Aaa", ["lat", "lon", "elevation", "utc_offset"]].tolist() == [51.0, 10.5, 430.0, 1.0]
    assert found.loc["DE-Aaa", ["igbp", "koppen"]].tolist() == ["DBF", "Temperate"]
    assert found.loc["DE-Aaa", "managed"] is None
    assert found.loc["NA-Bbb", "managed"] == "irrigated"
    assert np.isnan(found.loc["NA-Bbb", "utc_offset"])


def test_the_newest_of_several_values_is_taken():
    rows = (
        "US-Xxx;2;GRP_LOCATION;LOCATION_LAT;2\nUS-Xxx;2;GRP_LOCATION;LOCATION_DATE_START;20101119\n"
        "US-Xxx;3;GRP_LOCATION;LOCATION_LAT;3\nUS-Xxx;3;GRP_LOCATION;LOCATION_DATE_START;2009\n"
        "US-Xxx;1;GRP_LOCATION;LOCATION_LAT;1\n"
    )
    assert _places(HEAD + rows).loc["US-Xxx", "lat"] == 2


def test_a_renamed_tower_stands_under_both_ids():
    found = _places(HEAD + "NO-Adv;1;GRP_LOCATION;LOCATION_LAT;78.186\n")
    assert found.loc["SJ-Adv", "lat"] == found.loc["NO-Adv", "lat"] == 78.186


def test_a_site_id_that_is_a_path_is_refused():
    with pytest.raises(InputError, match=r"\.\./\.\./x"):
        _places(HEAD + "../../x;1;GRP_LOCATION;LOCATION_LAT;1\n")


def test_a_table_of_something_else_is_refused():
    with pytest.raises(InputError, match="VARIABLE_GROUP"):
        bif.read_bif(b"site,lat,lon\nDE-Hai,51,10\n", where="x")


def test_the_real_table(shared_data):
    found = bif.read_bif_sites(shared_data / "archives" / "metadata" / "FLX_AA-Flx_BIF_LATEST.csv").set_index("site")
    assert len(found) == 212 + 5  # five renamed towers stand twice
    assert found["managed"].dropna().to_dict() == {"US-Ne1": "irrigated", "US-Ne2": "irrigated", "US-ORv": "flooded"}
    hainich = found.loc["DE-Hai"]
    assert (hainich["lat"], hainich["lon"], hainich["igbp"], hainich["utc_offset"]) == (51.0792, 10.4530, "DBF", 1.0)
    assert found.loc["US-Tw4", "elevation"] == -5
    assert found.loc["DE-RuS", "lon"] == 6.4472
    assert found["igbp"].notna().all() and found[["lat", "lon"]].notna().all(axis=None)


def test_the_real_workbook(shared_data):
    path = shared_data / "archives" / "formats" / "AMF_AA-Flx_BIF_CCBY4_20201218.xlsx"
    frame = bif.read_bif(path.read_bytes(), where=path)
    assert list(frame.columns) == list(bif.COLUMNS) and len(frame) == 443
    found = bif.read_bif_sites(path).set_index("site")
    assert found[["lat", "lon"]].notna().all(axis=None)
    one = frame[(frame["SITE_ID"] == found.index[0]) & (frame["VARIABLE"] == "LOCATION_LAT")]["DATAVALUE"]
    assert found["lat"].iloc[0] == float(one.iloc[-1])


def test_a_workbook_that_is_none_or_a_bomb_is_refused(sample):
    with pytest.raises(InputError, match="workbook cannot be read"):
        bif.read_bif(sample.zip(sample.folder / "a.xlsx", {"a.txt": "x"}).read_bytes(), where="x")
    path = sample.zip(sample.folder / "b.xlsx", {"xl/worksheets/sheet1.xml": bytes((1 << 27) + 1)})
    with pytest.raises(InputError, match="unpacks to more than"):
        bif.read_bif(path.read_bytes(), where="x")
    path = sample.zip(sample.folder / "c.xlsx", {"xl/worksheets/sheet1.xml": "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"})
    with pytest.raises(InputError, match="document type"):
        bif.read_bif(path.read_bytes(), where="x")


def test_a_wide_table():
    text = (
        "SITE_ID,SITE_NAME,LOCATION_LAT,LOCATION_LONG,LOCATION_ELEV,IGBP,CLIMATE_KOEPPEN,UTC_OFFSET\nNA,x,-22.5,17,,CRO,BSh,2\n"
    )
    row = _places(text).loc["NA"]
    assert row[["lat", "lon", "igbp", "koppen", "utc_offset"]].tolist() == [-22.5, 17.0, "CRO", "Arid", 2.0]
    assert np.isnan(row["elevation"])


def test_height_of_measurement_of_the_newest_carbon_flux():
    groups = {
        1: ("TA_1_1_1", "30", "2012"),
        2: ("NEE_PI", "38.5", "2001"),
        3: ("NEE_PI", "40", "2010"),
        4: ("SWC_1_1_1", "-0.1", "2015"),
    }
    rows = "DE-Aaa;9;GRP_LOCATION;LOCATION_LAT;51\n"
    for k, content in groups.items():
        for name, value in zip(("VAR_INFO_VARNAME", "VAR_INFO_HEIGHT", "VAR_INFO_DATE"), content, strict=True):
            rows += f"DE-Aaa;{k};GRP_VAR_INFO;{name};{value}\n"
    assert _places(HEAD + rows).loc["DE-Aaa", "height"] == 40.0


NS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def _book(sample, sheet, shared=None, name="xl/worksheets/sheet1.xml"):
    parts = {name: sheet} | ({"xl/sharedStrings.xml": shared} if shared else {})
    return sample.zip(sample.folder / "b.xlsx", parts).read_bytes()


@pytest.mark.parametrize(
    ("sheet", "reason"),
    [
        (f"<worksheet {NS}><sheetData><row><c r='1'><v>1</v></c></row></sheetData></worksheet>", "'1' is no cell"),
        (f"<worksheet {NS}><sheetData><row><c r='A1' t='s'><v>-1</v></c></row></sheetData></worksheet>", "text -1 of 0"),
        (f"<worksheet {NS}><sheetData><row><c r='A1' t='s'><v>x</v></c></row></sheetData></worksheet>", "ValueError"),
        (f"<worksheet {NS}><sheetData><row><c r='XFD1'><v>1</v></c></row></sheetData>", "ParseError|ExpatError"),
        (
            "\ufeff<?xml version='1.0' encoding='utf-16'?><!DOCTYPE a [<!ENTITY b 'c'>]><a/>".encode("utf-16-le"),
            "document type",
        ),
        (" " * 5000 + "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "document type"),
        (
            f"<worksheet {NS}><sheetData>" + "<row><c r='XFD1'><v>1</v></c></row>" * 600 + "</sheetData></worksheet>",
            "more than",
        ),
    ],
)
def test_odd_workbooks_are_named(sample, sheet, reason):
    with pytest.raises(InputError, match=rf"b\.xlsx[\s\S]*({reason})"):
        bif.read_bif(_book(sample, sheet), where="b.xlsx")


def test_old_encrypted_and_other_workbooks_are_told_apart(sample):
    with pytest.raises(InputError, match=r"old workbook \(\.xls\), or one with a password"):
        bif.read_bif(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504), where="b.xls")
    with pytest.raises(InputError, match=r"no xl/worksheets/sheet1\.xml"):
        bif.read_bif(_book(sample, "x", name="content.xml"), where="b.ods")
    with pytest.raises(InputError, match="breaks off before its directory"):
        bif.read_bif(_book(sample, "x")[:60], where="b.xlsx")


def test_separators_in_a_comment_belong_to_it():
    rows = "DE-Aaa,9,GRP_HEIGHTC,HEIGHTC_COMMENT,met tower, 30 m tall, moved 2012\nDE-Aaa,1,GRP_LOCATION,LOCATION_LAT,51.5\n"
    assert _places(HEAD.replace(";", ",") + rows).loc["DE-Aaa", "lat"] == 51.5
    with pytest.raises(InputError, match="line 2"):
        _places("DATAVALUE,SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE\na, b,DE-Aaa,9,GRP_HEIGHTC,HEIGHTC_COMMENT\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        (HEAD + 'DE-Aaa;1;GRP_LOCATION;LOCATION_LAT;"51\n', "quote is opened[\\s\\S]*line 2"),
        (HEAD + "DE-Aaa;1;GRP_LOCATION\n", "line 2: 3 cells"),
        (HEAD.replace("GROUP_ID", "site_id") + "DE-Aaa;1;x;y;1\n", "'SITE_ID' occurs twice"),
        (HEAD + "DE-Aaa;1;GRP_LOCATION;\0;1\n", "NUL bytes[\\s\\S]*line 2"),
    ],
)
def test_faults_of_the_table_are_named(content, message):
    with pytest.raises(InputError, match=message):
        _places(content)


def test_a_table_cut_within_its_last_number_is_refused(tmp_path):
    path = tmp_path / "FLX_AA-Flx_BIF_X.csv"
    path.write_text(HEAD + "DE-Aaa;1;GRP_LOCATION;LOCATION_LAT;51.0\nDE-Aaa;1;GRP_LOCATION;LOCATION_LONG;1")
    with pytest.raises(InputError, match=r"breaks off[\s\S]*FLX_AA-Flx_BIF_X"):
        bif.read_bif_sites(path)


def test_the_newest_known_value_is_taken_and_a_date_that_is_none_decides_nothing(caplog):
    rows = "US-Xxx;1;GRP_LOCATION;LOCATION_ELEV;430\nUS-Xxx;2;GRP_LOCATION;LOCATION_ELEV;{}\n"
    rows += "US-Xxx;2;GRP_LOCATION;LOCATION_DATE_START;{}\n"
    assert _places(HEAD + rows.format(-9999, 2015)).loc["US-Xxx", "elevation"] == 430
    assert _places(HEAD + rows.format(500, 2015)).loc["US-Xxx", "elevation"] == 500
    assert np.isnan(_places(HEAD + rows.format(500, "01/02/2015")).loc["US-Xxx", "elevation"])
    assert "01/02/2015" in caplog.text


@pytest.mark.parametrize(
    ("sheet", "shared", "reason"),
    [
        (f"<worksheet {NS}><sheetData><row>{'<c/>' * (1 << 22)}</row></sheetData></worksheet>", None, "elements"),
        ("<a>" * 500_000 + "</a>" * 500_000, None, "within each other"),
        (f"<worksheet {NS}/>", f"<sst {NS}>{'<si><t/></si>' * (1 << 21)}</sst>", "elements"),
        (f"<worksheet {NS}/>".encode("utf-16"), "<!DOCTYPE a []><a/>", "document type"),
    ],
)
def test_a_small_workbook_does_not_fill_the_machine(sample, sheet, shared, reason):
    content = _book(sample, sheet, shared)
    assert len(content) < 1 << 20
    with pytest.raises(InputError, match=rf"b\.xlsx[\s\S]*{reason}"):
        bif.read_bif(content, where="b.xlsx")


def test_empty_rows_beside_a_wide_one_take_no_room(sample):
    sheet = f"<worksheet {NS}><sheetData><row><c r='XFD1'><v>1</v></c></row>{'<row/>' * 200_000}</sheetData></worksheet>"
    assert workbook.read_workbook(_book(sample, sheet), where="b.xlsx").shape == (0, 16_384)


@pytest.mark.parametrize("header", ["," * 100_000, "SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE,DATAVALUE" + "," * 100_000, ",,"])
def test_a_header_of_commas_is_refused_at_once(header):
    begun = time.process_time()
    with pytest.raises(InputError, match=r"lacks SITE_ID|more than 10,000 columns"):
        bif.read_bif(f"{header}\nDE-Aaa,1,2,3,4\n".encode(), where="b.csv")
    assert time.process_time() - begun < 5
