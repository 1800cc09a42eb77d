"""Sums over a map, block of steps by block, from which the report's pictures are made.

All sums are associative (Σ w·x and Σ w with a mask of what is there), so neither the size of the blocks nor the order
of the files changes a number, and a year of daily maps never lies in memory as a whole. Only land cells are summed.
"""

from dataclasses import dataclass, field

import numpy as np

from tamrl import calendar
from tamrl.classes import LATITUDE_BANDS
from tamrl.errors import ContractError

SPREAD_EDGES = np.geomspace(0.02, 20.0, 29)
"""Edges of the classes of predicted standard deviation, gC m-2 d-1."""

BARE = 0.02
"""Where spread and reference are both smaller (gC m-2 d-1), nothing is predicted: ice and deserts would only flatter coverage."""


@dataclass(frozen=True)
class Land:
    """The land cells of a global grid and their land area."""

    lat: np.ndarray
    """(lat,), degrees."""
    mask: np.ndarray
    """(lat, lon), cells with land."""
    area: np.ndarray
    """(land,), m2 of land."""

    @classmethod
    def of(cls, *, lat: np.ndarray, land_fraction: np.ndarray, cell_area: np.ndarray) -> "Land":
        """From the fields of a map file, each (lat, lon); a missing fraction is sea."""
        mask = np.isfinite(land_fraction) & (land_fraction > 0)
        area = np.broadcast_to(cell_area, mask.shape)[mask] * land_fraction[mask]
        return cls(np.asarray(lat, "f8"), mask, area.astype("f8"))

    @property
    def rows(self) -> np.ndarray:
        """Row of each land cell (land,)."""
        return np.nonzero(self.mask)[0]

    def take(self, values: np.ndarray) -> np.ndarray:
        """Land cells of a field: (..., lat, lon) to (..., land), float64."""
        return np.asarray(values)[..., self.mask].astype("f8")

    def field(self, values: np.ndarray) -> np.ndarray:
        """Back on the grid: (land,) to (lat, lon) float32, missing elsewhere."""
        full = np.full(self.mask.shape, np.nan, dtype="f4")
        full[self.mask] = values
        return full

    def zonal(self, values: np.ndarray) -> np.ndarray:
        """Sums over each row of the grid: (..., land) to (..., lat)."""
        rows = self.rows
        sums = np.zeros((*values.shape[:-1], self.mask.shape[0]))
        if rows.size:
            first = np.unique(rows, return_index=True)[1]
            sums[..., rows[first]] = np.add.reduceat(values, first, axis=-1)
        return sums


@dataclass
class Sums:
    """Weighted sums of one quantity: per cell over time, and per row of the grid over bins of the year."""

    cell: np.ndarray
    cell_weight: np.ndarray
    zonal: np.ndarray
    zonal_weight: np.ndarray

    @classmethod
    def zero(cls, land: Land, bins: int) -> "Sums":
        """Nothing yet."""
        rows = land.mask.shape[0]
        return cls(*(np.zeros(land.area.size) for _ in range(2)), *(np.zeros((bins, rows)) for _ in range(2)))

    def add(self, values: np.ndarray, *, land: Land, bins: np.ndarray, length: np.ndarray) -> None:
        """Add steps: `values` (T, land) with missing ones, `bins` and `length` (T,)."""
        there = np.isfinite(values)
        weight = there * length[:, None]
        weighted = np.where(there, values, 0.0) * length[:, None]
        self.cell += weighted.sum(0)
        self.cell_weight += weight.sum(0)
        np.add.at(self.zonal, bins, land.zonal(weighted * land.area))
        np.add.at(self.zonal_weight, bins, land.zonal(weight * land.area))

    def mean(self, land: Land) -> np.ndarray:
        """Mean over time (lat, lon)."""
        return land.field(_divide(self.cell, self.cell_weight))

    def hovmoeller(self) -> np.ndarray:
        """Mean over the land of each row (bin, lat)."""
        return _divide(self.zonal, self.zonal_weight)

    def band(self, lat: np.ndarray, south: float, north: float) -> np.ndarray:
        """Mean cycle over the land between two latitudes (bin,)."""
        rows = (lat >= south) & (lat < north)
        return _divide(self.zonal[:, rows].sum(1), self.zonal_weight[:, rows].sum(1))

    def overall(self, land: Land) -> float:
        """Mean over time and land."""
        return float(_divide((self.cell * land.area).sum(), (self.cell_weight * land.area).sum()))


