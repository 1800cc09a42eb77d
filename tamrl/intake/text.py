"""Read foreign tables as text (CSV). An error names the line that is wrong; no row is skipped, shifted or padded.

Large tables of numbers are read as a stream (`read_header`, `read_columns`), small ones of any text at once
(`read_small_table`). `completeness.check_text_end` refuses a file that may have been cut within its last row.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from numbers import Number
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tamrl.errors import InputError
from tamrl.intake import border

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MISSING = ("", "NA", "NaN", "nan")
"""Texts for a missing number; fill values such as -9999 are numbers and are masked later."""

LONGEST = 1 << 20
"""Longest line, in bytes."""

MOST_COLUMNS = 10_000
"""Tables with more columns are refused; full files of ONEFlux have about 300."""

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}

Content = Callable[[], AbstractContextManager[IO[bytes]]]
"""Opens a file from its start, as a stream of bytes."""

_BLOCK = 1 << 16
_OPEN = 1 << 16
"""Largest size of a cell in quotes (B)."""

_QUOTE = "close the quote, or double quotes within text; or fetch the file again"
_ORIGINAL = "fetch the original file, or save it as comma-separated text (CSV UTF-8) with decimal points"


class CheckedLines(io.RawIOBase):
    """A stream of CSV that passes its bytes on and refuses lines without exactly `count` cells."""

    def __init__(self, source: IO[bytes], *, count: int, where: object):
        self._source, self._count, self._where = source, count, where
        self._number, self._rest, self._open = 0, b"", b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read the next bytes; raise `InputError` for a wrong line."""
        target = memoryview(buffer)
        block = self._source.read(len(target))
        if not block:
            rest, self._rest = self._rest, b""
            if rest.strip():
                self._check(rest, last=True)
            self._still_open(0)
            return 0
        lines = (self._rest + block).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._check(line)
        if b"\0" in self._rest or len(self._rest) > LONGEST:
            self._check(self._rest)
        target[: len(block)] = block
        return len(block)

    def _check(self, line: bytes, last: bool = False) -> None:
        self._number += 1
        if b"\0" in line:
            raise _nul(self._number, self._where)
        if line.find(b"\r", 0, -1) >= 0:
            raise _fault("a row contains a CR", self._number, _short(line), self._where, "save it with LF or CR LF")
        if len(line) > LONGEST:
            raise _fault(f"a line is longer than {LONGEST:,} bytes", self._number, _short(line), self._where, _ORIGINAL)
        if self._open or b'"' in line:
            line = self._open + line
            cells = _quoted(line.decode("latin-1"))
            self._open = line + b"\n" if cells is None else b""
            if cells is None:
                return self._still_open(_OPEN)
            count = len(cells)
        else:
            count = line.count(b",") + 1
        if count != self._count and line.strip():
            raise _ragged(line.decode("latin-1"), count, self._count, self._number, self._where, last=last)

    def _still_open(self, most: int) -> None:
        """Refuse a quote that has been open for more than `most` bytes."""
        if len(self._open) > most:
            line = self._number - self._open.count(b"\n") + 1
            raise _fault("a quote is opened and never closed", line, _short(self._open), self._where, _QUOTE)


def _fault(asked: str, line: int, content: object, where: object, todo: str) -> InputError:
    return InputError(asked, where=where, found=f"line {line}: {content}", todo=todo)


def _nul(line: int, where: object) -> InputError:
    return _fault("the text holds NUL bytes", line, "a part of the file was never written", where, "fetch it again")


def _quoted(line: str) -> list[str] | None:
    """Return the cells of a line with quotes; None if a quote is open at its end."""
    try:
        return next(csv.reader(io.StringIO(line, newline=""), strict=True), [])
    except csv.Error as error:
        if "unexpected end" in str(error):
            return None
        return next(csv.reader(io.StringIO(line, newline="")), [])


def _ragged(text: str, cells: int, count: int, line: int, where: object, *, last: bool = False) -> InputError:
    """Return the error of a line with more or fewer cells than the header."""
    excerpt = f"{cells} cells instead of {count}: …{text.rstrip()[-60:]}"
    if cells > count and text.rstrip("\r").endswith(","):
        return _fault("rows end in a surplus comma: saved by a spreadsheet", line, excerpt, where, _ORIGINAL)
    if cells < count and last:
        return _fault("the file breaks off within a row", line, excerpt, where, "fetch it again")
    todo = "put text that holds commas into quotes, or fetch the file again"
    return _fault("a row has more or fewer cells than the header", line, excerpt, where, todo)


def _short(line: bytes) -> str:
    return line[:60].decode("latin-1")


