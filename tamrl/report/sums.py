"""Sums over the maps, block of steps by block, from which the report draws its figures (`tamrl.reduce`).

All sums are associative, so neither the size of the blocks nor the order of the files changes a number, and a year of daily maps
never lies in memory. Only land cells are summed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from tamrl import calendar, carbon
from tamrl.classes import GLOBE, LATITUDE_BANDS
from tamrl.errors import ContractError
from tamrl.reduce import COVERED, WeightedSum, divide_sums, over_classes, over_rows, over_time, weigh

SPREAD_EDGES = np.geomspace(0.02, 20.0, 29)
"""Edges of the classes of predicted standard deviation, gC m-2 d-1."""

BARE = 0.02
"""Steps whose spread and reference are both smaller (gC m-2 d-1) are left out: ice and deserts would raise the coverage."""


@dataclass(frozen=True)
class LandCells:
    """The land cells of a grid and their land area."""

    lat: np.ndarray
    """(lat,), degrees."""
    mask: np.ndarray
    """(lat, lon), cells with land."""
    area: np.ndarray
    """(land,), m2 of land."""
    name: str = GLOBE
    """Name of all this land in tables."""

    @classmethod
    def of(cls, *, lat: np.ndarray, land_fraction: np.ndarray, cell_area: np.ndarray, name: str = GLOBE) -> "LandCells":
        """From the fields of a map file; a missing fraction is sea.

        Parameters
        ----------
        lat : array (lat), degrees north
        land_fraction, cell_area : arrays (lat, lon); 1 and m2
        name : of all land in tables, `classes.GLOBE` or `classes.REGION`
        """
        mask = np.isfinite(land_fraction) & (land_fraction > 0)
        area = np.broadcast_to(cell_area, mask.shape)[mask] * land_fraction[mask]
        return cls(np.asarray(lat, "f8"), mask, area.astype("f8"), name)

    @cached_property
    def rows(self) -> np.ndarray:
        """Row of each land cell (land,)."""
        rows: np.ndarray = self._places // self.mask.shape[1]
        return rows

    @cached_property
    def _places(self) -> np.ndarray:
        """Place of each land cell among all cells (land,)."""
        return np.flatnonzero(self.mask)

    def take(self, values: np.ndarray) -> np.ndarray:
        """Take the land cells of a field: (..., lat, lon) to (..., land), float64."""
        values = np.asarray(values)
        return np.take(values.reshape(*values.shape[:-2], -1), self._places, axis=-1).astype("f8")

    def field(self, values: np.ndarray) -> np.ndarray:
        """Put values back on the grid: (land,) to (lat, lon) float32, missing elsewhere."""
        grid = np.full(self.mask.shape, np.nan, dtype="f4")
        grid[self.mask] = values
        return grid

    def by_row(self, sums: np.ndarray) -> np.ndarray:
        """Sum over the land area of each row of the grid: (..., land) to (..., lat)."""
        return over_rows(sums * self.area, self.rows, rows=self.mask.shape[0])


@dataclass(frozen=True)
class FluxBlock:
    """Consecutive steps of a flux: fields on the land cells (time, land), gC m-2 d-1, with bins of the year and days (time,)."""

    bins: np.ndarray
    days: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    q05: np.ndarray
    q95: np.ndarray
    reference: np.ndarray | None = None


class FieldSums:
    """Weighted sums of one quantity: per cell over time (land,), and per row of the grid over bins of the year (bin, lat)."""

    def __init__(self, land: LandCells, bins: int) -> None:
        self.land = land
        self.cells = WeightedSum.zero(land.area.size)
        self.rows = WeightedSum.zero(bins, land.mask.shape[0])

    def add(self, values: np.ndarray, *, bins: np.ndarray, days: np.ndarray) -> None:
        """Add steps: `values` (time, land) with missing ones, `bins` and `days` (time,)."""
        steps = weigh(values, days[:, None], known=np.isfinite(values))
        self.cells += steps.over_steps()
        self.rows.add_steps(bins, steps.map(self.land.by_row))

    def mean(self) -> np.ndarray:
        """Mean over time (lat, lon)."""
        return self.land.field(self.cells.mean())

    def hovmoeller(self) -> np.ndarray:
        """Mean over the land of each row (bin, lat)."""
        return self.rows.mean()

    def cycle(self, south: float, north: float) -> np.ndarray:
        """Mean cycle over the land between two latitudes (bin,)."""
        rows = (self.land.lat >= south) & (self.land.lat < north)
        return self.rows.map(lambda sums: sums[:, rows].sum(1)).mean()


def is_bare(*, std: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Mark where neither the predicted spread nor the reference reaches `BARE` (inputs of one shape, gC m-2 d-1)."""
    return np.asarray((std < BARE) & (np.abs(reference) < BARE))