def is_bare(*, std: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Where neither the predicted spread nor the reference reaches `BARE` (inputs of one shape, gC m-2 d-1)."""
    return (std < BARE) & (np.abs(truth) < BARE)


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(b) > 0, np.asarray(a) / b, np.nan)


@dataclass
class Comparison:
    """Where a reference falls in the predicted intervals, and errors against predicted spread."""

    truth: Sums
    inside: np.ndarray
    below: np.ndarray
    above: np.ndarray
    pairs: np.ndarray
    """Each (land,), in days."""
    spread: np.ndarray = field(default_factory=lambda: np.zeros((3, len(SPREAD_EDGES) + 1)))
    """(3, class): Σ area, Σ area·std², Σ area·error²."""

    @classmethod
    def zero(cls, land: Land, bins: int) -> "Comparison":
        """Nothing yet."""
        return cls(Sums.zero(land, bins), *(np.zeros(land.area.size) for _ in range(4)))

    def add(self, block: dict[str, np.ndarray], *, land: Land, bins: np.ndarray, length: np.ndarray) -> None:
        """Add steps: mean, std, q05, q95 and truth, each (T, land)."""
        truth = block["truth"]
        self.truth.add(np.where(np.isfinite(block["mean"]), truth, np.nan), land=land, bins=bins, length=length)
        there = np.isfinite(truth) & np.isfinite(block["mean"]) & np.isfinite(block["q05"]) & np.isfinite(block["q95"])
        there &= ~is_bare(std=block["std"], truth=truth)
        below, above = there & (truth < block["q05"]), there & (truth > block["q95"])
        for sums, what in ((self.below, below), (self.above, above), (self.inside, there & ~below & ~above), (self.pairs, there)):
            sums += (what * length[:, None]).sum(0)
        std, error = block["std"][there], (block["mean"] - truth)[there]
        weight = np.broadcast_to(land.area * length[:, None], there.shape)[there]
        found = np.searchsorted(SPREAD_EDGES, std)
        for row, summand in enumerate((weight, weight * std**2, weight * error**2)):
            self.spread[row] += np.bincount(found, summand, minlength=self.spread.shape[1])

    def coverage(self, land: Land) -> np.ndarray:
        """Share of the steps whose truth lies in the interval (lat, lon)."""
        return land.field(_divide(self.inside, self.pairs))

    def shares(self, land: Land) -> dict[str, np.ndarray]:
        """Shares of land and time below, inside and above the interval per row of the grid (lat,)."""
        total = land.zonal(self.pairs * land.area)
        parts = {"below": self.below, "inside": self.inside, "above": self.above}
        return {name: _divide(land.zonal(part * land.area), total) for name, part in parts.items()}

    def reliability(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Predicted spread, error found (both root mean squares) and share of land and time, per class of spread."""
        weight, std, error = self.spread
        share = weight / weight.sum() if weight.sum() else weight
        return np.sqrt(_divide(std, weight)), np.sqrt(_divide(error, weight)), share


class FluxSums:
    """All sums of one flux; feed it with `add` and `add_members`, then read its parts.

    Parameters
    ----------
    land : Land
    step : {"day", "month"}
    members : int
        Number of members that will be added (0: none).
    reference : bool
        Whether blocks carry `truth`.
    """

    def __init__(self, land: Land, *, step: calendar.Step, members: int, reference: bool):
        self.land, self.step = land, step
        bins = calendar.MONTHS if step == "month" else calendar.PENTADS
        self.mean, self.std = Sums.zero(land, bins), Sums.zero(land, bins)
        self.members = [Sums.zero(land, bins) for _ in range(members)]
        self.comparison = Comparison.zero(land, bins) if reference else None
        self.length = 0.0

    def add(self, time: np.ndarray, block: dict[str, np.ndarray]) -> None:
        """Add steps `time` (T,): fields mean, std, q05, q95 and perhaps truth, each (T, lat, lon), gC m-2 d-1."""
        axis = calendar.TimeAxis(time, self.step)
        bins, length = axis.bins, axis.days
        on_land = {name: self.land.take(values) for name, values in block.items()}
        self.length += float(length.sum())
        self.mean.add(on_land["mean"], land=self.land, bins=bins, length=length)
        self.std.add(on_land["std"], land=self.land, bins=bins, length=length)
        if self.comparison is not None:
            self.comparison.add(on_land, land=self.land, bins=bins, length=length)

    def add_members(self, time: np.ndarray, values: np.ndarray) -> None:
        """Add steps of all members, (T, member, lat, lon), gC m-2 d-1."""
        if values.shape[1] != len(self.members):
            raise ContractError("files of members differ in their number", found=f"{values.shape[1]}, {len(self.members)} before")
        axis = calendar.TimeAxis(time, self.step)
        bins, length = axis.bins, axis.days
        for k, sums in enumerate(self.members):
            sums.add(self.land.take(values[:, k]), land=self.land, bins=bins, length=length)

    @property
    def days_of_year(self) -> float:
        """Days of a year: those summed, divided by the years that they fill (at least one)."""
        return self.length / max(1, round(self.length / 365.25))

    @property
    def missing(self) -> float:
        """Share of land and time without a value."""
        total = self.land.area.sum() * self.length
        return float(1 - (self.mean.cell_weight * self.land.area).sum() / total) if total else 0.0

    def member_spread(self) -> np.ndarray | None:
        """Standard deviation over the members of the mean over time (lat, lon)."""
        if len(self.members) < 2:
            return None
        means = np.stack([_divide(m.cell, m.cell_weight) for m in self.members])
        return self.land.field(means.std(0, ddof=1))

    def bands(self) -> dict[str, tuple[float, float]]:
        """Latitude bands that hold values."""
        return {name: edges for name, edges in LATITUDE_BANDS.items() if np.isfinite(self.mean.band(self.land.lat, *edges)).any()}
