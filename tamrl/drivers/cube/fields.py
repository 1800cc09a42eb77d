"""Dynamic variables on the cells of the maps: one class for each way to a value.

A field gives the values of consecutive parts of the time axis, one after the other. What it must remember from part to part lives
in that iteration, so that nothing depends on what was asked before. Reads lazily through the arrays it is given; opens and writes
no file.
"""

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, Protocol

import dask.base
import numpy as np
import xarray as xr

from tamrl import calendar, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers import composites, derived, regrid
from tamrl.drivers.derived import Coordinates, Derivation
from tamrl.grid import Grid
from tamrl.intake import border

_log = logging.getLogger(__name__)

PIECE_BYTES = 128 << 20
"""About how much of a source's grid is read at once."""

SCRATCH_BYTES = 256 << 20
"""From this size on, composites of all years lie on disk while they are filled."""

ACCEPTED_SHARE = 0.05
"""Least share of a cell's best view that a composite must have seen."""


class Field(Protocol):
    """A dynamic variable on the cells of the maps."""

    @property
    def attributes(self) -> Mapping[str, object]:
        """What its source says of it."""
        ...

    def values(self, parts: Sequence[slice]) -> Iterator[np.ndarray]:
        """Values of consecutive parts of the time axis: float32, each broadcastable to (time, lat, lon).

        Raise `UnitError` if values lie outside the vocabulary's range.
        """
        ...


def read_parts(axis: TimeAxis, block: slice) -> list[slice]:
    """A block of the time axis in parts that end with months (days) or years (months), as providers cut their files."""
    part = axis.start[block].astype("datetime64[M]" if axis.step == "day" else "datetime64[Y]")
    starts = [0, *(np.flatnonzero(part[1:] != part[:-1]) + 1).tolist(), part.size]
    return [slice(block.start + a, block.start + b) for a, b in pairwise(starts)]


class LandNodes:
    """Which nodes of a global grid lie on land, worked out once for each spacing; `land` gives the land share of pixels."""

    def __init__(self, land: Callable[[], np.ndarray]) -> None:
        self._land = land
        self._masks: dict[int, np.ndarray] = {}

    def mask(self, rows: int) -> np.ndarray:
        """1 on land, else 0, of nodes in `rows` rows from pole to pole: float32 (lat, lon)."""
        if rows not in self._masks:
            self._masks[rows] = regrid.land_nodes(self._land(), 180.0 / (rows - 1))
        return self._masks[rows]


@dataclass
class FieldMaker:
    """Makes the fields of variables."""

    grid: Grid
    """Grid of the maps."""
    at: Coordinates
    """The time axis of the run, and what derived variables need besides."""
    arrays: Mapping[str, xr.DataArray]
    """The sources' variables by name, on the whole globe."""
    land: LandNodes
    """Nodes that may stand for land."""
    threads: int = 1
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    """Nodes that stand for land, by variable, as far as they are known before its first step is read."""

    def field(self, name: str) -> Field:
        """The field of a variable; raises `ConfigError` if it is neither in a source nor derived."""
        if name in self.arrays:
            is_composite = self.arrays[name].attrs.get("cadence") == "composite"
            return CompositeField(self, name) if is_composite else SourceField(self, name)
        derivation = derived.derivation(name)
        kind = SummedField if derivation.summed else DerivedField
        return kind(name, derivation, self.at, self.grid, tuple(self.field(need) for need in derivation.needs))


def _load(da: xr.DataArray, maker: FieldMaker) -> np.ndarray:
    reading = border.reading(f"{da.name} cannot be read", where=da.attrs.get("source"))
    with reading, dask.config.set(scheduler="threads", num_workers=maker.threads):
        return np.asarray(da.data.compute() if dask.base.is_dask_collection(da.data) else da.data)


@dataclass(frozen=True)
class _FieldOfSource:
    """A variable that a source holds."""

    maker: FieldMaker
    name: str

    @property
    def _array(self) -> xr.DataArray:
        return self.maker.arrays[self.name]

    @property
    def attributes(self) -> Mapping[str, object]:
        """Attributes of the variable in its source."""
        return self._array.attrs