def column_names(cells: Sequence[str], *, where: object) -> list[str]:
    """Return names of columns without surrounding blanks; raise `InputError` for a duplicate. Columns may have no name."""
    if len(cells) > MOST_COLUMNS:
        asked = f"the table has more than {MOST_COLUMNS:,} columns"
        raise InputError(asked, where=where, found=f"{len(cells):,}", todo=_ORIGINAL)
    names = [cell.strip() for cell in cells]
    if twice := [name for name, n in Counter(names).items() if n > 1 and name]:
        places = " and ".join(str(k + 1) for k, name in enumerate(names) if name == twice[0])
        todo = "rename one of them, or leave it out"
        raise InputError(f"the column {twice[0]!r} occurs twice", where=where, found=f"columns {places}", todo=todo)
    return names


def read_header(content: Content, *, where: object) -> list[str]:
    """Read the names of the columns of comma-separated text.

    Raise `InputError` if the text is empty or a web page, if its encoding or separator is not supported, or if a name is
    duplicate.
    """
    with content() as stream:
        line = _first(stream.readline(LONGEST), where)
    by = max(SEPARATORS, key=line.count)
    if line.count(by) > line.count(","):
        asked = f"the table is separated by {SEPARATORS[by]}" + (": saved by a spreadsheet" if by == ";" else "")
        raise InputError(asked, where=where, found=line[:60].strip(), todo=_ORIGINAL)
    if "\r" in line.rstrip("\r\n"):
        raise InputError("lines end in CR alone, as on old Macintosh computers", where=where, todo="save it with LF or CR LF")
    return column_names(_quoted(line.strip("\r\n")) or [""], where=where)


def _first(line: bytes, where: object) -> str:
    """Return the first line as text; raise `InputError` if it cannot belong to a table."""
    if line.startswith((b"\xff\xfe", b"\xfe\xff")) or (line[1:2] == b"\0" and line[:1] != b"\0"):
        raise InputError("the text is in UTF-16, as spreadsheets save “Unicode text”", where=where, todo="save it as CSV UTF-8")
    if line.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        todo = "log in at the publisher where that is needed, and fetch the file itself"
        raise InputError("the file is a web page, no table", where=where, found=_short(line), todo=todo)
    if b"\0" in line:
        raise _nul(1, where)
    if not line.strip():
        raise InputError("the table is empty", where=where, found="no header", todo="fetch it again")
    return decode_text(line)


