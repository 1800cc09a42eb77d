"""Coverage of all delivered intervals where the truth is known: of cells in every file, of regions and of changes between years.

Towers test what a tower would measure; only a virtual Earth tests the flux of cells and of regions. Beside each calibrated
interval stands that of the members alone, mean ± 1.645 standard deviations.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial, reduce
from itertools import pairwise
from operator import add
from typing import Self

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
from tamrl.maps.budgets.regions import Regions
from tamrl.maps.budgets.stage import read_blocks
from tamrl.maps.budgets.totals import MonthlyTotals
from tamrl.maps.land import Land, describe_land
from tamrl.maps.means.periods import PERIODS, Periods
from tamrl.predictions import open_predictions
from tamrl.report.map_sums import check_same_grid, open_reference, pair_reference, unit_factor
from tamrl.uncertainty.calibration import Calibration
from tamrl.uncertainty.conformal import NORMAL
from tamrl.workflow import stage

EDGES = (5, 20, 40)
"""Edges of the blocks, degrees."""

MOST = 200
"""Most blocks of one size; of more, some at equal intervals are taken."""

LEAST = 0.2
"""Blocks with a smaller share of land are left out."""

SCORES = ["coverage", "width", "interval_score"]

Intervals = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Ends of the intervals by their kind."""


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
    land = describe_land(drivers, vegetated_only=vegetated_only)
    totals = RegionTotals(land, Calibration.read(run(File.CALIBRATION)), _scales(land))
    known: dict[str, dict[str, YearOfTruth]] = {flux: {} for flux in FLUXES}
    rows = []
    for (flux, label), path in pair_reference(truth, tuple(labels)).items():
        file = run(File.MAP, flux=flux, label=label)
        year = known[flux][label] = YearOfTruth.read(path, file, flux, land, TimeAxis.of(drivers).step)
        rows += year.cover_cells(file, flux, year.axis.step)
        for period in periods:
            if means := run.find(File.PERIOD, period=period, flux=flux, label=label):
                rows += year.means(period).cover_cells(means, flux, PERIODS[period])
    for manifest, label in zip(manifests, labels, strict=True):
        totals.add(open_predictions(manifest, label=label, cube=cube).ds, label, known["gpp"][label].axis)
    rows += totals.cover(known)
    result = pd.DataFrame(rows)
    counted = result.assign(**{name: result[name] * result["n"] for name in SCORES})
    sums = counted.groupby(["scale", "flux", "intervals"], sort=False)[["n", *SCORES]].sum()
    of_scales = sums[SCORES].div(sums["n"], axis=0).assign(n=sums["n"]).reset_index()
    contracts.write_table(table, of_scales[list(contracts.TRUTH_COVERAGE.columns)], contracts.TRUTH_COVERAGE, virtual=virtual)


class YearOfTruth:
    """The true flux of one year, gC m-2 d-1 of land (time, lat, lon)."""

    def __init__(self, values: np.ndarray, axis: TimeAxis, land: Land) -> None:
        self.values, self.axis, self.land = values, axis, land

    @classmethod
    def read(cls, path: str, map_path: str, flux: str, land: Land, step: Step) -> Self:
        """Read a file of one flux.

        Parameters
        ----------
        path, map_path : files of the truth and of the map of the same flux and year
        flux, step : of both
        land : of the map

        Raises `ContractError` if the truth lies on another grid or time axis than the map.
        """
        with open_reference(path) as known, xr.open_dataset(verified(map_path)) as delivered:
            check_same_grid(delivered, known, path)
            values = known[flux].values.astype("f8") * unit_factor(known[flux])
            return cls(values, TimeAxis(delivered["time"].values, step), land)

    def means(self, period: str) -> "YearOfTruth":
        """Its means over a period of the configuration."""
        periods = Periods.of(self.axis, period)
        means = periods.average(self.values[None], self.values[None])["gpp"][0]
        return YearOfTruth(means, self.axis, self.land)

    def total(self, area: np.ndarray) -> float:
        """Sum over the land area (lat, lon) and the year, PgC."""
        mass = np.einsum("tyx,t,yx->", np.nan_to_num(self.values), self.axis.days, area)
        return float(mass) / carbon.GRAMS_PER_PETAGRAM

    def cover_cells(self, path: str, flux: str, scale: str) -> list[dict[str, object]]:
        """Coverage of the intervals of a file, cells weighing by their area; months also by climate."""
        with xr.open_dataset(verified(path)) as ds:
            fields = {
                str(name): ds[name].values.astype("f8") * unit_factor(ds[name]) for name in ds if str(name).startswith(flux)
            }
        mean, std = fields[flux], fields[f"{flux}_std"]
        ends: dict[str, tuple[np.ndarray, np.ndarray]] = {"calibrated": (fields[f"{flux}_q05"], fields[f"{flux}_q95"])}
        if f"{flux}_member_std" in fields:
            half = NORMAL * fields[f"{flux}_member_std"]
            ends[ALONE] = mean - half, mean + half
        carries = np.isfinite(mean) & np.isfinite(self.values) & (std > 0) & (self.land.share > 0)
        area = np.broadcast_to(self.land.area * self.land.fraction, mean.shape)
        rows = []
        for name, cells in {f"cell, {scale}": np.True_, **(self._climates(scale))}.items():
            which = carries & cells
            chosen = {kind: (low[which], high[which]) for kind, (low, high) in ends.items()}
            rows += _rows(name, flux, self.values[which], chosen, area[which]) if which.any() else []
        return rows

    def _climates(self, scale: str) -> dict[str, np.ndarray]:
        """Cells (lat, lon) that lie in each climate for the most part, by the name of their scale."""
        if scale != "month" or self.land.koppen is None:
            return {}
        shares = zip(classes.KOPPEN, self.land.koppen, strict=True)
        return {f"cell, {scale}, {name.lower()}": share > 0.5 for name, share in shares}


