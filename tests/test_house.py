"""The rules of the house that no linter knows: sizes, names, docstrings, loggers and typed parameters."""

import ast
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "tamrl").rglob("*.py"))
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}

EMPTY = {"found", "own", "about", "whole", "kept", "there", "told", "some", "said", "given", "apart"}
"""Names that say nothing of what they name."""

CONTRACTS = {"main", "Options", "Network", "capabilities"} | {
    "inputs",
    "read",
    "build",
    "resume",
    "version",
    "archives",
    "koppen_map",
    "item_years",
    "locate",
}
CONTRACTS |= {"items", "download", "fetch", "listed", "write", "values", "coordinates", "elevation", "map_classes"}
"""Names that several plug-ins have because their contract asks for them, and the entry point of a program."""

ALLOWED: dict[str, dict[str, int]] = json.loads((ROOT / "tests/house.json").read_text(encoding="utf-8"))
"""What is left to mend: uses per rule and file (or per name, of shared names). Numbers may only become smaller, and
`python -m tests.test_house` lowers them."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(file: Path) -> str:
    return file.relative_to(ROOT / "tamrl").as_posix()


def functions(tree: ast.AST) -> Iterator[Function]:
    yield from (node for node in ast.walk(tree) if isinstance(node, Function))


def parameters(function: Function) -> list[ast.arg]:
    arguments = function.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def public_names(tree: ast.Module) -> set[str]:
    """Functions and classes of a module."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")}


def shared_names() -> dict[str, int]:
    """Public names that several modules have, with the number of modules."""
    modules = defaultdict(list)
    for file, tree in TREES.items():
        for name in public_names(tree) - CONTRACTS:
            modules[name].append(name_of(file))
    return {name: len(files) for name, files in sorted(modules.items()) if len(files) > 1}


def test_public_names_are_unique():
    """A reader who sees `check` without its module cannot know which of seven is meant."""
    allowed = ALLOWED["shared_names"]
    assert not {name: count for name, count in shared_names().items() if count > allowed.get(name, 0)}


def defined_names(tree: ast.AST) -> Iterator[str]:
    """Variables, parameters, functions, classes and attributes that a module gives a name to."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node.name
            yield from (argument.arg for argument in parameters(node))
        elif isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def empty_names(tree: ast.Module) -> list[str]:
    return [name for name in defined_names(tree) if name in EMPTY]


def plain_mappings(tree: ast.Module) -> list[str]:
    """Parameters whose type does not say which keys they must have."""
    plain = ("dict", "dict[str, Any]", "dict[str, object]", "Mapping", "Mapping[str, Any]", "Mapping[str, object]")
    return [
        f"{function.name}({argument.arg})"
        for function in functions(tree)
        for argument in parameters(function)
        if argument.annotation is not None and ast.unparse(argument.annotation).removesuffix(" | None") in plain
    ]


def other_loggers(tree: ast.Module) -> list[str]:
    loggers = [ast.unparse(n) for n in tree.body if isinstance(n, ast.Assign) and "getLogger" in ast.unparse(n.value)]
    return [logger for logger in loggers if logger != "_log = logging.getLogger(__name__)"]


def documented(tree: ast.Module) -> Iterator[Function | ast.ClassDef]:
    """Public functions, classes and methods."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node
            for method in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(method, Function) and not method.name.startswith("_"):
                    yield method


def undocumented(tree: ast.Module) -> list[str]:
    """Public names without a docstring."""
    missing = [node.name for node in documented(tree) if not ast.get_docstring(node)]
    return missing if ast.get_docstring(tree) else ["the module", *missing]


def without_sections(tree: ast.Module) -> list[str]:
    """Public functions of four and more arguments without a section that says what these are."""
    return [
        node.name
        for node in documented(tree)
        if isinstance(node, Function)
        and len([argument for argument in parameters(node) if argument.arg not in ("self", "cls")]) > 3
        and "Parameters\n" not in (ast.get_docstring(node) or "")
    ]


def too_large(tree: ast.Module) -> list[str]:
    """Functions of 60 lines and more."""
    return [function.name for function in functions(tree) if function.end_lineno - function.lineno >= 60]


RULES = {
    "empty_names": empty_names,
    "plain_mappings": plain_mappings,
    "other_loggers": other_loggers,
    "undocumented": undocumented,
    "without_sections": without_sections,
    "too_large": too_large,
}


@pytest.mark.parametrize("rule", RULES)
def test_no_file_breaks_a_rule_more_often_than_it_did(rule):
    uses = {name_of(file): RULES[rule](tree) for file, tree in TREES.items()}
    assert not {name: broken for name, broken in uses.items() if len(broken) > ALLOWED[rule].get(name, 0)}


def test_modules_are_small_and_named_by_what_they_do():
    assert not [name_of(file) for file in FILES if file.read_text(encoding="utf-8").count("\n") > 400]
    assert not {file.stem for file in FILES} & {"utils", "helpers", "misc", "common"}


def test_the_package_says_that_it_has_types():
    assert (ROOT / "tamrl/py.typed").is_file()


def lower() -> None:
    """Write the numbers of now where they are smaller than those allowed."""
    now: dict[str, dict[str, int]] = {"shared_names": shared_names()}
    for name, rule in RULES.items():
        now[name] = {name_of(file): len(uses) for file, tree in TREES.items() if (uses := rule(tree))}
    if sys.argv[1:] != ["--all"]:  # which is for a new rule
        now = {k: {f: min(n, ALLOWED[k][f]) for f, n in entries.items() if f in ALLOWED[k]} for k, entries in now.items()}
    (ROOT / "tests/house.json").write_text(json.dumps(now, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    lower()
