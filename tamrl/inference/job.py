"""The job of making one map: what is requested, and what follows from it for every process that works on its tiles."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

from tamrl import calendar, registry, stores
from tamrl.cache import Key
from tamrl.errors import ContractError
from tamrl.grid import Grid, Tile
from tamrl.inference.plan import DecodingPlan, plan_alone, plan_carried
from tamrl.inference.store import Layout, TileStore
from tamrl.predictions import Manifest
from tamrl.sections.models import Engine
from tamrl.training.checkpoint import Trained


@dataclass(frozen=True)
class MapRequest:
    """A map as a rule asks for it."""

    cube: Path
    """`drivers/cube.zarr`."""
    models: tuple[Path, ...]
    """Folders of the trained members."""
    label: str
    """A year, or `climatology`."""
    store: Path
    """Zarr store of the predictions."""
    tile: int
    """Cells per side of a tile."""
    min_land_fraction: float
    """Cells with less land stay missing."""
    engine: Engine
    """How the members are decoded."""
    previous: Path | None = None
    """Manifest of the mapped year before, from whose memory this one continues."""

    @property
    def carries(self) -> bool:
        """Whether the memory of the models is carried from year to year."""
        return self.engine.memory == "carried" and self.label != calendar.CLIMATOLOGY


@dataclass(frozen=True)
class MapJob:
    """A planned map. It is sent to the processes that make its tiles."""

    request: MapRequest
    key: Key
    """All that shapes the fluxes of a member but its weights."""
    members: tuple[str, ...]
    names: tuple[str, ...]
    """Digest and name of each member."""
    grid: Grid
    previous_store: Path | None
    """Store of the year from whose memory this one continues."""
    plan: DecodingPlan = field(compare=False)  # follows from the key

    @property
    def tiles(self) -> list[Tile]:
        """Tiles of the map, row by row."""
        return list(self.grid.tiles(self.request.tile))

    def tile_store(self) -> TileStore:
        """The store of the map, which `prepare` must have made ready."""
        layout = Layout(
            self.key, self.members, self.names, self.plan.time, self.grid, self.request.tile, carried=self.plan.carried
        )
        return TileStore(self.request.store, layout)


def plan_map(request: MapRequest, members: Sequence[Trained], drivers: xr.Dataset) -> MapJob:
    """Plan a map of trained `members` and the `drivers` of the cube.

    Raises `ContractError` if the cube does not hold the label, or memory is to be carried and the model has none.
    """
    before = Manifest.read(request.previous) if request.previous and request.carries else None
    spec, engine = members[0].spec, request.engine
    modules = [f"tamrl.inference.{name}" for name in ("plan", "decode", "numerics")]
    key = Key.of(
        *modules,
        f"{registry.MODELS}.{spec.plugin}",
        config={
            "label": request.label,
            "spinup": engine.spinup,
            "min_land_fraction": request.min_land_fraction,
            "tile": request.tile,
            "numerics": engine.numerics,
            "carried": request.carries,
        },
        inputs={"cube": stores.manifest_digest(request.cube), "previous": before.key if before else None},
    )
    return MapJob(
        request,
        key,
        tuple(member.spec.digest for member in members),
        tuple(member.spec.member for member in members),
        Grid.of_cells(drivers),
        before.store_path(request.previous) if before and request.previous else None,
        plan_decoding(request, members[0], drivers, since=before.label if before else None, spinup=engine.spinup),
    )


def plan_decoding(request: MapRequest, member: Trained, drivers: xr.Dataset, *, since: str | None, spinup: int) -> DecodingPlan:
    """Plan the steps of a map; `since` is the label from whose memory it continues.

    Parameters
    ----------
    request : the map
    member : by whose inputs the steps are planned
    drivers : cube of the map
    since : label of the map from whose memory this one continues; null begins with a spin-up
    spinup : steps of the spin-up
    """
    axis, span = calendar.TimeAxis.of(drivers), max(member.spec.inputs.spans, default=0)
    if not request.carries:
        return plan_alone(axis, label=request.label, spinup=spinup, span=span)
    if not member.spec.capabilities.memory:
        raise ContractError(
            f"the model {member.spec.name!r} carries no memory from step to step",
            where="inference.memory",
            todo="set inference.memory: spinup",
        )
    return plan_carried(axis, label=request.label, since=since, spinup=spinup, span=span)
