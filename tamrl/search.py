"""Settings of a search: drawn from the space of each model, and laid into the configuration as variants of the models.

Each value has a generator of its own, named by seed, model, setting and option: another model, option or number of settings
changes no value that was drawn before, so that trained settings stay as they are. Random settings cover a space of which few
options matter better than a grid does (Bergstra & Bengio 2012, J. Mach. Learn. Res. 13, 281-305).
"""

import hashlib
import math
import random
from typing import Any

from pydantic import ValidationError

from tamrl import registry
from tamrl.errors import ConfigError, near
from tamrl.sections.run import Config
from tamrl.sections.search import Range, Search, Setting, Space

DRAWS = 100
"""Draws of one setting, before the space is refused as too small or not allowed by the model."""

DIGITS = 3
"""Significant digits of drawn numbers."""

Values = dict[str, Any]
"""Options of a plug-in by name."""


def draw_settings(config: Config) -> tuple[Setting, ...]:
    """The settings of every model of the search, that of the configuration first; none without a search.

    Raises `ConfigError` if a model, option or fold does not exist, or a model has not as many different settings.
    """
    if config.search is None:
        return ()
    _check_search(config, config.search)
    settings = []
    for model, space in config.search.models.items():
        start = _setting(config, model, 0, {})
        of_model = [start.model_copy(update={"searched": {key: start.options[key] for key in space}})]
        for number in range(1, config.search.settings):
            of_model.append(_draw_setting(config, model, space, number, of_model))
        settings += of_model
    return tuple(settings)


def with_settings(config: Config) -> dict[str, Any]:
    """The configuration as plain values, with a variant for each setting of its search."""
    plain = config.model_dump(mode="json")
    for setting in draw_settings(config):
        plain["training"]["variants"][setting.name] = {"model": setting.plugin, **setting.options}
    return plain


def _check_search(config: Config, search: Search) -> None:
    """Refuse what the configuration does not have."""
    known = [*registry.names(registry.MODELS), *config.training.variants]
    for model, space in search.models.items():
        if model not in known:
            raise ConfigError(f"search.models: no model {model!r}", todo=near(model, known))
        options = config.training.options(model)
        for option in space:
            if option not in options:
                raise ConfigError(f"search.models.{model}: no option {option!r}", todo=near(option, options))
    if absent := [fold for fold in search.folds if str(fold) not in config.splits.fold_names]:
        raise ConfigError("search.folds: the split has no such folds", found=absent, todo="choose among splits.folds, from 0 on")
    names = [f"{model}_s{number:02d}" for model in search.models for number in range(search.settings)]
    if unknown := sorted(set(search.failed) - set(names)):
        raise ConfigError(f"search.failed: no setting {unknown[0]!r}", todo=near(unknown[0], names))


def _draw_setting(config: Config, model: str, space: Space, number: int, before: list[Setting]) -> Setting:
    """A setting that the model allows and that differs from those before it."""
    refused = "it is equal to another one"
    for draw in range(DRAWS):
        values = {key: _draw_value(allowed, config, model, number, key, draw) for key, allowed in space.items()}
        try:
            setting = _setting(config, model, number, values)
        except ValidationError as error:
            refused = str(error.errors()[0]["msg"])
            continue
        if setting.options not in [other.options for other in before]:
            return setting
    raise ConfigError(
        f"setting {number} of {model} cannot be drawn",
        where=f"search.models.{model}",
        found=f"{DRAWS} draws were refused, the last: {refused}",
        todo="widen its space, or lower search.settings",
    )


def _setting(config: Config, model: str, number: int, values: Values) -> Setting:
    """The model's setting of the configuration with other values, as the plug-in checks them."""
    plugin = config.training.plugin(model)
    options = registry.options(registry.MODELS, plugin)(**config.training.options(model) | values)
    config.training.adjusted(options)
    plain = options.model_dump(mode="json")
    return Setting(model=model, number=number, plugin=plugin, searched={key: plain[key] for key in values}, options=plain)


def _draw_value(allowed: tuple[Any, ...] | Range, config: Config, *names: object) -> Any:
    """One value; the same names and seed give the same value."""
    seed = config.search.seed if config.search else 0
    chance = random.Random(hashlib.sha256("/".join(map(str, (seed, *names))).encode()).digest())
    if not isinstance(allowed, Range):
        return chance.choice(allowed)
    if allowed.integral and not allowed.log:
        return chance.randint(int(allowed.low), int(allowed.high))
    low, high = (math.log(end) if allowed.log else end for end in (allowed.low, allowed.high))
    value = chance.uniform(low, high)
    value = math.exp(value) if allowed.log else value
    return round(value) if allowed.integral else float(f"{value:.{DIGITS}g}")
