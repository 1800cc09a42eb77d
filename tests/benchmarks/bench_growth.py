"""How the work grows with what grows: processor time at two sizes gives an exponent; 1 is linear."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from tamrl import classes
from tamrl.evaluation.metrics import score_towers
from tamrl.grid import Grid
from tamrl.maps.budgets.regions import Regions
from tamrl.maps.budgets.totals import Block
from tamrl.report.sums import FluxSums, LandCells
from tamrl.uncertainty import applicability, conformal
from tests.benchmarks.rows import exponent, row

LIMIT = 1.05
"""Largest exponent that counts as linear."""

TIMES = 4
"""How much larger the second size is."""


def run() -> list[dict]:
    """An exponent for towers, cells, years and members."""
    grown = {
        "towers: scores and intervals": (_towers, 200),
        "cells: dissimilarity": (_cells, 20_000),
        "years: sums of maps for the report": (_years, 1),
        "members: budgets of regions": (_members, 4),
    }
    return [_row(name, prepare, size) for name, (prepare, size) in grown.items()]


def _row(name: str, prepare: Callable[[int], Callable[[], object]], size: int) -> dict:
    """The smaller size is repeated as often as it is smaller, so that both take about as long."""
    small, large = prepare(size), prepare(TIMES * size)
    found = exponent(lambda: [small() for _ in range(TIMES)], large, times=TIMES, calls=TIMES, clock=time.process_time)
    return row(f"exponent of {name}", found, "", LIMIT, below=True)


def _towers(count: int) -> Callable[[], object]:
    random, days = np.random.default_rng(0), pd.date_range("2010-01-01", periods=365)
    site = np.repeat([f"XV-{k:04d}" for k in range(count)], len(days))
    rows = pd.DataFrame({"site": site, "date": np.tile(days, count), "flux": "gpp", "model": "a", "split": "kfold"})
    observed = random.gamma(2, 2, len(rows))
    rows = rows.assign(
        fold=(np.arange(len(rows)) // len(days) % 3).astype(str),
        group=np.arange(len(rows)) // len(days),
        observed=observed,
        predicted=observed + random.normal(size=len(rows)),
        spread=1.0,
        season=0,
        igbp="GRA",
    )
    sites = pd.DataFrame({"site": pd.unique(site), "igbp": "GRA", "koppen": "Temperate"})

    def work() -> None:
        score_towers(rows, sites, step="day")
        conformal.cross_fit(rows, group="group")

    return work


def _cells(count: int) -> Callable[[], object]:
    random, month = np.random.default_rng(0), np.repeat(np.arange(1, 13), 30)
    values = random.normal(size=(360, count)).astype("f4")
    towers = random.normal(size=(100, 2))
    known = applicability.reference(towers, families=np.array(["a", "b"]), folds=np.arange(100).astype(str))
    return lambda: applicability.dissimilarity(known, np.stack(applicability.mean_and_amplitude(values, month), axis=1))


def _years(count: int) -> Callable[[], object]:
    grid, random = Grid(2.0), np.random.default_rng(0)
    land = LandCells.of(lat=grid.lat, land_fraction=np.full(grid.shape, 0.5), cell_area=grid.area())
    field = random.normal(size=(73, *grid.shape)).astype("f4")
    time_ = pd.date_range("2010-01-01", periods=73).to_numpy()

    def work() -> None:
        sums = FluxSums(land, step="day", members=2, reference=False)
        for _ in range(count):
            sums.add(sums.block(time_, mean=field, std=field, q05=field, q95=field))
            sums.add_members(time_, np.stack([field, field], axis=1))

    return work


def _members(count: int) -> Callable[[], object]:
    random, shape = np.random.default_rng(0), (30, 180)
    block = Block(*random.gamma(2, 2, (2, count, 73, *shape)).astype("f4"), np.ones(73))
    areas = random.random((len(classes.IGBP), *shape))
    regions = Regions.of({name: (area, area) for name, area in zip(classes.IGBP, areas, strict=True)})
    return lambda: block.sum_over(regions)