def _rows(scale: str, flux: str, truth: np.ndarray, ends: Intervals, weight: np.ndarray) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for kind, (low, high) in ends.items():
        inside = (truth >= low) & (truth <= high)
        values = {"coverage": inside, "width": high - low, "interval_score": interval_score(truth, low, high)}
        means = {name: float(np.average(column, weights=weight)) for name, column in values.items()}
        rows.append({"scale": scale, "flux": flux, "intervals": kind, "n": len(truth)} | means)
    return rows


def _scales(land: Land) -> dict[str, Regions]:
    """The globe, latitude bands and blocks of several sizes, by the name of their scale; no two regions share a name."""
    area = land.area * land.fraction
    scales = {}
    for edge in EDGES:
        if edge >= abs(land.lat[1] - land.lat[0]):
            row, column = (
                np.floor((np.asarray(at) + origin) / edge).astype(int) for at, origin in ((land.lat, 90), (land.lon, 180))
            )
            block = row[:, None] * (360 // edge) + column[None]
            share = np.bincount(block.ravel(), area.ravel()) / np.maximum(np.bincount(block.ravel(), land.area.ravel()), 1.0)
            numbers = np.flatnonzero(share >= LEAST)
            numbers = numbers[:: max(1, -(-len(numbers) // MOST))]
            masks = {f"{edge}° {number}": (block == number).astype(float) for number in numbers}
            scales[f"block of {edge}°"] = Regions.of({n: (area * m, area * m * land.share) for n, m in masks.items()})
    budgets = Regions.of_budgets(land)
    bands = [name for name in classes.LATITUDE_BANDS if budgets.land[budgets.names.index(name)].any()]
    for scale, names in {"globe": ["globe"], "latitude band": bands}.items():
        chosen = [budgets.names.index(name) for name in names]
        scales[scale] = Regions(tuple(names), budgets.land[chosen], budgets.carrying[chosen])
    return scales


class RegionTotals:
    """Totals of the regions of all scales in each year, and their errors."""

    def __init__(self, land: Land, calibration: Calibration, scales: Mapping[str, Regions]) -> None:
        self.land, self.calibration, self.scales = land, calibration, scales
        self.members: dict[str, dict[str, np.ndarray]] = {}
        """By year and flux, PgC (region, member); regions of all scales, one after the other."""
        self.errors: dict[str, TotalErrors] = {}

    def add(self, predictions: xr.Dataset, label: str, axis: TimeAxis) -> None:
        """Sum the predictions of a year, which are read once."""
        names = tuple(name for regions in self.scales.values() for name in regions.names)
        every = Regions(
            names, *(np.concatenate([getattr(r, part) for r in self.scales.values()]) for part in ("land", "carrying"))
        )
        months, deviations = MonthlyTotals(axis.month), MonthlyDeviations(self.land, self.calibration, "month")
        for rows in blocks.strips(predictions["gpp"]):
            band = Regions(names, every.land[:, rows], every.carrying[:, rows])
            read = months.add(read_blocks(predictions.isel(lat=rows), axis), band, partial(deviations.add, rows=rows))
            deque(read, maxlen=0)
        self.members[label] = reduce(add, months.totals.values()).petagrams
        self.errors[label] = TotalErrors.of(deviations, every)

    def cover(self, truth: Mapping[str, Mapping[str, YearOfTruth]]) -> list[dict[str, object]]:
        """Coverage of totals, and of the differences between consecutive years."""
        rows, first = [], 0
        for scale, regions in self.scales.items():
            part = slice(first, first := first + len(regions.names))
            for flux, of_label in truth.items():
                known = {label: np.array([year.total(area) for area in regions.land]) for label, year in of_label.items()}
                for label, totals in known.items():
                    members, error = self.members[label][flux][part], self._std(regions, flux, [label])
                    rows += _cover_totals(scale, flux, totals, members, error)
                for before, after in pairwise(known):
                    change = self.members[after][flux][part] - self.members[before][flux][part]
                    error = self._std(regions, flux, [before, after], only="passing_std")
                    rows += _cover_totals(f"{scale}, change of a year", flux, known[after] - known[before], change, error)
        return rows

    def _std(self, regions: Regions, flux: str, labels: Sequence[str], only: str = "") -> np.ndarray:
        """Standard deviation of the error besides that of the members (region)."""
        variance = np.zeros(len(regions.names))
        for label in labels:
            parts = pd.DataFrame([self.errors[label].parts(flux, region) for region in regions.names])
            variance += (parts[[only]] if only else parts).pow(2).sum(axis=1).to_numpy()
        return np.asarray(np.sqrt(variance))


def _cover_totals(scale: str, flux: str, truth: np.ndarray, members: np.ndarray, std: np.ndarray) -> list[dict[str, object]]:
    mean = members.mean(1)
    spread = members.std(1, ddof=1) if members.shape[1] > 1 else np.zeros(len(mean))
    half = {"calibrated": NORMAL * np.hypot(spread, std), ALONE: NORMAL * spread}
    return _rows(scale, flux, truth, {kind: (mean - h, mean + h) for kind, h in half.items()}, np.ones(len(mean)))
