"""Coverage of all delivered intervals where the truth is known: of cells in every file, of regions and of changes between years.

Towers test what a tower would measure; only a virtual Earth tests the flux of cells and of regions. Beside each calibrated
interval stands that of the members alone, mean ± 1.645 standard deviations. Maps and truth are read a few steps at a time and
predictions a strip of rows at a time, so a year of the globe is never in memory.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import pairwise
from operator import add

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import carbon, classes, contracts, stores
from tamrl.calendar import Step, TimeAxis
from tamrl.carbon import FLUXES
from tamrl.evaluation.reliability import ALONE, interval_score
from tamrl.files import verified
from tamrl.layout import File, RunFiles
from tamrl.maps import blocks
from tamrl.maps.budgets.errors import MonthlyDeviations, TotalErrors
from tamrl.maps.budgets.regions import Regions, latitude_bands
from tamrl.maps.budgets.stage import read_blocks
from tamrl.maps.budgets.totals import MonthlyTotals
from tamrl.maps.land import Land, describe_land
from tamrl.maps.means.periods import PERIODS, Periods
from tamrl.predictions import open_predictions
from tamrl.reduce import COVERED
from tamrl.report.map_sums import check_same_grid, cut_reference, open_reference, pair_reference, time_blocks, unit_factor
from tamrl.uncertainty.calibration import Calibration
from tamrl.uncertainty.conformal import NORMAL
from tamrl.workflow import stage

EDGES = (5, 20, 40)
"""Edges of the blocks, degrees."""

MOST = 200
"""Most blocks of one size; of more, some at equal intervals are taken."""

LEAST = 0.2
"""Blocks with a smaller share of land that carries flux are left out: where nothing grows, zero is always right."""

SCORES = ["coverage", "width", "interval_score"]

Intervals = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Ends of the intervals by their kind."""

Truth = Callable[[slice], np.ndarray]
"""Returns the true flux of some steps (time, lat, lon), gC m-2 d-1 of land."""


@stage
def cover_truth(
    *,
    files: list[str],
    truth: list[str],
    folder: str,
    cube: str,
    manifests: list[str],
    table: str,
    labels: list[str],
    periods: list[str],
    vegetated_only: bool,
    virtual: bool = False,
) -> None:
    """Write how often the truth lies in the intervals of a run.

    Parameters
    ----------
    files : maps, means and calibration of the run
    truth : gridded fluxes, by flux and then label
    folder : of the run
    manifests, labels : `predictions/{label}.json` and its label, one each per mapped year
    periods : those of the files of means
    table : output by `contracts.TRUTH_COVERAGE`
    """
    run, drivers = RunFiles.of(folder, files), stores.open_cube(cube)
    land, step = describe_land(drivers, vegetated_only=vegetated_only), TimeAxis.of(drivers).step
    totals = RegionTotals(land, Calibration.read(run(File.CALIBRATION)), scale_regions(land))
    known: dict[str, dict[str, RegionValues]] = {flux: {} for flux in FLUXES}
    coverage = Coverage()
    for (flux, label), path in pair_reference(truth, tuple(labels)).items():
        file = run(File.MAP, flux=flux, label=label)
        of_period = {period: run.find(File.PERIOD, period=period, flux=flux, label=label) for period in periods}
        year = YearOfTruth.read(path, file, flux, step, [period for period, written in of_period.items() if written])
        with open_reference(path) as ds, xr.open_dataset(verified(file)) as delivered:
            coverage.add_cells(file, flux, step, land, partial(_true_steps, cut_reference(ds, delivered)[flux]))
        for period, means in year.means.items():
            coverage.add_cells(str(of_period[period]), flux, PERIODS[period], land, means.__getitem__)
        known[flux][label] = totals.sum_truth(year)
    for manifest, label in zip(manifests, labels, strict=True):
        totals.add(open_predictions(manifest, label=label, cube=cube).ds, label, step)
    totals.cover(known, coverage)
    contracts.write_table(table, coverage.table(), contracts.TRUTH_COVERAGE, virtual=virtual)


