"""What the configuration says of the drivers, opened: statics on the cells, and dynamic variables ready to be read."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dask
import numpy as np
import xarray as xr

from tamrl import registry, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers import co2, derived, plausible
from tamrl.drivers import cube as cubes
from tamrl.drivers.cells import Cells
from tamrl.errors import InputError
from tamrl.grid import Grid
from tamrl.sections import Drivers
from tamrl.sections.inputs import DriverTime

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opening:
    """What the configuration says of drivers and time, the grid of the maps, and threads."""

    drivers: Drivers
    time: DriverTime
    grid: Grid
    threads: int = 1

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources, the first that has a variable gives it."""
        return self.drivers.sources

    @cached_property
    def axis(self) -> TimeAxis:
        """The time axis of the run."""
        return self.time.axis

    def options(self, source: str) -> Any:
        """Options of a source."""
        return getattr(self.drivers, source)

    def versions(self) -> dict[str, Any]:
        """What was read, by source."""
        return {s: registry.load(registry.SOURCES, s).version(self.options(s)) for s in self.sources}

    def listed(self, sources: Iterable[str]) -> dict[str, dict[str, Path]]:
        """Files of those of the sources that tell them, by source and name."""
        plugins = {s: registry.load(registry.SOURCES, s) for s in sources}
        return {s: plugin.listed(self.options(s)) for s, plugin in plugins.items() if hasattr(plugin, "listed")}

    def land_map(self) -> dict[str, Any]:
        """Version of the source of the land map."""
        source = str(cubes.provider("land_fraction", self.sources))
        return {source: registry.load(registry.SOURCES, source).version(self.options(source))}

    @cached_property
    def _land(self) -> xr.DataArray:
        return self._static(("land_fraction",))["land_fraction"]

    def _static(self, names: tuple[str, ...]) -> dict[str, xr.DataArray]:
        found: dict[str, xr.DataArray] = {}
        for source, wanted in cubes.plan(names, self.sources).items():
            found |= registry.load(registry.SOURCES, source).open_static(self.options(source), names=wanted)
        return found

    def statics(self, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """`land_fraction` and the named static maps on the cells."""
        return _on_cells(self._static(tuple(dict.fromkeys(("land_fraction", *names)))), self.grid, self.threads)

    def arrays(self, names: Iterable[str], only: dict[str, frozenset[str]] | None = None) -> dict[str, xr.DataArray]:
        """What the named dynamic variables are made of, on the whole globe; `only` of some sources, from the files named."""
        found: dict[str, xr.DataArray] = {}
        for source, wanted in cubes.plan(tuple(names), self.sources).items():
            if not wanted or (only is not None and source not in only):
                continue
            given = {"only": only[source]} if only is not None else {}
            plugin = registry.load(registry.SOURCES, source)
            found |= plugin.open_dynamic(self.options(source), names=wanted, axis=self.axis, **given)
        placed = {name: cubes.on_globe(da) for name, da in found.items()}
        return {name: dask.optimize(da)[0] for name, da in placed.items()}  # once here instead of once per block

    def cells(self, arrays: dict[str, xr.DataArray]) -> Cells:
        """Variables made of these arrays, on the cells."""
        where = derived.Coordinates(self.axis, self.grid.lat, co2_series(self.drivers.co2))
        return Cells(self.grid, where, arrays, lambda: self._land.values, self.threads)


def co2_series(path: str | None) -> co2.Series | None:
    """The series of CO2 in a CSV."""
    return co2.read(path) if path else None


def _on_cells(maps: dict[str, xr.DataArray], grid: Grid, threads: int) -> dict[str, np.ndarray]:
    """Static maps on the cells, missing over sea, and the log of what is missing on land."""
    found = {name: cubes.static_cells(da, name=name, grid=grid, threads=threads) for name, da in maps.items()}
    share = found["land_fraction"]
    land = share > 0
    log.info("land_fraction: %d of %d cells hold land, %d are unknown", land.sum(), land.size, np.isnan(share).sum())
    for name, values in found.items():
        if name == "land_fraction":
            continue
        there = np.isfinite(values).all(0) if values.ndim == 3 else np.isfinite(values)
        log.info(
            "%s: %d land cells missing; values of %d cells without land dropped (islands, lakes)", name, *_counts(there, land)
        )
        values[..., ~land] = np.nan
        if variables.get(name).members:
            _check_fractions(values, name)
        else:
            plausible.static(name, values, where=maps[name].attrs.get("source"))
    return found


def _counts(there: np.ndarray, land: np.ndarray) -> tuple[int, int]:
    return int((land & ~there).sum()), int((~land & there).sum())


def _check_fractions(values: np.ndarray, name: str) -> None:
    total = values.sum(0)
    off = np.abs(total[np.isfinite(total)] - 1)
    if off.size and off.max() > 1e-5:
        raise InputError(f"{name} does not sum to one", found=f"off by {off.max():.2g}")
