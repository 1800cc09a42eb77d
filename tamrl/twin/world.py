"""The layout of `inputs/world.zarr`, the twin's own store: written once, month by month, and read by the writers.

Groups: `static` (maps), `mosaic` (cells and tiles), `towers`, `months/YYYY-MM` (weather at nodes, fluxes of cells, towers)
and `composites` (what the satellite sees). Names and shapes are those of `Earth`, `Month` and `Simulation.composites`.
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
from tamrl.twin.simulation import TOWER, WEATHER, Month, composite_dates

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
    root.create_group("composites")


def append(root: zarr.Group, month: Month) -> None:
    """Write a month."""
    group = root["months"].create_group(f"{month.year}-{month.month:02d}")
    for name, values in {**month.nodes, **month.cells, **{f"tower_{n}": v for n, v in month.towers.items()}}.items():
        _put(group, name, values)


def add_composites(root: zarr.Group, composites: Iterable[dict[str, np.ndarray]], *, first: int) -> int:
    """Write composites under their numbers from `first`; returns the next number."""
    number = first
    for composite in composites:
        group = root["composites"].create_group(f"{number:05d}")
        for name, values in composite.items():
            _put(group, name, values)
        number += 1
    return number


@dataclass(frozen=True)
class World:
    """A finished store, read in parts."""

    root: zarr.Group

    @classmethod
    def of(cls, root: zarr.Group, *, where: object) -> "World":
        """Check the layout and that all months and composites are there; raises `ContractError`."""
        if root.attrs.get("layout") != LAYOUT:
            raise ContractError(
                "this is no world of this version of the twin",
                where=where,
                found=f"layout {root.attrs.get('layout')} instead of {LAYOUT}",
                todo="delete it and run again",
            )
        world = cls(root)
        wanted = {f"{y}-{m:02d}" for y in world.years for m in range(1, 13)}
        lacking = sorted(wanted - set(root["months"].group_keys()))
        seen = len(list(root["composites"].group_keys()))
        if lacking or seen != len(composite_dates(world.years)):
            raise ContractError("the world is not complete", where=where, found=f"months missing {lacking}, {seen} composites")
        return world

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
        return {name: self._year(year, name) for name in ("gpp", "reco")}

    def tower_series(self) -> dict[str, np.ndarray]:
        """What happened at the towers, all years, each (day, tower); see `simulation.TOWER`."""
        return {name: np.concatenate([self._year(y, f"tower_{name}") for y in self.years]) for name in TOWER}

    def _year(self, year: int, name: str) -> np.ndarray:
        return np.concatenate([self.root[f"months/{year}-{m:02d}/{name}"][:] for m in range(1, 13)])

    def composites(self) -> Iterable[tuple[date, date, dict[str, np.ndarray]]]:
        """First day, last day and content of every composite, in order."""
        for number, (start, end) in enumerate(composite_dates(self.years)):
            yield start, end, {name: array[:] for name, array in self.root[f"composites/{number:05d}"].arrays()}
