"""The sections of the configuration: frozen, strict, typed; defaults stand here and nowhere else.

Options of plug-ins (networks, sources, models) stand in the plug-in's own file, class `Options`; `tamrl.config` puts both
together.
"""

from typing import Annotated, Any

from pydantic import Field

from tamrl.options import Strict
from tamrl.sections.inputs import Drivers, Grid, Samples, Time, Towers, Twin
from tamrl.sections.models import Inference, Splits, Training
from tamrl.sections.results import Adaptation, Atlas, Evaluation, Maps
from tamrl.sections.types import Name


class Config(Strict):
    """All of it."""

    run: Name = "default"
    """Name of the run and of its folder under `results/`."""
    seed: Annotated[int, Field(ge=0, le=4_294_967_295)] = 1
    time: Time = Time()
    grid: Grid = Grid()
    twin: Twin | None = Twin()
    towers: Towers = Towers()
    drivers: Drivers = Drivers()
    samples: Samples = Samples()
    splits: Splits = Splits()
    training: Training = Training()
    inference: Inference = Inference()
    maps: Maps = Maps()
    evaluation: Evaluation = Evaluation()
    atlas: Atlas | None = Atlas()
    """null: no atlas. Its program is built once, which needs the npm registry."""
    adaptation: Adaptation | None = None
    """Set it (`{}` for the defaults) to adapt models to held-out towers instead of making maps."""
    choices: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """Defensible alternatives: name: {section: {key: value}} laid over towers, samples, splits, training or maps."""
