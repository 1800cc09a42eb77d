"""Plug-ins are files: a module in a plug-in package is found by being there.

`options` reads the `Options` class of a plug-in without importing the plug-in itself, so that a
configuration can be checked without loading torch.
"""

import ast
import importlib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from tamrl.errors import PluginError, near
from tamrl.options import Strict
from tamrl.plugins import DriverSource, FluxModel, MapProduct, TowerNetwork

NETWORKS = "tamrl.towers.networks"
SOURCES = "tamrl.drivers.sources"
MODELS = "tamrl.models"
PRODUCTS = "tamrl.maps.products"

_LIGHT = {"__future__", "typing", "pathlib", "collections.abc", "datetime", "pydantic", "tamrl.options", "tamrl.plugins"}


def _folder(package: str) -> Path:
    return Path(__file__).parent.joinpath(*package.split(".")[1:])


def names(package: str) -> list[str]:
    """Names of the plug-ins of `package`: its files that do not start with an underscore."""
    return sorted(p.stem for p in _folder(package).glob("[!_]*.py") if p.stem != "stage")


def path(package: str, name: str) -> Path:
    """The file of plug-in `name`; raises `PluginError` with near misses if there is none."""
    if name not in names(package):
        raise PluginError(f"no plug-in named {name!r}", where=_folder(package), todo=near(name, names(package)))
    return _folder(package) / f"{name}.py"


def load(package: str, name: str) -> ModuleType:
    """Import plug-in `name` of `package`."""
    path(package, name)
    return importlib.import_module(f"{package}.{name}")


def load_model_plugin(name: str) -> FluxModel:
    """Import a model."""
    return cast(FluxModel, load(MODELS, name))


def load_source(name: str) -> DriverSource:
    """Import a source of drivers."""
    return cast(DriverSource, load(SOURCES, name))


def load_network(name: str) -> TowerNetwork:
    """Import the reader of a tower network."""
    return cast(TowerNetwork, load(NETWORKS, name))


def load_product(name: str) -> MapProduct[Any]:
    """Import a kind of map file."""
    return cast(MapProduct[Any], load(PRODUCTS, name))


@cache
def options(package: str, name: str) -> type[Strict]:
    """The `Options` class of a plug-in, built from its source without importing the module.

    It may use only light imports (typing, pathlib, pydantic, `tamrl.options`).
    """
    if package == MODELS:
        return load_model_plugin(name).Options
    if package == SOURCES:
        return load_source(name).Options
    file = path(package, name)
    body = ast.parse(file.read_text(encoding="utf-8")).body
    imports = [n for n in body if isinstance(n, ast.ImportFrom) and n.module in _LIGHT]
    classes = [n for n in body if isinstance(n, ast.ClassDef) and n.name == "Options"]
    if not classes:
        raise PluginError(f"plug-in {name!r} has no class Options", where=file, todo="add `class Options(Strict)`")
    module = f"{package}.{name}"
    space: dict = {"__name__": module}
    exec(compile(ast.Module([*imports, *classes], []), str(file), "exec"), space)  # our own source, not user input
    return space["Options"]