class Coverage:
    """How often and how narrowly intervals hold the truth, by scale, flux and kind of interval."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, str, str], np.ndarray] = {}
        """Number of values, sum of their weights, and weighted sums of `SCORES`."""

    def add(self, scale: str, flux: str, truth: np.ndarray, ends: Intervals, weight: np.ndarray) -> None:
        """Count intervals.

        Parameters
        ----------
        scale, flux : what the values are
        truth, weight : arrays (value)
        ends : arrays (value) by kind of interval
        """
        for kind, (low, high) in ends.items():
            inside = (truth >= low) & (truth <= high)
            scores = (inside, high - low, interval_score(truth, low, high))
            # summed as the weights are: rounding then never makes a share of more than 1
            sums = np.array([len(truth), weight.sum(), *((weight * score).sum() for score in scores)])
            self.sums[scale, flux, kind] = self.sums.get((scale, flux, kind), 0.0) + sums

    def add_cells(self, path: str, flux: str, scale: str, land: Land, truth: Truth) -> None:
        """Count the intervals of a file; cells weigh by their land area, and months count by climate too.

        Parameters
        ----------
        path : of the file
        flux, scale : what it holds
        land, truth : of its cells
        """
        area = land.area * land.fraction
        climates = {} if scale != "month" or land.koppen is None else dict(zip(classes.KOPPEN, land.koppen > 0.5, strict=True))
        cells = {f"cell, {scale}": land.share > 0}
        cells |= {f"cell, {scale}, {name.lower()}": (land.share > 0) & climate for name, climate in climates.items()}
        with xr.open_dataset(verified(path)) as ds:
            for when in time_blocks(ds[flux]):
                known = truth(when)
                mean, std, low, high = (_fluxes(ds, flux + part, when) for part in ("", "_std", "_q05", "_q95"))
                ends = {"calibrated": (low, high)}
                if f"{flux}_member_std" in ds:
                    half = NORMAL * _fluxes(ds, f"{flux}_member_std", when)
                    ends[ALONE] = mean - half, mean + half
                carries = np.isfinite(mean) & np.isfinite(known) & (std > 0)
                weight = np.broadcast_to(area, mean.shape)
                for name, chosen in cells.items():
                    if (which := carries & chosen).any():
                        of_kind = {kind: (low[which], high[which]) for kind, (low, high) in ends.items()}
                        self.add(name, flux, known[which], of_kind, weight[which])

    def table(self) -> pd.DataFrame:
        """Weighted means of the scores by `contracts.TRUTH_COVERAGE`."""
        rows = [
            dict(zip(("scale", "flux", "intervals"), key, strict=True))
            | {"n": int(n)}
            | dict(zip(SCORES, np.asarray(scores) / weight, strict=True))
            for key, (n, weight, *scores) in self.sums.items()
        ]
        return pd.DataFrame(rows)[list(contracts.TRUTH_COVERAGE.columns)]


def _fluxes(ds: xr.Dataset, name: str, when: slice) -> np.ndarray:
    """Return some steps of a variable in gC m-2 d-1, float64 (time, lat, lon)."""
    return np.asarray(ds[name].isel(time=when).values.astype("f8") * unit_factor(ds[name]))


def _true_steps(values: xr.DataArray, when: slice) -> np.ndarray:
    return np.asarray(values.isel(time=when).values.astype("f8") * unit_factor(values))


@dataclass(frozen=True, eq=False)
class YearOfTruth:
    """The true flux of one year."""

    sum: np.ndarray
    """Array (lat, lon): gC m-2 of land over the steps with an estimate; those that lack the truth have the estimate."""
    days: np.ndarray
    """Array (2, lat, lon): days with an estimate, and those of them with the truth too."""
    means: Mapping[str, np.ndarray]
    """Arrays (period, lat, lon) by period of the configuration, gC m-2 d-1; NaN where a step is missing."""

    @classmethod
    def read(cls, path: str, map_path: str, flux: str, step: Step, periods: Sequence[str]) -> "YearOfTruth":
        """Read a file of one flux, a few steps at a time.

        Parameters
        ----------
        path, map_path : files of the truth and of the map of the same flux and year
        flux, step : of both
        periods : whose means are wanted

        Raises `ContractError` if the truth lies on another grid or time axis than the map.
        """
        with open_reference(path) as globe, xr.open_dataset(verified(map_path)) as delivered:
            known = cut_reference(globe, delivered)
            check_same_grid(delivered, known, path)
            axis, values = TimeAxis(delivered["time"].values, step), known[flux]
            of_period = {period: Periods.of(axis, period) for period in periods}
            total, days = np.zeros(values.shape[1:]), np.zeros((2, *values.shape[1:]))
            sums = {period: np.zeros((len(of.first), *total.shape)) for period, of in of_period.items()}
            for when in time_blocks(values):
                steps = zip(range(when.start, when.stop), _true_steps(values, when), _fluxes(delivered, flux, when), strict=True)
                for at, flow, estimate in steps:
                    mapped = np.isfinite(estimate)
                    total += np.where(mapped, np.where(np.isfinite(flow), flow, estimate), 0.0) * axis.days[at]
                    days += np.stack([mapped, mapped & np.isfinite(flow)]) * axis.days[at]
                    for period, of in of_period.items():
                        sums[period][np.searchsorted(of.first, at, side="right") - 1] += flow * axis.days[at]
        for period, of in of_period.items():
            sums[period] /= np.add.reduceat(of.days, of.first)[:, None, None]
        return cls(total, days, sums)


@dataclass(frozen=True, eq=False)
class ScaleRegions:
    """Regions of one scale, which share no cell."""

    names: tuple[str, ...]
    position: np.ndarray
    """Array (lat, lon) of int: position of the region of each cell among the names, -1 outside of all."""
    land: Land

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each name and the land that carries flux (lat, lon), m2."""
        carrying = np.nan_to_num(self.land.area * self.land.fraction * self.land.share)
        for position, name in enumerate(self.names):
            yield name, np.where(self.position == position, carrying, 0.0)

    def within(self, rows: slice) -> Regions:
        """Return them in a band of rows."""
        land = self.land.rows(rows)
        area = land.area * land.fraction
        masks = self.position[rows] == np.arange(len(self.names))[:, None, None]
        return Regions.of({name: (area * mask, area * land.share * mask) for name, mask in zip(self.names, masks, strict=True)})

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums of values (lat, lon) over the land of the regions (region), PgC if the values are gC m-2."""
        area = np.where(np.isfinite(self.land.share), self.land.area * self.land.fraction, 0.0)
        inside = self.position >= 0
        mass = np.bincount(self.position[inside], (values * area)[inside], len(self.names))
        return np.asarray(mass / carbon.GRAMS_PER_PETAGRAM)


def scale_regions(land: Land) -> dict[str, ScaleRegions]:
    """Return blocks of several sizes, all mapped land and latitude bands, by name of the scale; no two regions share a name."""
    scales = {f"block of {edge}°": _blocks(land, edge) for edge in EDGES if edge >= abs(land.lat[1] - land.lat[0])}
    bands = {name: mask for name, mask in latitude_bands(land).items() if (land.fraction * mask).any()}
    every = land.name_of_all
    for scale, names in {every: [every], "latitude band": [name for name in bands if name != every]}.items():
        position = np.full(land.fraction.shape, -1)
        for at, name in enumerate(names):
            position[bands[name] > 0] = at
        scales[scale] = ScaleRegions(tuple(names), position, land)
    return {scale: regions for scale, regions in scales.items() if regions.names}


def _blocks(land: Land, edge: int) -> ScaleRegions:
    area = np.nan_to_num(land.area * land.fraction * land.share)
    row, column = (np.floor((np.asarray(at) + origin) / edge).astype(int) for at, origin in ((land.lat, 90), (land.lon, 180)))
    block = row[:, None] * (360 // edge) + column[None]
    share = np.bincount(block.ravel(), area.ravel()) / np.maximum(np.bincount(block.ravel(), land.area.ravel()), 1.0)
    numbers = np.flatnonzero(share >= LEAST)
    numbers = numbers[:: max(1, -(-len(numbers) // MOST))]
    positions = np.full(len(share), -1)
    positions[numbers] = np.arange(len(numbers))
    return ScaleRegions(tuple(f"{edge}° {number}" for number in numbers), positions[block], land)


RegionValues = Mapping[str, np.ndarray]
"""Totals of the regions of each scale (region), PgC."""


class RegionTotals:
    """Totals of the regions of all scales in each year, and their errors."""

    def __init__(self, land: Land, calibration: Calibration, scales: Mapping[str, ScaleRegions]) -> None:
        self.land, self.calibration, self.scales = land, calibration, scales
        self.members: dict[str, dict[str, np.ndarray]] = {}
        """By year and flux, PgC (region, member); regions of all scales, one after the other."""
        self.errors: dict[str, TotalErrors] = {}

    def sum_truth(self, year: YearOfTruth) -> RegionValues:
        """Return the true totals of the regions, NaN where the truth covers less than `COVERED` of a region."""
        totals = {}
        for scale, regions in self.scales.items():
            mapped, known = map(regions.sums, year.days)
            totals[scale] = np.where((mapped > 0) & (known >= COVERED * mapped), regions.sums(year.sum), np.nan)
        return totals

    def add(self, predictions: xr.Dataset, label: str, step: Step) -> None:
        """Sum the predictions of a year, which are read once."""
        axis = TimeAxis(predictions["time"].values, step)
        months, deviations = MonthlyTotals(axis.month), MonthlyDeviations(self.land, self.calibration, "month")
        for rows in blocks.strips(predictions["gpp"]):
            parts = [regions.within(rows) for regions in self.scales.values()]
            names = tuple(name for part in parts for name in part.names)
            land, carrying = (np.concatenate(areas) for areas in zip(*((p.land, p.carrying) for p in parts), strict=True))
            finished = partial(deviations.add, rows=rows)
            read = months.add(read_blocks(predictions.isel(lat=rows), axis), Regions(names, land, carrying), finished)
            deque(read, maxlen=0)
        self.members[label] = reduce(add, months.totals.values()).petagrams
        self.errors[label] = TotalErrors.of(deviations, *self.scales.values())

    def cover(self, truth: Mapping[str, Mapping[str, RegionValues]], coverage: Coverage) -> None:
        """Count totals, and the differences between consecutive years, given the true totals by flux and year."""
        first = 0
        for scale, regions in self.scales.items():
            part = slice(first, first := first + len(regions.names))
            for flux, of_label in truth.items():
                for label, known in of_label.items():
                    members, error = self.members[label][flux][part], self._std(regions.names, flux, [label])
                    _cover_totals(coverage, scale, flux, known[scale], members, error, self.errors[label].quantiles[flux])
                for before, after in pairwise(of_label):
                    change = self.members[after][flux][part] - self.members[before][flux][part]
                    error = self._std(regions.names, flux, [before, after], only="passing_std")
                    known_change = of_label[after][scale] - of_label[before][scale]
                    quantile = self.errors[after].quantiles[flux]
                    _cover_totals(coverage, f"{scale}, change of a year", flux, known_change, change, error, quantile)

    def _std(self, names: Sequence[str], flux: str, labels: Sequence[str], only: str = "") -> np.ndarray:
        """Standard deviation of the error besides that of the members (region)."""
        variance = np.zeros(len(names))
        for label in labels:
            parts = pd.DataFrame([self.errors[label].parts(flux, region) for region in names])
            variance += (parts[[only]] if only else parts).pow(2).sum(axis=1).to_numpy()
        return np.asarray(np.sqrt(variance))


def _cover_totals(
    coverage: Coverage, scale: str, flux: str, truth: np.ndarray, members: np.ndarray, std: np.ndarray, quantile: float
) -> None:
    mean = members.mean(1)
    spread = members.std(1, ddof=1) if members.shape[1] > 1 else np.zeros(len(mean))
    half = {"calibrated": quantile * np.hypot(spread, std), ALONE: NORMAL * spread}
    if (known := np.isfinite(truth)).any():
        ends = {kind: ((mean - h)[known], (mean + h)[known]) for kind, h in half.items()}
        coverage.add(scale, flux, truth[known], ends, np.ones(known.sum()))
