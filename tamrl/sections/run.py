"""The whole configuration of a run."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from tamrl.options import Strict
from tamrl.sections.comparison import Comparison
from tamrl.sections.inputs import DriverSources, Features, MapGrid, Samples, Time, TowerNetworks, Twin
from tamrl.sections.models import Inference, Splits, TrainedModels
from tamrl.sections.plugins import with_plugins
from tamrl.sections.results import Adaptation, Atlas, Evaluation, Maps
from tamrl.sections.search import Search, SearchRecord
from tamrl.sections.types import Name

if TYPE_CHECKING:  # the fields of plug-ins are known only when their files are listed
    Towers = TowerNetworks
    Drivers = DriverSources
    Training = TrainedModels
else:
    Towers = with_plugins("towers", TowerNetworks, "Towers")
    Drivers = with_plugins("drivers", DriverSources, "Drivers")
    Training = with_plugins("training", TrainedModels, "Training")


class Config(Strict):
    """All of it."""

    run: Name = "default"
    """Name of the run and of its folder under `results/`."""
    seed: Annotated[int, Field(ge=0, le=4_294_967_295)] = 1
    time: Time = Time()
    grid: MapGrid = MapGrid()
    twin: Twin | None = Twin()
    towers: Towers = Towers()
    drivers: Drivers = Drivers()
    samples: Samples = Samples()
    splits: Splits = Splits()
    training: Training = Training()
    inference: Inference = Inference()
    maps: Maps = Maps()
    evaluation: Evaluation = Evaluation()
    comparison: Comparison = Comparison()
    atlas: Atlas | None = Atlas()
    """null: no atlas. Its program is built once, which needs the npm registry."""
    adaptation: Adaptation | None = None
    """Set it (`{}` for the defaults) to adapt models to held-out towers instead of making maps."""
    search: Search | None = None
    """Set it to compare settings of models instead of making maps; each setting becomes a variant `MODEL_sNN` of `training`."""
    searched: dict[Name, SearchRecord] = Field(default_factory=dict)
    """How settings of `training` were chosen, as `searched.yaml` of a search states it."""
    choices: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """Defensible alternatives: name: {section: {key: value}} laid over towers, samples, splits, training or maps."""

    @property
    def features(self) -> Features:
        """Variables that the models see."""
        dynamic, static = self.samples.dynamic, self.samples.static
        return Features(
            dynamic=self.drivers.variables.dynamic if dynamic is None else dynamic,
            static=self.drivers.variables.static if static is None else static,
            filled=self.samples.filled,
        )
