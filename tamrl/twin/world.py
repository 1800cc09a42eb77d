"""The layout of `inputs/world.zarr`, the twin's own store: written once, month by month, and read by the writers.

Groups: `static` (maps), `mosaic` (cells and tiles), `towers` (places, and `towers/series`: their weather and fluxes),
`months/YYYY-MM` (weather at nodes, fluxes of cells) and `composites` (views of the satellite, one chunk per composite). Names
and shapes are those of `Earth`, `Month` and `Simulation.composites`.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

import numpy as np
import zarr

from tamrl import stores
from tamrl.errors import ContractError
from tamrl.twin.earth import Earth
from tamrl.twin.mosaic import Mosaic
from tamrl.twin.network import Towers
from tamrl.twin.simulation import COMPOSITE, TOWER, WEATHER, Month, composite_dates

LAYOUT = 1


def world_array(group: zarr.Group, name: str) -> "zarr.Array[Any]":
    """An array of a store. Raise `ContractError` if there is a group under its name."""
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise ContractError("a group stands where an array should be", where=group.store_path, found=name)
    return array


def _values(group: zarr.Group, name: str) -> np.ndarray:
    return np.asarray(world_array(group, name)[:])


def _put(group: zarr.Group, name: str, values: np.ndarray) -> None:
    values = np.ascontiguousarray(values)
    values = values.astype("uint8") if values.dtype == bool else values
    group.create_array(name, data=values, chunks=values.shape, compressors=stores.compressors())


def create_world_store(root: zarr.Group, earth: Earth, *, years: list[int]) -> None:
    """Write what does not change in time, and make room for the composites."""
    root.attrs.update(
        {"layout": LAYOUT, "resolution": earth.resolution, "ratio": earth.ratio, "seed": earth.seed, "years": years}
    )
    static = root.create_group("static")
    for name in ("land_cover", "koppen", "elevation"):
        _put(static, name, getattr(earth, name))
    parts = root.create_group("mosaic")
    for name, values in asdict(earth.mosaic).items():
        _put(parts, name, values)
    towers = root.create_group("towers", attributes={"site": earth.towers.site.tolist()})
    for name in ("lat", "lon", "tile", "irrigated"):
        _put(towers, name, getattr(earth.towers, name))
    root.create_group("months")
    seen, sizes = root.create_group("composites"), {"overcast": earth.mosaic.cell.size}
    for name in COMPOSITE:
        size, count = sizes.get(name, earth.mosaic.tile_cell.size), len(composite_dates(years))
        seen.create_array(name, shape=(count, size), chunks=(1, size), dtype="float32", compressors=stores.compressors())


def append_month(root: zarr.Group, month: Month) -> None:
    """Write a month's weather and fluxes."""
    group = root.create_group(f"months/{month.year}-{month.month:02d}")
    for name, values in {**month.nodes, **month.cells}.items():
        _put(group, name, values)


def add_composite(root: zarr.Group, number: int, composite: dict[str, np.ndarray]) -> None:
    """Write the composite with this number, counted from 0 over all years."""
    for name in COMPOSITE:
        world_array(root, f"composites/{name}")[number] = composite[name]


def add_towers(root: zarr.Group, months: list[dict[str, np.ndarray]]) -> None:
    """Write the weather and fluxes at the towers in all months, and `complete`, the last attribute to be written."""
    group = root.create_group("towers/series")
    for name in TOWER:
        _put(group, name, np.concatenate([month[name] for month in months]))
    root.attrs["complete"] = True


@dataclass(frozen=True)
class WorldStore:
    """A finished store, read in parts."""

    root: zarr.Group

    @classmethod
    def of(cls, root: zarr.Group, *, where: object) -> "WorldStore":
        """Check the layout and that the world was finished; raises `ContractError`."""
        if root.attrs.get("layout") != LAYOUT:
            state, todo = f"layout {root.attrs.get('layout')} instead of {LAYOUT}", "delete it and run again"
            raise ContractError("this is no world of this version of the twin", where=where, found=state, todo=todo)
        if not root.attrs.get("complete"):
            raise ContractError("the world is not complete", where=where, todo="delete it and run again")
        return cls(root)

    @property
    def years(self) -> list[int]:
        """Years it holds."""
        return [int(year) for year in np.array(self.root.attrs["years"], dtype=int)]

    @property
    def resolution(self) -> float:
        """Degrees of a cell."""
        return float(str(self.root.attrs["resolution"]))

    @property
    def ratio(self) -> int:
        """Pixels per cell side."""
        return int(str(self.root.attrs["ratio"]))

    def static(self, name: str) -> np.ndarray:
        """`land_cover` or `koppen` (pixel lat, pixel lon), or `elevation` (lat, lon)."""
        return _values(self.root, f"static/{name}")

    @property
    def mosaic(self) -> Mosaic:
        """Cells and tiles."""
        return Mosaic(**{field.name: _values(self.root, f"mosaic/{field.name}") for field in fields(Mosaic)})

    @property
    def towers(self) -> Towers:
        """The towers."""
        lat, lon, tile, irrigated = (_values(self.root, f"towers/{name}") for name in ("lat", "lon", "tile", "irrigated"))
        return Towers(np.array(self.root["towers"].attrs["site"]), lat, lon, tile, irrigated.astype(bool))

    def weather(self, year: int, month: int) -> dict[str, np.ndarray]:
        """Weather of a month at the nodes, each (day, latitude, longitude)."""
        return {name: _values(self.root, f"months/{year}-{month:02d}/{name}") for name in WEATHER}

    def fluxes(self, year: int) -> dict[str, np.ndarray]:
        """GPP and RECO of a year, each (day, cell), gC m-2 d-1 per area of the cell's land."""
        months = [f"months/{year}-{month:02d}" for month in range(1, 13)]
        return {name: np.concatenate([_values(self.root, f"{month}/{name}") for month in months]) for name in ("gpp", "reco")}

    def tower_series(self) -> dict[str, np.ndarray]:
        """Weather and fluxes at the towers, all years, each (day, tower); see `simulation.TOWER`."""
        return {name: _values(self.root, f"towers/series/{name}") for name in TOWER}

    def composites(self) -> Iterable[tuple[date, date, dict[str, np.ndarray]]]:
        """First day, last day and content of every composite, in order."""
        for number, (start, end) in enumerate(composite_dates(self.years)):
            yield start, end, {name: np.asarray(world_array(self.root, f"composites/{name}")[number]) for name in COMPOSITE}
