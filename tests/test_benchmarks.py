"""Benchmarks are run by hand: at least they call what exists."""

import ast
import importlib
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).parent / "benchmarks").glob("bench_*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_benchmark_uses_names_that_its_modules_have(file):
    module = importlib.import_module(f"tests.benchmarks.{file.stem}")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = getattr(module, node.value.id, None)
            if getattr(owner, "__name__", "").startswith("tamrl") and hasattr(owner, "__file__"):
                assert hasattr(owner, node.attr), f"{node.value.id}.{node.attr}"