class ReferenceSums:
    """Coverage of a reference by the predicted intervals, and errors against predicted spread.

    `mean` and `estimate` have the reference and the estimate in the steps with both. `places` has the days on which the reference
    lies below, inside and above the interval, `total` (3, land). `spread` has std² and error² by class of spread, (2, class),
    weighted by land area and days.
    """

    def __init__(self, land: LandCells, bins: int) -> None:
        self.land = land
        self.mean, self.estimate = FieldSums(land, bins), FieldSums(land, bins)
        self.places = WeightedSum(np.zeros((3, land.area.size)), np.zeros(land.area.size))
        classes = len(SPREAD_EDGES) + 1
        self.spread = WeightedSum(np.zeros((2, classes)), np.zeros(classes))

    def add(self, block: FluxBlock, reference: np.ndarray) -> None:
        """Add steps with their reference (time, land)."""
        known = np.isfinite(reference) & np.isfinite(block.mean)
        for sums, values in ((self.mean, reference), (self.estimate, block.mean)):
            sums.add(np.where(known, values, np.nan), bins=block.bins, days=block.days)
        known &= np.isfinite(block.q05) & np.isfinite(block.q95)
        known &= ~is_bare(std=block.std, reference=reference)
        below, above = known & (reference < block.q05), known & (reference > block.q95)
        self.places += over_time((below, known & ~below & ~above, above), block.days, known=known)
        std, error = block.std[known], (block.mean - reference)[known]
        weight = np.broadcast_to(self.land.area * block.days[:, None], known.shape)[known]
        classes = np.searchsorted(SPREAD_EDGES, std)
        self.spread += over_classes((std**2, error**2), weight, classes, classes=self.spread.weight.size)

    def error(self) -> np.ndarray:
        """Mean over time of estimate minus reference (lat, lon)."""
        return np.asarray(self.estimate.mean() - self.mean.mean())

    def coverage(self) -> np.ndarray:
        """Share of the steps whose reference lies in the interval (lat, lon)."""
        return self.land.field(self.places.mean()[1])

    def row_coverage(self) -> np.ndarray:
        """Share of land and time whose reference lies in the interval, by row of the grid (lat,)."""
        return np.asarray(self.places.map(self.land.by_row).mean()[1])

    def shares(self) -> np.ndarray:
        """Shares of land and time below, inside and above the interval (3,)."""
        return self.places.map(lambda sums: (sums * self.land.area).sum(-1)).mean()

    def reliability(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Predicted spread, actual error (both root mean squares) and share of land and time, per class of spread."""
        weight = self.spread.weight
        std, error = np.sqrt(self.spread.mean())
        return std, error, weight / weight.sum() if weight.sum() else weight


class FluxSums:
    """All sums of one flux; fill it with `add` and `add_members`, then read its parts.

    Parameters
    ----------
    step : {"day", "month"}
    members : number of members that will be added (0: none)
    reference : whether blocks carry a reference
    """

    def __init__(self, land: LandCells, *, step: calendar.Step, members: int, reference: bool) -> None:
        self.land, self.step = land, step
        zero = partial(FieldSums, land, calendar.MONTHS if step == "month" else calendar.PENTADS)
        self.mean, self.std = zero(), zero()
        self.members: Sequence[FieldSums] = [zero() for _ in range(members)]
        self.reference = ReferenceSums(land, self.mean.rows.weight.shape[0]) if reference else None
        self.days = 0.0

    def block(
        self,
        time: np.ndarray,
        *,
        mean: np.ndarray,
        std: np.ndarray,
        q05: np.ndarray,
        q95: np.ndarray,
        reference: np.ndarray | None = None,
    ) -> FluxBlock:
        """Take the land cells of some steps.

        Parameters
        ----------
        time : (time,) datetime64
        mean, std, q05, q95, reference : fields (time, lat, lon), gC m-2 d-1
        """
        axis = calendar.TimeAxis(time, self.step)
        take = self.land.take
        known = None if reference is None else take(reference)
        return FluxBlock(axis.bins, axis.days, take(mean), take(std), take(q05), take(q95), known)

    def add(self, block: FluxBlock) -> None:
        """Add steps of the estimate, its spread and interval, and the reference where there is one."""
        self.days += float(block.days.sum())
        self.mean.add(block.mean, bins=block.bins, days=block.days)
        self.std.add(block.std, bins=block.bins, days=block.days)
        if self.reference is not None and block.reference is not None:
            self.reference.add(block, block.reference)

    def add_members(self, time: np.ndarray, values: np.ndarray) -> None:
        """Add steps of all members, (time, member, lat, lon), gC m-2 d-1.

        Raises `ContractError` if the number of members differs.
        """
        if values.shape[1] != len(self.members):
            raise ContractError("files of members differ in their number", found=f"{values.shape[1]}, {len(self.members)} before")
        axis = calendar.TimeAxis(time, self.step)
        for k, sums in enumerate(self.members):
            sums.add(self.land.take(values[:, k]), bins=axis.bins, days=axis.days)

    def _sums(self) -> dict[str, WeightedSum]:
        """All sums by name."""
        fields = {"mean": self.mean, "std": self.std} | {f"member {k}": member for k, member in enumerate(self.members)}
        further: dict[str, WeightedSum] = {}
        if self.reference is not None:
            fields |= {"reference": self.reference.mean, "compared estimate": self.reference.estimate}
            further = {"places": self.reference.places, "spread": self.reference.spread}
        return {f"{name} {kind}": getattr(part, kind) for name, part in fields.items() for kind in ("cells", "rows")} | further

    def arrays(self) -> dict[str, np.ndarray]:
        """All sums as arrays by name, for a file; `members` is their number."""
        parts = {f"{name} {kind}": getattr(part, kind) for name, part in self._sums().items() for kind in ("total", "weight")}
        return parts | {"days": np.asarray(self.days), "members": np.asarray(len(self.members))}

    def add_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Add the sums of other steps, as `arrays` gave them.

        Raises `ContractError` if the number of members differs.
        """
        if (count := int(arrays["members"])) != len(self.members):
            raise ContractError("sums of maps differ in their members", found=f"{count}, {len(self.members)} before")
        for name, part in self._sums().items():
            part.total[...] += arrays[f"{name} total"]
            part.weight[...] += arrays[f"{name} weight"]
        self.days += float(arrays["days"])

    @property
    def compared(self) -> ReferenceSums:
        """Sums of the reference; raises `ContractError` without one."""
        if self.reference is None:
            raise ContractError("the maps have no reference")
        return self.reference

    @property
    def missing(self) -> float:
        """Share of land and time without a value."""
        total = self.land.area.sum() * self.days
        return float(1 - (self.mean.cells.weight * self.land.area).sum() / total) if total else 0.0

    def member_spread(self) -> np.ndarray:
        """Standard deviation over the members, two or more, of the mean over time (lat, lon)."""
        return self.land.field(np.stack([member.cells.mean() for member in self.members]).std(0, ddof=1))

    def bands(self) -> dict[str, tuple[float, float]]:
        """Latitude bands that hold values."""
        return {name: edges for name, edges in LATITUDE_BANDS.items() if np.isfinite(self.mean.cycle(*edges)).any()}

    def totals(self, quantity: FieldSums) -> dict[str, float]:
        """Totals of a quantity by latitude band (of the globe alone) and of all land, PgC yr-1: cell mean times area times days.

        A cell without values adds nothing. The days of a year are those summed, divided by the years that they fill (at least
        one).
        """
        return self._by_band(np.nan_to_num(quantity.cells.mean()) * self.days)

    def common_totals(self, quantity: FieldSums) -> dict[str, float]:
        """The same over the cells and days alone that have estimate and reference."""
        return self._by_band(np.nan_to_num(quantity.cells.mean()) * self.compared.mean.cells.weight)

    def covered(self) -> dict[str, float]:
        """Share of the land and time with an estimate that has a reference too, by latitude band and of all land."""
        estimate, both = (self._by_band(sums.cells.weight) for sums in (self.mean, self.compared.mean))
        return {band: share / estimate[band] if estimate[band] else np.nan for band, share in both.items()}

    def filled_totals(self) -> dict[str, float]:
        """Totals of the reference, its gaps filled with the estimate; NaN where it covers less than `COVERED`."""
        every, ours, theirs = self.totals(self.mean), *map(self.common_totals, (self.compared.estimate, self.compared.mean))
        covered = self.covered()
        return {band: every[band] + theirs[band] - ours[band] if covered[band] >= COVERED else np.nan for band in every}

    def filled_cycle(self, south: float, north: float) -> np.ndarray:
        """Mean cycle of the reference between two latitudes (bin,), filled as `filled_totals` are."""
        rows = (self.land.lat >= south) & (self.land.lat < north)
        parts = (self.mean, self.compared.estimate, self.compared.mean)
        every, ours, theirs = (part.rows.map(lambda sums: sums[:, rows].sum(1)) for part in parts)
        mean = divide_sums(every.total + theirs.total - ours.total, every.weight)
        return np.where(theirs.weight >= COVERED * every.weight, mean, np.nan)

    def _by_band(self, cells: np.ndarray) -> dict[str, float]:
        """Sums over land of sums over days (land,), in Pg per year."""
        cells = cells * self.land.area / max(1, round(self.days / 365.25)) / carbon.GRAMS_PER_PETAGRAM
        lat = self.land.lat[self.land.rows]
        parts = {band: float(cells[(lat >= south) & (lat < north)].sum()) for band, (south, north) in self.bands().items()}
        return (parts if self.land.name == GLOBE else {}) | {self.land.name: float(cells.sum())}