def decode_text(content: bytes) -> str:
    """Decode text as UTF-8 (with or without a byte order mark), or else as Latin-1."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def text_lines(content: bytes, *, where: object) -> list[str]:
    """Return the lines of a small text, which may be empty; raise `InputError` for UTF-16, web pages and NUL bytes."""
    if content.strip():
        _first(content.partition(b"\n")[0] or b"\n#", where)
    _refuse_nul(content, where)
    return decode_text(content).splitlines()


def _refuse_nul(content: bytes, where: object) -> None:
    if b"\0" in content:
        raise _nul(content[: content.index(b"\0")].count(b"\n") + 1, where)


def read_columns(
    content: Content,
    *,
    columns: Sequence[str],
    wanted: Collection[str],
    texts: Collection[str] = (),
    missing: Mapping[str, Sequence[str]] | None = None,
    where: object,
) -> pd.DataFrame:
    """Read some columns of comma-separated text as a stream.

    Raise `InputError` with the line, or the column and row, at fault.

    Parameters
    ----------
    content : opens the file
    columns : names of all columns, as `read_header` gives them
    wanted : names of the columns to read
    texts : columns among these that stay text; all others are numbers (float64 or int64)
    missing : column -> texts for a missing number there, if not `MISSING`
    where : name for errors
    """
    known = [name or f"\0{k}" for k, name in enumerate(columns)]
    marks = {name: [*(missing or {}).get(name, MISSING)] for name in wanted if name not in texts}
    how: dict[str, Any] = {"usecols": list(wanted), "dtype": dict.fromkeys((n for n in wanted if n in texts), str)}
    with border.reading("the table cannot be read", where=where), content() as stream:
        lines = io.BufferedReader(CheckedLines(stream, count=len(columns), where=where), _BLOCK)
        # as Latin-1 every byte is a letter; what stays text is decoded below
        table = pd.read_csv(lines, header=0, names=known, keep_default_na=False, na_values=marks, encoding="latin-1", **how)
    if table.empty:
        raise InputError("the table has no rows", where=where, found="only a header", todo="fetch it again, or make it again")
    for name in table:
        if name in marks:
            table[name] = parse_numbers(table[name], where=f"{where}, column {name}", keep=True)
        elif not table[name].str.isascii().all():
            table[name] = table[name].map(lambda text: decode_text(text.encode("latin-1")))
    return table


def parse_numbers(column: pd.Series, *, where: object, keep: bool = False) -> Any:
    """Return a column of numbers as floats (rows,), missing ones NaN; with `keep` as a Series in which integers stay integers.

    Raise `InputError` with the first value that is not a number and its row (from 1).
    """
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        values = column.astype(object)
        values = values.where(values.notna() & ~values.isin(MISSING), None)
        odd = values.map(lambda v: v is not None and (isinstance(v, (bool, np.bool_)) or not isinstance(v, (str, Number))))
        numbers = pd.to_numeric(values.where(~odd.astype(bool), None), errors="coerce")
        wrong = (numbers.isna() & values.notna()).to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            excerpt = f"{str(values.iloc[row])!r} in row {row + 1}{_hint(values.iloc[row])}"
            todo = f"write numbers with decimal points, and nothing or one of {', '.join(MISSING[1:])} where a value is missing"
            raise InputError("a column of numbers holds other text", where=where, found=excerpt, todo=todo)
        column = numbers.astype(float)
    return column if keep else column.to_numpy(dtype=float, na_value=np.nan)


def _hint(value: object) -> str:
    """Return the probable meaning of a text that is not a number."""
    text = str(value).strip()
    if text.startswith("#"):
        return " (an error of a spreadsheet)"
    if text.count(",") == 1 and "." not in text and not text.endswith(",") and len(text.split(",")[1]) != 3:
        return " (a decimal comma)"
    return " (separators of thousands)" if "," in text or "'" in text or " " in text else ""


def read_small_table(
    content: bytes,
    *,
    where: object,
    separators: str = ",",
    comment: str | None = None,
    free: str | None = None,
    rows: bool = True,
) -> pd.DataFrame:
    """Read a small table as text, with unchanged cells.

    Raise `InputError` with the line at fault.

    Parameters
    ----------
    content : UTF-8 or Latin-1
    separators : accepted separators; the most frequent one in the header is used
    comment : lines that begin with it are skipped
    free : name of a column of free text; if it is the last one, its text may contain separators without quotes
    rows : refuse a table without rows
    """
    lines = content.split(b"\n")
    skipped = next((k for k, line in enumerate(lines) if not (comment and line.startswith(comment.encode()))), len(lines))
    first = _first(lines[skipped] if skipped < len(lines) else b"", where)
    _refuse_nul(content, where)
    by = max(SEPARATORS, key=first.count)
    if by not in separators and first.count(by):
        raise InputError(f"the table is separated by {SEPARATORS[by]}", where=where, found=first[:60].strip(), todo=_ORIGINAL)
    rows_of_cells = _cells(decode_text(content), by, skipped, comment, where)
    if not rows_of_cells:
        raise InputError("the table has no header", where=where, found=first[:60].strip(), todo=_ORIGINAL)
    columns = column_names(rows_of_cells[0][1], where=where)
    last = free is not None and columns[-1].upper() == free
    body = [_fitted(cells, len(columns), by if last else None, line, where) for line, cells in rows_of_cells[1:]]
    if rows and not body:
        raise InputError("the table has no rows", where=where, found="only a header", todo="fetch it again, or make it again")
    return pd.DataFrame(body, columns=columns, dtype=str)


def _cells(text: str, by: str, skip: int, comment: str | None, where: object) -> list[tuple[int, list[str]]]:
    """Return the rows with the numbers of their first lines, without blank lines and comments."""
    lines = list(io.StringIO(text, newline=""))[skip:]
    reader = csv.reader(("\n" if comment and line.startswith(comment) else line for line in lines), delimiter=by, strict=True)
    rows, begun = [], skip + 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((begun, cells))
            begun = skip + reader.line_num + 1
    except csv.Error as error:
        asked = "a quote is opened and never closed" if "unexpected end" in str(error) else "a row cannot be read"
        raise _fault(asked, begun, error, where, _QUOTE) from None
    return rows


def _fitted(cells: list[str], count: int, by: str | None, line: int, where: object) -> list[str]:
    """Return the cells of a row, as many as the header has; `by` joins surplus cells to the last one."""
    extra = cells[count:]
    if len(cells) < count or (extra and by is None and any(cell.strip() for cell in extra)):
        raise _ragged(",".join(cells), len(cells), count, line, where)
    if by is not None and any(cell.strip() for cell in extra):
        return [*cells[: count - 1], by.join(cells[count - 1 :])]
    return cells[:count]
