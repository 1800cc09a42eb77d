"""Read YAML and JSON that users write; a duplicate key is refused with its lines, while other readers drop the first value.

`python -m tamrl.intake.document FILE ...` checks files that another program will read.
"""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tamrl.errors import ConfigError, TamrlError
from tamrl.intake import border

UNREADABLE = "the file cannot be read as YAML"

MOST_NODES = 100_000
"""Largest number of keys and values, counted with all repetitions by aliases (`*name`); the defaults have about 400."""

MOST_DEPTH = 50
"""Largest depth of nested mappings and lists."""

MOST_TEXT = 1 << 19
"""Largest size of a file (B)."""


def read_document(path: str | Path) -> dict[Any, Any]:
    """Read the mapping in a YAML or JSON file.

    Raises `ConfigError` with file and line for a duplicate key, for invalid YAML, and if the top level is not a mapping.
    """
    with border.reading(UNREADABLE, where=path, error=ConfigError), open(path, "rb") as file:
        raw = file.read(MOST_TEXT + 1)
    if len(raw) > MOST_TEXT:
        raise ConfigError(UNREADABLE, where=path, found=f"more than {MOST_TEXT:,} bytes", todo="give a file of settings")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(UNREADABLE, where=f"{path}, line {line}", found=error, todo="save it as text in UTF-8") from None
    content = parse_document(text, where=path)
    if not isinstance(content, dict):
        kind = "nothing" if content is None else f"a {type(content).__name__}"
        raise ConfigError("the top level of the file must hold `key: value` pairs", where=path, found=kind)
    return content


def check_value(text: str, *, where: object) -> None:
    """Refuse a value of the command line with a duplicate key; invalid YAML is plain text there."""
    try:
        yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return
    parse_document(text, where=where)


def check_size(content: Any, *, where: object) -> None:
    """Raise `ConfigError` for content that grows without limit when its aliases are followed, or that contains itself.

    `content` is made of plain values, or is a node of `yaml`.
    """
    if (count := _nodes(content, {}, 0)) > MOST_NODES:
        number = "more" if count == math.inf else f"{count:,}"
        todo = "write out what is needed; each alias (*name) repeats all that its anchor (&name) holds"
        asked = f"the settings have more than {MOST_NODES:,} keys and values, or more than {MOST_DEPTH} within each other"
        raise ConfigError(asked, where=where, found=number, todo=todo)


def _nodes(value: Any, known: dict[int, float], depth: int) -> float:
    """Return the number of nodes with all repetitions by aliases; infinite if they are nested too deep. `known` caches parts."""
    if depth > MOST_DEPTH:
        return math.inf
    if id(value) not in known:
        inner = value.value if isinstance(value, yaml.CollectionNode) else value
        pairs = inner.items() if isinstance(inner, dict) else inner if isinstance(inner, list | tuple) else ()
        parts = (part for pair in pairs for part in (pair if isinstance(pair, tuple) else (pair,)))
        known[id(value)] = 1 + sum(_nodes(part, known, depth + 1) for part in parts)
    return known[id(value)]


def parse_document(text: str, *, where: object) -> Any:
    """Parse YAML or JSON text; raise `ConfigError` with the line in `where` for wrong syntax or a duplicate key."""
    try:
        plain = json.loads(text)
        text = text.replace("\t", " ")  # JSON allows tabs between tokens, YAML nowhere
    except (ValueError, RecursionError):
        plain = None
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        check_size(node, where=where)
        if twice := list(_twice(loader, node, (), set())):
            todo = "bring what belongs together under one of them: the first would be lost"
            raise ConfigError("; ".join(twice), where=where, todo=todo)
        return loader.construct_document(node) if plain is None else plain
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}, line {mark.line + 1}, column {mark.column + 1}" if mark else where
        problem = "; ".join(part for part in (error.context, error.problem) if part)
        todo = "indent by blanks, not by tabs" if "\\t" in problem else "check the indentation, and quote text with { [ : or #"
        raise ConfigError(UNREADABLE, where=place, found=problem, todo=todo) from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(UNREADABLE, where=where, found=" ".join(str(error).split())) from None
    finally:
        if loader:
            loader.dispose()


def _twice(loader: yaml.SafeLoader, node: yaml.Node, above: tuple[str, ...], seen: set[int]) -> Iterator[str]:
    """Yield the duplicate keys of a mapping at any depth, with both lines; anchored content is checked once."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for k, child in enumerate(node.value):
            yield from _twice(loader, child, (*above, str(k)), seen)
    if not isinstance(node, yaml.MappingNode):
        return
    first: dict[Any, int] = {}
    for key, child in node.value:
        name = "<<" if key.tag == "tag:yaml.org,2002:merge" else loader.construct_object(key, deep=True)
        path, line = (*above, key.value if isinstance(key.value, str) else str(name)), key.start_mark.line + 1
        if name in first:
            lines = f"lines {first[name]} and {line}" if first[name] != line else f"line {line}"
            yield f"{'.'.join(path)} occurs twice ({lines})"
        first[name] = line
        yield from _twice(loader, child, path, seen)


if __name__ == "__main__":
    try:
        for file in sys.argv[1:]:
            read_document(file)
    except TamrlError as error:
        sys.exit(str(error))
