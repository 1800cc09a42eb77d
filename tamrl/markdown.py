"""Markdown tables."""

from collections.abc import Sequence


def markdown_table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """Write a table as Markdown, one line per row."""
    lines = [f"| {' | '.join(map(str, row))} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])
