"""Find and import plug-ins: the modules in a plug-in package.

They are light, so that a configuration is checked without torch, xarray and pandas.
"""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from tamrl.errors import PluginError, near
from tamrl.options import Strict
from tamrl.plugins import ComparedProduct, DriverSource, FluxModel, MapProduct, Plugin, TowerNetwork

NETWORKS = "tamrl.towers.networks"
SOURCES = "tamrl.drivers.sources"
MODELS = "tamrl.models"
PRODUCTS = "tamrl.maps.products"
COMPARED = "tamrl.reference.products"


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


def load_compared(name: str) -> ComparedProduct[Any]:
    """Import a product of others."""
    return cast(ComparedProduct[Any], load(COMPARED, name))


def options(package: str, name: str) -> type[Strict]:
    """The `Options` class of a plug-in; raises `PluginError` if it has none."""
    plugin = cast(Plugin, load(package, name))
    if not hasattr(plugin, "Options"):
        raise PluginError(f"plug-in {name!r} has no class Options", where=path(package, name), todo="add `class Options(Strict)`")
    return plugin.Options
