"""Dynamic variables on the cells of the maps, for any part of the time axis: read, regridded, filled or derived.

Reads lazily through the arrays it is given; opens and writes no file.
"""

import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import dask
import numpy as np
import xarray as xr

from tamrl import calendar, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers import composites, derived, regrid
from tamrl.grid import Grid
from tamrl.intake import border

log = logging.getLogger(__name__)

PIECE_BYTES = 128 << 20
"""About how much of a source's grid is read at once."""

SCRATCH_BYTES = 256 << 20
"""From this size on, composites of all years lie on disk while they are filled."""

ACCEPTED_SHARE = 0.05
"""Least share of a cell's best view that a composite must have seen."""


@dataclass
class Cells:
    """Dynamic variables on the cells of `grid`, for any part of the run's time axis.

    `arrays` are the sources' variables by name (whole globe); `land` is the land share of pixels, for nodes on land only.
    """

    grid: Grid
    at: derived.Coordinates
    arrays: dict[str, xr.DataArray]
    land: Callable[[], np.ndarray]
    threads: int = 1
    weights: dict[str, np.ndarray | None] = field(default_factory=dict)
    """Nodes that stand for land, by variable; found when it is first read."""
    _on_land: dict[int, np.ndarray] = field(default_factory=dict)
    _composites: tuple[str, np.ndarray, np.ndarray] | None = None
    _sums: dict[str, tuple[int, np.ndarray]] = field(default_factory=dict)

    @property
    def time(self) -> TimeAxis:
        """The time axis of the run."""
        return self.at.time

    def values(self, name: str, part: slice) -> np.ndarray:
        """Cell values of the steps of `part`: float32, broadcastable to (time, lat, lon).

        Raises
        ------
        UnitError
            If values lie outside the vocabulary's range.
        """
        if name not in self.arrays:
            entry = derived.get(name)
            at = replace(self.at, time=self.time.part(part))
            found = entry.compute({need: self.values(need, part) for need in entry.needs}, at)
            if entry.summed:
                found = self._summed(name, found, at, part)
            variables.check_range(found, name=name, where=f"derived from {', '.join(entry.needs) or 'the calendar'}")
            return found
        if self.arrays[name].attrs.get("cadence") == "composite":
            return self._from_composites(name, part)
        pieces = [self._read(name, piece) for piece in self._pieces(name, part)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _summed(self, name: str, added: np.ndarray, at: derived.Coordinates, part: slice) -> np.ndarray:
        """Sums over the growing year, going on from the steps before; those are read again if they were not the last asked."""
        until, before = self._sums.pop(name, (0, None))
        if before is None or part.start == 0:
            until, before = 0, np.full(self.grid.shape, np.nan)
        if until != part.start:
            back = slice(max(0, part.start - {"day": 366, "month": 12}[self.time.step]), part.start)
            self._sums[name] = (back.start, np.full(self.grid.shape, np.nan))
            self.values(name, back)
            _, before = self._sums.pop(name)
        found, total = derived.season_sums(added, at, before)
        self._sums[name] = (part.stop, total)
        return found

    def _pieces(self, name: str, part: slice) -> Iterator[slice]:
        da = self.arrays[name]
        size = max(1, PIECE_BYTES // (4 * da.sizes["lat"] * da.sizes["lon"]))
        for piece in regrid.blocks(part.stop - part.start, size):
            yield slice(part.start + piece.start, part.start + piece.stop)

    def _load(self, da: xr.DataArray, name: str) -> np.ndarray:
        reading = border.reading(f"{name} cannot be read", where=self.arrays[name].attrs.get("source"))
        with reading, dask.config.set(scheduler="threads", num_workers=self.threads):
            return np.asarray(da.data.compute() if dask.is_dask_collection(da.data) else da.data)

    def _read(self, name: str, part: slice) -> np.ndarray:
        da = self.arrays[name]
        values = self._load(da.isel(time=part), name)
        variables.check_range(values, name=name, where=da.attrs.get("source"))
        if da.attrs["grid"] == "nodes":
            return regrid.nodes_to_cells(values, target=self.grid, weights=self._node_weights(name))
        if da.attrs["grid"] == "boxes":
            return regrid.boxes_to_cells(values, target=self.grid)
        native = Grid(180.0 / da.sizes["lat"])
        k = regrid.ratio(target=self.grid.resolution, native=native.resolution, what=name)
        quality = self._load(da["weight"].isel(time=part), name) if "weight" in da.coords else None
        return regrid.mean(*regrid.pixel_sums(values, native.area(), k, quality))

    def _node_weights(self, name: str) -> np.ndarray | None:
        """Nodes on land (as 1) that hold values in the first step, or None where all corners count."""
        da = self.arrays[name]
        if da.attrs.get("nodes") != "land":
            return None
        if name not in self.weights:
            rows = da.sizes["lat"]
            if rows not in self._on_land:
                self._on_land[rows] = regrid.land_nodes(self.land(), 180.0 / (rows - 1))
            present = np.isfinite(self._load(da.isel(time=0), name))
            self.weights[name] = self._on_land[rows] * present
            gone = (self._on_land[rows] * ~present).sum()
            log.info("%s: %d nodes on land, %d more hold no values", name, self.weights[name].sum(), gone)
        return self.weights[name]

    def filled(self, name: str, part: slice) -> np.ndarray | None:
        """Which values of the steps of `part` rest on a composite that was filled, bool (time, lat, lon).

        A month does if it does on most of its days. None where a variable has no composites of its own.
        """
        if name not in self.arrays or self.arrays[name].attrs.get("cadence") != "composite":
            return None
        return self._on_steps(name, part, self._of(name)[1], composites.touched)

    def _from_composites(self, name: str, part: slice) -> np.ndarray:
        return self._on_steps(name, part, self._of(name)[0], composites.to_steps)

    def _on_steps(self, name: str, part: slice, of: np.ndarray, at_days: Callable[..., np.ndarray]) -> np.ndarray:
        """What `at_days` makes of composites, on days or as means of months; bools where they were bools."""
        time = _days(self.arrays[name]["time"].values)
        axis = self.time.part(part)
        if axis.step == "day":
            return at_days(of, time=time, at=_days(axis.start))
        means = np.stack([at_days(of, time=time, at=_days(np.arange(*month))).mean(0) for month in axis.bounds])
        return means >= 0.5 if of.dtype == bool else means

    def _of(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Composites of a variable on the cells, gaps filled, and which of them were; those of the last one are kept."""
        if self._composites is None or self._composites[0] != name:
            self._composites = (name, *self._fill(name))
        return self._composites[1:]

    def _fill(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """All composites of a variable on the cells (composite, lat, lon), float32, gaps filled; and which were, bool."""
        da = self.arrays[name]
        native = Grid(180.0 / da.sizes["lat"])
        k = regrid.ratio(target=self.grid.resolution, native=native.resolution, what=name)
        shape = (da.sizes["time"], *self.grid.shape)
        values, weights = _scratch(shape), _scratch(shape)
        for index in range(shape[0]):
            pixels = self._load(da.isel(time=index), name)
            quality = self._load(da["weight"].isel(time=index), name)
            variables.check_range(pixels, name=name, where=da.attrs.get("source"))
            sums, weight = regrid.pixel_sums(pixels, native.area(), k, quality)
            values[index], weights[index] = regrid.mean(sums, weight), weight / native.area().max()
        return self._filled_rows(values, weights, name)

    def _filled_rows(self, values: np.ndarray, weights: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
        da, seen = self.arrays[name], 0
        filled = _scratch(values.shape, bool)
        season = calendar.day_of_year(da["time"].values)
        for rows in regrid.blocks(self.grid.shape[0], 30):
            part = np.where(composites.accept(weights[:, rows], ACCEPTED_SHARE), values[:, rows], np.nan)
            ever = np.isfinite(part).any(0)
            done, was = composites.fill_gaps(part.reshape(len(part), -1), time=_days(da["time"].values), season=season)
            values[:, rows], filled[:, rows] = done.reshape(part.shape), was.reshape(part.shape)
            seen += int(ever.sum()) * len(part)
        share = int(filled.sum()) / max(seen, 1)
        da.attrs["filled_share"] = round(share, 6)
        log.info("%s: %.2f %% of the composites of cells with data were filled in time", name, 100 * share)
        return values, filled


def _scratch(shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
    """An empty array; a large one lies in a file that vanishes, so that memory does not grow with the years."""
    if np.dtype(dtype).itemsize * np.prod(shape, dtype="int64") < SCRATCH_BYTES:
        return np.empty(shape, dtype)
    return np.memmap(tempfile.TemporaryFile(), dtype=dtype, mode="w+", shape=shape)


def _days(time: np.ndarray) -> np.ndarray:
    """Days since 1970 as float64."""
    return time.astype("datetime64[ns]").astype("int64") / 86_400e9
