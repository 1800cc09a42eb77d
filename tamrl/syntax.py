"""The code of a Python file: its digest, and what it imports.

Both need the syntax tree, which takes 10 ms of a file; a workflow asks for some 300 files whenever it is planned. They are kept
in `__pycache__`, as Python keeps its own compiled code, under the digest of the file's content.
"""

import ast
import hashlib
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tamrl.temporary import temporary_place


class Source(NamedTuple):
    """What matters of the code of a file."""

    digest: str
    """SHA-256 of its code without docstrings and comments."""
    imports: tuple[tuple[str, bool], ...]
    """Names that it imports when it runs, and whether each is a module for sure; `a.b` of `from a import b` may be none."""


def read_source(file: Path) -> Source:
    """Read a file, or its record; imports for type checkers only do not count."""
    content = file.read_bytes()
    record = file.parent / "__pycache__" / f"{file.stem}.{sys.implementation.cache_tag}.code.json"
    key = hashlib.sha256(content).hexdigest()
    with suppress(OSError, ValueError, KeyError, TypeError):  # there is none, or it is damaged
        stored = json.loads(record.read_text(encoding="utf-8"))
        if stored["content"] == key:
            return Source(str(stored["digest"]), tuple((str(name), bool(sure)) for name, sure in stored["imports"]))
    source = _parse(content)
    if not sys.dont_write_bytecode:
        with suppress(OSError):  # the package may lie where nobody can write
            record.parent.mkdir(exist_ok=True)
            with temporary_place(record) as part:
                part.write_text(json.dumps({"content": key, **source._asdict()}), encoding="utf-8")
                part.replace(record)
    return source


STATEMENTS = ast.stmt | ast.ExceptHandler | ast.match_case
"""Nodes of a syntax tree that may hold an import."""


def _parse(content: bytes) -> Source:
    tree = ast.parse(content)
    names: list[tuple[str, bool]] = []
    todo: list[ast.AST] = [tree]
    while todo:  # in the order of `ast.walk`
        node = todo.pop(0)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node = ast.Module(node.orelse, [])
        if isinstance(node, ast.Import):
            names += [(alias.name, True) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [(node.module, True), *((f"{node.module}.{alias.name}", False) for alias in node.names)]
        todo += [child for child in ast.iter_child_nodes(node) if isinstance(child, STATEMENTS)]
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            body[:] = [n for n in body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    return Source(hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(names))
