"""The first sheet of an Excel workbook (ECMA-376) as text: enough for tables of metadata, read with the same care as archives."""

import io
import re
import zipfile
from xml.etree import ElementTree

import pandas as pd

from tamrl.errors import InputError

MAX_BYTES = 1 << 27
_SHEET = "xl/worksheets/sheet1.xml"
_STRINGS = "xl/sharedStrings.xml"
_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def is_workbook(content: bytes) -> bool:
    """Whether the bytes are those of an xlsx file."""
    return content[:4] == b"PK\x03\x04"


def read(content: bytes, *, where: object) -> pd.DataFrame:
    """All cells of the first sheet as text, the first row as names of the columns; empty cells are empty texts.

    Raises `InputError` if it is no workbook, or one that unpacks to more than `MAX_BYTES`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {name: _part(archive, name, where) for name in (_SHEET, _STRINGS) if name in archive.namelist()}
        shared = [_text(item) for item in ElementTree.fromstring(parts[_STRINGS])] if _STRINGS in parts else []
        rows = [_row(row, shared) for row in ElementTree.fromstring(parts[_SHEET]).iter(f"{_NS}row")]
    except (KeyError, IndexError, ValueError, zipfile.BadZipFile, ElementTree.ParseError, EOFError) as error:
        raise InputError("the workbook cannot be read", where=where, found=error, todo="save it as CSV") from error
    width = max(map(len, rows), default=0)
    rows = [row + [""] * (width - len(row)) for row in rows]
    return pd.DataFrame(rows[1:], columns=rows[0] if rows else [], dtype=str)


def _part(archive: zipfile.ZipFile, name: str, where: object) -> bytes:
    with archive.open(name) as member:
        content = member.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES or b"<!DOCTYPE" in content[:4096]:
        raise InputError("the workbook is refused", where=where, found=f"{name} is too large or declares entities")
    return content


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
            found.append("" if value is None else shared[int(value)] if kind == "s" else value)
    return found


def _column(reference: str) -> int:
    """The number of a column from a reference such as `AB12`, from 0."""
    number = 0
    for letter in re.match(r"[A-Z]+", reference).group():
        number = 26 * number + ord(letter) - ord("A") + 1
    if number > 16_384:
        raise ValueError(f"no column {reference}")
    return number - 1
