"""The layout of `inputs/world.zarr`, the twin's own store: written once, month by month, and read by the writers.

Groups: `static` (maps), `mosaic` (cells and tiles), `towers` (places, and `towers/series`: what happened there),
`months/YYYY-MM` (weather at nodes, fluxes of cells) and `composites` (what the satellite sees, one chunk a composite). Names
and shapes are those of `Earth`, `Month` and `Simulation.composites`.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date

import numpy as np
import zarr

from tamrl import stores
from tamrl.errors import ContractError
from tamrl.twin.earth import Earth
from tamrl.twin.mosaic import Mosaic
from tamrl.twin.network import Towers
from tamrl.twin.simulation import COMPOSITE, TOWER, WEATHER, Month, composite_dates

LAYOUT = 1


def _put(group: zarr.Group, name: str, values: np.ndarray) -> None:
    values = np.ascontiguousarray(values)
    values = values.astype("uint8") if values.dtype == bool else values
    group.create_array(name, data=values, chunks=values.shape, compressors=stores.compressors())


def create(root: zarr.Group, earth: Earth, *, years: list[int]) -> None:
    """Write all that does not change in time, and make room for the composites."""
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


def append(root: zarr.Group, month: Month) -> None:
    """Write a month's weather and fluxes."""
    group = root["months"].create_group(f"{month.year}-{month.month:02d}")
    for name, values in {**month.nodes, **month.cells}.items():
        _put(group, name, values)


def add_composite(root: zarr.Group, number: int, composite: dict[str, np.ndarray]) -> None:
    """Write the composite with this number, counted from 0 over all years."""
    for name in COMPOSITE:
        root["composites"][name][number] = composite[name]


def add_towers(root: zarr.Group, months: list[dict[str, np.ndarray]]) -> None:
    """Write what happened at the towers in all months, and with it `complete`: the last thing to be written."""
    group = root["towers"].create_group("series")
    for name in TOWER:
        _put(group, name, np.concatenate([month[name] for month in months]))
    root.attrs["complete"] = True


@dataclass(frozen=True)
class World:
    """A finished store, read in parts."""

    root: zarr.Group

    @classmethod
    def of(cls, root: zarr.Group, *, where: object) -> "World":
        """Check the layout and that the world was finished; raises `ContractError`."""
        if root.attrs.get("layout") != LAYOUT:
            raise ContractError(
                "this is no world of this version of the twin",
                where=where,
                found=f"layout {root.attrs.get('layout')} instead of {LAYOUT}",
                todo="delete it and run again",
            )
        if not root.attrs.get("complete"):
            raise ContractError("the world is not complete", where=where, todo="delete it and run again")
        return cls(root)

    @property
    def years(self) -> list[int]:
        """Years it holds."""
        return list(self.root.attrs["years"])

    @property
    def resolution(self) -> float:
        """Degrees of a cell."""
        return float(self.root.attrs["resolution"])

    @property
    def ratio(self) -> int:
        """Pixels per cell side."""
        return int(self.root.attrs["ratio"])

    def static(self, name: str) -> np.ndarray:
        """`land_cover` or `koppen` (pixel lat, pixel lon), or `elevation` (lat, lon)."""
        return self.root["static"][name][:]

    @property
    def mosaic(self) -> Mosaic:
        """Cells and tiles."""
        return Mosaic(**{name: array[:] for name, array in self.root["mosaic"].arrays()})

    @property
    def towers(self) -> Towers:
        """The towers."""
        group = self.root["towers"]
        values = {name: array[:] for name, array in group.arrays()}
        return Towers(site=np.array(group.attrs["site"]), **{**values, "irrigated": values["irrigated"].astype(bool)})

    def weather(self, year: int, month: int) -> dict[str, np.ndarray]:
        """Weather of a month at the nodes, each (day, latitude, longitude)."""
        return {name: self.root[f"months/{year}-{month:02d}/{name}"][:] for name in WEATHER}

    def fluxes(self, year: int) -> dict[str, np.ndarray]:
        """GPP and RECO of a year, each (day, cell), gC m-2 d-1 per area of the cell's land."""
        months = [self.root[f"months/{year}-{month:02d}"] for month in range(1, 13)]
        return {name: np.concatenate([month[name][:] for month in months]) for name in ("gpp", "reco")}

    def tower_series(self) -> dict[str, np.ndarray]:
        """What happened at the towers, all years, each (day, tower); see `simulation.TOWER`."""
        return {name: self.root[f"towers/series/{name}"][:] for name in TOWER}

    def composites(self) -> Iterable[tuple[date, date, dict[str, np.ndarray]]]:
        """First day, last day and content of every composite, in order."""
        for number, (start, end) in enumerate(composite_dates(self.years)):
            yield start, end, {name: self.root["composites"][name][number] for name in COMPOSITE}
