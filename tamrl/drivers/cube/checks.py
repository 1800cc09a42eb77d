"""What is counted of a variable while it is written, and what is refused by it."""

import logging
from dataclasses import dataclass, field

import numpy as np

from tamrl import variables
from tamrl.calendar import TimeAxis
from tamrl.drivers import plausible
from tamrl.errors import InputError, UnitError
from tamrl.grid import Grid

_log = logging.getLogger(__name__)


@dataclass
class Tally:
    """Counts over the land cells of a variable: its largest value, how many values are missing, and its zonal means."""

    name: str
    grid: Grid
    largest: float = -np.inf
    missing: int = 0
    seen: int = 0
    means: list[np.ndarray] = field(default_factory=list)
    counts: list[np.ndarray] = field(default_factory=list)
    columns: int = 0

    def add(self, values: np.ndarray, land: np.ndarray) -> None:
        """Count a block (time, lat, lon) that holds values over land only."""
        size = values.shape[0] * int(land.sum())
        self.seen += size
        self.missing += size - int(np.count_nonzero(np.isfinite(values)))
        self.largest = max(self.largest, float(np.fmax.reduce(values, axis=None, initial=-np.inf)))
        self.add_means(values)

    def add_means(self, values: np.ndarray) -> None:
        """Keep the zonal means of steps without counting them: those before a series that goes on."""
        sample = np.ascontiguousarray(values[:, :, :: max(1, values.shape[2] // 90)])  # gathered once, read twice
        count = np.isfinite(sample).sum(2)
        self.columns = sample.shape[2]
        self.counts.append(count)
        self.means.append(np.where(count > 0, np.nansum(sample, 2) / np.maximum(count, 1), np.nan))

    def check(self, time: TimeAxis, where: object) -> None:
        """Refuse a variable that cannot be right; `time` holds the steps whose zonal means were kept, `where` is for errors.

        Raise `InputError` if it has no value over land; `UnitError` if its largest value is implausibly small (`peak` of the
        vocabulary), or its mean or season is impossible (`plausible.check_means`).
        """
        entry = variables.get(self.name)
        if self.seen and self.missing == self.seen:
            raise InputError(f"{self.name} has no value over land", where=where)
        means = np.concatenate(self.means)
        zonal = plausible.ZonalMeans(means, np.concatenate(self.counts), time.part(slice(0, len(means))), self.grid, self.columns)
        if entry.peak is not None and self.seen and self.largest < entry.peak and plausible.must_reach_peak(zonal):
            asked = f"{self.name} never reaches {entry.peak:g} {entry.units} on the globe"
            todo = "check the unit: the values are probably in a larger one than the vocabulary says"
            raise UnitError(asked, where=where, found=f"at most {self.largest:.4g}", todo=todo)
        plausible.check_means(self.name, zonal, where=where)
        if (turned := upside_down(means)).size:
            days = ", ".join(str(time.start[k].astype("datetime64[D]")) for k in turned[:5])
            _log.warning("%s: %d steps look as if north and south were exchanged: %s", self.name, turned.size, days)
        _log.info("%s: %d of %d land cell-steps missing, at most %.4g", self.name, self.missing, self.seen, self.largest)


def upside_down(means: np.ndarray) -> np.ndarray:
    """Steps whose zonal mean (time, lat) is far nearer to its neighbours in time when turned upside down; missing allowed."""
    if len(means) < 3:
        return np.array([], int)
    around = (means[:-2] + means[2:]) / 2
    middle = means[1:-1]
    both = np.isfinite(middle) & np.isfinite(middle[:, ::-1]) & np.isfinite(around)
    straight = np.where(both, np.abs(middle - around), 0).sum(1)
    turned = np.where(both, np.abs(middle[:, ::-1] - around), 0).sum(1)
    return np.flatnonzero(both.any(1) & (turned < straight / 4)) + 1