@dataclass(frozen=True)
class SourceField(_FieldOfSource):
    """A variable with one value per step in its source, brought onto the cells."""

    def values(self, parts: Sequence[slice]) -> Iterator[np.ndarray]:
        """See `Field`."""
        da = self._array
        size = max(1, PIECE_BYTES // (4 * da.sizes["lat"] * da.sizes["lon"]))
        for part in parts:
            blocks = regrid.consecutive_blocks(part.stop - part.start, size)
            pieces = [self._on_cells(da, slice(part.start + b.start, part.start + b.stop)) for b in blocks]
            yield pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _on_cells(self, da: xr.DataArray, steps: slice) -> np.ndarray:
        grid = self.maker.grid
        values = _load(da.isel(time=steps), self.maker)
        variables.check_range(values, name=self.name, where=da.attrs.get("source"))
        if da.attrs["grid"] == "nodes":
            return regrid.nodes_to_cells(values, target=grid, weights=self._node_weights(da))
        if da.attrs["grid"] == "boxes":
            return regrid.boxes_to_cells(values, target=grid)
        native = Grid.from_dataset(da)
        if native.resolution > grid.resolution:
            return regrid.centres_to_cells(values, target=grid)
        k = regrid.native_per_cell(target=grid.resolution, native=native.resolution, name=self.name)
        quality = _load(da["weight"].isel(time=steps), self.maker) if "weight" in da.coords else None
        return regrid.mean(*regrid.pixel_sums(values, native.area(), k, quality))

    def _node_weights(self, da: xr.DataArray) -> np.ndarray | None:
        """Nodes on land (as 1) that hold values in the first step, or None where all corners count."""
        if da.attrs.get("nodes") != "land":
            return None
        weights = self.maker.weights
        if self.name not in weights:
            land = self.maker.land.mask(da.sizes["lat"])
            present = np.isfinite(_load(da.isel(time=0), self.maker))
            weights[self.name] = land * present
            lacking = (land * ~present).sum()
            _log.info("%s: %d nodes on land, %d more hold no values", self.name, weights[self.name].sum(), lacking)
        return weights[self.name]


@dataclass(frozen=True)
class DerivedField:
    """A variable computed from others, or from place and date alone."""

    name: str
    derivation: Derivation
    at: Coordinates
    grid: Grid
    needs: tuple[Field, ...]

    @property
    def attributes(self) -> Mapping[str, object]:
        """That it is derived."""
        return {"source": "derived"}

    def values(self, parts: Sequence[slice]) -> Iterator[np.ndarray]:
        """See `Field`."""
        for _, values in self._computed(parts):
            yield self._checked(values)

    def _computed(self, parts: Sequence[slice]) -> Iterator[tuple[Coordinates, np.ndarray]]:
        streams = [need.values(parts) for need in self.needs]
        for part, *values in zip(parts, *streams, strict=True):
            at = self.at.part(part)
            yield at, self.derivation.compute(dict(zip(self.derivation.needs, values, strict=True)), at)

    def _checked(self, values: np.ndarray) -> np.ndarray:
        origin = f"derived from {', '.join(self.derivation.needs) or 'the calendar'}"
        variables.check_range(values, name=self.name, where=origin)
        return values


@dataclass(frozen=True)
class SummedField(DerivedField):
    """A variable that is summed over the growing year; the steps since the winter before the first part are read again."""

    def values(self, parts: Sequence[slice]) -> Iterator[np.ndarray]:
        """See `Field`."""
        first = parts[0].start
        lead = [slice(max(0, first - {"day": 366, "month": calendar.MONTHS}[self.at.time.step]), first)] if first else []
        total = np.full(self.grid.shape, np.nan)
        for k, (at, added) in enumerate(self._computed([*lead, *parts])):
            sums, total = derived.season_sums(added, at, total)
            if k >= len(lead):
                yield self._checked(sums)


class FilledComposites(NamedTuple):
    """Composites on the cells (composite, lat, lon): values with gaps filled, which of them were filled, and their share."""

    values: np.ndarray
    filled: np.ndarray
    share: float


@dataclass(frozen=True)
class CompositeField(_FieldOfSource):
    """A variable that comes as composites, all of which are filled on the cells before the first step is given."""

    @property
    def attributes(self) -> Mapping[str, object]:
        """Attributes of the variable in its source, and the share of the composites that was filled."""
        return {**super().attributes, "filled_share": round(self._composites.share, 6)}

    def values(self, parts: Sequence[slice]) -> Iterator[np.ndarray]:
        """See `Field`."""
        for part in parts:
            yield self._on_steps(part, self._composites.values, composites.to_steps)

    def filled(self, part: slice) -> np.ndarray:
        """Which values of the steps of `part` rest on a composite that was filled, bool (time, lat, lon).

        A month does if it does on most of its days.
        """
        return self._on_steps(part, self._composites.filled, composites.touched)

    def _on_steps(self, part: slice, maps: np.ndarray, at_days: Callable[..., np.ndarray]) -> np.ndarray:
        """What `at_days` makes of composites, on days or as means of months; bools where they were bools."""
        time = _days(self._array["time"].values)
        axis = self.maker.at.time.part(part)
        if axis.step == "day":
            return at_days(maps, time=time, at=_days(axis.start))
        means = np.stack([at_days(maps, time=time, at=_days(np.arange(*month))).mean(0) for month in axis.bounds])
        return means >= 0.5 if maps.dtype == bool else means

    @cached_property
    def _composites(self) -> FilledComposites:
        da, grid = self._array, self.maker.grid
        native = Grid.from_dataset(da)
        k = regrid.native_per_cell(target=grid.resolution, native=native.resolution, name=self.name)
        shape = (da.sizes["time"], *grid.shape)
        values, weights = _scratch(shape), _scratch(shape)
        for index in range(shape[0]):
            pixels = _load(da.isel(time=index), self.maker)
            quality = _load(da["weight"].isel(time=index), self.maker)
            variables.check_range(pixels, name=self.name, where=da.attrs.get("source"))
            sums, weight = regrid.pixel_sums(pixels, native.area(), k, quality)
            values[index], weights[index] = regrid.mean(sums, weight), weight / native.area().max()
        return self._fill(values, weights, da["time"].values)

    def _fill(self, values: np.ndarray, weights: np.ndarray, time: np.ndarray) -> FilledComposites:
        filled, seen = _scratch(values.shape, bool), 0
        season = calendar.day_of_year(time)
        for rows in regrid.consecutive_blocks(values.shape[1], 30):
            part = np.where(composites.accept(weights[:, rows], ACCEPTED_SHARE), values[:, rows], np.nan)
            ever = np.isfinite(part).any(0)
            complete, was_gap = composites.fill_gaps(part.reshape(len(part), -1), time=_days(time), season=season)
            values[:, rows], filled[:, rows] = complete.reshape(part.shape), was_gap.reshape(part.shape)
            seen += int(ever.sum()) * len(part)
        share = int(filled.sum()) / max(seen, 1)
        _log.info("%s: %.2f %% of the composites of cells with data were filled in time", self.name, 100 * share)
        return FilledComposites(values, filled, share)


def _scratch(shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
    """An empty array; a large one lies in a file that vanishes, so that memory does not grow with the years."""
    if np.dtype(dtype).itemsize * np.prod(shape, dtype="int64") < SCRATCH_BYTES:
        return np.empty(shape, dtype)
    return np.memmap(tempfile.TemporaryFile(), dtype=dtype, mode="w+", shape=shape)


def _days(time: np.ndarray) -> np.ndarray:
    """Days since 1970 as float64."""
    days: np.ndarray = time.astype("datetime64[ns]").astype("int64") / 86_400e9
    return days
