"""The first sheet of an Excel workbook (ECMA-376) as text: enough for tables of metadata, read with the same care as archives."""

import re
import zipfile
from contextlib import suppress
from xml.etree import ElementTree
from xml.parsers import expat

import pandas as pd

from tamrl.errors import InputError
from tamrl.intake import border, zips

MAX_BYTES = 1 << 27
MAX_CELLS = 1 << 23
_SHEET = "xl/worksheets/sheet1.xml"
_STRINGS = "xl/sharedStrings.xml"
_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""First bytes of an old workbook (.xls), and of one that is encrypted."""


def is_workbook(content: bytes) -> bool:
    """Whether the bytes are those of a workbook: an xlsx file, or one that `read` refuses by name."""
    return content[:4] == b"PK\x03\x04" or content[:8] == _COMPOUND


def read(content: bytes, *, where: object) -> pd.DataFrame:
    """All cells of the first sheet as text, the first row as names of the columns; empty cells are empty texts.

    Raises `InputError` if it is no workbook, or one that is old, encrypted, or unpacks to more than `MAX_BYTES` or `MAX_CELLS`.
    """
    if content[:8] == _COMPOUND:
        found = "an old workbook (.xls), or one with a password"
        raise InputError(
            "the workbook cannot be read", where=where, found=found, todo="save it as CSV UTF-8, or as .xlsx without"
        )
    with border.reading("the workbook cannot be read", where=where, todo="save it as CSV UTF-8"):
        with zips.opened(content, where=where) as archive:
            parts = {name: _part(archive, name, where) for name in (_SHEET, _STRINGS) if name in archive.namelist()}
        if _SHEET not in parts:
            raise InputError("the workbook cannot be read", where=where, found=f"no {_SHEET}", todo="save it as CSV UTF-8")
        shared = [_text(item) for item in ElementTree.fromstring(parts[_STRINGS])] if _STRINGS in parts else []
        rows, width = [], 0
        for row in ElementTree.fromstring(parts[_SHEET]).iter(f"{_NS}row"):
            rows += [cells] if (cells := _row(row, shared)) else []
            width = max(width, len(cells))
            if width * len(rows) > MAX_CELLS:
                raise InputError("the workbook is refused", where=where, found=f"more than {MAX_CELLS:,} cells")
    rows = [row + [""] * (width - len(row)) for row in rows]
    return pd.DataFrame(rows[1:], columns=rows[0] if rows else [], dtype=str)


def _part(archive: zipfile.ZipFile, name: str, where: object) -> bytes:
    zips.check_member(archive.getinfo(name), where=where)
    with archive.open(name) as member:
        content = member.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES or _declares(content):
        raise InputError("the workbook is refused", where=where, found=f"{name} is too large or declares entities")
    return content


class _Begun(Exception):
    """The first element, before which a document type would stand."""


def _declares(content: bytes) -> bool:
    """Whether XML has a document type, in any encoding; no workbook has one, and entities could grow without a bound."""
    declared: list[str] = []

    def begin(*_: object) -> None:
        raise _Begun

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = lambda name, *_: declared.append(name)
    parser.StartElementHandler = begin
    with suppress(_Begun):
        parser.Parse(content, True)
    return bool(declared)


def _text(item: ElementTree.Element) -> str:
    """A shared or inline string, its formatted runs joined."""
    return "".join(node.text or "" for node in item.iter(f"{_NS}t"))


def _row(row: ElementTree.Element, shared: list[str]) -> list[str]:
    """Cells in their places; sheets leave out empty ones."""
    found: list[str] = []
    for cell in row.iter(f"{_NS}c"):
        place = _column(cell.get("r")) if cell.get("r") else len(found)
        found += [""] * (place - len(found))
        value, kind = cell.findtext(f"{_NS}v"), cell.get("t")
        if kind == "inlineStr":
            found.append(_text(cell))
        else:
            found.append("" if value is None else _shared(shared, int(value)) if kind == "s" else value)
    return found if any(found) else []


def _shared(texts: list[str], number: int) -> str:
    if not 0 <= number < len(texts):
        raise ValueError(f"a cell takes text {number} of {len(texts)}")
    return texts[number]


def _column(reference: str) -> int:
    """The number of a column from a reference such as `AB12`, from 0."""
    match, number = re.match(r"[A-Z]{1,3}[0-9]+$", reference), 0
    if match is None:
        raise ValueError(f"{reference!r} is no cell")
    for letter in re.match(r"[A-Z]+", reference).group():
        number = 26 * number + ord(letter) - ord("A") + 1
    if number > 16_384:
        raise ValueError(f"no column {reference}")
    return number - 1
