"""Every plug-in has the functions of its protocol, and of those of the abilities that it declares."""

import inspect

import pytest

from tamrl import plugins, registry

PROTOCOLS = {
    registry.MODELS: plugins.FluxModel,
    registry.SOURCES: plugins.DriverSource,
    registry.NETWORKS: plugins.TowerNetwork,
    registry.PRODUCTS: plugins.MapProduct,
    registry.COMPARED: plugins.ComparedProduct,
}
ABILITIES = {
    "lists_files": plugins.ListingSource,
    "downloads": plugins.DownloadingSource,
    "koppen": plugins.KoppenSource,
    "archives": plugins.ArchiveNetwork,
    "fetches": plugins.FetchingNetwork,
    "remarks": plugins.RemarkingNetwork,
}
PLUGINS = [(package, name) for package in PROTOCOLS for name in registry.names(package)]


def _functions(protocol: type) -> dict[str, list[str]]:
    """Functions of a protocol, with the parameters of each."""
    members = inspect.getmembers(protocol, inspect.isfunction)
    return {name: _parameters(function)[1:] for name, function in members if not name.startswith("_")}


def _parameters(function) -> list[str]:
    return list(inspect.signature(function).parameters)


def _protocols(package: str, plugin) -> list[type]:
    declared = getattr(plugin, "CAPABILITIES", None)
    more = [protocol for ability, protocol in ABILITIES.items() if getattr(declared, ability, False)]
    if package == registry.NETWORKS and not declared.archives:
        more.append(plugins.TableNetwork)
    return [PROTOCOLS[package], *more]


@pytest.mark.parametrize(("package", "name"), PLUGINS, ids=[".".join(p) for p in PLUGINS])
def test_a_plug_in_has_the_functions_of_its_protocols(package, name):
    plugin = registry.load(package, name)
    for protocol in _protocols(package, plugin):
        for function, parameters in _functions(protocol).items():
            offered = _parameters(getattr(plugin, function))
            assert set(parameters) <= set(offered), f"{function}{tuple(offered)} lacks {set(parameters) - set(offered)}"
