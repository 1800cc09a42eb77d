"""CSV from elsewhere: what is right is read, every fault is named with its line or column, nothing is filled up or shifted."""

import io
from functools import partial

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamrl.errors import InputError
from tamrl.intake import text

GOOD = "site,TIMESTAMP,x,y\nDE-Aaa,20100101,1.5,2\nDE-Aaa,20100102,-9999,3\nNA,20100103,NA,4\n"


def _read(content, wanted=("site", "TIMESTAMP", "x", "y"), **how):
    content = content.encode() if isinstance(content, str) else content
    opened = partial(io.BytesIO, content)
    columns = text.read_header(opened, where="t.csv")
    return text.read_columns(opened, columns=columns, wanted=wanted, texts={"site", "TIMESTAMP"}, where="t.csv", **how)


def _frame(content, **how):
    return text.read_small_table(content.encode() if isinstance(content, str) else content, where="t.csv", **how)


@pytest.mark.parametrize(
    "written",
    [GOOD, "\ufeff" + GOOD, GOOD.replace("\n", "\r\n"), GOOD.removesuffix("\n"), GOOD + "\n\n", GOOD.replace("site", '"site"')],
)
def test_right_text_is_read_however_its_lines_end(written):
    table = _read(written)
    assert table["site"].tolist() == ["DE-Aaa", "DE-Aaa", "NA"] and table["TIMESTAMP"].tolist()[0] == "20100101"
    assert table["x"].tolist()[:2] == [1.5, -9999] and table["x"].isna().tolist() == [False, False, True]
    assert table["y"].tolist() == [2, 3, 4]
    assert _frame(written)["site"].tolist() == ["DE-Aaa", "DE-Aaa", "NA"]


def test_quotes_hold_commas_line_ends_and_letters_of_latin_1():
    content = 'site,x\n"a, b",1\n"c\nd",2\nStra\xdfe,3\n'
    for code in ("utf-8", "latin-1"):
        found = text.read_columns(
            partial(io.BytesIO, content.encode(code)), columns=["site", "x"], wanted=["site", "x"], texts=["site"], where="t"
        )
        assert found["site"].tolist() == ["a, b", "c\nd", "Straße"] == _frame(content.encode(code))["site"].tolist()


FAULTS = {
    "semicolons": (lambda s: s.replace(",", ";").replace(".", ","), "separated by semicolons: saved by a spreadsheet"),
    "tabs": (lambda s: s.replace(",", "\t"), "separated by tabs"),
    "trailing commas": (
        lambda s: s.replace("\n", ",\n").replace("y,", "y", 1),
        "surplus comma[\\s\\S]*line 2: 5 cells instead of 4",
    ),
    "a short row": (lambda s: s.replace("-9999,3", "-9999"), "line 3: 3 cells instead of 4"),
    "a long row": (lambda s: s.replace("-9999,3", "-9,999,3"), "line 3: 5 cells instead of 4"),
    "cut within a row": (lambda s: s[:-6], "breaks off within a row[\\s\\S]*line 4"),
    "an open quote": (
        lambda s: s.replace("DE-Aaa,20100102", '"DE-Aaa,20100102'),
        "quote is opened and never closed[\\s\\S]*line 3",
    ),
    "NUL bytes": (lambda s: s.replace("-9999,3", "-99\0\0,3"), "NUL bytes[\\s\\S]*line 3"),
    "a name twice": (lambda s: s.replace("TIMESTAMP", "x"), "'x' occurs twice[\\s\\S]*columns 2 and 3"),
    "no rows": (lambda s: s.split("\n")[0] + "\n", "the table has no rows"),
    "nothing": (lambda s: "", "the table is empty"),
    "a web page": (lambda s: "<!DOCTYPE html>\n<html>Log in</html>", "a web page"),
    "CR alone": (lambda s: s.replace("\n", "\r"), "CR alone"),
    "UTF-16": (lambda s: s.encode("utf-16"), "UTF-16"),
    "UTF-16 without a mark": (lambda s: s.encode("utf-16-le"), "UTF-16"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_faults_of_the_text_are_named(kind):
    spoil, message = FAULTS[kind]
    with pytest.raises(InputError, match=message) as error:
        _read(spoil(GOOD))
    assert "t.csv" in str(error.value)
    if kind not in ("semicolons", "tabs", "trailing commas", "cut within a row", "CR alone"):
        with pytest.raises(InputError, match=message.replace("[\\s\\S]*line 4", "")):
            _frame(spoil(GOOD))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("#N/A", "an error of a spreadsheet"),
        ("#DIV/0!", "an error of a spreadsheet"),
        ("NULL", "NULL"),
        (".", r"'\.'"),
        ('"1,234.5"', "separators of thousands"),
        ('"1,5"', "decimal comma"),
        ("1 234", "separators of thousands"),
        ("TRUE", "TRUE"),
        ("1.5 ", None),
        ("abc", "abc"),
    ],
)
def test_what_is_no_number_is_named_with_column_and_row(value, said):
    content = GOOD.replace("-9999", value)
    if said is None:
        assert _read(content)["x"].tolist()[:2] == [1.5, 1.5]
        return
    with pytest.raises(InputError, match=rf"t\.csv, column x[\s\S]*row 2[\s\S]*{said}|t\.csv, column x[\s\S]*{said}[\s\S]*row 2"):
        _read(content)


