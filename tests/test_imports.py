"""Who may import whom (docs/architecture.md), and that torch stays where it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GROUND = {"errors", "units", "registry", "log", "options", "classes", "files", "intake", "simulated"}
GROUND |= {"record_paths", "temporary", "lineage", "web", "escaping", "syntax", "markdown"}
GROUND |= {"solar", "humidity", "calendar", "layout", "workflow", "reduce", "carbon", "arrays", "plugins", "shapes", "documents"}
GROUND |= {"alternatives"}
MIDDLE = GROUND | {"run_record", "provenance", "variables", "contracts", "grid", "stores", "georeference", "landmask"}
MIDDLE |= {"cache", "predictions", "benchmarks", "seasons", "polygons"}
STAGES = MIDDLE | {"sections"}
ALLOWED = {
    **dict.fromkeys(GROUND, GROUND),
    **dict.fromkeys(MIDDLE - GROUND, MIDDLE),
    "sections": MIDDLE,
    "search": MIDDLE | {"sections"},
    "config": MIDDLE | {"sections", "search"},
    "towers": STAGES,
    "drivers": STAGES,
    "twin": STAGES,
    "samples": STAGES,
    "models": {"errors", "options", "carbon", "plugins", "shapes"},
    "training": STAGES | {"models", "samples"},
    "inference": STAGES | {"models", "samples", "training"},
    "adaptation": STAGES | {"models", "samples", "training", "inference"},
    "uncertainty": STAGES,
    "maps": STAGES | {"uncertainty"},
    "evaluation": STAGES | {"uncertainty"},
    "reference": STAGES | {"maps", "uncertainty", "evaluation", "towers", "samples"},
    "report": STAGES | {"uncertainty", "evaluation", "reference"},
    "atlas": STAGES | {"maps", "uncertainty", "evaluation", "report"},
    "truth": STAGES | {"maps", "uncertainty", "evaluation", "report"},
    "worlds": STAGES | {"report"},
    "jobs": GROUND,
    "forked": GROUND,
    "planning": STAGES | {"config", "drivers", "search", "reference"},
    "record": STAGES,
    "product_checks": STAGES,
    "reproduce": STAGES | {"record", "config"},
    "archive": STAGES | {"reproduce"},
    "audit": STAGES | {"atlas"},
    "api": STAGES | {"towers", "drivers", "samples", "training", "inference", "uncertainty", "maps"},
    "command": STAGES
    | {
        "api",
        "config",
        "training",
        "drivers",
        "towers",
        "reproduce",
        "archive",
        "audit",
        "costs",
        "worlds",
        "reference",
        "forked",
    },
    "__main__": {"command"},
    "costs": STAGES | {"config", "planning", "drivers", "search"},
}
TORCH = {"shapes.py", "samples/dataset.py", "models", "training", "inference", "adaptation"}
FILES = sorted((ROOT / "tamrl").rglob("*.py"))


def _imported(file: Path, run: bool = False) -> set[str]:
    """Names that a file imports; with `run` only those that are imported when it runs, not those of type checkers."""
    found = set()
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if run and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names if node.module == "tamrl"}
    return found


def _part(file: Path) -> str:
    relative = file.relative_to(ROOT / "tamrl")
    return relative.parts[0].removesuffix(".py")


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT / "tamrl")))
def test_imports_follow_the_order_of_the_house(file):
    part = _part(file)
    if part == "__init__":
        return
    imported = {name.split(".")[1] for name in _imported(file) if name.startswith("tamrl.")} - {part, "__version__"}
    assert imported <= ALLOWED[part], f"{file} imports {sorted(imported - ALLOWED[part])}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT / "tamrl")))
def test_torch_is_imported_only_where_tensors_live(file):
    relative = file.relative_to(ROOT / "tamrl")
    if str(relative) in TORCH or relative.parts[0] in TORCH:
        return
    assert not {n for n in _imported(file, run=True) if n.split(".")[0] == "torch"}


def test_a_dry_run_needs_neither_torch_nor_libraries_of_data():
    heavy = "{'torch', 'xarray', 'pandas', 'dask'}"
    code = f"import sys; from tamrl import config; config.load({{}}); sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT / "tamrl")))
def test_paths_of_runs_and_downloads_stand_in_the_layout_alone(file):
    if file == ROOT / "tamrl/layout.py":
        return
    tree = ast.parse(file.read_text())
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in prose]
    assert not [text for text in texts if text.startswith(("results/", "downloads/")) or text in ("results", "downloads")]
