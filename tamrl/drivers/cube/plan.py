"""What the cube is made of: which source gives which variable. Opens no file."""

from tamrl import variables
from tamrl.drivers import derived
from tamrl.errors import ConfigError

CHUNK = (365, 30, 60)
"""Steps, rows and columns of a chunk: a tile's series lie in few chunks."""


def source_of(name: str, sources: tuple[str, ...]) -> str | None:
    """The first of `sources` that has the variable, or None if it is derived; raises `ConfigError` if there is neither."""
    entry = variables.get(name)
    for source in sources:
        if source in entry.sources:
            return source
    if entry.derived:
        return None
    todo = f"add one of {sorted(entry.sources) or 'none known'}, or take {name} out of drivers.variables"
    raise ConfigError(f"no source of {name}", where="drivers.sources", found=list(sources), todo=todo)


def plan_cube(names: tuple[str, ...], sources: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The variables to read from each source, so that all `names` can be read or derived."""
    wanted: dict[str, tuple[str, ...]] = dict.fromkeys(sources, ())
    todo = list(names)
    while todo:
        name = todo.pop(0)
        source = source_of(name, sources)
        if source is None:
            todo += derived.derivation(name).needs
        elif name not in wanted[source]:
            wanted[source] += (name,)
    return wanted


def sources_of(name: str, sources: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The variables that a variable is made of, by source."""
    return {source: names for source, names in plan_cube((name,), sources).items() if names}


def with_needs(name: str, sources: tuple[str, ...]) -> set[str]:
    """A variable and all that it is derived from."""
    needs = () if source_of(name, sources) else derived.derivation(name).needs
    return {name}.union(*(with_needs(need, sources) for need in needs))


def is_summed(name: str, sources: tuple[str, ...]) -> bool:
    """Whether a variable is, or rests on, a sum over earlier steps."""
    derivations = (part for part in with_needs(name, sources) if not source_of(part, sources))
    return any(derived.derivation(part).summed for part in derivations)
