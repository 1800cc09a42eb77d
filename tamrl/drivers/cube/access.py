"""The sources of a run, opened: static maps on the cells, and the arrays that dynamic variables are made of."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dask.base
import numpy as np
import xarray as xr

from tamrl import plugins, registry
from tamrl.calendar import TimeAxis
from tamrl.drivers import co2, derived
from tamrl.drivers.cube.fields import FieldMaker, LandNodes
from tamrl.drivers.cube.plan import plan_cube, source_of
from tamrl.drivers.cube.statics import statics_on_cells
from tamrl.drivers.succession import SensorPair, follows_sensor
from tamrl.errors import InputError
from tamrl.grid import Grid
from tamrl.sections.inputs import DriverTime
from tamrl.sections.run import Drivers

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SourceAccess:
    """Access to the sources that the configuration names, for the grid of the maps and with so many threads."""

    drivers: Drivers
    time: DriverTime
    grid: Grid
    threads: int = 1

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources; the first one that has a variable provides it."""
        return self.drivers.sources

    @cached_property
    def axis(self) -> TimeAxis:
        """The time axis of the run."""
        return self.time.axis

    def options(self, source: str) -> Any:
        """Options of a source: its own model, which no type but the plug-in's names."""
        return getattr(self.drivers, source)

    def versions(self) -> dict[str, Mapping[str, object]]:
        """What was read, by source."""
        return {source: registry.load_source(source).version(self.options(source)) for source in self.sources}

    def listed_files(self, sources: Iterable[str]) -> dict[str, Mapping[str, Path]]:
        """Files by name, of those sources that list them."""
        loaded = {source: registry.load_source(source) for source in sources}
        return {s: plugin.listed(self.options(s)) for s, plugin in loaded.items() if plugins.lists_files(plugin)}

    def land_map(self) -> dict[str, Mapping[str, object]]:
        """Version of the source of the land map."""
        source = str(source_of("land_fraction", self.sources))
        return {source: registry.load_source(source).version(self.options(source))}

    def statics(self, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """`land_fraction` and the named static maps on the cells."""
        return statics_on_cells(self._maps(tuple(dict.fromkeys(("land_fraction", *names)))), self.grid, self.threads)

    def _maps(self, names: tuple[str, ...]) -> dict[str, xr.DataArray]:
        maps: dict[str, xr.DataArray] = {}
        for source, wanted in plan_cube(names, self.sources).items():
            maps |= registry.load_source(source).open_static(self.options(source), names=wanted)
        return maps

    def arrays(self, names: Iterable[str], only: Mapping[str, frozenset[str]] | None = None) -> dict[str, xr.DataArray]:
        """The variables of the sources that the named dynamic variables are made of, on the whole globe.

        `only` names the files to read, of some sources that list their files; the other sources are left out.
        """
        arrays: dict[str, xr.DataArray] = {}
        for source, wanted in plan_cube(tuple(names), self.sources).items():
            plugin, options = registry.load_source(source), self.options(source)
            if not wanted or (only is not None and source not in only):
                continue
            if only is not None and plugins.lists_files(plugin):
                arrays |= plugin.open_dynamic(options, names=wanted, axis=self.axis, only=only[source])
            else:
                arrays |= plugin.open_dynamic(options, names=wanted, axis=self.axis)
        placed = {name: on_globe(da) for name, da in arrays.items()}
        optimize: Callable[..., tuple[xr.DataArray]] = dask.base.optimize
        return {name: optimize(da)[0] for name, da in placed.items()}  # once here instead of once per block

    def sensor_pairs(self, names: Iterable[str]) -> dict[str, SensorPair]:
        """What the named dynamic variables are made of, by both sensors where a source changes from one to the other."""
        pairs: dict[str, SensorPair] = {}
        for source, wanted in plan_cube(tuple(names), self.sources).items():
            plugin, options = registry.load_source(source), self.options(source)
            if wanted and follows_sensor(plugin, options, self.axis):
                pairs |= plugin.open_overlap(options, names=wanted, axis=self.axis)
        return pairs

    @cached_property
    def land_nodes(self) -> LandNodes:
        """Nodes on land, by the land map."""
        return LandNodes(lambda: np.asarray(self._maps(("land_fraction",))["land_fraction"].values))

    @cached_property
    def coordinates(self) -> derived.Coordinates:
        """What variables are derived from besides others."""
        return derived.Coordinates(self.axis, self.grid.lat, co2.read_co2(self.drivers.co2) if self.drivers.co2 else None)

    def fields(self, arrays: Mapping[str, xr.DataArray]) -> FieldMaker:
        """Maker of the fields of variables made of these arrays."""
        return FieldMaker(self.grid, self.coordinates, arrays, self.land_nodes, self.threads)


def on_globe(da: xr.DataArray) -> xr.DataArray:
    """The array on its whole global grid, missing outside the area it covers; values are only placed, never changed.

    Raise `InputError` if the coordinates are not those of a regular global grid.
    """
    kind, size, where = da.attrs["grid"], _spacing(da), da.attrs.get("source")
    half, rows = (0.0, round(180.0 / size) + 1) if kind in ("nodes", "boxes") else (size / 2, round(180.0 / size))
    lat = 90.0 - half - np.arange(rows) * size
    lon = -180.0 + half + np.arange(round(360.0 / size)) * size
    row, column = (np.searchsorted(axis, da[n].values - 1e-3) for n, axis in (("lat", lat[::-1]), ("lon", lon)))
    exact = {"lat": lat[::-1][np.clip(row, 0, lat.size - 1)], "lon": lon[np.clip(column, 0, lon.size - 1)]}
    if any(np.abs(values - da[name].values).max() > 1e-3 for name, values in exact.items()):
        raise InputError(f"coordinates are not on the global grid of {size:g}° {kind}", where=where, found=da["lat"].values[:3])
    da = da.assign_coords(exact)
    if (da.sizes["lat"], da.sizes["lon"]) == (lat.size, lon.size):
        return da
    covered = f"{da.sizes['lat']} of {lat.size} rows, {da.sizes['lon']} of {lon.size} columns"
    _log.warning("%s: the files cover only %s", da.name, covered)
    return da.reindex(lat=lat, lon=lon)


def _spacing(da: xr.DataArray) -> float:
    if min(da.sizes["lat"], da.sizes["lon"]) < 2:
        raise InputError("a grid needs at least two rows and columns", where=da.attrs.get("source"), found=dict(da.sizes))
    sizes = [np.median(np.abs(np.diff(da[name].values))) for name in ("lat", "lon")]
    if abs(sizes[0] - sizes[1]) > 1e-3:
        raise InputError("rows and columns are not equally spaced", where=da.attrs.get("source"), found=sizes)
    return 180.0 / round(180.0 / float(np.mean(sizes)))
