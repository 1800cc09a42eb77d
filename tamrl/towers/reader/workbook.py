"""Read the first sheet of an Excel workbook (ECMA-376) as text, which is enough for tables of metadata, with limits of size."""

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
"""Most cells of a sheet, empty ones included, and most elements of a part."""
MAX_DEPTH = 64
"""Deepest nesting of elements; sheets have seven levels."""
_SHEET = "xl/worksheets/sheet1.xml"
_STRINGS = "xl/sharedStrings.xml"
_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""First bytes of an old workbook (.xls), and of one that is encrypted."""


def is_workbook(content: bytes) -> bool:
    """Return whether the bytes are an xlsx file, or an old or encrypted workbook, which `read_workbook` refuses."""
    return content[:4] == b"PK\x03\x04" or content[:8] == _COMPOUND


def read_workbook(content: bytes, *, where: object) -> pd.DataFrame:
    """Read all cells of the first sheet as text; the first row has the names of the columns, and empty cells are empty texts.

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
    """The parser has reached the document type or the first element."""


def _declares(content: bytes) -> bool:
    """Return whether XML has a document type, whose entities could grow without a bound."""
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
    """Yield the elements of a tag and free each after its use; refuse too many or too deeply nested ones."""
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
    """Return a shared or inline string with its formatted runs joined."""
    return "".join(node.text or "" for node in item.iter(f"{_NS}t"))


def _row(row: ElementTree.Element, shared: list[str]) -> list[str]:
    """Return the cells of a row at their places; sheets leave out empty ones."""
    cells: list[str] = []
    for cell in row.iter(f"{_NS}c"):
        place = _column(reference) if (reference := cell.get("r")) else len(cells)
        cells += [""] * (place - len(cells))
        value, kind = cell.findtext(f"{_NS}v"), cell.get("t")
        if kind == "inlineStr":
            cells.append(_text(cell))
        else:
            if value is not None and kind == "s":
                if not 0 <= int(value) < len(shared):
                    raise ValueError(f"a cell takes text {value} of {len(shared)}")
                value = shared[int(value)]
            cells.append(value or "")
    return cells if any(cells) else []


def _column(reference: str) -> int:
    """Return the number of a column, from 0, by a reference such as `AB12`."""
    match, number = re.match(r"([A-Z]{1,3})[0-9]+$", reference), 0
    if match is None:
        raise ValueError(f"{reference!r} is no cell")
    for letter in match[1]:
        number = 26 * number + ord(letter) - ord("A") + 1
    if number > 16_384:
        raise ValueError(f"no column {reference}")
    return number - 1
