"""The numbers of a configuration that decide what a run costs."""

from dataclasses import dataclass
from typing import Any

from tamrl.grid import Grid

LAND = 0.35
"""Share of the cells of an equal-angle grid that hold land."""

TREES = {"lightgbm", "xgboost", "seasonal"}
"""Models that are no recurrent networks."""

TOWERS = 300
"""Towers of a run whose number is not known before its archives are read."""


@dataclass(frozen=True)
class Size:
    """Sizes of a run.

    Attributes
    ----------
    cells, land : cells of the grid, and those with land
    steps, map_steps, spinup : steps of the drivers, of one map, and before it
    labels : maps of one flux
    variables : dynamic drivers
    towers, networks_read : towers, and tower networks
    folds, held_members, members : folds, members a fold, members of the maps
    network_models, tree_models : models of each kind
    hidden, streams : width of the recurrent networks of one model, and how many stand side by side
    samples : cell-steps that one training of a network reads
    trees : of one training of a tree model
    tile : cells per side of a tile
    strip : share of the rows that one band of tiles takes
    twin : whether the world is virtual
    apart : whether each variable of the cube is a job of its own
    """

    cells: int
    land: float
    steps: float
    map_steps: float
    spinup: int
    labels: int
    variables: int
    towers: int
    networks_read: int
    folds: int
    held_members: int
    members: int
    network_models: int
    tree_models: int
    hidden: int
    samples: float
    trees: int
    tile: int
    strip: float
    twin: bool
    streams: int = 1
    apart: bool = False

    @property
    def depth(self) -> float:
        """Work of a step of the network over that of one stream of 64; narrow ones cost more than the square of their width."""
        return self.streams * (self.hidden / 64) ** 1.5


def _years(time: dict[str, Any]) -> float:
    """Years of the cube, the last one perhaps unfinished; a climatology counts as one."""
    missing = 12 - int(until[5:]) if (until := time.get("until")) else 0
    return max(len(time["years"]), 1) - missing / 12


def of(config: dict[str, Any], *, towers: int | None = None) -> Size:
    """Sizes of a run from its whole configuration as plain values; `towers` where their number is known."""
    rows, columns = Grid(config["grid"]["resolution"]).shape
    time, training = config["time"], config["training"]
    per_year = {"day": 365.25, "month": 12}[time["step"]]
    plugins = [training.get("variants", {}).get(name, {"model": name})["model"] for name in training["models"]]
    splits, twin, tamrl = config["splits"], config["twin"], training["tamrl"]
    return Size(
        cells=rows * columns,
        land=rows * columns * LAND,
        steps=_years(time) * per_year,
        map_steps=per_year,
        spinup=config["inference"]["spinup"],
        labels=max(len(time["map_years"]), 1),
        variables=len(config["drivers"]["variables"]["dynamic"]),
        towers=towers or (twin["towers"] if twin else TOWERS),
        networks_read=len(config["towers"]["networks"]),
        folds=splits["folds"] if splits["scheme"] in ("kfold", "koppen") else 1,
        held_members=config["evaluation"]["members"] or training["members"],
        members=training["members"],
        network_models=sum(name not in TREES for name in plugins),
        tree_models=sum(name in TREES for name in plugins),
        hidden=tamrl["hidden"],
        samples=float(training["steps"] * training["batch"] * (training["sequence"] + training["spinup"])),
        trees=training["lightgbm"]["trees"],
        tile=config["grid"]["tile"],
        strip=min(1.0, config["grid"]["tile"] / rows),
        twin=bool(twin),
        streams=tamrl.get("streams", 1),  # runs of before had one
        apart=config["drivers"].get("variable_jobs", False),
    )
