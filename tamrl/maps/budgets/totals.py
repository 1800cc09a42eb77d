"""Sums of carbon over regions, PgC: flux times land area times time, per member.

The sums of any blocks of cells and steps add up to the same totals. A missing cell-step adds neither mass nor area: no value
is invented, and each total comes with its area.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from tamrl import carbon, classes
from tamrl.errors import ContractError
from tamrl.maps.budgets.regions import Regions
from tamrl.reduce import WeightedSum, over_regions, over_time


@dataclass(frozen=True)
class Totals:
    """Sums over a block of cells and steps."""

    regions: tuple[str, ...]
    gpp: WeightedSum
    reco: WeightedSum
    """`gpp`, `reco`: mass of carbon (region, member), g; their weight (region) is the land with flux and values, m2 d."""
    area: np.ndarray
    """Array (region): land with values, m2 d."""
    wanted: np.ndarray
    """Array (region): land that carries flux, with values or without, m2 d."""

    def __add__(self, other: "Totals") -> "Totals":
        """Totals of both blocks."""
        if self.regions != other.regions:
            raise ContractError("totals of different regions cannot be added", found=(self.regions, other.regions))
        gpp, reco = self.gpp + other.gpp, self.reco + other.reco
        return Totals(self.regions, gpp, reco, self.area + other.area, self.wanted + other.wanted)

    @property
    def missing(self) -> float:
        """Share of the mapped carrying land and time without values."""
        every = self.regions.index(classes.name_of_all(self.regions))
        wanted = self.wanted[every]
        lost = wanted - self.gpp.weight[every]
        return float(max(0.0, lost / wanted)) if wanted else 0.0  # rounding may leave a little less than nothing

    @property
    def petagrams(self) -> dict[str, np.ndarray]:
        """PgC of each flux (region, member)."""
        masses = {"gpp": self.gpp.total, "reco": self.reco.total}
        return {flux: mass / carbon.GRAMS_PER_PETAGRAM for flux, mass in (masses | {"nee": carbon.nee(**masses)}).items()}


@dataclass(frozen=True)
class Block:
    """Members of some steps of a band of rows."""

    gpp: np.ndarray
    reco: np.ndarray
    """Arrays (member, time, lat, lon): gC m-2 d-1 of vegetated land. A step of a cell counts where all members have both."""
    days: np.ndarray
    """Array (time): length of each step in days."""

    def steps(self, part: slice) -> "Block":
        """Return a copy of some steps, so that the others need not stay in memory."""
        return Block(self.gpp[:, part].copy(), self.reco[:, part].copy(), self.days[part])

    def followed_by(self, other: "Block") -> "Block":
        """Return one block with the steps of both."""
        parts = zip((self.gpp, self.reco), (other.gpp, other.reco), strict=True)
        gpp, reco = (np.concatenate(part, axis=1) for part in parts)
        return Block(gpp, reco, np.concatenate([self.days, other.days]))

    def means(self) -> dict[str, np.ndarray]:
        """Means over the steps by flux, (member, 1, lat, lon), NaN where a step is missing."""
        days = self.days / self.days.sum()
        gpp, reco = (np.einsum("mtyx,t->myx", part, days)[:, None] for part in (self.gpp, self.reco))
        return {"gpp": gpp, "reco": reco, "nee": carbon.nee(gpp=gpp, reco=reco)}

    def sum_over(self, regions: Regions) -> Totals:
        """Sum the block over regions of its cells."""
        known = np.isfinite(self.gpp).all(0) & np.isfinite(self.reco).all(0)
        cells = over_time([*self.gpp, *self.reco], self.days, known=known)
        mass, area = over_regions(cells, regions.carrying), np.einsum("ryx,yx->r", regions.land, cells.weight)
        gpp, reco = (WeightedSum(total, mass.weight) for total in np.split(mass.total, 2, axis=1))
        return Totals(regions.names, gpp, reco, area, regions.carrying.sum((1, 2)) * self.days.sum())


@dataclass
class MonthlyTotals:
    """Totals of each month of a year, from blocks of steps in the order of time."""

    month: np.ndarray
    """Array (time): calendar month of each step, 1 to 12."""
    totals: dict[int, Totals] = field(default_factory=dict)
    """Totals by month; a month is summed when all of its steps have been read, whatever the blocks."""

    def add(
        self, blocks: Iterable[tuple[slice, Block]], regions: Regions, finished: Callable[[int, Block], None]
    ) -> Iterable[Block]:
        """Add the blocks of a band of rows, each with its steps, and yield them; `finished` is told of each complete month."""
        unfinished: dict[int, Block] = {}
        for when, block in blocks:
            for month in np.unique(self.month[when]).tolist():
                steps = when.start + np.flatnonzero(self.month[when] == month)
                part = block.steps(slice(steps[0] - when.start, steps[-1] + 1 - when.start))
                if month in unfinished:
                    part = unfinished.pop(month).followed_by(part)
                if len(part.days) < (self.month == month).sum():
                    unfinished[month] = part
                    continue
                finished(month, part)
                total = part.sum_over(regions)
                self.totals[month] = self.totals[month] + total if month in self.totals else total
            yield block
