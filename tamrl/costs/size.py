"""The numbers of a configuration that decide the costs of a run."""

import numpy as np

from tamrl import registry
from tamrl.calendar import MONTHS
from tamrl.errors import ConfigError
from tamrl.grid import Grid
from tamrl.options import Strict
from tamrl.planning import cube_variables
from tamrl.plugins import SourceVolume, TrainingCost
from tamrl.sections.run import Config

LAND = 0.35
"""Share of the cells of an equal-angle grid that hold land."""

TOWERS = 300
"""Towers of a run whose number is not known before its archives are read."""


class RunSize(Strict):
    """Sizes of a run."""

    cells: int
    """Cells of the grid."""
    land: float
    """Cells with land."""
    steps: float
    """Steps of the drivers."""
    map_steps: float
    """Steps of one map."""
    spinup: int
    """Steps before a map."""
    labels: int
    """Maps of one flux."""
    variables: int
    """Dynamic drivers."""
    towers: int
    networks_read: int
    """Tower networks."""
    folds: int
    held_members: int
    """Members of a fold."""
    members: int
    """Members of the maps."""
    network_models: int
    """Models that are recurrent networks."""
    tree_models: int
    """Models of trees."""
    hidden: int
    """Width of the recurrent networks of one model."""
    samples: float
    """Cell-steps that one training of a network reads."""
    trees: int
    """Trees of one training of a tree model."""
    tile: int
    """Cells per side of a tile."""
    strip: float
    """Share of the rows that one band of tiles takes."""
    twin: bool
    """Whether the world is virtual."""
    mapped: float = 1.0
    """Share of the cells that lie in the window of a regional run."""
    streams: int = 1
    """Recurrent networks of one model."""
    variable_jobs: bool = False
    """Whether each variable of the cube is a separate job."""
    source_bytes: float = 0.0
    """Bytes of the source files of the drivers."""

    @property
    def depth(self) -> float:
        """Work of a step of the network over that of one stream of 64; narrow ones cost more than the square of their width."""
        return float(self.streams * (self.hidden / 64) ** 1.5)

    @classmethod
    def of(cls, config: Config, *, towers: int | None = None, model: str | None = None) -> "RunSize":
        """Return the sizes of a run; `towers` if their number is known, `model` for a run of one model without maps."""
        rows, columns = Grid(config.grid.resolution).shape
        window_rows, window_columns = mapped_shape(config)
        training, splits = config.training, config.splits
        missing = MONTHS - int(config.time.until[5:]) if config.time.until else 0  # months of the last year
        per_year = {"day": 365.25, "month": MONTHS}[config.time.step]
        costs = [training_cost(config, name) for name in ([model] if model else training.models)]
        candidates = [*costs] if model else [training_cost(config, config.inference.model), *costs]
        schedule = training.optimisation(model) if model else training
        network = next((cost for cost in candidates if cost.kind == "network"), TrainingCost("network"))
        return cls(
            cells=rows * columns,
            land=rows * columns * LAND,
            steps=(max(len(config.time.years), 1) - missing / MONTHS) * per_year,
            map_steps=per_year,
            spinup=config.inference.spinup,
            labels=len(config.time.labels),
            variables=len(config.drivers.variables.dynamic),
            towers=towers or (config.twin.towers if config.twin else TOWERS),
            networks_read=len(config.towers.networks),
            folds=len(splits.fold_names),
            held_members=config.evaluation.members or training.members,
            members=training.members,
            network_models=sum(cost.kind == "network" for cost in costs),
            tree_models=sum(cost.kind == "trees" for cost in costs),
            hidden=network.width,
            samples=float(schedule.steps * schedule.batch * (schedule.sequence + schedule.spinup)),
            trees=max((cost.trees for cost in costs), default=0),
            tile=config.grid.tile,
            mapped=window_rows * window_columns / (rows * columns),
            strip=min(1.0, config.grid.tile / window_rows),
            twin=config.twin is not None,
            streams=network.streams,
            variable_jobs=config.drivers.variable_jobs,
            source_bytes=sum(v.condensed or v.size for v in source_volumes(config).values() if not v.streamed),
        )


def source_volumes(config: Config) -> dict[str, SourceVolume]:
    """Return what the sources of the drivers hold, by source; nothing of a virtual Earth."""
    if config.twin or not config.drivers.sources:
        return {}
    from tamrl.drivers.cube.plan import plan_cube  # a virtual Earth is planned without it

    wanted, years = plan_cube(cube_variables(config), config.drivers.sources), len(config.time.years)
    loaded = {name: registry.load_source(name) for name in config.drivers.sources}
    return {n: source.volume(config.drivers.plugin_options(n), names=wanted[n], years=years) for n, source in loaded.items()}


def mapped_shape(config: Config) -> tuple[int, int]:
    """Return rows and columns of the window that a run maps; polygons count with the box around them."""
    grid, bounds = Grid(config.grid.resolution), config.grid.bounds
    if not config.grid.regional:
        return grid.shape
    from tamrl.polygons.reading import read_outlines  # a run of the globe is planned without the library of polygons

    boxes = [] if bounds is None or isinstance(bounds, str) else [bounds]
    for polygons in read_outlines(bounds, config.grid.countries):
        corners = np.concatenate([ring for rings in polygons.values() for ring in rings])
        boxes.append((*corners.min(0).tolist(), *corners.max(0).tolist()))
    (west, south), (east, north) = np.max(boxes, axis=0)[:2].tolist(), np.min(boxes, axis=0)[2:].tolist()
    if west >= east or south >= north:
        raise ConfigError("grid.bounds and grid.countries have nothing in common", where="grid", found=boxes, todo="take one out")
    return Grid.within((west, south, east, north), grid.resolution).shape


def training_cost(config: Config, model: str) -> TrainingCost:
    """Return the costs of training a model of the run, which may be a variant."""
    plugin = registry.load_model_plugin(config.training.plugin(model))
    return plugin.capabilities(plugin.Options(**config.training.options(model))).cost
