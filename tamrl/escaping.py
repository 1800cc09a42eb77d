"""Text of others stays text in whatever opens it: a spreadsheet, a terminal, a page of Markdown, a command line.

Titles, citations, ids and reasons come from configurations, archives and snapshots of strangers.
"""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

from tamrl.web.addresses import redacted

if TYPE_CHECKING:  # errors are named before any package is installed
    import pandas as pd

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
"""What moves a cursor or turns the direction of writing, line breaks too."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
FORMULA = re.compile(r"[ ']*[-=+@\t\r\n＝＋－＠]")
"""How a cell begins that a spreadsheet would compute, and one that was made safe before."""


def line(text: object) -> str:
    """Text on one line, without control characters."""
    return CONTROL.sub(" ", str(text)).strip()


def shown(text: object) -> str:
    """Text for a log or an error: no address in it shows a login; control characters but line breaks are spelt out."""
    return CONTROL.sub(
        lambda match: "".join(c if c == "\n" else c.encode("unicode_escape").decode() for c in match[0]), redacted(str(text))
    )


def write_csv(frame: "pd.DataFrame", path: str | Path, **options: object) -> None:
    """Write a table as CSV; text that a spreadsheet would take for a formula gets an apostrophe in front (`read_back`).

    Line breaks become line feeds, as a carriage return would end the row.
    """
    _texts(frame, _safe).to_csv(path, index=False, **options)


def read_back(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A table read from what `write_csv` wrote, its text as it was."""
    return _texts(frame, lambda cell: cell[1:] if cell.startswith("'") and _is_formula(cell[1:]) else cell)


def _safe(cell: str) -> str:
    cell = re.sub(r"\r\n?", "\n", cell)
    return f"'{cell}" if _is_formula(cell) else cell


def _is_formula(cell: str) -> bool:
    return bool(FORMULA.match(cell)) and not NUMBER.fullmatch(cell)


def _texts(frame: "pd.DataFrame", change: Callable[[str], str]) -> "pd.DataFrame":
    """The table with each text changed, those of its heading too; numbers stay."""
    changed = {}
    for name in frame.columns[[kind.kind == "O" for kind in frame.dtypes]]:
        cells = {cell: change(cell) for cell in frame[name].unique() if isinstance(cell, str)}
        if any(old != new for old, new in cells.items()):
            changed[name] = [cells.get(cell, cell) if isinstance(cell, str) else cell for cell in frame[name]]
    return frame.assign(**changed).rename(columns=change)


def escape_markdown(text: object) -> str:
    """Text for a page of Markdown, where it is neither markup nor HTML."""
    return re.sub(r"([\\`*_\[\]<>|~&$#!])", r"\\\1", line(text))


def command(text: str, **values: object) -> list[str]:
    """The words of a command line in which `{name}` stands for one of `values`, and `{{` for a brace.

    Raises `ValueError` where other braces, an open quote or no word is in it.
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
