"""Escaping of foreign text for spreadsheets, terminals, Markdown pages and command lines.

Titles, citations, ids and error reasons come from configurations, archives and snapshots that others wrote.
"""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, TextIO

from tamrl.web.addresses import redacted

if TYPE_CHECKING:  # errors are named before any package is installed
    import pandas as pd

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
"""Characters that move the cursor or change the direction of writing, including line breaks."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
FORMULA = re.compile(r"[ ']*[-=+@\t\r\n＝＋－＠]")
"""Start of a cell that a spreadsheet would compute, or that was escaped before."""


def one_line(text: object) -> str:
    """Return the text on one line, without control characters."""
    return CONTROL.sub(" ", str(text)).strip()


def for_log(text: object) -> str:
    """Escape text for a log or an error: credentials in addresses are hidden, control characters but line breaks spelt out."""
    return CONTROL.sub(
        lambda match: "".join(c if c == "\n" else c.encode("unicode_escape").decode() for c in match[0]), redacted(str(text))
    )


def write_csv(frame: "pd.DataFrame", path: str | Path | TextIO, **options: object) -> None:
    """Write a table as CSV, with an apostrophe before text that a spreadsheet would take for a formula.

    `unescape_table` removes the apostrophes. Line breaks become line feeds, because a carriage return would end the row.
    """
    _texts(frame, _safe).to_csv(path, index=False, **options)


def unescape_table(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Remove the apostrophes that `write_csv` put before formulas."""
    return _texts(frame, lambda cell: cell[1:] if cell.startswith("'") and _is_formula(cell[1:]) else cell)


def _safe(cell: str) -> str:
    cell = re.sub(r"\r\n?", "\n", cell)
    return f"'{cell}" if _is_formula(cell) else cell


def _is_formula(cell: str) -> bool:
    return bool(FORMULA.match(cell)) and not NUMBER.fullmatch(cell)


def _texts(frame: "pd.DataFrame", change: Callable[[str], str]) -> "pd.DataFrame":
    """Apply `change` to each text of a table, including its column names."""
    changed = {}
    for name in frame.columns[[kind.kind == "O" for kind in frame.dtypes]]:
        cells = {cell: change(cell) for cell in frame[name].unique() if isinstance(cell, str)}
        if any(old != new for old, new in cells.items()):
            changed[name] = [cells.get(cell, cell) if isinstance(cell, str) else cell for cell in frame[name]]
    return frame.assign(**changed).rename(columns=change)


def escape_markdown(text: object) -> str:
    """Escape text for Markdown, so that it is neither markup nor HTML."""
    return re.sub(r"([\\`*_\[\]<>|~&$#!])", r"\\\1", one_line(text))


def split_command(text: str, **values: object) -> list[str]:
    """Split a command line into words, with `{name}` replaced by one of `values` and `{{` by a brace.

    Raises `ValueError` if the text holds other braces or an open quote, or is empty.
    """
    known = " and ".join(f"{{{name}}}" for name in values)
    try:
        fields = [field for field in Formatter().parse(text) if field[1] is not None]
        odd = [name for _, name, how, turn in fields if name not in values or how or turn]
    except ValueError as error:
        raise ValueError(f"{error}; only {known} are filled in, write {{{{ and }}}} for braces") from None
    if odd:
        raise ValueError(f"{{{odd[0]}}} stands for nothing; only {known} are filled in, write {{{{ and }}}} for braces")
    words = shlex.split(text.format(**values))
    if not words:
        raise ValueError("there is no command")
    return words
