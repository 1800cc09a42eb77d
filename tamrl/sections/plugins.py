"""Sections whose plug-ins have subsections: one field for each plug-in file, typed by the plug-in's own `Options`."""

import operator
from functools import reduce
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, create_model

from tamrl import registry
from tamrl.options import Strict
from tamrl.sections.types import Name

PLUGINS = {
    "towers": ("networks", registry.NETWORKS),
    "drivers": ("sources", registry.SOURCES),
    "training": ("models", registry.MODELS),
}
"""Section: the key that lists its plug-ins, and their package."""

Section = TypeVar("Section", bound=Strict)


def with_plugins(section: str, base: type[Section], name: str) -> type[Section]:
    """The class `name` of a section: `base` with a field for each plug-in present."""
    _, package = PLUGINS[section]
    fields: dict[str, Any] = {n: (registry.options(package, n), registry.options(package, n)()) for n in registry.names(package)}
    if section == "training":
        variant: Any = reduce(operator.or_, (_variant(name) for name in fields))
        fields["variants"] = (dict[Name, Annotated[variant, Field(discriminator="model")]], base.model_fields["variants"])
    return create_model(name, __base__=base, __doc__=base.__doc__, __module__=__name__, **fields)


def _variant(plugin: str) -> type[Strict]:
    """Options of a variant of the plug-in: those of the plug-in itself, and its name."""
    options = registry.options(registry.MODELS, plugin)
    field: Any = (Literal[plugin], ...)
    return create_model(f"Variant_{plugin}", __base__=options, __doc__=options.__doc__, model=field)
