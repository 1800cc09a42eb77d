"""Stage of the budgets: `budgets.csv`, `budget_members.csv`, `budget_trends.csv` and `regions.csv`."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add

import pandas as pd
import xarray as xr

from tamrl import contracts, stores
from tamrl.calendar import TimeAxis
from tamrl.log import progress
from tamrl.maps import blocks
from tamrl.maps.budgets import tables
from tamrl.maps.budgets.errors import MonthlyDeviations, TotalErrors
from tamrl.maps.budgets.regions import Regions
from tamrl.maps.budgets.totals import Block, MonthlyTotals, Totals
from tamrl.maps.land import Land, describe_land
from tamrl.predictions import open_predictions
from tamrl.uncertainty.calibration import Calibration
from tamrl.workflow import stage

_log = logging.getLogger(__name__)

NEVER_MISSING = 1e-3
"""Share of missing land with flux above which a warning is logged."""


@stage
def sum_budgets(
    *,
    manifests: list[str],
    cube: str,
    calibration: str,
    budgets: str,
    members: str,
    trends: str,
    regions: str,
    labels: list[str],
    vegetated_only: bool,
    virtual: bool = False,
    years: Sequence[str] = (),
) -> None:
    """Sum the members over regions and years, and over the regions of the atlas and months; all predictions are read once.

    Parameters
    ----------
    manifests, labels : `predictions/{label}.json` and its label, one each per mapped year
    calibration : `evaluation/calibration.json`, with its error model
    years : tables of `sum_year`, one per label, where each year was summed by a job of its own; the predictions are not read then
    budgets, members, trends, regions : path
        Tables to write by `contracts.BUDGETS`, `BUDGET_MEMBERS`, `BUDGET_TRENDS` and `REGIONS`, PgC yr-1 (`regions`: PgC).
    vegetated_only : whether land without vegetation carries no flux
    virtual : whether the inputs of the run were simulated; the tables say so then (`simulated.COLUMN`)
    """
    if years:
        summed = [tables.YearTables.read(path) for path in years]
    else:
        sums = _LabelSums.prepare(cube, calibration, vegetated_only=vegetated_only)
        summed = [sums.of_label(manifest, label) for manifest, label in zip(manifests, labels, strict=True)]
    every_year, every_member, of_months = (pd.concat(kind, ignore_index=True) for kind in zip(*summed, strict=True))
    written = (
        (budgets, every_year, contracts.BUDGETS, 6),
        (members, every_member, contracts.BUDGET_MEMBERS, 10),
        (trends, tables.trend_table(every_member, every_year), contracts.BUDGET_TRENDS, 6),
        (regions, of_months, contracts.REGIONS, 6),
    )
    for path, table, schema, digits in written:
        contracts.write_table(path, table, schema, virtual=virtual, digits=digits)


@stage
def sum_year(*, manifest: str, cube: str, calibration: str, tables: str, label: str, vegetated_only: bool) -> None:
    """Sum the members of one label for `sum_budgets`.

    Parameters
    ----------
    manifest, label : `predictions/{label}.json` and its label
    cube, calibration, vegetated_only : as of `sum_budgets`
    tables : folder to write, with all digits
    """
    _LabelSums.prepare(cube, calibration, vegetated_only=vegetated_only).of_label(manifest, label).write(tables)


@dataclass(frozen=True, eq=False)
class _LabelSums:
    """What the sums of all labels share."""

    cube: str
    land: Land
    calibration: Calibration
    kinds: tuple[Regions, Regions]
    time: TimeAxis

    @classmethod
    def prepare(cls, cube: str, calibration: str, *, vegetated_only: bool) -> "_LabelSums":
        """Read the land of the cube, and the error model."""
        drivers = stores.open_cube(cube)
        land = describe_land(drivers, vegetated_only=vegetated_only)
        kinds = Regions.of_budgets(land), Regions.of_atlas(land)
        return cls(cube, land, Calibration.read(calibration), kinds, TimeAxis.of(drivers))

    def of_label(self, manifest: str, label: str) -> tables.YearTables:
        """Sum the members of a label."""
        ds = open_predictions(manifest, label=label, cube=self.cube).ds
        axis = TimeAxis(ds["time"].values, self.time.step)
        deviations = MonthlyDeviations(self.land, self.calibration, "mean month" if self.time.climatology else "month")
        year, months = _sum_label(ds, axis, self.land, label, deviations)
        errors = TotalErrors.of(deviations, *self.kinds)
        summed = tables.YearTables(
            tables.budget_table(year, errors, label=label, days=float(axis.days.sum())),
            tables.member_table(year, label=label),
            tables.region_table(months, errors, deviations.days, label=label),
        )
        _log.info("%s: %s", label, tables.describe_all(summed.years, summed.members))
        return summed


def _sum_label(
    ds: xr.Dataset, axis: TimeAxis, land: Land, label: str, deviations: MonthlyDeviations
) -> tuple[Totals, dict[int, Totals]]:
    """Return totals of a year over the regions of the budgets, and of each month over those of the atlas; fill `deviations`."""
    year: list[Totals] = []
    months = MonthlyTotals(axis.month)
    for rows in progress(list(blocks.strips(ds["gpp"])), f"budgets {label}"):
        within = land.rows(rows)
        regions = Regions.of_budgets(within)
        finished = partial(deviations.add, rows=rows)
        read = months.add(read_blocks(ds.isel(lat=rows), axis), Regions.of_atlas(within), finished)
        year += [block.sum_over(regions) for block in read]
    total = reduce(add, year)
    level = logging.WARNING if total.missing > NEVER_MISSING else logging.INFO
    _log.log(level, "%s: %.2f %% of the land that carries flux has no value and is in no total", label, 100 * total.missing)
    return total, months.totals


def read_blocks(strip: xr.Dataset, axis: TimeAxis) -> Iterator[tuple[slice, Block]]:
    """Yield steps and members of a strip of rows, as many steps as fit in memory."""
    per_step = sum(strip[name].nbytes for name in ("gpp", "reco")) // len(axis)
    for when in blocks.steps(len(axis), bytes_per_step=per_step):
        part = strip.isel(time=when)
        yield when, Block(part["gpp"].values, part["reco"].values, axis.days[when])
