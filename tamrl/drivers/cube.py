"""What the cube is made of: who provides which variable, its time axis, and statics on the cells, strip by strip.

Reads lazily through the arrays it is given; opens and writes no file.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import xarray as xr

from tamrl import classes, variables
from tamrl.drivers import derived, plausible, regrid
from tamrl.errors import ConfigError, InputError, UnitError
from tamrl.grid import Grid

log = logging.getLogger(__name__)

CHUNK = (365, 30, 60)
"""Steps, rows and columns of a chunk: a tile's series lie in few chunks."""

WATER = classes.IGBP.index("WAT")


def provider(name: str, sources: tuple[str, ...]) -> str | None:
    """The first of `sources` that has the variable, or None if it is derived; raises `ConfigError` if neither is so."""
    entry = variables.get(name)
    for source in sources:
        if source in entry.sources:
            return source
    if entry.derived:
        return None
    raise ConfigError(
        f"no source of {name}",
        where="drivers.sources",
        found=list(sources),
        todo=f"add one of {sorted(entry.sources) or 'none known'}, or take {name} out of drivers.variables",
    )


def plan(names: tuple[str, ...], sources: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """What to open in which source so that all `names` can be read or derived: source -> variables."""
    found: dict[str, tuple[str, ...]] = dict.fromkeys(sources, ())
    todo = list(names)
    while todo:
        name = todo.pop(0)
        source = provider(name, sources)
        if source is None:
            todo += derived.get(name).needs
        elif name not in found[source]:
            found[source] += (name,)
    return found


def pieces(time: np.ndarray, block: slice) -> list[slice]:
    """A block of the time axis in parts that end with months (days) or years (months), as providers cut their files."""
    unit = "M" if time.size < 2 or time[1] - time[0] < np.timedelta64(2, "D") else "Y"
    part = time[block].astype(f"datetime64[{unit}]")
    starts = [0, *(np.flatnonzero(part[1:] != part[:-1]) + 1), part.size]
    return [slice(block.start + int(a), block.start + int(b)) for a, b in pairwise(starts)]


def static_cells(da: xr.DataArray, *, name: str, grid: Grid, threads: int) -> np.ndarray:
    """A static map on the cells: float32 (lat, lon), or (class, lat, lon) fractions of the land where it has classes."""
    members = variables.get(name).members
    native = Grid(180.0 / da.sizes["lat"])
    k = regrid.ratio(target=grid.resolution, native=native.resolution, what=name)
    area = native.area()

    def cells(rows: slice) -> tuple[np.ndarray, ...]:
        """Sums of a strip of rows of cells."""
        pixels = slice(rows.start * k, rows.stop * k)
        values = da.isel(lat=pixels).data.compute(scheduler="synchronous")
        if members:
            return (regrid.class_areas(values, area[pixels], k, len(members)),)
        variables.check_range(values, name=name, where=da.attrs.get("source"))
        return regrid.pixel_sums(values, area[pixels], k)

    with ThreadPoolExecutor(threads) as pool:
        strips = list(pool.map(cells, regrid.blocks(grid.shape[0], max(1, 600 // k))))
    whole = [np.concatenate(parts, axis=-2) for parts in zip(*strips, strict=True)]
    if members:
        return regrid.fractions(whole[0], without=WATER if name == "igbp_fraction" else None)
    return regrid.mean(*whole)


def on_globe(da: xr.DataArray) -> xr.DataArray:
    """The array on its whole global grid, missing outside the area it covers; values are only placed, never changed.

    Raises
    ------
    InputError
        If the coordinates are not those of a regular global grid.
    """
    kind, size, where = da.attrs["grid"], _spacing(da), da.attrs.get("source")
    half, rows = (0.0, round(180.0 / size) + 1) if kind in ("nodes", "boxes") else (size / 2, round(180.0 / size))
    lat = 90.0 - half - np.arange(rows) * size
    lon = -180.0 + half + np.arange(round(360.0 / size)) * size
    places = [np.searchsorted(whole, da[n].values - 1e-3) for n, whole in (("lat", lat[::-1]), ("lon", lon))]
    whole = (lat[::-1][np.clip(places[0], 0, lat.size - 1)], lon[np.clip(places[1], 0, lon.size - 1)])
    if any(np.abs(on - da[n].values).max() > 1e-3 for n, on in zip(("lat", "lon"), whole, strict=True)):
        raise InputError(f"coordinates are not on the global grid of {size:g}° {kind}", where=where, found=da["lat"].values[:3])
    da = da.assign_coords(lat=whole[0], lon=whole[1])
    if (da.sizes["lat"], da.sizes["lon"]) == (lat.size, lon.size):
        return da
    found = f"{whole[0].size} of {lat.size} rows, {whole[1].size} of {lon.size} columns"
    log.warning("%s: the files cover only %s", da.name, found)
    return da.reindex(lat=lat, lon=lon)


def _spacing(da: xr.DataArray) -> float:
    if min(da.sizes["lat"], da.sizes["lon"]) < 2:
        raise InputError("a grid needs at least two rows and columns", where=da.attrs.get("source"), found=dict(da.sizes))
    sizes = [np.median(np.abs(np.diff(da[name].values))) for name in ("lat", "lon")]
    if abs(sizes[0] - sizes[1]) > 1e-3:
        raise InputError("rows and columns are not equally spaced", where=da.attrs.get("source"), found=sizes)
    return 180.0 / round(180.0 / float(np.mean(sizes)))


@dataclass
class Tally:
    """What was seen of a variable over land: its largest value, how many cell-steps are missing, and its zonal means."""

    name: str
    largest: float = -np.inf
    missing: int = 0
    seen: int = 0
    profiles: list[np.ndarray] = field(default_factory=list)
    counts: list[np.ndarray] = field(default_factory=list)
    columns: int = 0

    def add(self, values: np.ndarray, land: np.ndarray) -> None:
        """Count a block (time, lat, lon) that holds values over land only."""
        size = values.shape[0] * int(land.sum())
        self.seen += size
        self.missing += size - int(np.count_nonzero(np.isfinite(values)))
        self.largest = max(self.largest, float(np.fmax.reduce(values, axis=None, initial=-np.inf)))
        self.see(values)

    def see(self, values: np.ndarray) -> None:
        """Keep the zonal means of steps without counting them: those before a series that goes on."""
        some = np.ascontiguousarray(values[:, :, :: max(1, values.shape[2] // 90)])  # gathered once, looked at twice
        count = np.isfinite(some).sum(2)
        self.columns = some.shape[2]
        self.counts.append(count)
        self.profiles.append(np.where(count > 0, np.nansum(some, 2) / np.maximum(count, 1), np.nan))

    def check(self, time: np.ndarray, where: object) -> None:
        """Refuse a variable without values, one whose largest value is implausibly small (`peak` of the vocabulary), and one with
        an impossible mean or season (`plausible.check`).

        `time` are the steps whose zonal means were kept.
        """
        entry = variables.get(self.name)
        if self.seen and self.missing == self.seen:
            raise InputError(f"{self.name} has no value over land", where=where)
        profiles, counts = np.concatenate(self.profiles), np.concatenate(self.counts)
        about = {"time": time[: len(profiles)], "columns": self.columns}
        if entry.peak is not None and self.seen and self.largest < entry.peak and plausible.reaches_peak(counts, **about):
            raise UnitError(
                f"{self.name} never reaches {entry.peak:g} {entry.units} on the globe",
                where=where,
                found=f"at most {self.largest:.4g}",
                todo="check the unit: the values are probably in a larger one than the vocabulary says",
            )
        plausible.check(self.name, profiles, counts, where=where, **about)
        if (odd := upside_down(profiles)).size:
            days = ", ".join(str(time[k].astype("datetime64[D]")) for k in odd[:5])
            log.warning("%s: %d steps look as if north and south were exchanged: %s", self.name, odd.size, days)
        log.info("%s: %d of %d land cell-steps missing, at most %.4g", self.name, self.missing, self.seen, self.largest)


def upside_down(profiles: np.ndarray) -> np.ndarray:
    """Steps whose zonal mean (time, lat) is far nearer to its neighbours in time when turned upside down; missing allowed."""
    if len(profiles) < 3:
        return np.array([], int)
    around = (profiles[:-2] + profiles[2:]) / 2
    middle = profiles[1:-1]
    both = np.isfinite(middle) & np.isfinite(middle[:, ::-1]) & np.isfinite(around)
    straight = np.where(both, np.abs(middle - around), 0).sum(1)
    turned = np.where(both, np.abs(middle[:, ::-1] - around), 0).sum(1)
    return np.flatnonzero(both.any(1) & (turned < straight / 4)) + 1