@pytest.mark.parametrize("values", [[True, False], [1.0, True], pd.to_datetime(["2010-01-01", "2010-01-02"]), [1, "x"], [1, [2]]])
def test_columns_of_something_else_are_no_numbers(values):
    with pytest.raises(InputError, match="t, column x"):
        text.parse_numbers(pd.Series(values), where="t, column x")


def test_missing_ones_among_text_are_missing():
    assert text.parse_numbers(pd.Series(["1", "", "NA", None, " 2 "]), where="t").tolist()[::4] == [1, 2]


@given(st.lists(st.lists(st.text(), min_size=3, max_size=3), min_size=1, max_size=6), st.integers(1, 200))
def test_the_stream_lets_pass_what_it_reads_whatever_the_size_of_its_blocks(rows, size):
    table = pd.DataFrame(rows, columns=["a", "b", "c"])
    content = table.to_csv(index=False).encode("utf-8", "replace")
    stream = text.CheckedLines(io.BytesIO(content), count=3, where="t")
    try:
        passed = b"".join(iter(lambda: stream.read(size), b""))
    except InputError as error:
        assert "NUL" in str(error) or "contains a CR" in str(error)
        assert "\0" in str(rows) or any("\r" in cell or "\0" in cell for row in rows for cell in row)
        return
    assert passed == content


def test_free_text_in_the_last_column_may_hold_commas():
    content = "ID,VARIABLE,DATAVALUE\n1,COMMENT,met tower, 30 m tall, moved\n2,LAT,51,,\n"
    assert _frame(content, free="DATAVALUE")["DATAVALUE"].tolist() == ["met tower, 30 m tall, moved", "51"]
    with pytest.raises(InputError, match="line 2: 5 cells instead of 3"):
        _frame(content)
    with pytest.raises(InputError, match="line 2: 5 cells instead of 3"):
        _frame(content.replace("VARIABLE,DATAVALUE", "DATAVALUE,VARIABLE"), free="DATAVALUE")


def test_comments_are_skipped_and_lines_count_all():
    assert _frame("# made\nyear,ppm\n# x\n2010,388\n", comment="#").iloc[0].tolist() == ["2010", "388"]
    with pytest.raises(InputError, match="line 4: 1 cells"):
        _frame("# made\nyear,ppm\n# x\n2010\n", comment="#")
    with pytest.raises(InputError, match="empty"):
        _frame("# made\n# nothing\n", comment="#")
