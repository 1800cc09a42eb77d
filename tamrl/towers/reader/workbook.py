"""The first sheet of an Excel workbook (ECMA-376) as text: enough for tables of metadata, read with the same care as archives."""

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from xml.etree import ElementTree
from xml.parsers import expat

import pandas as pd

from tamrl.errors import InputError
from tamrl.intake import border, zips

MAX_BYTES = 1 << 27
MAX_CELLS = 1 << 22
"""Cells of the sheet with the empty ones between, and elements of a part."""
MAX_DEPTH = 64
"""Elements within each other; sheets have seven."""
_SHEET = "xl/worksheets/sheet1.xml"
_STRINGS = "xl/sharedStrings.xml"
_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""First bytes of an old workbook (.xls), and of one that is encrypted."""


def is_workbook(content: bytes) -> bool:
    """Whether the bytes are those of a workbook: an xlsx file, or one that `read_workbook` refuses by name."""
    return content[:4] == b"PK\x03\x04" or content[:8] == _COMPOUND


def read_workbook(content: bytes, *, where: object) -> pd.DataFrame:
    """All cells of the first sheet as text, the first row as names of the columns; empty cells are empty texts.

    Raises `InputError` if it is no workbook, or one that is old, encrypted, with a document type, or beyond `MAX_BYTES` or
    `MAX_CELLS`.
    """
    if content[:8] == _COMPOUND:
        kind = "an old workbook (.xls), or one with a password"
        raise InputError("the workbook cannot be read", where=where, found=kind, todo="save it as CSV UTF-8, or as .xlsx without")
    with border.reading("the workbook cannot be read", where=where, todo="save it as CSV UTF-8"):
        with zips.open_zip(content, where=where) as archive:
            parts = {name: _part(archive, name, where) for name in (_SHEET, _STRINGS) if name in archive.namelist()}
        if _SHEET not in parts:
            raise InputError("the workbook cannot be read", where=where, found=f"no {_SHEET}", todo="save it as CSV UTF-8")
        shared = [_text(item) for item in _elements(parts[_STRINGS], "si", where)] if _STRINGS in parts else []
        rows, width = [], 0
        for row in _elements(parts[_SHEET], "row", where):
            rows += [cells] if (cells := _row(row, shared)) else []
            width = max(width, len(cells))
            if width * len(rows) > MAX_CELLS:
                raise _refused(f"more than {MAX_CELLS:,} cells", where)
    rows = [row + [""] * (width - len(row)) for row in rows]
    return pd.DataFrame(rows[1:], columns=rows[0] if rows else [], dtype=str)


def _part(archive: zipfile.ZipFile, name: str, where: object) -> bytes:
    zips.check_member(archive.getinfo(name), where=where)
    with archive.open(name) as member:
        content = member.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _refused(f"{name} unpacks to more than {MAX_BYTES:,} bytes", where)
    if _declares(content):
        raise _refused(f"{name} declares a document type, as no workbook does", where)
    return content


def _refused(content: str, where: object) -> InputError:
    return InputError("the workbook is refused", where=where, found=content, todo="save it as CSV UTF-8")


class _Begun(Exception):
    """The first element, before which a document type would stand, or the document type."""


def _declares(content: bytes) -> bool:
    """Whether XML has a document type, in any encoding; entities could grow without a bound."""
    declared: list[str] = []

    def begin(name: str, *_: object) -> None:
        raise _Begun

    def declare(name: str, *_: object) -> None:
        declared.append(name)
        raise _Begun

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler, parser.StartElementHandler = declare, begin
    with suppress(_Begun):
        parser.Parse(content, True)
    return bool(declared)


def _elements(content: bytes, tag: str, where: object) -> Iterator[ElementTree.Element]:
    """The elements of a tag, each let go after its use; refused if there are too many, or too many within each other."""
    above: list[ElementTree.Element] = []
    count = 0
    for event, element in ElementTree.iterparse(io.BytesIO(content), ("start", "end")):
        if event == "start":
            above.append(element)
            count += 1
            if count > MAX_CELLS or len(above) > MAX_DEPTH:
                raise _refused(f"more than {MAX_CELLS:,} elements, or {MAX_DEPTH} within each other", where)
            continue
        above.pop()
        if element.tag == _NS + tag:
            yield element
            above[-1].clear() if above else None


def _text(item: ElementTree.Element) -> str:
    """A shared or inline string, its formatted runs joined."""
    return "".join(node.text or "" for node in item.iter(f"{_NS}t"))


def _row(row: ElementTree.Element, shared: list[str]) -> list[str]:
    """Cells in their places; sheets leave out empty ones."""
    cells: list[str] = []
    for cell in row.iter(f"{_NS}c"):
        place = _column(reference) if (reference := cell.get("r")) else len(cells)
        cells += [""] * (place - len(cells))
        value, kind = cell.findtext(f"{_NS}v"), cell.get("t")
        if kind == "inlineStr":
            cells.append(_text(cell))
        else:
            cells.append("" if value is None else _shared(shared, int(value)) if kind == "s" else value)
    return cells if any(cells) else []


def _shared(texts: list[str], number: int) -> str:
    if not 0 <= number < len(texts):
        raise ValueError(f"a cell takes text {number} of {len(texts)}")
    return texts[number]


def _column(reference: str) -> int:
    """The number of a column from a reference such as `AB12`, from 0."""
    match, number = re.match(r"([A-Z]{1,3})[0-9]+$", reference), 0
    if match is None:
        raise ValueError(f"{reference!r} is no cell")
    for letter in match[1]:
        number = 26 * number + ord(letter) - ord("A") + 1
    if number > 16_384:
        raise ValueError(f"no column {reference}")
    return number - 1
